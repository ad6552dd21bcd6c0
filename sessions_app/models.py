"""Sessions and their events, as documents with exactly the ids and field names of the earlier service's database."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from proctoring_site.mongo_engine.fields import DocumentField
from sessions_app import counters
from sessions_app.errors import SessionNotFound
from sessions_app.ids import new_id
from sessions_app.querysets import EventQuerySet, SessionQuerySet
from sessions_app.review.states import Outcome, outcome_of
from sessions_app.states import State, state_of

EVENT_TYPE_MAX_LENGTH = 64
CANDIDATE_NAME_MAX_LENGTH = 200
MESSAGE_MAX_LENGTH = 4000
SOURCE_MAX_LENGTH = 100
#: The source of what the server itself has to say; no client may claim it.
SERVER = "server"


def to_milliseconds(at: datetime) -> datetime:
    """BSON keeps milliseconds; cutting first makes the answer to a write equal to every later read."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def now() -> datetime:
    return to_milliseconds(timezone.now())


class Mark(models.TextChoices):
    """What is odd about an event's instant. It is kept as it was told; the timeline says so."""

    NAIVE = "naive"  # told without a zone, and taken for UTC
    FUTURE = "future"  # after it was received, by our clock
    BEFORE_START = "before_start"
    LATE = "late"  # received after the session's end, within the grace time


def _of_the_queue() -> list[models.Index]:
    """Of closed sessions only: starting a session costs none of them."""
    queue, is_in_it = ["queue_rank", "-start_time", "-id"], models.Q(queue_rank__gte=0)
    asked = ["reviewed_score", "covered", "due_at", "review_outcome", "new_incidents"]  # misses cost no document
    return [
        models.Index(fields=[*queue, *asked], condition=is_in_it, name="sessions_queue"),
        models.Index(fields=["assigned_to", *queue], condition=is_in_it, name="sessions_assigned"),
        models.Index(fields=["policy_version", *queue], condition=is_in_it, name="sessions_policy"),
    ]


class Session(models.Model):
    """One sitting of one candidate. Adopted documents may lack any field below `candidate_name`: they read as None."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    candidate_name = models.CharField(max_length=CANDIDATE_NAME_MAX_LENGTH)
    start_time = models.DateTimeField(default=now, null=True)
    end_time = models.DateTimeField(null=True, blank=True)
    #: Where the video is served (`videos/{name}`); adopted values are paths such as data/videos/x.webm.
    video_path = models.CharField(max_length=255, null=True, blank=True)
    #: Adopted documents have none; `state` knows. Open sessions, and only they, have no `end_time`.
    status = models.CharField(max_length=16, choices=State.choices, null=True, default=State.RUNNING, editable=False)
    #: Every move from state to state (moves.py): at, from_state, to_state, actor_…, reason_code, reason.
    moves = DocumentField(null=True, default=list, editable=False)
    #: What staff asked of the client (moves.py): id, action, message, reason_code, asked_at, asked_by, confirmed_at.
    commands = DocumentField(null=True, default=list, editable=False)
    #: The last beat, and what all of them add up to (coverage.py). None: this client never sent one.
    heartbeat = DocumentField(null=True, editable=False)
    #: The smallest share of the sitting that was watched, for the queue: as of the last beat, then of the scores of the
    #: closed session. None: unknown. Scores go by `heartbeat`.
    covered = models.FloatField(null=True, editable=False)
    #: The client's clock minus ours, as its events told last; None when none did.
    clock_skew_ms = models.BigIntegerField(null=True, editable=False)
    #: When the client was last heard of, by event or beat.
    last_seen_at = models.DateTimeField(null=True, editable=False)
    #: What came after the time for late events (too_late.py): events, last_at. None: nothing did.
    too_late = DocumentField(null=True, editable=False)
    #: Events per type under safe keys (counters.py); None until the first count of an adopted session.
    event_counts = models.JSONField(null=True, default=dict, editable=False)
    #: Goes up with every change of the session or its events; stored reports compare it.
    revision = models.IntegerField(null=True, default=0, editable=False)

    #: True from the closing move until the rest of closing is done (services.py): a kill in between leaves it there.
    unsettled = models.BooleanField(null=True, editable=False)

    # --- What the review keeps here, so that one index answers the queue. None of it while the session is open, but for
    # --- what people did; all of it may be missing in adopted documents until they are scored (review/scores.py).

    #: The policy that it was scored with, and stays so until it is scored anew.
    policy_version = models.IntegerField(null=True, editable=False)
    #: As the machine saw it, and as reviewed: without what was dismissed, with what was added.
    machine_score = models.IntegerField(null=True, editable=False)
    reviewed_score = models.IntegerField(null=True, editable=False)
    #: The band of the reviewed score.
    reviewed_band = models.CharField(max_length=20, null=True, editable=False)
    scored_at = models.DateTimeField(null=True, editable=False)
    #: The revision that the scores are of.
    scored_revision = models.IntegerField(null=True, editable=False)
    #: All incidents; those that weigh and that nobody judged; those that somebody confirmed.
    incident_count = models.IntegerField(null=True, editable=False)
    open_incidents = models.IntegerField(null=True, editable=False)
    confirmed_incidents = models.IntegerField(null=True, editable=False)
    #: Of a decided session: open ones with events that came after the decision.
    new_incidents = models.IntegerField(null=True, editable=False)
    #: The place in the queue (review/states.py): only closed and scored sessions have one.
    queue_rank = models.IntegerField(null=True, editable=False)
    #: The human decision; see `outcome`. Who made it last, by name and by account, and when.
    review_outcome = models.CharField(max_length=24, null=True, editable=False)
    outcome_by = models.CharField(max_length=150, null=True, editable=False)
    outcome_by_id = models.CharField(max_length=64, null=True, editable=False)
    reviewed_at = models.DateTimeField(null=True, editable=False)
    #: A username, or `group:` and a group's name; a username has no colon.
    assigned_to = models.CharField(max_length=160, null=True, editable=False)
    due_at = models.DateTimeField(null=True, editable=False)
    #: Goes up with everything that people do to the review; whoever changes it says which one they saw.
    review_revision = models.IntegerField(null=True, editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta:
        db_table = "sessions"
        default_permissions = ("add", "view", "delete")
        permissions = [
            ("view_running_session", "Can view sessions while they run"),
            ("view_evidence", "Can view events, score and video"),
            ("supervise_session", "Can act on running sessions"),
            ("decide_session", "Can decide on sessions"),
            ("import_session", "Can import sessions and recordings"),
        ]
        indexes = [
            models.Index(fields=["-start_time", "-id"], name="sessions_newest"),
            models.Index(fields=["end_time", "-start_time", "-id"], name="sessions_state"),
            models.Index(fields=["status", "-start_time", "-id"], name="sessions_status"),
            models.Index(fields=["candidate_name", "-start_time", "-id"], name="sessions_name"),
            models.Index(fields=["unsettled"], condition=models.Q(unsettled=True), name="sessions_unsettled"),
            *_of_the_queue(),
        ]

    def __str__(self) -> str:
        return f"{self.candidate_name} ({self.pk})"

    def refresh(self) -> None:
        """As it is stored now. Raises SessionNotFound once it was deleted."""
        try:
            self.refresh_from_db()
        except Session.DoesNotExist as error:
            raise SessionNotFound from error

    @property
    def shown_name(self) -> str:
        """For people; an adopted session may have none, blanks alone, or no text at all."""
        return str(self.candidate_name or "").strip() or "(no name)"

    @property
    def state(self) -> State:
        return state_of(self.status, is_closed=self.end_time is not None)

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.review_outcome)

    @property
    def duration_s(self) -> int:
        """Whole seconds from start to end; 0 while running, and where an adopted document says nothing usable."""
        if self.start_time is None or self.end_time is None:
            return 0
        return max(0, int((self.end_time - self.start_time).total_seconds()))

    @property
    def counts(self) -> dict[str, int]:
        """Events per type as it was sent. Empty for an adopted session that was not counted yet."""
        return counters.by_type(self.event_counts)

    @property
    def video_name(self) -> str | None:
        """The stored file's name: the last part of `video_path`, whichever separator the earlier service wrote."""
        return str(self.video_path or "").replace("\\", "/").rpartition("/")[2] or None


