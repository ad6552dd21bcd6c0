"""What a monitor asks beside `/readyz`: figures to draw, and which of them want a person."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from media_app.models import Recording
from proctoring_site import health
from proctoring_site.access.models import ApiToken
from proctoring_site.jobs import queue
from proctoring_site.jobs.models import Job, JobState
from sessions_app.models import Session

FAILED_SINCE = timedelta(days=1)  # what failed stays, and an alarm that never ends is heard by nobody
#: Of work that is due while no other is done. Between two jobs there are milliseconds, and a process looks every 5 s.
IDLE_AT_MOST_S = 300
#: Of an API token in use, whose machine is refused from one moment to the next.
NOTICE = timedelta(days=14)
#: What commands for cron do, which run every minute and every hour.
SILENT_AT_MOST, EXPIRED_AT_MOST = timedelta(minutes=15), timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Figure:
    """`wrong`: what a person is to do; None where it is as it should be."""

    name: str
    value: int
    wrong: str | None = None


def figures(*, free_percent_min: int) -> Iterator[Figure]:
    for part in health.PARTS:
        works = health.works(part)
        yield Figure(f"{part}_ready", works, None if works else f"{part} cannot be used: the line above says why.")
    yield from _background_work()
    yield from _cron()
    yield _tokens()
    yield from _disk(free_percent_min)


def _background_work() -> Iterator[Figure]:
    at = timezone.now()
    failed = Job.objects.filter(state=JobState.FAILED)
    lately = failed.filter(finished_at__gt=at - FAILED_SINCE).count()
    said = f"background work failed within a day ({lately}): Background work in the admin says why and runs it again."
    yield Figure("jobs_failed", failed.count(), said if lately else None)
    running = Job.objects.filter(state=JobState.RUNNING, runs_until__gt=at).count()
    yield Figure("jobs_running", running)
    yield Figure("jobs_due", queue.due())
    waited_s = queue.longest_due_s(at)
    is_idle = waited_s > IDLE_AT_MOST_S and not running
    said = f"background work is due for {waited_s} s, and nobody is doing it: is a server, or Celery's worker, running?"
    yield Figure("jobs_due_longest_s", waited_s, said if is_idle else None)


def _cron() -> Iterator[Figure]:
    """What is left undone where a command does not run, or fails."""
    at = timezone.now()
    silent = at - timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S) - SILENT_AT_MOST
    counts = {
        "close_stale_sessions": ("sessions_to_close", Session.objects.silent_since(silent).count()),
        "expire_uploads": ("uploads_to_remove", Recording.objects.unfinished_since(at - EXPIRED_AT_MOST).count()),
    }
    for command, (name, count) in counts.items():
        yield Figure(name, count, f"{command} is not run, or fails ({name}: {count})." if count else None)


def _tokens() -> Figure:
    at = timezone.now()
    ending = ApiToken.objects.filter(revoked_at=None, expires_at__gt=at, expires_at__lt=at + NOTICE)
    named = [f"{token} ({token.expires_at:%Y-%m-%d})" for token in ending.exclude(last_used_at=None)]
    said = f"API tokens that are in use expire soon: {', '.join(named)}. Create new ones, and revoke these."
    return Figure("api_tokens_expiring", len(named), said if named else None)


def _disk(free_percent_min: int) -> Iterator[Figure]:
    if not settings.DATA_DIR.exists():  # neither storage nor database lies here
        return
    disk = shutil.disk_usage(settings.DATA_DIR)
    free_percent = 100 * disk.free // disk.total
    said = f"the disk of {settings.DATA_DIR} has {free_percent} % left."
    yield Figure("disk_free_bytes", disk.free)
    yield Figure("disk_free_percent", free_percent, said if free_percent < free_percent_min else None)
