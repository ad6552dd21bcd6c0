"""Callers of every kind and requests to every route, for the tests of who may do what."""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from django.views.generic import RedirectView

from media_app import resumable, tus
from media_app.models import Recording
from proctoring_site.access import api_tokens, candidate_token
from reports_app import services as reports
from sessions_app import services as sessions
from sessions_app.examples import TOLD_OF_1970
from sessions_app.models import Session
from tests import clips
from tests.factories import NOON, log_event, make_api_token, make_session, make_staff

#: What an answer must not give away about the session of `evidence`.
CANDIDATE_NAME = "Ada Unmistakable"
EVENT_MESSAGE = "an unmistakable message"
IMPORTED = "recording.webm"
TUS = {"HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_LENGTH": "10", "HTTP_UPLOAD_OFFSET": "0"}


@dataclass(frozen=True)
class Evidence:
    """A running session with an event, a stored video and stored reports; and how to ask for each of them."""

    session: Session
    other: Session
    upload: str = "00000000-0000-4000-8000-00000000000f"
    event: str = upload
    recording: str = upload

    @property
    def video(self) -> str:
        return self.session.video_name

    @property
    def report(self) -> str:
        return reports.file_name(self.session.pk, "html")

    def ended(self) -> "Evidence":
        Session.objects.filter(pk=self.session.pk).update(end_time=NOON + timedelta(hours=1))
        self.session.refresh_from_db()
        return self

    def path(self, route: str) -> str:
        for part in ("upload", "event", "recording"):
            route = route.replace(f"{{{part}}}", getattr(self, part))
        name = self.report if route.startswith("/reports/") else self.video
        return route.format(id=quote(self.session.pk, safe=""), name=name)

    def missing(self) -> "Evidence":
        """The same of a session that never was."""
        pk = "ffffffff-0000-4000-8000-000000000000"
        return replace(self, session=Session(pk=pk, video_path=f"videos/{pk}.webm"))


@pytest.fixture
def make_evidence(database: None, data_dir: Path, settings: Any) -> Callable[..., Evidence]:
    (settings.VIDEO_IMPORT_DIR / IMPORTED).write_bytes(clip_bytes())

    def make(**overrides: Any) -> Evidence:
        session = make_session(**{"candidate_name": CANDIDATE_NAME, **overrides})
        event, _ = log_event(
            session.pk, sessions.Reported("phone_detected", message=EVENT_MESSAGE, timestamp=session.start_time)
        )
        name = f"{session.pk}.webm"
        (data_dir / "videos").mkdir(parents=True, exist_ok=True)
        (data_dir / "videos" / name).write_bytes(clip_bytes())
        Session.objects.filter(pk=session.pk).update(video_path=f"videos/{name}")
        session.refresh_from_db()
        for format_name in reports.FORMATS:
            reports.ensure_stored(session, format_name)
        upload = resumable.begin(session, size_bytes=10)
        recording = _watchable(session, data_dir)
        return Evidence(session, make_session(candidate_name="Somebody Else"), upload.pk, event.pk, recording.pk)

    return make


@pytest.fixture
def evidence(make_evidence: Callable[..., Evidence]) -> Evidence:
    return make_evidence()


def _watchable(session: Session, data_dir: Path) -> Recording:
    """As processing leaves one: its files beside its row."""
    recording = Recording(session_id=session.pk, state="ready", size_bytes=1, offset=1, stored_on="local")
    recording.name = recording.watchable = f"{session.pk}.{recording.pk}.webm"
    recording.poster = f"{session.pk}.{recording.pk}.jpg"
    (data_dir / "videos" / recording.watchable).write_bytes(clip_bytes())
    (data_dir / "videos" / recording.poster).write_bytes(b"\xff\xd8\xff")
    recording.watchable_bytes, recording.duration_s = len(clip_bytes()), 1.0
    recording.save(force_insert=True)
    return recording


@lru_cache
def clip_bytes() -> bytes:
    with TemporaryDirectory() as folder:
        return clips.clip(Path(folder), ".webm").read_bytes()


