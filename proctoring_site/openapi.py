"""The contract as OpenAPI: what drf-spectacular cannot see by itself, above all how each route refuses."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import get_doc
from rest_framework import serializers
from rest_framework.viewsets import ViewSetMixin

from proctoring_site.refusals import (
    ALSO,
    ANOTHER_TYPE,
    BODY_TOO_LARGE,
    INVALID_TOKEN,
    NO_CSRF_TOKEN,
    NOT_FOUND,
    NOT_JSON,
    NOT_METHOD,
    NOT_MULTIPART,
    OF_STATUS,
    OUTAGE,
    REFUSED,
    SENTENCES,
    THROTTLED,
    Refusal,
)
from sessions_app.event_serializers import ReportedEvent

DESCRIPTION = """Sessions, events, video and reports. Flags are not findings; a person decides.

**Authentication.** A candidate's browser sends the `token` from the answer to `POST /sessions`, and a machine its API
token, both as `Authorization: Bearer …`. Staff are known by the admin's cookie, and need the header `X-CSRFToken` as
well to change anything. `POST /sessions` needs none of these unless the server is set to require a token, and a stored
file needs none with a signed `link`.

**Recordings in parts** arrive by [tus 1.0](https://tus.io/protocols/resumable-upload) at `/sessions/{id}/uploads`. Tus
works with headers and is not in this document: `docs/uploads.md` of the project has its steps, answers and errors.

**Errors** are JSON with `detail` for people and `code` for programs. What a caller may not see is a 404, as if it did
not exist. 429 and 503 say in `Retry-After` how many seconds to wait. A 500 (`server_error`) is an error on the server,
found in its log under the answer's `X-Request-ID`. A client that asks for `text/html` rather than JSON, such as a
browser that follows a link, gets 404, 429 and 503 as a page.
"""

#: Routes with rules for callers that nobody may use as well: while SESSION_CREATION is open, and with a signed link.
ALSO_FOR_NOBODY = {("POST", "/sessions"), ("GET", "/videos/{name}"), ("GET", "/reports/{name}")}

#: The headers of an answer beside those of HTTP itself.
EVERY_ANSWER = {
    "X-Request-ID": {
        "description": "The id of this request in the server's log; the request's own id, if it sent one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
        "required": True,
    }
}


class Error(serializers.Serializer):
    detail = serializers.CharField(help_text="A sentence for people; may change.")
    code = serializers.CharField(help_text="For programs; does not change.")
    fields = serializers.DictField(  # hides DRF's property of that name, which a schema does not need
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="With `invalid`: what is wrong, by field.",
    )


class AutoSchema(openapi.AutoSchema):
    """Adds to every operation how it refuses, by what it is: with callers, with a body, changing something."""

    def get_operation(self, path: str, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(path, *args, **kwargs)
        if operation is None:
            return None
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and parameter["schema"]["type"] == "string":
                parameter["allowEmptyValue"] = True  # is as none: a form sends its blank fields, too
        answers = operation["responses"]
        for refusal in self._refusals(path, operation):
            own = answers.setdefault(str(refusal.status), {"description": SENTENCES[refusal.status], "content": {}})
            # Django refuses before any view; a view in the type of its own, which for this document is YAML.
            media_type = "application/json" if refusal is REFUSED else self.view.renderer_classes[0].media_type
            media = own["content"].setdefault(media_type, {"schema": self.resolve_serializer(Error, "response").ref})
            media.setdefault("examples", {})[refusal.name.replace(" ", "")] = {
                "value": refusal.body,
                "summary": refusal.name,
            }
            own.setdefault("headers", {}).update(OF_STATUS.get(refusal.status, {}))
        for answer in answers.values():
            answer.setdefault("headers", {}).update(EVERY_ANSWER)
        operation["responses"] = dict(sorted(answers.items()))
        if "201" not in answers:  # what is ended or paused is not created
            operation["operationId"] = operation["operationId"].removesuffix("_create")
        return operation

    def _refusals(self, path: str, operation: dict[str, Any]) -> Iterable[Refusal]:
        yield from ALSO.get((self.method, path), ())
        yield from (REFUSED, NOT_METHOD)
        if not self.view.authentication_classes:
            return
        yield from (INVALID_TOKEN, THROTTLED, OUTAGE)
        if (self.method, path) != ("POST", "/sessions"):  # whose caller is told what is missing
            yield NOT_FOUND
        if self.method == "POST":
            yield NO_CSRF_TOKEN
        if body := operation.get("requestBody"):
            # The same type with a token in the body is a beacon; without, nobody's.
            yield NOT_JSON if "text/plain" in body["content"] else ANOTHER_TYPE
            yield from (NOT_JSON, BODY_TOO_LARGE) if "application/json" in body["content"] else (NOT_MULTIPART,)

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response":
            # Evidence is for those who may see it; and refusals say what is wrong by field for `invalid` alone.
            missing = {"fields", *getattr(getattr(serializer, "Meta", None), "sometimes", ())}
            schema["required"] = [name for name in schema["properties"] if name not in missing]
            for field in schema["properties"].values():
                field.pop("readOnly", None)  # no answer is sent back, so that nobody needs a second type without these
        return schema

    def get_auth(self) -> list[dict[str, list]]:
        return [*super().get_auth(), {}] if (self.method, self.path) in ALSO_FOR_NOBODY else super().get_auth()

    def get_description(self) -> str:
        """What a viewset says of itself is of none of its routes."""
        description = super().get_description()
        is_of_view = isinstance(self.view, ViewSetMixin) and description == get_doc(type(self.view))
        return "" if is_of_view else description

    def get_tags(self) -> list[str]:
        first = self.path.split("/")[1]
        return [first if first in {"sessions", "videos", "reports"} else "service"]

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        """Ids are text: adopted sessions may have others than ours, which are UUIDs."""
        parameters = super()._resolve_path_parameters(variables)
        for parameter in parameters:
            if parameter["name"] == "id":
                parameter["description"] = "The session's id: a UUID for sessions that started here."
                parameter["schema"] = {"type": "string", "pattern": "^[^/.]+$"}
        return parameters


def describe(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """drf-spectacular's hook for the whole document."""
    result["info"]["description"] = DESCRIPTION
    schemas = result["components"]["schemas"]
    del schemas["Null"]  # by name it would be a type of its own in a generated client
    null = {"$ref": "#/components/schemas/Null"}
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "oneOf" in field:
                field["oneOf"] = [{"type": "null"} if part == null else part for part in field["oneOf"]]
    return result


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "proctoring_site.access.authentication.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: openapi.AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A candidate's token, or a machine's API token."}


