"""What people said and did in a review: judged incidents, notes, allowances, the history; and the policies."""

from django.db import models

from proctoring_site.mongo_engine.fields import DocumentField
from sessions_app import scoring
from sessions_app.ids import new_id
from sessions_app.review.querysets import AllowanceQuerySet, NoteQuerySet, PolicyRunQuerySet, ReviewEntryQuerySet
from sessions_app.review.states import IncidentState, Severity

REASON_MAX_LENGTH = 1000
NOTE_MAX_LENGTH = 4000
NAME_MAX_LENGTH = 150


class PolicyVersion(models.Model):
    """One version of the rules, by its number. None is ever changed: an edit makes the next one."""

    version = models.IntegerField(primary_key=True, db_column="_id")
    #: Points per event type; per type the most that it takes off.
    weights = models.JSONField(default=dict)
    caps = models.JSONField(default=dict)
    gap_s = models.FloatField(default=scoring.GAP_S)
    min_duration_s = models.FloatField(default=0.0)
    counts = models.CharField(max_length=10, default=scoring.EVENTS)
    #: The lowest scores of low and medium risk.
    low_from = models.IntegerField(default=80)
    medium_from = models.IntegerField(default=50)
    coverage_min = models.FloatField(default=scoring.COVERAGE_MIN)
    #: A violation with more points off than this needs a second reviewer; None: never.
    second_review_above = models.IntegerField(null=True, default=scoring.SECOND_REVIEW_ABOVE)
    clean_from = models.IntegerField(default=scoring.CLEAN_FROM)
    note = models.CharField(max_length=REASON_MAX_LENGTH, blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=NAME_MAX_LENGTH)

    class Meta:
        db_table = "policies"
        verbose_name = "policy"
        verbose_name_plural = "policies"
        default_permissions = ()
        permissions = [("change_policy", "Can make and activate policies, and score sessions anew")]

    def __str__(self) -> str:
        return f"Policy {self.version}"


class ActivePolicy(models.Model):
    """Which version is in force: one row, or none as long as nobody activated one (policies.py)."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=8)
    version = models.IntegerField()
    since = models.DateTimeField()
    by = models.CharField(max_length=NAME_MAX_LENGTH)

    class Meta:
        db_table = "active_policy"
        default_permissions = ()

    def __str__(self) -> str:
        return f"Policy {self.version} since {self.since}"


class JudgedIncident(models.Model):
    """What people said of an incident, and exactly which events it was when they said it.

    Incidents that nobody judged are stored nowhere: they are folded from the events whenever somebody looks.
    """

    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    session_id = models.CharField(max_length=36)
    event_type = models.CharField(max_length=64)
    start = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    #: Those that the person saw. What comes later is never among them. Empty for one that was added by hand.
    event_ids = DocumentField(default=list)
    count = models.IntegerField(default=0)
    peak_confidence = models.FloatField(null=True)
    #: The detectors and their versions.
    sources = DocumentField(default=list)
    state = models.CharField(max_length=12, choices=IncidentState.choices)
    severity = models.CharField(max_length=6, choices=Severity.choices)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, null=True)
    by = models.CharField(max_length=NAME_MAX_LENGTH)
    at = models.DateTimeField()
    is_manual = models.BooleanField(default=False)
    #: The session's review revision that made it so.
    revision = models.IntegerField()

    class Meta:
        db_table = "incidents"
        default_permissions = ()
        indexes = [
            models.Index(fields=["session_id", "id"], name="incidents_session"),
            models.Index(fields=["-at", "-id"], name="incidents_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} at {self.start} ({self.state})"


class Note(models.Model):
    """What a reviewer wrote, of the whole session or of a stretch of it. Never changed; another may be written."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    session_id = models.CharField(max_length=36)
    text = models.TextField(max_length=NOTE_MAX_LENGTH)
    start = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    by = models.CharField(max_length=NAME_MAX_LENGTH)
    at = models.DateTimeField()
    revision = models.IntegerField()

    objects = NoteQuerySet.as_manager()

    class Meta:
        db_table = "review_notes"
        default_permissions = ()
        indexes = [models.Index(fields=["session_id", "at", "id"], name="notes_session")]

    def __str__(self) -> str:
        return f"Note of {self.by} at {self.at}"


