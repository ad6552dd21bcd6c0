"""One record per thing done or looked at. Records are added, and never changed or deleted."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from proctoring_site.audit.actors import ActorKind
from proctoring_site.audit.errors import AppendOnlyError


class Action(models.TextChoices):
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    LOGGED_OUT = "logged_out"
    LISTED = "listed"
    LOOKED = "looked"
    EXPORTED = "exported"
    LINKED = "linked"  # made a signed link; to a session: another token for its candidate
    CREATED = "created"
    CHANGED = "changed"
    ENDED = "ended"
    UPLOADED = "uploaded"
    IMPORTED = "imported"
    REGENERATED = "regenerated"
    REVOKED = "revoked"
    DELETED = "deleted"


class ObjectKind(models.TextChoices):
    SESSION = "session"
    EVENT = "event"  # by the id of its session
    VIDEO = "video"
    REPORT = "report"
    USER = "user"
    GROUP = "group"
    TOKEN = "token"  # noqa: S105 - an API token
    JOB = "job"
    POLICY = "policy"
    AUDIT_LOG = "audit_log"


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise AppendOnlyError


class AppendOnlyQuerySet(models.QuerySet):
    update = delete = bulk_update = update_or_create = _update = _raw_delete = _refuse
    for _method in (delete, update):
        _method.alters_data = True


class AuditRecord(models.Model):
    """Holds no reference to anything, only text, so that it outlives what it speaks of."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=300, blank=True)
    action = models.CharField(max_length=16, choices=Action.choices)
    object_kind = models.CharField(max_length=16, choices=ObjectKind.choices, blank=True)
    object_id = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    #: Field → [old value, new value].
    changes = models.JSONField(default=dict, blank=True)
    #: What else tells what was done, such as the number of rows of an export. No names of candidates.
    details = models.JSONField(default=dict, blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        db_table = "audit_log"
        default_permissions = ("view",)
        base_manager_name = "objects"  # Django's own paths, such as save_base, go by it
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["action", "-at", "-id"], name="audit_action"),
            models.Index(fields=["actor_name", "-at", "-id"], name="audit_actor"),
            models.Index(fields=["object_id", "-at", "-id"], name="audit_object"),
            models.Index(fields=["request_id", "-at", "-id"], name="audit_request"),
        ]

    def __str__(self) -> str:
        did = self.get_action_display().lower()
        return f"{self.actor_name or self.actor_kind} {did} {self.object_kind} {self.object_id}".rstrip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError
        super().save(force_insert=True)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError
