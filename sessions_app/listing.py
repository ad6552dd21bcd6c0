"""Pages of the list of sessions: the answer as bytes, and which sessions are on it.

What it buys (docs/performance.md): callers that want the same page at the same time share one trip, one rendering and
one list of ids for the audit log, and the query of the page that nearly everybody wants, the newest sessions without a
filter, is made once: that takes as long as running it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from django.db.models import Q

from proctoring_site.mongo_engine.documents import Document, Find, documents_of, find_of
from proctoring_site.mongo_engine.group_find import AskedTogether
from sessions_app.answers import SESSION_FIELDS, renderer, session_answer
from sessions_app.models import Session
from sessions_app.querysets import Scope, scope_of


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """`content` is a JSON array. `last` is the last session on it when more come after, else None."""

    content: bytes
    ids: Sequence[str]
    last: Document | None
    _recorded: dict[Sequence[str], RawBSONDocument] = field(default_factory=dict, repr=False)

    def recorded(self, *filters: str) -> RawBSONDocument:
        """What the audit log keeps of a look at it, by the names of what was asked for."""
        if filters not in self._recorded:
            self._recorded[filters] = RawBSONDocument(bson.encode({"filters": filters, "sessions": self.ids}))
        return self._recorded[filters]


def page_for(caller: Any, *, limit: int, after: Sequence[Q] = (), **filters: Any) -> Page:
    """Sessions that the caller may know of, newest first. `after`: consecutive parts of the order, if not all of it."""
    if not after and not any(filters.values()):
        return _newest.ask((scope_of(caller), limit))
    rows = Session.objects.visible_to(caller).newest_first().matching(**filters)
    documents: list[Document] = []
    for part in after or [Q()]:
        documents += documents_of(rows.filter(part)[: limit + 1 - len(documents)], *SESSION_FIELDS)
        if len(documents) > limit:
            break
    return _page(documents, limit)


def _newest_page(question: tuple[Scope, int]) -> Page:
    scope, limit = question
    find = _find(scope)
    return _page(replace(find, limit=limit + 1).documents(*SESSION_FIELDS) if find else (), limit)


@cache
def _find(scope: Scope) -> Find | None:
    return find_of(Session.objects.within(scope).newest_first())


def _page(documents: Sequence[Document], limit: int) -> Page:
    shown = documents[:limit]
    content = renderer.render(list(map(session_answer, shown)))
    return Page(content, [document["_id"] for document in shown], shown[-1] if len(documents) > limit else None)


_newest = AskedTogether(_newest_page)
