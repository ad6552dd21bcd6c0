"""Signed links: one stored file without a login, for some minutes, in the name of whoever made the link."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core import signing
from django.utils import timezone

from proctoring_site.access import api_tokens, links
from proctoring_site.access.models import ApiToken
from proctoring_site.audit.models import Action, AuditRecord
from proctoring_site.csv_cells import FOR_EXCEL
from tests import access, drives
from tests.access import ask, caller, content_of, machine, signed_earlier
from tests.factories import make_staff

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence


@pytest.fixture
def reviewer(database):
    return make_staff("Reviewer", username="rita")


@pytest.fixture
def video(evidence, reviewer):
    return link_of(ask(caller(signed_in=reviewer), "POST", evidence.path("/sessions/{id}/video/link")))


@pytest.fixture
def report(evidence, reviewer):
    return link_of(ask(caller(signed_in=reviewer), "POST", evidence.path("/sessions/{id}/report/link")))


def link_of(answer):
    assert answer.status_code == 200
    return answer.json()["url"].removeprefix("http://testserver")


def signature_of(link):
    return parse_qs(urlsplit(link).query)["link"][0]


def follow(path, signature):
    return ask(caller(), "GET", f"{path}?{urlencode({'link': signature})}")


def expire(token):
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())


class TestALink:
    def test_shows_the_file_to_whoever_holds_it(self, evidence, video, report, data_dir):
        for link, path in ((video, f"videos/{evidence.video}"), (report, f"reports/{evidence.report}")):
            answer = ask(caller(), "GET", link)
            assert answer.status_code == 200
            assert content_of(answer) == (data_dir / path).read_bytes()

    @pytest.mark.parametrize(("form", "content_type"), [("html", "text/html"), ("csv", "text/csv")])
    def test_leads_to_the_format_that_was_asked_for(self, evidence, reviewer, form, content_type):
        path = evidence.path("/sessions/{id}/report/link")
        answer = machine(reviewer).post(path, {"format": form}, "application/json")
        program = ask(caller(), "GET", link := link_of(answer))
        person = caller().get(link, HTTP_ACCEPT="text/html,*/*;q=0.8")
        assert program["Content-Type"].startswith(content_type)
        assert content_of(person) == (FOR_EXCEL if form == "csv" else b"") + content_of(program)

    def test_says_when_it_expires(self, evidence, reviewer, settings):
        settings.LINK_MAX_AGE_S = 77
        answer = ask(machine(reviewer), "POST", evidence.path("/sessions/{id}/video/link")).json()
        left = datetime.fromisoformat(answer["expires_at"]).astimezone(UTC) - timezone.now()
        assert 70 < left.total_seconds() <= 77

    def test_names_nobody_and_no_candidate(self, video, report):
        for link in (video, report):
            assert access.CANDIDATE_NAME not in link
            assert access.CANDIDATE_NAME not in str(signing.loads(signature_of(link), salt=links.SALT))

    def test_is_also_for_those_who_hold_a_useless_cookie(self, video):
        assert ask(caller(signed_in=make_staff()), "GET", video).status_code == 200


class TestALinkIsOfNoUse:
    def test_after_its_time(self, evidence, video, settings):
        payload = signing.loads(signature_of(video), salt=links.SALT)
        young, old = (
            signed_earlier(payload, salt=links.SALT, seconds_ago=settings.LINK_MAX_AGE_S + s) for s in (-60, 2)
        )
        path = evidence.path("/videos/{name}")
        assert (follow(path, young).status_code, follow(path, old).status_code) == (200, 404)

    def test_for_another_file(self, make_evidence, video, report):
        other = make_evidence()
        assert follow(f"/videos/{other.video}", signature_of(video)).status_code == 404
        assert follow(f"/reports/{other.report}", signature_of(report)).status_code == 404

    def test_for_another_format_of_the_same_report(self, evidence, report):
        path = f"/reports/{evidence.report}".replace(".html", ".csv")
        assert follow(path, signature_of(report)).status_code == 404

    def test_for_a_file_of_the_same_name_on_the_other_drive(self, evidence, video, report, data_dir):
        (data_dir / "reports" / evidence.video).write_bytes(b"x")
        (data_dir / "videos" / evidence.report).write_bytes(b"x")
        assert follow(f"/reports/{evidence.video}", signature_of(video)).status_code == 404
        assert follow(f"/videos/{evidence.report}", signature_of(report)).status_code == 404

    def test_on_any_other_route(self, evidence, video, report):
        for signature in (signature_of(video), signature_of(report)):
            for path in ("/sessions", "/sessions/{id}", "/sessions/{id}/report", "/sessions/{id}/report.html"):
                assert follow(evidence.path(path), signature).status_code == 404

    def test_when_any_byte_of_it_is_another(self, evidence, video):
        path, signature = evidence.path("/videos/{name}"), signature_of(video)
        assert follow(path, signature).status_code == 200
        for at, letter in enumerate(signature):
            altered = signature[:at] + ("A" if letter != "A" else "B") + signature[at + 1 :]
            assert follow(path, altered).status_code == 404, altered

    def test_with_a_later_time_in_it(self, evidence, video):
        payload, _, proof = signature_of(video).split(":")
        later = signing.b62_encode(int(timezone.now().timestamp()) + 3600)
        assert follow(evidence.path("/videos/{name}"), f"{payload}:{later}:{proof}").status_code == 404

    @pytest.mark.parametrize("signature", ["", "x", "a:b:c", "%00", "é"])
    def test_when_it_is_none(self, evidence, signature):
        assert follow(evidence.path("/videos/{name}"), signature).status_code == 404

    @pytest.mark.parametrize("payload", [["stored-video"], [], {}, "stored-video"])
    def test_when_it_holds_something_else(self, evidence, payload):
        """Signed by us for another purpose: nobody makes such, and if somebody did, it must be no failure."""
        signature = signing.dumps(payload, salt=links.SALT)
        assert follow(evidence.path("/videos/{name}"), signature).status_code == 404

    @pytest.mark.parametrize("taken", ["is_active", "is_staff"])
    def test_once_its_maker_is_let_in_no_longer(self, evidence, reviewer, video, taken):
        by_token = link_of(ask(machine(reviewer), "POST", evidence.path("/sessions/{id}/video/link")))
        assert [ask(caller(), "GET", link).status_code for link in (video, by_token)] == [200, 200]
        setattr(reviewer, taken, False)
        reviewer.save()
        assert [ask(caller(), "GET", link).status_code for link in (video, by_token)] == [404, 404]

    def test_once_its_maker_has_the_right_no_longer(self, evidence, reviewer, video, report):
        by_token = link_of(ask(machine(reviewer), "POST", evidence.path("/sessions/{id}/video/link")))
        reviewer.groups.clear()
        assert [ask(caller(), "GET", link).status_code for link in (video, report, by_token)] == [404, 404, 404]

    @pytest.mark.parametrize("end", [api_tokens.revoke, expire])
    def test_once_the_token_that_made_it_is_revoked_or_over(self, evidence, reviewer, end):
        by_token = link_of(ask(machine(reviewer), "POST", evidence.path("/sessions/{id}/video/link")))
        end(ApiToken.objects.get(owner=reviewer))
        assert ask(caller(), "GET", by_token).status_code == 404

    def test_under_another_key(self, evidence, video, settings):
        settings.SECRET_KEY = "another key"
        assert ask(caller(), "GET", video).status_code == 404

    def test_once_the_file_is_gone(self, evidence, video, data_dir):
        (data_dir / "videos" / evidence.video).unlink()
        assert ask(caller(), "GET", video).status_code == 404

    def test_together_with_a_bad_token(self, video):
        assert ask(caller("pk_x"), "GET", video).status_code == 401


class TestTheAuditLog:
    def test_says_who_made_a_link_and_of_whose_link_a_look_was(self, evidence, reviewer, video):
        ask(caller(), "GET", video, REMOTE_ADDR="198.51.100.7")
        made, looked = AuditRecord.objects.filter(object_id=evidence.session.pk, object_kind="video").order_by("id")
        assert (made.action, made.actor_kind, made.actor_name) == (Action.LINKED, "user", "rita")
        assert (looked.action, looked.actor_kind, looked.actor_name) == (Action.LOOKED, "link", "rita")
        assert (looked.actor_id, looked.address) == (str(reviewer.pk), "198.51.100.7")

    def test_names_the_machine_and_its_owner(self, evidence, reviewer):
        link = link_of(ask(machine(reviewer), "POST", evidence.path("/sessions/{id}/report/link")))
        ask(caller(), "GET", link)
        looked = AuditRecord.objects.get(action=Action.LOOKED)
        assert (looked.object_kind, looked.object_id) == ("report", evidence.session.pk)
        assert (looked.actor_kind, looked.actor_name) == ("link", "a test of rita")

    def test_has_nothing_of_a_link_that_did_not_work(self, evidence):
        follow(evidence.path("/videos/{name}"), "x")
        assert AuditRecord.objects.filter(action=Action.LOOKED).count() == 0


class TestWhoMayMakeOne:
    def test_a_proctor_while_the_session_runs_and_the_link_lasts_beyond(self, evidence):
        proctor = machine(make_staff("Proctor"))
        link = link_of(ask(proctor, "POST", evidence.path("/sessions/{id}/video/link")))
        evidence.ended()
        assert ask(proctor, "POST", evidence.path("/sessions/{id}/video/link")).status_code == 404
        assert ask(proctor, "GET", evidence.path("/videos/{name}")).status_code == 404
        assert ask(caller(), "GET", link).status_code == 200

    def test_nobody_for_a_session_without_a_video(self, evidence, reviewer):
        answer = ask(machine(reviewer), "POST", f"/sessions/{evidence.other.pk}/video/link")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert AuditRecord.objects.filter(action=Action.LINKED).count() == 0
