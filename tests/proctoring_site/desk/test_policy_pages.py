"""Policies in the admin: reading them, making the next version, seeing what it would do, and doing it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from proctoring_site.desk.policy_form import PolicyForm, line_of, lines_of, read
from sessions_app.models import Session, now
from sessions_app.policy import forget, policy_of
from sessions_app.review import policies, scores
from sessions_app.review.models import PolicyRun, PolicyVersion
from tests.audit_records import recording
from tests.factories import NOON, make_event, make_session, make_staff

LIST = "/admin/review/policyversion/"

pytestmark = pytest.mark.usefixtures("committed_database")


@pytest.fixture(autouse=True)
def _no_policy_is_kept(committed_database):
    forget()
    yield
    forget()


def page_of(version):
    return f"{LIST}{version}/change/"


def form_of(policy, **changed):
    form = PolicyForm.from_policy(policy)
    values = {name: "" if form.initial[name] is None else form.initial[name] for name in form.fields}
    return {**values, **changed}


def make_policy(client, **changed):
    answer = client.post(f"{LIST}add/", form_of(policy_of(1), **changed))
    assert answer.status_code == 302, answer.context["form"].errors
    return int(answer["Location"].split("/")[-3])


def run(client, version, verb, **told):
    page = client.post(f"{LIST}{version}/run/", {"verb": verb, **told}, follow=True)
    return [str(message) for message in page.context["messages"]]


@pytest.fixture
def root(client):
    account = make_staff("Reviewer", username="paula")
    account.user_permissions.add(Permission.objects.get(codename="change_policy"))
    client.force_login(account)
    return client


@pytest.fixture
def sessions():
    """Three closed ones: with nothing, with four glances away, with two phones."""
    made = []
    for event_type, count in (("looking_away", 0), ("looking_away", 4), ("phone_detected", 2)):
        session = make_session(candidate_name=f"{count} × {event_type}", end_time=NOON)
        for _ in range(count):
            make_event(session, event_type=event_type)
        made.append(session)
    scores.score_closed([session.pk for session in made])
    return made


class TestTheForm:
    def test_takes_what_it_shows(self):
        policy = policy_of(1)
        form = PolicyForm(form_of(policy))
        assert form.is_valid(), form.errors
        assert form.draft == policies.draft_of(policy)

    def test_reads_names_with_blanks_weights_and_caps(self):
        lines = "looking away 1 20\n\n  مكتشف 7  \nphone 15"
        form = PolicyForm(form_of(policy_of(1), weights=lines))
        assert form.is_valid(), form.errors
        assert form.draft.weights == {"looking away": 1, "مكتشف": 7, "phone": 15}
        assert form.draft.caps == {"looking away": 20}

    @pytest.mark.parametrize(
        "event_type",
        ["camera 2", "camera 2 3", "كاميرا 2", '"camera"', '"', 'a\\"b 7', "two\nlines", "a\u2028b", "\tx", "plain"],
    )
    @pytest.mark.parametrize("caps", [{}, {"cap": 20}], ids=str)
    @pytest.mark.parametrize("weight", [5, 10_000])
    def test_reads_what_it_writes_whatever_the_name(self, event_type, caps, weight):
        line = line_of(event_type, weight, caps.get("cap"))
        assert line.splitlines() == [line]
        assert read(line) == (event_type, weight, caps.get("cap"))

    def test_keeps_a_name_that_ends_in_a_number(self):
        policy = replace(policy_of(1), weights={"camera 2": 5, "phone": 7}, caps={"phone": 9})
        form = PolicyForm(form_of(policy))
        assert form.is_valid(), form.errors
        assert (form.draft.weights, form.draft.caps) == (policy.weights, policy.caps)

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"weights": "phone"}, "Line 1"),
            ({"weights": '"phone\\q" 1'}, "Line 1"),
            ({"weights": "phone 1\nphone 2"}, "listed twice"),
            ({"weights": "phone 999"}, "whole number from 0 to 100"),
            ({"weights": "phone 10000"}, "whole number from 0 to 100"),
            ({"weights": f"{'x' * 65} 1"}, "64 characters"),
            ({"weights": ""}, "required"),
            ({"low_from": "40"}, "100 ≥ low > medium > 0"),
            ({"gap_s": "nan"}, "Enter a number"),
            ({"gap_s": "-1"}, "gap must be a number"),
            ({"coverage_min": "2"}, "coverage must be a number"),
            ({"counts": "everything"}, "not one of the available choices"),
        ],
    )
    def test_says_what_makes_no_sense(self, root, changed, said):
        page = root.post(f"{LIST}add/", form_of(policy_of(1), **changed))
        assert page.status_code == 200
        assert said in page.content.decode().replace("&gt;", ">")
        fields = [field for field in page.context["form"] if field.errors]
        assert all(f'id="{field.auto_id}_error"' in page.content.decode() for field in fields)  # what the field names
        assert not PolicyVersion.objects.exists()

    def test_writes_the_heaviest_first_with_their_caps(self):
        assert lines_of(policy_of(1)).splitlines()[0] == "phone_detected 15"


class TestAChange:
    def test_is_made_previewed_activated_and_carried_out(self, root, sessions, run_jobs):
        version = make_policy(root, weights="looking_away 10 30\nphone_detected 15", note="glances matter")
        assert policies.active_version() is None
        assert "This version is not in force." in root.get(page_of(version)).content.decode()

        run(root, version, "preview")
        assert root.get(f"{LIST}{version}/progress/").json()["preview"]["is_finished"] is False
        run_jobs()
        assert root.get(f"{LIST}{version}/progress/").json()["preview"] == {"total": 3, "done": 3, "is_finished": True}
        page = root.get(page_of(version)).content.decode()
        assert "<b>1 of 3</b> sessions change band" in page
        assert "4 × looking_away" in page
        assert "96 → 70" in page
        assert "2 × phone_detected" not in page
        assert Session.objects.get(pk=sessions[1].pk).reviewed_score == 96

        (said,) = run(root, version, "activate", instead_of="")
        assert said == f"Policy {version} is in force, and the sessions are being rescored."
        run_jobs()
        assert policies.active_version() == version
        session = Session.objects.get(pk=sessions[1].pk)
        assert (session.reviewed_score, session.reviewed_band, session.policy_version) == (70, "medium", version)
        page = root.get(page_of(version)).content.decode()
        assert "This version is in force." in page
        assert "3 sessions, 1 of them now in another band" in page

    def test_by_who_held_another_for_active_is_refused(self, root, run_jobs):
        first, second = make_policy(root), make_policy(root, note="another")
        for version in (first, second):
            run(root, version, "preview")
        run_jobs()
        run(root, first, "activate", instead_of="")
        assert run(root, second, "activate", instead_of="") == ["Another policy was activated in the meantime."]
        assert policies.active_version() == first

    @pytest.mark.parametrize("held", ["9" * 30, "9" * 5000, "-1", "x"])
    def test_by_who_held_what_is_no_version_for_active_is_refused(self, root, run_jobs, held):
        version = make_policy(root)
        run(root, version, "preview")
        run_jobs()
        assert run(root, version, "activate", instead_of=held) == ["Another policy was activated in the meantime."]
        assert policies.active_version() is None

    def test_whose_rescore_a_newer_one_ended_is_not_told_to_be_done(self, root, sessions, run_jobs):
        version = make_policy(root, weights="looking_away 10")
        run(root, version, "rescore")
        run(root, 1, "rescore")
        run_jobs()
        page = root.get(page_of(version)).content.decode()
        assert "A newer rescore replaced this one" in page
        assert "after 0 of 3 sessions" in page
        assert "Done on" not in page
        assert "Done on" in root.get(page_of(1)).content.decode()

    def test_that_nobody_looked_at_within_a_day_is_refused_also_to_a_superuser(self, root, run_jobs, sessions):
        version, other = make_policy(root, weights="looking_away 10"), make_policy(root)
        get_user_model().objects.filter(username="paula").update(is_superuser=True)
        run(root, other, "preview")
        run_jobs()
        run(root, version, "preview")
        for _ in range(2):  # while it is under way, and when it is a day old
            (said,) = run(root, version, "activate", instead_of="")
            assert "Preview this version first" in said
            assert "Put it in force" not in root.get(page_of(version)).content.decode()
            assert policies.active_version() is None
            run_jobs()
            PolicyRun.objects.filter(policy_version=version).update(finished_at=now() - timedelta(days=1))
        assert "preview again before you put it in force" in root.get(page_of(version)).content.decode()
        assert not PolicyRun.objects.filter(kind="rescore").exists()

    def test_that_nobody_knows_is_a_404(self, root):
        version = make_policy(root)
        assert root.post(f"{LIST}{version}/run/", {"verb": "explode"}).status_code == 404
        assert not PolicyRun.objects.exists()

    @pytest.mark.parametrize("path", ["99/change/", "99/progress/", "add/?from=99", "add/?from=x", "0/change/"])
    def test_of_a_version_that_is_not_there_is_a_404_or_nothing(self, root, path):
        assert root.get(LIST + path).status_code in (404, 200 if "progress" in path else 404)

    def test_that_names_sessions_is_recorded_with_which(self, root, sessions, run_jobs):
        version = make_policy(root, weights="looking_away 10")
        Session.objects.filter(pk=sessions[1].pk).update(candidate_name="  ")
        run(root, version, "preview")
        run_jobs()
        with recording() as records:
            page = root.get(page_of(version))
        (listed,) = records
        shown = {each["session_id"] for each in page.context["examples"]}
        assert shown == {session.pk for session in sessions[1:]}
        assert "<bdi>(no name)</bdi></a>" in page.content.decode()
        assert listed.details == {"filters": ["policy"], "sessions": sorted(shown)}

    def test_leaves_names_of_sessions_to_those_who_may_see_them(self, root, sessions, run_jobs, client):
        version = make_policy(root, weights="looking_away 10")
        run(root, version, "preview")
        run_jobs()
        account = make_staff()
        account.user_permissions.add(Permission.objects.get(codename="change_policy"))
        client.force_login(account)
        with recording() as records:
            page = client.get(page_of(version)).content.decode()
        assert records == []
        assert "of 3</b> sessions change band" in page
        assert "looking_away</a>" not in page
        assert "4 × looking_away" not in page


class TestWhoMay:
    @pytest.mark.parametrize(
        ("group", "reads"), [("Reviewer", True), ("Proctor", False), ("Operator", False), ("Auditor", False)]
    )
    def test_read_and_nobody_of_them_change(self, as_staff, group, reads):
        client = as_staff(group)
        assert {client.get(path).status_code for path in (LIST, page_of(1), f"{LIST}1/progress/")} == {
            200 if reads else 404
        }
        assert client.get(f"{LIST}add/").status_code == 404
        assert client.post(f"{LIST}add/", form_of(policy_of(1))).status_code == 404
        assert client.post(f"{LIST}1/run/", {"verb": "preview"}).status_code == 404
        if reads:
            assert "Edit as a new version" not in client.get(LIST).content.decode()
        assert not PolicyVersion.objects.exists()

    def test_comes_back_from_the_login_to_the_version_that_was_not_run(self, root):
        version = make_policy(root)
        sent_to = root.get(f"{LIST}{version}/run/")
        assert (sent_to.status_code, sent_to["Allow"]) == (405, "POST")
        assert '<a href="../">' in sent_to.content.decode()
        page = root.get(f"{LIST}{version}/", follow=True)
        assert (page.status_code, page.request["PATH_INFO"]) == (200, page_of(version))

    def test_the_list_shows_which_is_in_force(self, root):
        version = make_policy(root, note="<i>why</i>")
        page = root.get(LIST).content.decode()
        assert f"Version {version}" in page
        assert "&lt;i&gt;why" in page
        assert "shipped" in page