def caller(authorization: str | None = None, *, signed_in: Any = None) -> Client:
    """As a browser or program would come: nothing is forced past CSRF or a token."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    if signed_in is not None:
        client.force_login(signed_in)
        send_csrf_token(client)
    if authorization is not None:
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {authorization}"
    return client


def send_csrf_token(client: Client) -> None:
    client.cookies["csrftoken"] = client.defaults["HTTP_X_CSRFTOKEN"] = secrets.token_hex(16)


def account_of(role: str) -> Any:
    return make_staff(is_superuser=True) if role == "superuser" else make_staff(role)


def candidate(session: Session) -> Client:
    return caller(candidate_token.issue(session.pk)[0])


def machine(owner: Any) -> Client:
    return caller(make_api_token(owner))


def candidate_token_issued(session_id: str, *, seconds_ago: int) -> str:
    signer = _SignedEarlier(seconds_ago, salt="proctoring.candidate", sep=".")
    return candidate_token.PREFIX + signer.sign(session_id)


def signed_earlier(value: Any, *, salt: str, seconds_ago: int) -> str:
    return _SignedEarlier(seconds_ago, salt=salt).sign_object(value)


class _SignedEarlier(signing.TimestampSigner):
    def __init__(self, seconds_ago: int, **options: Any) -> None:
        super().__init__(**options)
        self.seconds_ago = seconds_ago

    def timestamp(self) -> str:
        return signing.b62_encode(int(time.time()) - self.seconds_ago)


def bad_tokens(session: Session, *, max_age_s: int) -> dict[str, str]:
    """By what is bad about them; each but the forged ones was good once."""

    def text_of_one(**overrides: Any) -> tuple[Any, str]:
        return api_tokens.create(owner=make_staff(is_superuser=True), **{"name": "x", **overrides})

    an_hour = timedelta(hours=1)
    revoked, revoked_text = text_of_one(expires_at=timezone.now() + an_hour)
    api_tokens.revoke(revoked)
    of_deactivated, deactivated_text = text_of_one(expires_at=timezone.now() + an_hour)
    _change(of_deactivated.owner, is_active=False)
    of_former_staff, former_text = text_of_one(expires_at=timezone.now() + an_hour)
    _change(of_former_staff.owner, is_staff=False)
    forger = signing.TimestampSigner(key="another key", salt="proctoring.candidate", sep=".")
    return {
        "a candidate's, expired": candidate_token_issued(session.pk, seconds_ago=max_age_s + 2),
        "a candidate's, forged": candidate_token.PREFIX + forger.sign(session.pk),
        "a candidate's, without a signature": f"{candidate_token.PREFIX}{session.pk}",
        "a machine's, revoked": revoked_text,
        "a machine's, expired": text_of_one(expires_at=timezone.now() - timedelta(seconds=1))[1],
        "a machine's, forged": api_tokens.PREFIX + secrets.token_urlsafe(32),
        "of a deactivated owner": deactivated_text,
        "of an owner who is no longer staff": former_text,
        "empty": "",
    }


def _change(account: Any, **fields: bool) -> None:
    for name, value in fields.items():
        setattr(account, name, value)
    account.save(update_fields=list(fields))


def ask(client: Client, method: str, path: str, **headers: str) -> Any:
    """A request that is well-formed, so that nothing but the caller's rights decides."""
    body, content_type = b"", "application/json"
    match path.rsplit("/", 1)[-1] if method == "POST" else "":
        case "sessions":
            body = json.dumps({"candidate_name": CANDIDATE_NAME})
        case "events":
            body = json.dumps({"event_type": "focus_lost"})
        case "batch":
            event = {"id": str(uuid4()), "event_type": "focus_lost"}
            body = json.dumps({"events": [event, event, TOLD_OF_1970]})
        case "heartbeat":
            body = json.dumps({"camera": True, "detectors": ["face"]})
        case "pause" | "resume":
            body = "{}"
        case "terminate":
            body = json.dumps({"reason_code": "examinee.identity"})
        case "message":
            body = json.dumps({"message": "Please turn on the light."})
        case "import":
            body = json.dumps({"filename": IMPORTED})
        case "link" if "/report/" in path:
            body = json.dumps({"format": "html"})
        case "video":
            upload = SimpleUploadedFile("clip.webm", clip_bytes())
            body, content_type = encode_multipart(BOUNDARY, {"file": upload}), MULTIPART_CONTENT
    if "/uploads" in path:
        headers = {**TUS, **headers}
        body, content_type = (b"", content_type) if method != "PATCH" else (b"abcd", tus.PART_TYPE)
    return client.generic(method, path, body, content_type=content_type, **headers)


def content_of(answer: Any) -> bytes:
    return b"".join(answer) if answer.streaming else answer.content


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    """Every route of the URL configuration, written as in the README: /sessions/{id}/events."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + _readable(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            yield path, entry


def _readable(pattern: str) -> str:
    text = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")
    text = text.replace("(?P<pk>[^/.]+)", "{id}").replace("(?P<url>.*)", "{anything else}")
    text = text.replace("<pk>", "{id}").replace("<upload_id>", "{upload}")
    text = text.replace("<event>", "{event}").replace("<recording>", "{recording}")
    return re.sub(r"<(?:path:|int:)?\w*id>", "{id}", text).replace("<name>", "{name}")


def methods_of(route: URLPattern) -> set[str]:
    """What the view has. Django's redirect answers every method alike, by pointing elsewhere."""
    if issubclass(getattr(route.callback, "view_class", object), RedirectView):
        return {"GET"}
    actions = getattr(route.callback, "actions", None)
    view = getattr(route.callback, "cls", None) or route.callback.view_class
    names = actions or [name for name in view.http_method_names if name != "options" and hasattr(view, name)]
    return {name.upper() for name in names} - {"HEAD"}


def early_in_a_minute(*, needed_s: float = 10) -> None:
    """The throttle counts by the minute: wait for the next when this one is nearly over."""
    if (left := 60 - time.time() % 60) < needed_s:
        time.sleep(left + 0.1)


TOKEN_TEXT = re.compile(r"pk_[A-Za-z0-9_-]{43}")


def status_with(text: str) -> int:
    """What the list of sessions answers to a token."""
    return ask(caller(text), "GET", "/sessions").status_code
