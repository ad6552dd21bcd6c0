"""Policies in the admin: which versions there are, making the next one, seeing what it would do, and doing that."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.generic import RedirectView

from proctoring_site.access.roles import Right, may
from proctoring_site.admin_lists import ReadOnly
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from proctoring_site.desk.policy_form import PolicyForm
from sessions_app import scoring
from sessions_app.errors import ProctoringError
from sessions_app.models import Session, now
from sessions_app.policy import policy_of
from sessions_app.review import policies, rescoring
from sessions_app.review.errors import NoSuchPolicy, PolicyChanged
from sessions_app.review.models import PolicyRun, PolicyVersion, RunKind
from sessions_app.scoring import Policy

LIST, PAGE = "admin:review_policyversion_changelist", "admin:review_policyversion_change"
VERSION_DIGITS_MAX = 9
#: How often an open page asks how far a run is.
PROGRESS_EVERY_MS = 1500
#: A preview that is older tells of other sessions than those that will be scored anew.
PREVIEW_LASTS = timedelta(days=1)
PREVIEW_NEEDED = (
    "Nothing was changed. Preview this version first: there is no finished preview of it from the last 24 hours."
)


def may_see(user: Any) -> bool:
    return may(user, Right.DECIDE) or may(user, Right.CHANGE_POLICY)


@admin.register(PolicyVersion)
class PolicyAdmin(ReadOnly, admin.ModelAdmin):
    """Whoever decides on sessions may read the rules; changing them is a right of its own."""

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "review_policyversion"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("add/", wrap(self.add_view), name=f"{name}_add"),
            path("<int:version_id>/", wrap(RedirectView.as_view(pattern_name=PAGE))),
            path("<int:version_id>/change/", wrap(self.version_view), name=f"{name}_change"),
            path("<int:version_id>/run/", wrap(self.run_view), name=f"{name}_run"),
            path("<int:version_id>/progress/", wrap(self.progress_view), name=f"{name}_progress"),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_see(request.user)

    def has_view_permission(self, request: HttpRequest, obj: PolicyVersion | None = None) -> bool:
        return may_see(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.CHANGE_POLICY)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._demand(self.has_view_permission(request))
        active = policies.active_version()
        facts = {"versions": policies.versions(), "active": active or policies.in_use().version}
        facts["may_change"] = self.has_add_permission(request)
        return self._page(request, "desk/policies.html", title="Policies", **facts)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The next version, begun from any other; making it puts nothing in force."""
        self._demand(self.has_add_permission(request))
        start = _policy(request.GET.get("from"))
        if request.method == "POST":
            form = PolicyForm(request.POST)
            if form.is_valid():
                made = policies.create(form.draft, by=request.user)
                self.message_user(request, f"Policy {made.version} was created; it is not in force.", messages.SUCCESS)
                return redirect(PAGE, made.version)
        else:
            form = PolicyForm.from_policy(start)
        return self._page(request, "desk/policy_form.html", title="New policy", form=form, start=start)

    def version_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        self._demand(self.has_view_permission(request))
        policy, active = _policy(version_id), policies.active_version()
        preview = _latest(RunKind.PREVIEW, version_id)
        facts = {
            "policy": policy,
            "row": PolicyVersion.objects.filter(pk=version_id).first(),
            "weights": sorted(policy.weights.items(), key=lambda item: (-item[1], item[0])),
            "bands": policy.bands,
            "is_active": version_id == (active or policies.in_use().version),
            "instead_of": active,
            "preview": preview,
            "may_activate": _is_previewed(version_id),
            "examples": _examples(request, preview),
            "moves": _moves(preview),
            "rescore": _latest(RunKind.RESCORE, version_id),
            "may_change": self.has_add_permission(request),
            "progress_ms": PROGRESS_EVERY_MS,
        }
        return self._page(request, "desk/policy.html", title=f"Policy {version_id}", **facts)

    def run_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Preview, or activate and score anew; the work itself is done in the background."""
        self._demand(self.has_add_permission(request))
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        _policy(version_id)
        if request.POST.get("verb") == "activate" and not _is_previewed(version_id):  # superuser or not
            self.message_user(request, PREVIEW_NEEDED, messages.ERROR)
            return redirect(PAGE, version_id)
        try:
            said = self._run(request, version_id)
        except ProctoringError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, said, messages.SUCCESS)
        return redirect(PAGE, version_id)

    def _run(self, request: HttpRequest, version: int) -> str:
        by = request.user.get_username()
        match request.POST.get("verb"):
            case "preview":
                rescoring.start(RunKind.PREVIEW, version, by=by)
                return "The preview has started."
            case "activate":
                policies.activate(version, by=request.user, instead_of=_held(request.POST.get("instead_of", "")))
                rescoring.start(RunKind.RESCORE, version, by=by)
                return f"Policy {version} is in force, and the sessions are being rescored."
            case "rescore":
                rescoring.start(RunKind.RESCORE, version, by=by)
                return "The sessions are being rescored."
        raise Http404

    def progress_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """How far preview and rescore are, for the page's script."""
        self._demand(self.has_view_permission(request))
        runs = {kind.value: _latest(kind, version_id) for kind in RunKind}
        return JsonResponse(
            {
                kind: {"total": run.total, "done": run.done, "is_finished": run.is_finished}
                for kind, run in runs.items()
                if run is not None
            }
        )

    def _demand(self, is_allowed: bool) -> None:
        if not is_allowed:
            raise Http404

    def _page(self, request: HttpRequest, template: str, **facts: Any) -> HttpResponse:
        common = {**self.admin_site.each_context(request), "notice": scoring.FLAGS_ARE_NOT_FINDINGS, "opts": self.opts}
        return TemplateResponse(request, template, {**common, **facts})


