"""What happens to accounts, recorded from Django's signals: logins, and every change of rights, wherever it is made.

Signals, because Django has no other word for a login, and rights change in the admin, in commands and in shells alike.
Changes are recorded before they are made.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.db.models.signals import m2m_changed, pre_delete, pre_save
from django.dispatch import receiver
from django.http import HttpRequest

from proctoring_site.audit.actors import Actor, ActorKind, act_as
from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind

User = get_user_model()
KINDS = {User: ObjectKind.USER, Group: ObjectKind.GROUP}
#: What an account may do hangs on these; of the password only that it changed.
WATCHED = ("username", "email", "is_active", "is_staff", "is_superuser", "password")
SECRET = "password"  # noqa: S105 - the name of the field


@receiver(user_logged_in)
def note_login(user: Any, **kwargs: Any) -> None:
    act_as(Actor(ActorKind.USER, id=str(user.pk), name=user.get_username()))
    record(Action.LOGGED_IN, ObjectKind.USER, user.get_username())


@receiver(user_logged_out)
def note_logout(user: Any, **kwargs: Any) -> None:
    if user is not None:
        act_as(Actor(ActorKind.USER, id=str(user.pk), name=user.get_username()))
        record(Action.LOGGED_OUT, ObjectKind.USER, user.get_username())


@receiver(user_login_failed)
def note_failed_login(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Which account, when there is one: what is typed as a name is now and then a password."""
    username = str(credentials.get(User.USERNAME_FIELD) or "")
    is_known = User.objects.filter(username=username).exists()
    record(Action.LOGIN_FAILED, ObjectKind.USER, username if is_known else "")


@receiver(pre_save, sender=User)
def note_change_of_account(
    instance: Any, raw: bool = False, update_fields: Iterable[str] | None = None, **kwargs: Any
) -> None:
    fields = [name for name in WATCHED if update_fields is None or name in update_fields]
    if raw or not fields:
        return
    before = User.objects.filter(pk=instance.pk).values(*fields).first()
    old, new = before or {}, {name: getattr(instance, name) for name in fields}
    changes = {name: _told(name, old.get(name), new[name]) for name in fields if old.get(name) != new[name]}
    if changes:
        record(Action.CHANGED if before else Action.CREATED, ObjectKind.USER, instance.get_username(), changes=changes)


@receiver(pre_save, sender=Group)
def note_change_of_group(instance: Group, raw: bool = False, **kwargs: Any) -> None:
    before = Group.objects.filter(pk=instance.pk).values_list("name", flat=True).first()
    if not raw and before != instance.name:
        action = Action.CREATED if before is None else Action.CHANGED
        record(action, ObjectKind.GROUP, instance.name, changes={"name": (before, instance.name)})


@receiver(pre_delete, sender=User)
@receiver(pre_delete, sender=Group)
def note_deletion(sender: type[Model], instance: Any, **kwargs: Any) -> None:
    record(Action.DELETED, KINDS[sender], str(instance))


@receiver(m2m_changed, sender=User.groups.through)
@receiver(m2m_changed, sender=User.user_permissions.through)
@receiver(m2m_changed, sender=Group.permissions.through)
def note_change_of_rights(
    sender: type[Model],
    instance: Any,
    action: str,
    reverse: bool,
    model: type[Model],
    pk_set: set | None,
    **kwargs: Any,
) -> None:
    """Who is in which group, and which rights an account or a group has of its own."""
    if action not in {"pre_add", "pre_remove", "pre_clear"} or pk_set == set():
        return
    end = sender._meta.get_field(model._meta.model_name)
    holder = next(f for f in sender._meta.fields if f.is_relation and f.name != end.name)
    there = set(sender.objects.filter(**{holder.name: instance}).values_list(end.attname, flat=True))
    after = {"pre_add": there | (pk_set or set()), "pre_remove": there - (pk_set or set()), "pre_clear": set()}[action]
    if after == there:
        return
    what = f"{model._meta.model_name}s"
    changes = {what: (_names(model, there), _names(model, after))}
    kind = KINDS.get(type(instance), "")  # a permission, when the relation is changed from its side
    record(Action.CHANGED, kind, str(instance), changes=changes)


def _told(name: str, old: Any, new: Any) -> tuple[Any, Any]:
    return ("hidden", "changed") if name == SECRET else (old, new)


def _names(model: type[Model], pks: set) -> list[str]:
    """Rights as `has_perm` spells them: a codename alone, such as view_session, is that of two apps."""
    rows = model.objects.filter(pk__in=pks).order_by()
    if model is Permission:
        return sorted(map(".".join, rows.values_list("content_type__app_label", "codename")))
    return sorted(rows.values_list("username" if model is User else "name", flat=True))
