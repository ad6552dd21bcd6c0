"""How the API reads and writes bodies: JSON, of a bounded size and depth, whatever a browser says it would accept."""

import json
import re
from math import isinf
from typing import Any, NoReturn

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

#: Fewer brackets cannot be nested more deeply than Python's reader allows.
DEEP = 600
#: What may not fit into 64 bits.
LONG_NUMBER = re.compile(rb"\d{19}")
#: The Content-Encodings of bodies that nobody here unpacks. Others, such as `identity`, change no byte.
COMPRESSED = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress"})


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = "The request body is too large."
    default_code = "body_too_large"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """Python alone would make `1e400` infinite, which no answer could tell."""
    if isinf(number := float(text)):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python's limit, since the time for it grows with the square of the digits
        raise ValueError(f"a number of {len(text):,} digits is too long") from None


class BoundedJSONParser(JSONParser):
    """DRF's parser reads a body of any size into memory and fails with a 500 on deep nesting; this one does neither."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict | None = None) -> Any:
        limit = settings.JSON_BODY_MAX_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(f"The request body is larger than {limit:,} bytes.")
        if _is_cut_off(body, stream):  # it may be whole JSON still, and its client will send it again
            raise ParseError("The body is shorter than its headers say.")
        try:
            return read_json(body)
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ParseError(f"The body is not valid JSON: {_coding(stream) or reason}") from error


def _is_cut_off(body: bytes, stream: Any) -> bool:
    told = stream.META.get("CONTENT_LENGTH") if isinstance(stream, HttpRequest) else None
    return bool(told) and told.isdigit() and len(body) < int(told)


def _coding(stream: Any) -> str | None:
    """Why none could be read, where the client has compressed the body: its first byte alone would say nothing."""
    coding = stream.META.get("HTTP_CONTENT_ENCODING", "") if isinstance(stream, HttpRequest) else ""
    return f"its Content-Encoding is {coding}; send it without one" if coding.lower() in COMPRESSED else None


def read_json(body: bytes) -> Any:
    """orjson reads in a third of the time, but makes floats of long integers, knows no halves of surrogates and allows
    deeper nesting: what it refuses or might read in another way is left to Python's own reader. Raises ValueError for
    what is not JSON or no finite number, and RecursionError."""
    if body.count(b"{") + body.count(b"[") <= DEEP and not LONG_NUMBER.search(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    return json.loads(body.decode(), parse_float=_finite, parse_int=_whole, parse_constant=_refuse_constant)


class PlainTextJSONParser(BoundedJSONParser):
    """JSON under the one type that a browser's beacon sends without asking the server first."""

    media_type = "text/plain"


class QuickJSONRenderer(JSONRenderer):
    """DRF's answers, a tenth of the time for long ones (docs/performance.md); instants without a zone are UTC."""

    OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
    others = staticmethod(JSONEncoder().default)

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        try:
            return orjson.dumps(data, self.others, self.OPTIONS)
        except orjson.JSONEncodeError:  # half a surrogate, an integer of 65 bits: what a client sent, told back to it
            return json.dumps(data, default=self._otherwise).encode()

    def _otherwise(self, value: Any) -> Any:
        return json.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else self.others(value)


class AlwaysJSON(BaseContentNegotiation):
    """One fixed renderer: no 406 for a browser's Accept header, and no negotiation cost on the hot path."""

    def select_parser(self, request: Any, parsers: list) -> Any:
        told = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == told), None)

    def select_renderer(self, request: Any, renderers: list, format_suffix: str | None = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type
