"""API tokens in the admin: shown once, seen by their owners, revoked after a question."""

import logging
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from proctoring_site.access.models import ApiToken
from tests.access import TOKEN_TEXT, caller, status_with
from tests.audit_records import recording, told, whole_database
from tests.factories import make_api_token, make_staff

pytestmark = pytest.mark.usefixtures("database")

LIST, ADD = "/admin/access/apitoken/", "/admin/access/apitoken/add/"


def page_of(token):
    return f"{LIST}{token.pk}/change/"


def add(browser, **fields):
    return browser.post(ADD, {"name": "LMS", "days": "90", **fields})


class TestMakingOneInTheAdmin:
    def test_shows_the_text_once_on_the_page_that_answers(self, olive, caplog):
        browser = caller(signed_in=olive)
        with caplog.at_level(logging.DEBUG):
            answer = add(browser)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        (text,) = set(TOKEN_TEXT.findall(answer.content.decode()))
        assert status_with(text) == 200
        token = ApiToken.objects.get()
        for url in (LIST, page_of(token), f"{LIST}{token.pk}/history/", "/admin/", ADD):
            assert "pk_" not in browser.get(url).content.decode(), url
        assert text not in str(answer.headers) + answer.cookies.output() + browser.cookies.output()
        assert text not in caplog.text
        assert text not in whole_database()

    def test_leaves_an_entry_in_both_logs_by_its_name(self, olive):
        browser = caller(signed_in=olive)
        with recording() as records:
            add(browser)
        token = ApiToken.objects.get()
        assert told(records) == [("created", "token", token.digest[:12])]
        assert records[0].actor_name == "olive"
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.object_repr, entry.user) == (str(token.pk), "LMS", olive)

    def test_is_for_oneself_whatever_is_sent(self, olive):
        root = make_staff(is_superuser=True)
        browser = caller(signed_in=olive)
        assert 'name="owner"' not in browser.get(ADD).content.decode()
        assert add(browser, owner=root.pk).status_code == 200
        assert ApiToken.objects.get().owner == olive

    def test_a_superuser_makes_one_for_another(self, olive):
        root = caller(signed_in=make_staff(is_superuser=True))
        answer = add(root, owner=olive.pk, days="1")
        token = ApiToken.objects.get()
        assert token.owner == olive
        assert "may do what this account may" in root.get(ADD).content.decode()
        assert abs(token.expires_at - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)
        assert "with the rights of olive" in answer.content.decode()

    @pytest.mark.parametrize("field", ["is_active", "is_staff"])
    def test_but_for_nobody_who_could_not_use_it(self, field):
        other = make_staff(**{field: False})
        answer = add(caller(signed_in=make_staff(is_superuser=True)), owner=other.pk)
        assert "Select a valid choice" in answer.content.decode()
        assert not ApiToken.objects.exists()

    @pytest.mark.parametrize(
        "fields",
        [{"name": ""}, {"name": "  "}, {"name": "x" * 101}, {"name": "a\0b"}]
        + [{"days": days} for days in ("", "0", "-1", "3651", "x", "1.5", "9" * 400)],
    )
    def test_says_what_is_wrong_and_makes_nothing(self, olive, fields):
        answer = add(caller(signed_in=olive), **fields)
        assert answer.status_code == 200
        assert "errorlist" in answer.content.decode()
        assert not ApiToken.objects.exists()

    @pytest.mark.parametrize("group", ["Reviewer", "Proctor", "Auditor"])
    def test_is_for_holders_of_the_right(self, group):
        browser = caller(signed_in=make_staff(group))
        assert browser.get(ADD).status_code in (403, 404)
        assert add(browser).status_code in (403, 404)
        assert not ApiToken.objects.exists()

    def test_needs_the_csrf_token(self, olive):
        browser = caller(signed_in=olive)
        del browser.defaults["HTTP_X_CSRFTOKEN"]
        assert add(browser).status_code == 403
        assert not ApiToken.objects.exists()

    def test_markup_in_a_name_is_inert(self, olive):
        browser = caller(signed_in=olive)
        pages = [add(browser, name="<script>alert(1)</script>")]
        token = ApiToken.objects.get()
        form = {"action": "revoke_tokens", "_selected_action": str(token.pk)}
        pages += [browser.get(LIST), browser.get(page_of(token)), browser.post(LIST, form)]
        for page in pages:
            assert b"&lt;script&gt;alert(1)" in page.content
            assert b"<script>alert" not in page.content


def revoke(browser, *tokens, **fields):
    pks = [str(token.pk) for token in tokens]
    return browser.post(LIST, {"action": "revoke_tokens", "_selected_action": pks, **fields})


