"""What happens to accounts is recorded, wherever it is done: logins, rights, passwords, membership."""

import os
import subprocess
import sys

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client

from proctoring_site.access import api_tokens
from proctoring_site.access.models import ApiToken
from proctoring_site.audit.models import Action, ActorKind, AuditRecord
from tests.access import caller
from tests.audit_records import recording, told, whole_database
from tests.factories import make_api_token, make_staff
from tests.servers import REPOSITORY, manage

PASSWORD = "correct horse battery"
RIGHT = "reports_app.regenerate_report"
ADDRESS, REQUEST_ID = "203.0.113.7", "request-of-a-test"
FROM_THERE = {"REMOTE_ADDR": ADDRESS, "HTTP_X_REQUEST_ID": REQUEST_ID}


def log_in(username, password=PASSWORD):
    client = Client(raise_request_exception=False)
    answer = client.post("/admin/login/", {"username": username, "password": password}, **FROM_THERE)
    return client, answer


@pytest.mark.usefixtures("database")
class TestLogins:
    def test_a_login_by_whom_from_where_in_which_request(self):
        rita = make_staff("Reviewer", username="rita", password=PASSWORD)
        with recording() as records:
            _, answer = log_in("rita")
        assert answer.status_code == 302
        assert told(records) == [("logged_in", "user", "rita")]
        record = records[0]
        assert (record.actor_kind, record.actor_id, record.actor_name) == ("user", str(rita.pk), "rita")
        assert (record.address, record.request_id) == (ADDRESS, REQUEST_ID)

    def test_a_failure_names_the_account_when_there_is_one(self):
        make_staff("Reviewer", username="rita", password=PASSWORD)
        with recording() as records:
            log_in("rita", "wrong horse")
        assert told(records) == [("login_failed", "user", "rita")]
        assert (records[0].actor_kind, records[0].actor_name, records[0].address) == ("nobody", "", ADDRESS)

    def test_a_typed_name_that_is_no_account_is_not_kept(self):
        with recording() as records:
            log_in("hunter2-typed-as-name", "x")
        assert told(records) == [("login_failed", "user", "")]
        assert "hunter2" not in "".join(str(vars(record)) for record in records)

    def test_a_logout_and_who_did_it(self):
        make_staff("Reviewer", username="rita", password=PASSWORD)
        client, _ = log_in("rita")
        with recording() as records:
            client.post("/admin/logout/", **FROM_THERE)
        assert told(records) == [("logged_out", "user", "rita")]
        assert (records[0].actor_kind, records[0].actor_name, records[0].address) == ("user", "rita", ADDRESS)

    def test_no_password_stands_in_any_record(self):
        make_staff("Reviewer", username="rita", password=PASSWORD)
        log_in("rita")
        log_in("rita", "a wrong passphrase")
        kept = [str(vars(record)) for record in AuditRecord.objects.all()]
        assert kept
        assert not [text for text in kept if PASSWORD in text or "wrong passphrase" in text or "pbkdf2" in text]


