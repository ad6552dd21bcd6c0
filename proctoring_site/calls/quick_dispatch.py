"""DRF's way through a view set, without what is the same for every call.

What it buys: docs/performance.md has the figures. DRF makes its parsers, authenticators, permissions and negotiator
anew for each call, looks up the allowed methods one by one, and wraps the answer in a template's machinery. Here they
are kept: none holds anything of a call. The steps and their order are DRF's own: who calls, whether they may, the
handler, and DRF's handling of whatever was raised.

Not for view sets with throttles, versions, format suffixes or a choice of renderers: those steps are left out.
"""

from functools import cache
from time import monotonic
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Empty, Request, wrap_attributeerrors
from rest_framework.response import Response

_UNKNOWN = object()
#: A body that takes longer comes from a slow client, and its time is none of the database's (outage.py).
SLOW_S = 0.1


class QuickRequest(Request):
    """DRF's, but what is asked for several times in each call is looked up once."""

    def __init__(self, request: HttpRequest, **parts: Any) -> None:
        super().__init__(request, **parts)
        self.META = request.META
        self.method = request.method
        self._user = _UNKNOWN

    @property
    def user(self) -> Any:
        if self._user is _UNKNOWN:
            with wrap_attributeerrors():  # else Python would look for a user elsewhere: of the cookie, without CSRF
                self._authenticate()
        return self._user

    @user.setter
    def user(self, value: Any) -> None:
        self._user = value
        self._request.user = value

    @property
    def data(self) -> Any:
        if self._full_data is Empty:
            with wrap_attributeerrors():
                self._load_data_and_files()
        return self._full_data

    def _parse(self) -> tuple[Any, Any]:
        """Straight from the connection, of which the parser reads up to its limit; DRF would copy the body twice."""
        parser = self.negotiator.select_parser(self, self.parsers)
        stream = self._stream_of_body()
        if parser is None or stream is None:
            return super()._parse()
        began = monotonic()
        try:
            return parser.parse(stream, self.content_type, self.parser_context), None
        except Exception:
            self._full_data = {}  # what is not JSON is not read again
            raise
        finally:
            if monotonic() - began > SLOW_S and (limit := getattr(self._request, "database_limit", None)):
                limit.begin_again()

    def _stream_of_body(self) -> Any:
        """None: there is no body, or it was read already."""
        if self._request._read_started:
            return None
        if self.META.get("CONTENT_LENGTH") not in {None, "", "0"}:
            return self._request
        # In chunks, whose end only the server can see; for Django, a body of no length is none.
        has_end = "HTTP_TRANSFER_ENCODING" in self.META and self.META.get("wsgi.input_terminated")
        return self.META["wsgi.input"] if has_end else None


@cache
def _kept(classes: tuple[type, ...]) -> list[Any]:
    return [made() for made in classes]


@cache
def _negotiator(made: type) -> Any:
    return made()


@cache
def _allow(view_set: type, methods: tuple[str, ...]) -> str:
    """The methods that it has, as DRF lists them."""
    return ", ".join(m.upper() for m in view_set.http_method_names if m in methods or hasattr(view_set, m))


class QuickDispatch:
    """For view sets, before GenericViewSet."""

    def get_parsers(self) -> list[Any]:
        return _kept(tuple(self.parser_classes))

    def get_authenticators(self) -> list[Any]:
        return _kept(tuple(self.authentication_classes))

    def get_permissions(self) -> list[Any]:
        return _kept(tuple(self.permission_classes))

    def get_renderers(self) -> list[Any]:
        return _kept(tuple(self.renderer_classes))

    def get_content_negotiator(self) -> Any:
        return _negotiator(self.content_negotiation_class)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        method = request.method.lower()
        self.action = "metadata" if method == "options" else self.action_map.get(method)
        self.request = called = QuickRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context={"view": self, "args": args, "kwargs": kwargs},
        )
        (renderer,) = self.get_renderers()
        called.accepted_renderer, called.accepted_media_type = renderer, renderer.media_type
        self.headers = {"Allow": _allow(type(self), tuple(self.action_map))}
        try:
            self.perform_authentication(called)
            self.check_permissions(called)
            named = method in self.http_method_names
            handler = getattr(self, method, None) if named else None
            answer = (handler or self.http_method_not_allowed)(called, *args, **kwargs)
        except Exception as error:
            answer = self.handle_exception(error)
        if isinstance(answer, Response):
            answer = _plain(answer, renderer)
        for name, value in self.headers.items():
            answer.headers[name] = value
        return answer

    def answer(self, data: Any, status: int = 200) -> HttpResponse:
        """What a handler answers with in place of a Response, when it has nothing but data to tell."""
        renderer = self.request.accepted_renderer
        return HttpResponse(renderer.render(data), content_type=renderer.media_type, status=status)


def _plain(answer: Response, renderer: Any) -> HttpResponse:
    """The same answer, written."""
    body = renderer.render(answer.data)
    written = HttpResponse(body, content_type=answer.content_type or renderer.media_type, status=answer.status_code)
    if not body:
        del written.headers["Content-Type"]
    for name, value in answer.headers.items():
        written.headers.setdefault(name, value)
    return written