class Allowance(models.Model):
    """An exemption, such as an accommodation: events of this type stay on the timeline, out of both scores."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=120, editable=False)
    session_id = models.CharField(max_length=36)
    event_type = models.CharField(max_length=64)
    reason = models.CharField(max_length=REASON_MAX_LENGTH)
    by = models.CharField(max_length=NAME_MAX_LENGTH)
    at = models.DateTimeField()
    is_revoked = models.BooleanField(default=False)
    revision = models.IntegerField()

    objects = AllowanceQuerySet.as_manager()

    class Meta:
        db_table = "allowances"
        default_permissions = ()
        indexes = [models.Index(fields=["session_id", "id"], name="allowances_session")]

    def __str__(self) -> str:
        return f"{self.event_type} allowed for session {self.session_id}"


class EntryAction(models.TextChoices):
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    REOPENED = "reopened"
    SEVERITY = "severity"  # of an incident, changed
    ADDED = "added"  # an incident, by hand
    NOTED = "noted"
    ALLOWED = "allowed"
    REVOKED = "revoked"  # an allowance
    OUTCOME = "outcome"
    ASSIGNED = "assigned"
    DUE = "due"
    SCORED = "scored"  # anew, under another policy


class ReviewEntry(models.Model):
    """One line of a session's history. What people did is numbered, each number once: the entry is the change, and all
    else that is stored follows from it (changes.py). Entries are never changed or deleted while the session is kept."""

    #: `{session id}/{number}`, or `{run id}/{session id}` for a new score.
    id = models.CharField(primary_key=True, db_column="_id", max_length=80, editable=False)
    session_id = models.CharField(max_length=36)
    #: The session's review revision after it; None for what changed nothing that people said.
    revision = models.IntegerField(null=True)
    at = models.DateTimeField()
    actor_id = models.CharField(max_length=64)
    actor_name = models.CharField(max_length=300)
    action = models.CharField(max_length=12, choices=EntryAction.choices)
    #: What it was about: `event_type`, `start`, `end`, `count`, `incident` (an id), or nothing.
    about = DocumentField(default=dict)
    before = DocumentField(null=True)
    after = DocumentField(null=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, null=True)
    #: The policy run that it belongs to.
    run_id = models.CharField(max_length=36, null=True)
    #: What follows from it: {"collection", "document"} and the session's fields. For changes.py, not for showing.
    document = DocumentField(null=True)
    fields = DocumentField(null=True)

    objects = ReviewEntryQuerySet.as_manager()

    class Meta:
        db_table = "review_history"
        default_permissions = ()
        indexes = [
            models.Index(fields=["session_id", "at", "id"], name="review_history_session"),
            models.Index(fields=["session_id", "revision"], name="review_history_revision"),
            models.Index(fields=["run_id", "id"], condition=models.Q(run_id__gt=""), name="review_history_run"),
        ]

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """For people: who did what, and when."""
        what = self.about.get("event_type") if self.about else None
        of = f" {what}" if what else ""
        to = f" to {_told(self.after)}" if self.after and "state" not in self.after else ""
        return f"{self.actor_name} {_VERBS[self.action]}{of}{to} at {self.at:%Y-%m-%d %H:%M:%S} UTC"


_VERBS = {
    **{action.value: action.value for action in EntryAction},
    EntryAction.SEVERITY.value: "changed the severity of",
    EntryAction.NOTED.value: "wrote a note",
    EntryAction.REVOKED.value: "revoked the allowance of",
    EntryAction.OUTCOME.value: "changed the outcome",
    EntryAction.DUE.value: "changed the due time",
    EntryAction.SCORED.value: "rescored",
}


def _told(values: dict) -> str:
    return ", ".join("nobody" if value is None else str(value) for value in values.values())


class RunKind(models.TextChoices):
    PREVIEW = "preview"
    RESCORE = "rescore"


class PolicyRun(models.Model):
    """A preview of what a policy would do to the closed sessions, or the doing; in batches, in the background."""

    id = models.CharField(primary_key=True, db_column="_id", max_length=36, default=new_id, editable=False)
    kind = models.CharField(max_length=8, choices=RunKind.choices)
    policy_version = models.IntegerField()
    by = models.CharField(max_length=NAME_MAX_LENGTH)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    #: Ended by a newer rescore before it was through; its sums are not taken.
    is_superseded = models.BooleanField(default=False)
    #: Closed sessions at the start that have another version; how many of them are done; and how many changed.
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    changed_scores = models.IntegerField(default=0)
    changed_bands = models.IntegerField(default=0)
    #: "low>high" → sessions.
    moves = models.JSONField(default=dict)
    #: Some of those that change band: session_id, from_band, to_band, from_score, to_score.
    examples = DocumentField(default=list)
    #: The id of the last session that was looked at, and how often the search began anew.
    cursor = models.CharField(max_length=255, blank=True, default="")
    sweeps = models.IntegerField(default=0)

    objects = PolicyRunQuerySet.as_manager()

    class Meta:
        db_table = "policy_runs"
        default_permissions = ()
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="policy_runs_newest"),
            models.Index(fields=["kind", "policy_version", "-started_at", "-id"], name="policy_runs_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of policy {self.policy_version}: {self.done} of {self.total}"

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None
