"""GET /videos/{name} and /reports/{name}: the stored file with its type, and nothing else of the disk."""

from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User

from tests.drives import stored
from tests.factories import make_session, old_session, write_old_documents

TYPES = {
    "videos": {
        "a.webm": "video/webm",
        "a.mkv": "video/x-matroska",
        "a.mp4": "video/mp4",
        "a.mov": "video/quicktime",
        "A.WEBM": "video/webm",
    },
    "reports": {"report_a.html": "text/html; charset=utf-8", "report_a.csv": "text/csv; charset=utf-8"},
}


@pytest.fixture
def put(data_dir):
    def put_file(drive, name, data=b"stored bytes"):
        path = data_dir / drive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return put_file


@pytest.mark.usefixtures("database")
class TestAStoredFile:
    @pytest.mark.parametrize(
        ("drive", "name", "content_type"), [(d, n, t) for d, types in TYPES.items() for n, t in types.items()]
    )
    def test_comes_with_its_type_and_length(self, api, put, drive, name, content_type):
        put(drive, name)
        answer = api.get(f"/{drive}/{name}")
        assert answer.status_code == 200
        assert b"".join(answer) == b"stored bytes"
        assert answer["Content-Type"] == content_type
        assert answer["Content-Length"] == "12"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert name in answer["Content-Disposition"]

    @pytest.mark.parametrize(("drive", "name"), [("videos", "a.webm"), ("reports", "report_a.html")])
    def test_is_shown_and_not_downloaded(self, api, put, drive, name):
        put(drive, name)
        assert api.get(f"/{drive}/{name}")["Content-Disposition"].startswith("inline")

    @pytest.mark.parametrize(
        ("drive", "name"),
        [("videos", "a.html"), ("videos", "a.svg"), ("videos", "a"), ("reports", "a.js"), ("reports", "a.xhtml")],
    )
    def test_of_a_kind_that_is_not_ours_is_only_downloaded(self, api, put, drive, name):
        put(drive, name)
        answer = api.get(f"/{drive}/{name}")
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_of_a_report_may_load_and_run_nothing(self, api, put):
        put("reports", "report_a.html")
        policy = api.get("/reports/report_a.html")["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy

    @pytest.mark.parametrize(("drive", "name"), [("videos", "a.webm"), ("reports", "report_a.html")])
    def test_answers_head_with_the_same_header(self, api, put, drive, name):
        put(drive, name)
        same = {"X-Request-ID": "the-same-id"}
        got, head = (ask(f"/{drive}/{name}", headers=same) for ask in (api.get, api.head))
        assert head.status_code == 200
        assert head.headers == got.headers

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    @pytest.mark.parametrize("drive", TYPES)
    def test_cannot_be_changed_this_way(self, api, put, data_dir, drive, method):
        put(drive, "a.webm")
        assert getattr(api, method)(f"/{drive}/a.webm").status_code == 405
        assert stored(data_dir / drive) == ["a.webm"]

    def test_may_have_a_name_that_needs_quoting(self, api, put):
        put("videos", 'ö "quoted" 録画.webm')
        answer = api.get("/videos/%C3%B6%20%22quoted%22%20%E9%8C%B2%E7%94%BB.webm")
        assert answer.status_code == 200
        assert "\n" not in answer["Content-Disposition"]


@pytest.mark.usefixtures("database")
class TestWhatIsNotServed:
    @pytest.mark.parametrize("drive", TYPES)
    @pytest.mark.parametrize(
        "name",
        [
            "missing.webm",
            ".",
            "..",
            ".incoming",
            ".incoming/x.part",
            ".incoming%2fx.part",
            ".hidden",
            "..%2fsecret",
            "%2e%2e%2fsecret",
            "..%252fsecret",
            "..%5csecret",
            "..\\secret",
            "%2fetc%2fpasswd",
            "/etc/passwd",
            "folder",
            "folder%2finside.webm",
            "nul%00.webm",
            "%ff%fe.webm",
            "%ed%a0%80.webm",
            "n" * 300 + ".webm",
            "n" * 5000,
            "",
        ],
    )
    def test_is_a_404_in_json(self, api, put, data_dir, drive, name):
        put(drive, ".incoming/x.part")
        put(drive, ".hidden")
        put(drive, "folder/inside.webm")
        (data_dir / "secret").write_text("secret")
        for method in ("get", "head"):
            assert getattr(api, method)(f"/{drive}/{name}").status_code == 404
        is_a_name = name and "/" not in unquote(name)  # else it is another address
        code = "not_found" if is_a_name else "no_such_address"
        assert api.get(f"/{drive}/{name}").json()["code"] == code

    @pytest.mark.parametrize("drive", TYPES)
    def test_is_a_link_that_leads_nowhere(self, api, put, data_dir, drive):
        put(drive, "a.webm")
        (data_dir / drive / "link.webm").symlink_to("gone.webm")
        assert api.get(f"/{drive}/link.webm").status_code == 404


@pytest.fixture
def admin_client(database, client):
    client.force_login(User.objects.create_superuser("reviewer"))
    return client


@pytest.mark.usefixtures("database")
class TestAnAdoptedVideoPath:
    @pytest.mark.parametrize(
        "path", ["data/videos/{id}.webm", "data\\videos\\{id}.webm", "{id}.webm", "/srv/app/data/videos/{id}.webm"]
    )
    def test_leads_to_the_file_in_the_drive(self, api, put, admin_client, clips, path):
        session = old_session()
        write_old_documents([session | {"video_path": path.format(id=session["_id"])}])
        put("videos", f"{session['_id']}.webm", clips[".webm"].read_bytes())
        page = admin_client.get(f"/admin/sessions_app/session/{session['_id']}/change/").content.decode()
        assert f'src="/videos/{session["_id"]}.webm"' in page
        assert b"".join(api.get(f"/videos/{session['_id']}.webm")) == clips[".webm"].read_bytes()
        assert f"{session['_id']}.webm" in api.get(f"/sessions/{session['_id']}/report.html").getvalue().decode()

    @pytest.mark.parametrize("path", ["data/videos/..", "data/videos/", "data\\videos\\", "..", " ", "\0", "a\nb"])
    def test_that_names_nothing_breaks_no_page(self, api, admin_client, data_dir, path):
        session = old_session(video_path=path)
        write_old_documents([session])
        assert api.get(f"/sessions/{session['_id']}").json()["video_path"] == path
        assert api.get(f"/sessions/{session['_id']}/report").status_code == 200
        assert admin_client.get("/admin/sessions_app/session/?show=all").status_code == 200
        assert admin_client.get(f"/admin/sessions_app/session/{session['_id']}/change/").status_code == 200


def test_a_session_without_a_video_has_no_path(database, api):
    assert api.get(f"/sessions/{make_session().pk}").json()["video_path"] is None