@pytest.mark.usefixtures("database")
class TestRights:
    def test_a_change_in_the_admin_with_old_and_new_by_whom(self):
        root = make_staff(username="root", is_superuser=True)
        rita = make_staff("Reviewer", username="rita")
        auditor = Group.objects.get(name="Auditor")
        form = {"username": "rita", "email": "r@example.org", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
        form |= {"groups": [auditor.pk], "date_joined_0": "2026-03-02", "date_joined_1": "12:00:00"}
        page = f"/admin/auth/user/{rita.pk}"
        with recording() as records:
            answer = caller(signed_in=root).post(f"{page}/change/", form, **FROM_THERE)
        assert answer.status_code == 302, answer.content
        assert "Times are UTC." in caller(signed_in=root).get(f"{page}/history/").content.decode()
        own = [record for record in records if record.actor_name == "root" and record.action == "changed"]
        assert {(r.object_kind, r.object_id, r.address, r.request_id) for r in own} == {
            ("user", "rita", ADDRESS, REQUEST_ID)
        }
        changes = [record.changes for record in own]
        assert {"email": ["", "r@example.org"], "is_superuser": [False, True]} in changes
        assert changes[1:] == [{"groups": [["Reviewer"], []]}, {"groups": [[], ["Auditor"]]}]

    def test_an_account_made_and_deleted(self):
        with recording() as records:
            make_staff(username="rita").delete()
        assert told(records) == [("created", "user", "rita"), ("deleted", "user", "rita")]
        assert records[0].changes["is_staff"] == [None, True]

    def test_a_deactivation(self):
        rita = make_staff(username="rita")
        rita.is_active = False
        with recording() as records:
            rita.save(update_fields=["is_active"])
        assert records[0].changes == {"is_active": [True, False]}

    def test_a_new_password_without_the_password(self):
        rita = make_staff(username="rita")
        rita.set_password(PASSWORD)
        with recording() as records:
            rita.save()
        assert [record.changes for record in records] == [{"password": ["hidden", "changed"]}]

    @pytest.mark.parametrize(
        ("change", "object_id", "old", "new"),
        [
            (lambda u, g: u.groups.add(g), "rita", [], ["Auditor"]),
            (lambda u, g: g.user_set.add(u), "Auditor", [], ["rita"]),
            (lambda u, g: (u.groups.add(g), u.groups.remove(g)), "rita", ["Auditor"], []),
            (lambda u, g: (u.groups.add(g), u.groups.clear()), "rita", ["Auditor"], []),
            (lambda u, g: (u.groups.add(g), g.user_set.clear()), "Auditor", ["rita"], []),
        ],
    )
    def test_membership_from_either_side(self, change, object_id, old, new):
        rita, auditor = make_staff(username="rita"), Group.objects.get(name="Auditor")
        with recording() as records:
            change(rita, auditor)
        assert (records[-1].object_id, *records[-1].changes.values()) == (object_id, [old, new])

    def test_rights_of_a_group_and_of_one_account(self):
        rita, auditor = make_staff(username="rita"), Group.objects.get(name="Auditor")
        right = Permission.objects.get(codename="regenerate_report")
        with recording() as records:
            auditor.permissions.add(right)
            rita.user_permissions.add(right)
        assert told(records) == [("changed", "group", "Auditor"), ("changed", "user", "rita")]
        assert records[0].changes == {"permissions": [["audit.view_auditrecord"], ["audit.view_auditrecord", RIGHT]]}
        assert records[1].changes == {"permissions": [[], [RIGHT]]}

    def test_a_right_given_from_its_own_side(self):
        rita, right = make_staff(username="rita"), Permission.objects.get(codename="regenerate_report")
        with recording() as records:
            right.user_set.add(rita)
        assert [record.changes for record in records] == [{"users": [[], ["rita"]]}]

    def test_a_group_made_renamed_and_deleted(self):
        with recording() as records:
            group = Group.objects.create(name="Interns")
            group.name = "Trainees"
            group.save()
            group.delete()
        assert told(records) == [
            ("created", "group", "Interns"),
            ("changed", "group", "Trainees"),
            ("deleted", "group", "Trainees"),
        ]
        assert records[1].changes == {"name": ["Interns", "Trainees"]}

    def test_what_changes_nothing_is_not_recorded(self):
        rita, auditor = make_staff("Auditor", username="rita"), Group.objects.get(name="Auditor")
        with recording() as records:
            rita.save()
            auditor.save()
            rita.groups.add(auditor)
            rita.groups.set([auditor])
            rita.save(update_fields=["last_login"])
        assert records == []


@pytest.mark.usefixtures("database")
class TestTokens:
    def test_made_and_revoked_without_their_text(self):
        with recording() as records:
            text = make_api_token(make_staff(username="olive"))
            token = ApiToken.objects.get()
            api_tokens.revoke(token)
            api_tokens.revoke(token)
        kept = [record for record in records if record.object_kind == "token"]
        assert told(kept) == [("created", "token", token.digest[:12]), ("revoked", "token", token.digest[:12])]
        assert kept[0].changes["owner"] == [None, "olive"]
        assert kept[1].changes["revoked_at"][0] is None
        assert text not in whole_database()


class TestCommands:
    @pytest.fixture
    def here(self, committed_database, tmp_path):
        """Where a process of its own finds the tests' database."""
        return {
            "mongodb_url": os.environ["MONGODB_URL"],
            "folder": tmp_path,
            "MONGODB_DATABASE": connection.settings_dict["NAME"],
        }

    def test_createsuperuser(self, here):
        arguments = ("createsuperuser", "--noinput", "--username=root", "--email=a@example.org")
        with recording() as records:
            manage(*arguments, **here, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        assert told(records) == [("created", "user", "root")]
        record = records[0]
        assert (record.actor_kind, record.actor_name) == (ActorKind.COMMAND, "manage.py createsuperuser")
        assert (record.address, record.request_id) == ("", "")
        assert record.changes["is_superuser"] == [None, True]
        assert record.changes["password"] == ["hidden", "changed"]

    def test_changepassword(self, here):
        make_staff(username="rita")
        environment = {**os.environ, "MONGODB_DATABASE": here["MONGODB_DATABASE"]}
        with recording() as records:
            subprocess.run(
                [sys.executable, "manage.py", "changepassword", "rita"],
                input=f"{PASSWORD}\n{PASSWORD}\n",
                cwd=REPOSITORY,
                env=environment,
                start_new_session=True,  # without a terminal, it reads the password from its input
                capture_output=True,
                text=True,
                check=True,
            )
        assert get_user_model().objects.get(username="rita").check_password(PASSWORD)
        assert [(r.action, r.object_id, r.actor_name, r.changes) for r in records] == [
            (Action.CHANGED, "rita", "manage.py changepassword", {"password": ["hidden", "changed"]})
        ]