def _policy(version: object) -> Policy:
    """Of this number; None: the one in force. 404 when there is none."""
    if version is None:
        return policies.in_use()
    if not str(version).isdecimal() or len(str(version)) > VERSION_DIGITS_MAX:
        raise Http404
    try:
        return policy_of(int(version))
    except NoSuchPolicy as error:
        raise Http404 from error


def _held(told: str) -> int | None:
    """The version that the person held for active; None: none was. Raises PolicyChanged for what no version is."""
    if told and not (told.isdecimal() and len(told) <= VERSION_DIGITS_MAX):
        raise PolicyChanged
    return int(told) if told else None


def _latest(kind: RunKind, version: int) -> PolicyRun | None:
    return PolicyRun.objects.filter(kind=kind.value, policy_version=version).newest_first().first()


def _is_previewed(version: int) -> bool:
    runs = PolicyRun.objects.filter(kind=RunKind.PREVIEW.value, policy_version=version)
    return runs.filter(finished_at__gte=now() - PREVIEW_LASTS).newest_first().exists()


def _moves(run: PolicyRun | None) -> list[tuple[str, str, int]]:
    moves = sorted((run.moves or {}).items(), key=lambda item: -item[1]) if run else []
    return [(*(band.replace("_", " ") for band in move.split(">")), n) for move, n in moves]


def _examples(request: HttpRequest, run: PolicyRun | None) -> list[dict[str, Any]]:
    """Those that change band, with the names of the ones that the reader may see; one query. The look is recorded."""
    examples = run.examples if run else []
    ids = [each["session_id"] for each in examples]
    sessions: QuerySet = Session.objects.visible_to(request.user).filter(pk__in=ids).only("candidate_name")
    may_know = may(request.user, Right.SEE_EVIDENCE)
    known = {session.pk: session.shown_name for session in sessions} if may_know else {}
    if known:
        record(Action.LISTED, ObjectKind.SESSION, filters=["policy"], sessions=sorted(known))
    page = "admin:sessions_app_session_change"
    return [
        {**each, "name": known[each["session_id"]], "url": reverse(page, args=[quote(each["session_id"])])}
        for each in examples
        if each["session_id"] in known
    ]