class TestSeeingAndRevokingInTheAdmin:
    @pytest.fixture
    def tokens(self, olive):
        """Olive's and somebody else's."""
        make_api_token(olive)
        make_api_token(make_staff("Operator", username="oscar"))
        return list(ApiToken.objects.order_by("created_at", "pk"))

    def test_one_sees_ones_own(self, olive, tokens):
        page = caller(signed_in=olive).get(LIST)
        assert list(page.context["cl"].result_list) == tokens[:1]
        for text in ("a test", "olive", "valid", f"{tokens[0].created_at:%Y-%m-%d %H:%M}"):
            assert text in page.content.decode()
        assert "oscar" not in page.content.decode()

    @pytest.mark.parametrize("path", ["change/", "history/", "delete/"])
    def test_and_nothing_of_others(self, olive, tokens, path):
        answer = caller(signed_in=olive).get(f"{LIST}{tokens[1].pk}/{path}")
        assert answer.status_code in (302, 403, 404)
        assert b"oscar" not in answer.content

    def test_a_superuser_sees_all(self, tokens):
        page = caller(signed_in=make_staff(is_superuser=True)).get(LIST)
        assert set(page.context["cl"].result_list) == set(tokens)

    def test_the_token_of_an_owner_who_was_deactivated_is_not_called_valid(self, olive, tokens):
        olive.is_active = False
        olive.save()
        page = caller(signed_in=make_staff(is_superuser=True)).get(page_of(tokens[0])).content.decode()
        assert "owner is not active staff" in page

    def test_the_number_of_queries_does_not_grow(self, tokens, django_assert_max_num_queries):
        root = caller(signed_in=make_staff(is_superuser=True))
        for _ in range(20):
            make_api_token(make_staff())
        with django_assert_max_num_queries(6):
            assert root.get(LIST).status_code == 200

    @pytest.mark.parametrize("query", ["digest__startswith=a", "owner__password__startswith=p", "name__regex=("])
    def test_no_filter_asks_for_what_is_secret(self, olive, tokens, query):
        assert caller(signed_in=olive).get(f"{LIST}?{query}").status_code == 400

    def test_the_page_says_all_but_the_hash_and_offers_to_revoke(self, olive, tokens):
        page = caller(signed_in=olive).get(page_of(tokens[0])).content.decode()
        assert tokens[0].digest[:12] in page
        assert tokens[0].digest not in page
        assert 'value="Revoke…"' in page
        assert not re.search(r'name="(name|owner|days|_save)"', page)

    def test_revoking_asks_first_and_then_does_it(self, olive, tokens):
        browser = caller(signed_in=olive)
        question = revoke(browser, tokens[0])
        assert question.status_code == 200
        assert "a test of olive (valid)" in question.content.decode()
        assert ApiToken.objects.get(pk=tokens[0].pk).state == "valid"
        with recording() as records:
            answer = revoke(browser, tokens[0], confirmed="Yes, revoke")
        assert answer.status_code == 302
        assert told(records) == [("revoked", "token", tokens[0].digest[:12])]
        assert ApiToken.objects.get(pk=tokens[0].pk).state == "revoked"
        assert "Revoke…" not in browser.get(page_of(tokens[0])).content.decode()
        with recording() as records:
            page = revoke(browser, tokens[0], confirmed="Yes, revoke").wsgi_request
        assert records == []
        assert page.user == olive

    def test_one_cannot_revoke_anothers(self, olive, tokens):
        browser = caller(signed_in=olive)
        assert "oscar" not in revoke(browser, tokens[1]).content.decode()
        revoke(browser, *tokens, confirmed="x")
        assert [ApiToken.objects.get(pk=token.pk).state for token in tokens] == ["revoked", "valid"]

    def test_a_superuser_revokes_all(self, tokens):
        revoke(caller(signed_in=make_staff(is_superuser=True)), *tokens, confirmed="x")
        assert {token.state for token in ApiToken.objects.all()} == {"revoked"}

    def test_who_has_lost_the_right_to_revoke_does_not(self, olive, tokens):
        Group.objects.get(name="Operator").permissions.remove(
            *Group.objects.get(name="Operator").permissions.filter(codename="change_apitoken")
        )
        browser = caller(signed_in=olive)
        assert "Revoke…" not in browser.get(page_of(tokens[0])).content.decode()
        revoke(browser, tokens[0], confirmed="x")
        assert ApiToken.objects.get(pk=tokens[0].pk).state == "valid"

    def test_a_get_revokes_nothing(self, olive, tokens):
        query = {"action": "revoke_tokens", "_selected_action": tokens[0].pk, "confirmed": "x"}
        caller(signed_in=olive).get(LIST, query)
        assert ApiToken.objects.get(pk=tokens[0].pk).state == "valid"

    @pytest.mark.parametrize("superuser", [False, True])
    def test_nobody_edits_or_deletes(self, tokens, olive, superuser):
        browser = caller(signed_in=make_staff(is_superuser=True) if superuser else olive)
        before = list(ApiToken.objects.order_by("pk").values())
        form = {"name": "other", "days": "1", "post": "yes"}
        for path in ("change/", "delete/"):
            assert browser.post(f"{LIST}{tokens[0].pk}/{path}", form).status_code in (403, 404)
        browser.post(LIST, {"action": "delete_selected", "_selected_action": [str(tokens[0].pk)], "post": "yes"})
        assert list(ApiToken.objects.order_by("pk").values()) == before

    @pytest.mark.parametrize("how", ["page", "list"])
    def test_an_account_with_tokens_can_still_be_deleted_with_them(self, tokens, olive, how):
        root = caller(signed_in=make_staff(is_superuser=True))
        form = {"action": "delete_selected", "_selected_action": [str(olive.pk)], "post": "yes"}
        root.post(f"/admin/auth/user/{olive.pk}/delete/" if how == "page" else "/admin/auth/user/", form)
        assert [token.owner.username for token in ApiToken.objects.all()] == ["oscar"]
