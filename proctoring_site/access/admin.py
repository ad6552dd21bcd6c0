"""API tokens in the admin: made, seen and revoked; each sees their own, superusers see all. Never edited or deleted."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_user_model
from django.db.models import ForeignKey, QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from proctoring_site.access import api_tokens
from proctoring_site.access.models import ApiToken
from proctoring_site.access.roles import Right, may
from proctoring_site.admin_lists import TO_THE_MINUTE, ListedInItsOrder, in_utc


class NewTokenForm(ModelForm):
    days = forms.IntegerField(
        label="Days valid", min_value=1, max_value=api_tokens.MAX_DAYS, initial=api_tokens.DEFAULT_DAYS
    )


@admin.register(ApiToken)
class ApiTokenAdmin(ListedInItsOrder, admin.ModelAdmin):
    list_display = ["name", "owned_by", "state", "created", "expires", "last_used"]
    search_fields = ["name__startswith"]
    search_help_text = "The beginning of a name"
    ordering = ["-created_at", "-id"]
    list_per_page = 50
    show_full_result_count = False
    fields = ["name", "owned_by", "state", "created", "expires", "last_used", "revoked", "audit_id"]
    actions = ["revoke_tokens"]
    change_form_template = "access/token.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        tokens = super().get_queryset(request).prefetch_related("owner")  # a join would come before limit and order
        return tokens if request.user.is_superuser else tokens.filter(owner=request.user)

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """A token goes with its owner's account, which the pages of accounts ask about; alone it is revoked."""
        with_its_owner = request.resolver_match.url_name in {"auth_user_delete", "auth_user_changelist"}
        return with_its_owner and super().has_delete_permission(request, obj)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Right.REVOKE_TOKENS)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No filter is offered; `digest__startswith` would ask for the hash."""
        return False

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        if obj:
            return self.fields
        return ["name", "owner", "days"] if request.user.is_superuser else ["name", "days"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        return super().get_form(request, obj, change, **kwargs if change else {**kwargs, "form": NewTokenForm})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), "owner": request.user.pk}

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        kwargs["help_text"] = "Whatever uses the token may do what this account may. At first, it is your own."
        kwargs["queryset"] = get_user_model().objects.filter(is_active=True, is_staff=True).order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **options: Any) -> HttpResponse:
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        context["may_revoke"] = self.has_revoke_permission(request)
        return super().render_change_form(request, context, **options)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: ModelForm, change: bool) -> None:
        owner = form.cleaned_data.get("owner") or request.user
        expires_at = timezone.now() + timedelta(days=form.cleaned_data["days"])
        token, text = api_tokens.create(owner=owner, name=obj.name, expires_at=expires_at)
        obj.pk, obj.owner, obj.expires_at = token.pk, owner, expires_at
        request.shown_once = text

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """The page itself, and no redirect: on the way, the text would have to be kept in a cookie or the database."""
        context = {"title": "API token created", "opts": self.opts, "token": obj, "text": request.shown_once}
        return TemplateResponse(
            request,
            "access/new_token.html",
            {**self.admin_site.each_context(request), **context},
            headers={"Cache-Control": "no-store"},
        )

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        tokens = list(queryset)
        if "confirmed" not in request.POST:
            context = {
                "title": "Revoke API tokens?",
                "opts": self.opts,
                "tokens": tokens,
                "field": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(
                request,
                "access/revoke_tokens.html",
                {**self.admin_site.each_context(request), **context, "media": self.media},
            )
        revoked = sum(map(api_tokens.revoke, tokens))
        self.message_user(request, f"Tokens revoked: {revoked}.", messages.SUCCESS if revoked else messages.WARNING)
        return None

    @admin.display(description="owner")
    def owned_by(self, token: ApiToken) -> str:
        return token.owner.get_username()

    created = in_utc("created_at", "created", layout=TO_THE_MINUTE)
    expires = in_utc("expires_at", "expires", layout=TO_THE_MINUTE)
    last_used = in_utc("last_used_at", "last used", layout=TO_THE_MINUTE)
    revoked = in_utc("revoked_at", "revoked", layout=TO_THE_MINUTE)

    @admin.display(description="id in the audit log")
    def audit_id(self, token: ApiToken) -> str:
        return token.digest[:12]

    class Media:
        css = {"all": ["access/tokens.css"]}
