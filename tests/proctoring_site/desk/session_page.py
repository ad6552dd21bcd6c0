"""The page of one session: its address, what stands there, and what a reviewer says from it."""

from typing import Any

from django.http import HttpResponse
from django.test import Client

from sessions_app.models import Session
from sessions_app.review import services as reviews
from sessions_app.review.weighing import Incident

JSON = {"HTTP_ACCEPT": "application/json"}


def page_of(session: Session) -> str:
    return f"/admin/sessions_app/session/{session.pk}/change/"


def key_of(session: Session, event_type: str) -> str:
    return next(one.key for one in reviews.review_of(session).incidents if one.event_type == event_type)


def row(session: Session, event_type: str) -> Incident:
    return next(one for one in reviews.review_of(session).incidents if one.event_type == event_type)


def say(
    client: Client, session: Session, verb: str, *, seen: int | None = None, as_form: bool = False, **told: Any
) -> HttpResponse:
    """As the page's script says it; `seen` is what the page shows now."""
    review = reviews.review_of(session)
    told = {"verb": verb, "review_revision": review.revision if seen is None else seen, **told}
    if "incident" in told:
        told |= {"seen_until": review.seen_until.isoformat() if review.seen_until else ""}
    return client.post(f"/admin/sessions_app/session/{session.pk}/review/", told, **({} if as_form else JSON))