#: Missing in documents until the session is closed or somebody says something about it.
NOT_AT_THE_START = (
    *("too_late", "unsettled", "policy_version", "machine_score", "reviewed_score", "reviewed_band", "scored_at"),
    *("scored_revision", "incident_count", "open_incidents", "confirmed_incidents", "new_incidents", "queue_rank"),
    *("review_outcome", "outcome_by", "outcome_by_id", "reviewed_at", "assigned_to", "due_at", "review_revision"),
)


class Event(models.Model):
    """What the candidate's browser saw at one moment. Append-only."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    session = models.ForeignKey(
        Session, on_delete=models.CASCADE, related_name="events", db_column="session_id", db_index=False
    )
    event_type = models.CharField(max_length=EVENT_TYPE_MAX_LENGTH)
    message = models.TextField(null=True, blank=True)
    #: The client's, as it was told.
    timestamp = models.DateTimeField(default=now, null=True)
    #: The same by our clock; the timeline's order. Events of the earlier service have their `timestamp` here.
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(null=True)
    #: The client's clock minus ours when it sent the event; None when it did not say when that was.
    clock_skew_ms = models.BigIntegerField(null=True)
    duration_s = models.FloatField(null=True)
    #: The detector's, 0 to 1.
    confidence = models.FloatField(null=True)
    #: Which detector, and its version.
    source = models.CharField(max_length=SOURCE_MAX_LENGTH, null=True)
    #: The client's counter.
    sequence = models.BigIntegerField(null=True)
    data = models.JSONField(null=True)
    #: Some of Mark.
    marks = models.JSONField(null=True)
    #: Of what the client told, when it gave the event its id: tells a resend from another event of the same id.
    digest = models.CharField(max_length=64, null=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        db_table = "events"
        default_permissions = ()
        indexes = [models.Index(fields=["session", "occurred_at", "id"], name="events_order")]

    def __str__(self) -> str:
        return f"{self.event_type} at {self.timestamp}"

    @property
    def at(self) -> datetime | None:
        """When it happened, as far as anybody knows."""
        return self.occurred_at or self.timestamp
