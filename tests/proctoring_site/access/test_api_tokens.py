"""API tokens: made, kept as a hash, used with their owner's rights of this moment, revoked."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from proctoring_site.access import api_tokens, kept_tokens
from proctoring_site.access.models import ApiToken
from tests.access import TOKEN_TEXT, caller, status_with
from tests.audit_records import recording, whole_database
from tests.factories import make_api_token, make_staff

pytestmark = pytest.mark.usefixtures("database")


class TestAToken:
    def test_is_nowhere_in_the_database_and_its_hash_is(self, olive):
        text = make_api_token(olive)
        assert TOKEN_TEXT.fullmatch(text)
        assert status_with(text) == 200
        everything = whole_database()
        assert text not in everything
        assert text.removeprefix("pk_") not in everything
        assert api_tokens.digest_of(text) in everything

    def test_is_another_each_time(self, olive):
        assert len({make_api_token(olive) for _ in range(20)}) == 20

    def test_is_not_its_own_hash(self, olive):
        text = make_api_token(olive)
        for other in (api_tokens.digest_of(text), f"pk_{api_tokens.digest_of(text)}", text.lower(), text[:-1], ""):
            assert status_with(other) == 401

    def test_expires(self, olive):
        now = timezone.now()
        _, good = api_tokens.create(owner=olive, name="x", expires_at=now + timedelta(minutes=1))
        token, bad = api_tokens.create(owner=olive, name="x", expires_at=now - timedelta(milliseconds=1))
        assert (status_with(good), status_with(bad)) == (200, 401)
        assert token.state == "expired"

    def test_ends_at_once_when_it_is_revoked_and_the_first_instant_stays(self, olive):
        text, other = make_api_token(olive), make_api_token(olive)
        token = ApiToken.objects.get(digest=api_tokens.digest_of(text))
        assert status_with(text) == 200
        assert api_tokens.revoke(token) is True
        assert (status_with(text), status_with(other)) == (401, 200)
        first = token.revoked_at
        assert api_tokens.revoke(token) is False
        token.refresh_from_db()
        assert (token.revoked_at, token.state) == (first, "revoked")

    def test_a_second_revocation_from_an_older_copy_keeps_the_first_instant(self, olive):
        make_api_token(olive)
        one, copy = ApiToken.objects.get(), ApiToken.objects.get()
        api_tokens.revoke(one)
        assert api_tokens.revoke(copy) is False
        assert copy.revoked_at == one.revoked_at

    def test_notes_its_use_to_the_minute(self, olive):
        text = make_api_token(olive)
        assert ApiToken.objects.get().last_used_at is None
        status_with(text)
        first = ApiToken.objects.get().last_used_at
        assert timezone.now() - first < timedelta(seconds=30)
        status_with(text)
        assert ApiToken.objects.get().last_used_at == first
        ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
        kept_tokens.forget()
        status_with(text)
        assert ApiToken.objects.get().last_used_at >= first

    def test_a_use_that_fails_is_none(self, olive):
        text = make_api_token(olive)
        api_tokens.revoke(ApiToken.objects.get())
        status_with(text)
        assert ApiToken.objects.get().last_used_at is None

    def test_may_what_its_owner_may_at_this_moment(self, olive):
        text, operator = make_api_token(olive), Group.objects.get(name="Operator")
        assert status_with(text) == 200
        olive.groups.remove(operator)
        assert status_with(text) == 404
        olive.groups.add(operator)
        assert status_with(text) == 200

    @pytest.mark.parametrize("field", ["is_active", "is_staff"])
    def test_ends_with_its_owners_account(self, olive, field):
        text = make_api_token(olive)
        setattr(olive, field, False)
        olive.save()
        assert status_with(text) == 401
        setattr(olive, field, True)
        olive.save()
        assert status_with(text) == 200

    def test_goes_with_its_deleted_owner(self, olive):
        text = make_api_token(olive)
        olive.delete()
        assert status_with(text) == 401
        assert not ApiToken.objects.exists()

    def test_opens_no_page_of_the_admin(self):
        client = caller(make_api_token(make_staff(is_superuser=True)))
        answer = client.get("/admin/")
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


def command(*arguments):
    out, err = StringIO(), StringIO()
    call_command("create_api_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


class TestTheCommand:
    def test_prints_the_token_alone_and_the_rest_beside(self, olive):
        out, err = command("olive", "--name", " LMS ", "--days", "7")
        assert TOKEN_TEXT.fullmatch(out.removesuffix("\n"))
        assert "olive" in err
        assert out.strip() not in err
        token = ApiToken.objects.get()
        assert (token.name, token.owner) == ("LMS", olive)
        assert abs(token.expires_at - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)
        assert status_with(out.strip()) == 200

    def test_is_valid_for_ninety_days_unless_told_otherwise(self, olive):
        command("olive", "--name", "LMS")
        assert abs(ApiToken.objects.get().expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)

    def test_tries_without_creating(self, olive):
        with recording() as records:
            out, _ = command("olive", "--name", "LMS", "--dry-run")
        assert "would be created" in out
        assert not TOKEN_TEXT.search(out)
        assert not ApiToken.objects.exists()
        assert records == []

    @pytest.mark.parametrize(
        ("arguments", "fault"),
        [
            (("nobody", "--name", "x"), "no active staff account 'nobody'"),
            (("candidate", "--name", "x"), "no active staff account"),
            (("gone", "--name", "x"), "no active staff account"),
            (("olive", "--name", "x", "--days", "0"), "--days"),
            (("olive", "--name", "x", "--days", "-5"), "--days"),
            (("olive", "--name", "x", "--days", "3651"), "--days"),
            (("olive", "--name", "x", "--days", "soon"), "--days"),
            (("olive", "--name", "  "), "--name"),
            (("olive", "--name", "x" * 101), "--name"),
            (("olive",), "--name"),
        ],
    )
    @pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
    def test_says_what_is_wrong_and_creates_nothing(self, olive, arguments, fault, dry_run):
        make_staff(username="candidate", is_staff=False)
        make_staff(username="gone", is_active=False)
        with pytest.raises(CommandError, match=re.escape(fault)):
            command(*arguments, *dry_run)
        assert not ApiToken.objects.exists()
