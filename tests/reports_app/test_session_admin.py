"""Sessions in the admin, one and many: what goes wrong with one is said, and keeps none of the others back."""

import pytest

from sessions_app import moves, services
from sessions_app.models import Session
from tests import deta_drive
from tests.factories import make_event, make_session, old_session, write_old_documents

LIST = "/admin/sessions_app/session/"

pytestmark = pytest.mark.usefixtures("committed_database", "data_dir")

deta_service, deta = deta_drive.deta_service, deta_drive.deta


@pytest.fixture
def operator(as_staff):
    return as_staff("Operator")


def said(page):
    return [str(message) for message in page.context["messages"]]


def do(client, action, *sessions):
    form = {"action": action, "_selected_action": [session.pk for session in sessions], "post": "yes"}
    return said(client.post(LIST, form, follow=True))


class TestWithAStorageThatFails:
    @pytest.fixture(autouse=True)
    def _fails(self, settings, deta):
        settings.STORAGE_BACKEND = "deta"
        deta.always = 403

    def test_a_deletion_is_not_done_and_says_so(self, operator, deta):
        session = make_session()
        page = operator.post(f"{LIST}{session.pk}/delete/", {"post": "yes"}, follow=True)
        (sentence,) = said(page)
        assert sentence.startswith("It was not deleted, or not completely: The storage of videos and reports failed")
        assert page.redirect_chain[-1][0] == f"{LIST}{session.pk}/change/"
        assert Session.objects.exists()
        deta.always = 0
        operator.post(f"{LIST}{session.pk}/delete/", {"post": "yes"})
        assert not Session.objects.exists()

    @pytest.mark.parametrize("action", ["delete_selected", "regenerate_reports"])
    def test_of_many_it_is_counted_and_nothing_is_said_to_be_done(self, operator, action):
        (sentence,) = do(operator, action, make_session(), make_session())
        assert sentence.startswith("Not done: 2. The storage of videos and reports failed")
        assert Session.objects.count() == 2


class TestOneThatIsDeletedInThatMoment:
    @pytest.fixture(params=["before it is moved", "once it is"])
    def going(self, request, monkeypatch):
        session = make_session()
        room, name = (moves, "record") if request.param == "before it is moved" else (services, "recount")
        plain = getattr(room, name)

        def and_it_goes(*args, **told):
            if session.pk in (getattr(each, "pk", each) for each in args):
                Session.objects.filter(pk=session.pk).delete()
            return plain(*args, **told)

        monkeypatch.setattr(room, name, and_it_goes)
        return session

    def test_is_said_not_to_be_there(self, going, as_staff):
        page = as_staff("Proctor").post(f"{LIST}{going.pk}/act/", {"verb": "end", "sure": "on"}, follow=True)
        assert said(page) == ["There is no such session."]
        assert page.redirect_chain[-1][0] == LIST

    def test_is_counted_among_many(self, going, as_staff):
        other = make_session()
        assert do(as_staff("Proctor"), "end_sessions", going, other) == [
            "Sessions ended: 1.",
            "Not done: 1. There is no such session.",
        ]
        other.refresh_from_db()
        assert other.state == "ended"


class TestTheQuestionWhetherToDelete:
    def test_says_how_much_goes_to_who_may_see_that(self, as_staff):
        make_event(session := make_session(id="ada", video_path="videos/ada.webm"))
        page = as_staff("Operator", "Reviewer").get(f"{LIST}{session.pk}/delete/")
        assert "1 event, video, reports and the history of its review" in page.content.decode()

    def test_names_a_video_that_stays(self, operator, data_dir):
        write_old_documents([adopted := old_session(video_path="data/videos/ada-exam.webm")])
        (video := data_dir / "videos" / "ada-exam.webm").parent.mkdir(parents=True)
        video.write_bytes(b"of whoever it is")
        page = f"{LIST}{adopted['_id']}/delete/"
        assert "its video ada-exam.webm stays" in operator.get(page).content.decode()
        operator.post(page, {"post": "yes"})
        assert video.exists()
