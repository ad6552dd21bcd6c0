"""Whether storage and database agree on the stored reports, looked at from both sides."""

from collections.abc import Iterator

from django.core.files.storage import storages

from media_app.verification import Finding
from reports_app import unchanged
from reports_app.models import StoredReport
from reports_app.services import session_id_of
from sessions_app.models import Session

BATCH = 500


def verify(*, hashes: bool = False, repair: bool = False) -> Iterator[Finding]:
    """Every report that was noted as stored, with its content (`hashes`); then every file that is no session's.

    A report is rendered anew when somebody asks for it and no note says that it is current: repaired is to drop that.
    """
    there = set(storages["reports"].listdir("")[1])
    for noted in _noted():
        if noted.pk not in there:
            problem = "missing"
        elif hashes and unchanged.digest_of(noted.pk) != noted.sha256:
            problem = "has a different SHA-256 than when it was stored"
        else:
            continue
        if repair:
            StoredReport.objects.filter(pk=noted.pk, sha256=noted.sha256).delete()
        yield Finding(problem, noted.pk, repaired=repair)
    yield from _orphans(there)


def _noted() -> Iterator[StoredReport]:
    """Page by page: a cursor that nobody asks for ten minutes is gone, and hashes may take longer than that."""
    last = ""
    while page := list(StoredReport.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield from page
        last = page[-1].pk


def _orphans(names: set[str]) -> Iterator[Finding]:
    """The earlier service's reports have no note: they are their session's by name."""
    ordered = sorted(names)
    for batch in (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)):
        ids = {name: session_id_of(name) for name in batch}
        known = set(Session.objects.filter(pk__in=set(ids.values())).values_list("pk", flat=True))
        for name in batch:
            if ids[name] not in known:
                yield Finding("belongs to no session", name)
