"""Rights by name, and the four groups that hold them. A migration creates the groups; superusers have every right."""

from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices


class Right(TextChoices):
    """`app_label.codename`, as `User.has_perm` asks; the models' Meta and the admin's user pages show the sentences."""

    SEE_SESSIONS = "sessions_app.view_session"
    SEE_RUNNING = "sessions_app.view_running_session"
    SEE_EVIDENCE = "sessions_app.view_evidence"  # events, score and video of the sessions that one sees
    SEE_REPORTS = "reports_app.view_report"  # of the sessions that one sees
    DECIDE = "sessions_app.decide_session"  # judge incidents, decide, assign
    CHANGE_POLICY = "review.change_policy"  # in no group: it changes everybody's numbers
    SUPERVISE = "sessions_app.supervise_session"  # act on running sessions
    CREATE = "sessions_app.add_session"  # also where SESSION_CREATION=token
    IMPORT = "sessions_app.import_session"
    REGENERATE = "reports_app.regenerate_report"
    DELETE = "sessions_app.delete_session"
    SEE_AUDIT_LOG = "audit.view_auditrecord"
    SEE_TOKENS = "access.view_apitoken"
    MAKE_TOKENS = "access.add_apitoken"
    REVOKE_TOKENS = "access.change_apitoken"
    SEE_JOBS = "jobs.view_job"
    RERUN_JOBS = "jobs.rerun_job"


GROUPS: Mapping[str, tuple[Right, ...]] = {
    "Reviewer": (Right.SEE_SESSIONS, Right.SEE_EVIDENCE, Right.SEE_REPORTS, Right.DECIDE),
    "Proctor": (Right.SEE_RUNNING, Right.SEE_EVIDENCE, Right.SUPERVISE),
    "Operator": (
        Right.SEE_SESSIONS,
        Right.CREATE,
        Right.IMPORT,
        Right.REGENERATE,
        Right.DELETE,
        Right.SEE_TOKENS,
        Right.MAKE_TOKENS,
        Right.REVOKE_TOKENS,
        Right.SEE_JOBS,
        Right.RERUN_JOBS,
    ),
    "Auditor": (Right.SEE_AUDIT_LOG,),
}


def may(caller: Any, *rights: Right) -> bool:
    """Whether an account, or whatever else calls, is active staff with all of these rights. Nobody (None) is not."""
    return caller is not None and caller.is_active and caller.is_staff and all(map(caller.has_perm, rights))


def may_see_sessions(caller: Any) -> bool:
    """All of them, or those that run."""
    return may(caller, Right.SEE_SESSIONS) or may(caller, Right.SEE_RUNNING)
