"""How answers are handed to the server: whole where they are whole, piece by piece where they are streams."""

from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from django.core.signals import request_finished

from proctoring_site.wsgi import application

pytestmark = pytest.mark.usefixtures("database")  # Django looks after its connection at each request


@pytest.fixture
def finished():
    over = []
    request_finished.connect(note := lambda **_: over.append(True), weak=False)
    yield over
    request_finished.disconnect(note)


def ask(path, **environ):
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "HTTP_HOST": "localhost"}
    told = []
    answer = application(environ, lambda status, headers: told.append((status, dict(headers))))
    return *told[0], answer


def test_a_whole_body_is_one_list_and_its_request_is_over(finished):
    status, headers, answer = ask("/healthz")
    assert (status, type(answer), len(answer)) == ("200 OK", list, 1)
    assert len(answer[0]) == int(headers["Content-Length"])
    assert finished == [True]


@pytest.mark.parametrize("with_wrapper", [{}, {"wsgi.file_wrapper": FileWrapper}])
def test_a_file_is_a_stream_and_its_request_goes_on_until_it_is_closed(finished, with_wrapper):
    status, headers, answer = ask("/static/proctoring-client.js", **with_wrapper)
    assert status == "200 OK"
    assert type(answer) is not list
    assert finished == []
    assert len(b"".join(answer)) == int(headers["Content-Length"])
    answer.close()
    assert finished == [True]
