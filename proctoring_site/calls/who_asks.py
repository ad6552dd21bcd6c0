"""Whether a person in a browser asks, or a program."""

from django.http import HttpRequest


def wants_page(request: HttpRequest) -> bool:
    """A person who followed a link, not a program."""
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"
