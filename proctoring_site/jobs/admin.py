"""What waits, runs and failed, for Operators; read-only, but for having what failed run again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from proctoring_site.access.roles import Right, may
from proctoring_site.admin_lists import NOTHING, ListedInItsOrder, ReadOnly, UncountedWhenUnfiltered, in_utc
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.jobs import queue, reasons
from proctoring_site.jobs.models import Job


@admin.register(Job)
class JobAdmin(ReadOnly, ListedInItsOrder, admin.ModelAdmin):
    list_display = ["queued", "task", "key", "state", "attempts", "reason", "started", "finished"]
    list_filter = ["state"]
    search_fields = ["key__startswith"]
    search_help_text = "The beginning of a key, such as a recording's id."
    ordering = ["-queued_at", "-id"]
    show_full_result_count = False
    change_form_template = "jobs/job.html"  # without Django's own history, which nobody writes
    show_facets = admin.ShowFacets.NEVER
    paginator = UncountedWhenUnfiltered
    list_per_page = 100
    actions = ["run_again"]
    fields = [
        *("id", "task", "key", "arguments", "state", "attempts", "reason"),
        *("queued", "next_try", "started", "finished", "lease_ends"),
    ]
    readonly_fields = fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return may(request.user, Right.SEE_JOBS)

    def has_rerun_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.RERUN_JOBS)

    @admin.action(description="Run the selected failed jobs again", permissions=["rerun"])
    def run_again(self, request: HttpRequest, queryset: QuerySet) -> None:
        done = 0
        for job in queryset.filter(state="failed"):
            record(Action.CHANGED, ObjectKind.JOB, job.pk, changes={"state": (job.state, "waiting")})
            done += queue.run_again(job)
        level = messages.SUCCESS if done else messages.WARNING
        self.message_user(request, f"Failed jobs now waiting for another try: {done}.", level)

    @admin.display(description="why it failed")
    def reason(self, job: Job) -> str:
        return reasons.readable(job.error) or NOTHING

    queued = in_utc("queued_at", "queued")
    next_try = in_utc("not_before", "not before")
    started = in_utc("started_at", "started")
    finished = in_utc("finished_at", "finished")
    lease_ends = in_utc("runs_until", "held until")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup in {"state__exact"}

    class Media:
        css = {"all": ["jobs/jobs.css"]}
