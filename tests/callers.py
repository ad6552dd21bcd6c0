"""How a caller says who it is, in process and over the wire."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rest_framework.test import APIClient


def bearer(token: str) -> dict[str, str]:
    """The header, for clients over the wire."""
    return {"Authorization": f"Bearer {token}"}


def bearing(token: str) -> "APIClient":
    from rest_framework.test import APIClient  # wants settings, which a benchmark that takes `bearer` has none of

    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client