class StaffScheme(OpenApiAuthenticationExtension):
    target_class = "proctoring_site.access.authentication.StaffCookie"
    name = "staff"

    def get_security_definition(self, auto_schema: openapi.AutoSchema) -> dict[str, Any]:
        told = "Signed in to the admin. Requests that change something need the header `X-CSRFToken` as well."
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": told}


class TextField(OpenApiSerializerFieldExtension):
    """What the field refuses beside too long a text: NUL, and only blanks where it trims them."""

    target_class = "sessions_app.strict_fields.Text"

    def map_serializer_field(self, auto_schema: openapi.AutoSchema, direction: str) -> dict[str, Any]:
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        schema["type"] = "string"  # null is added to what this answers, whether or not it is there already
        not_nul = "[^\\u0000]"
        if self.target.allow_blank:  # a pattern beside it, drf-spectacular would take for one that wants no blanks
            return {**schema, "allOf": [{"pattern": f"^{not_nul}*$"}]}
        # Beside what `\s` is everywhere, Python's strip() takes these away.
        visible = "[^\\s\\u0000\\u001c-\\u001f\\u0085]" if self.target.trim_whitespace else not_nul
        return {**schema, "minLength": 1, "pattern": f"^{not_nul}*{visible}{not_nul}*$"}


class IdentifierField(OpenApiSerializerFieldExtension):
    """No example: it would be everybody's who tries it."""

    target_class = "sessions_app.strict_fields.Identifier"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: openapi.AutoSchema, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": self.target.PATTERN}


class EventOfABatch(OpenApiSerializerFieldExtension):
    """What no event is, is refused in its place, and not here; who writes a client knows better what one is."""

    target_class = "sessions_app.event_serializers.AsSent"

    def map_serializer_field(self, auto_schema: openapi.AutoSchema, direction: str) -> dict[str, Any]:
        return auto_schema.resolve_serializer(ReportedEvent, direction).ref


class SentFile(OpenApiSerializerFieldExtension):
    """Files come in only; drf-spectacular takes them for answered ones, which would be links."""

    target_class = "rest_framework.serializers.FileField"

    def map_serializer_field(self, auto_schema: openapi.AutoSchema, direction: str) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}
