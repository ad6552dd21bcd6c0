"""How MongoDB really ran a query: `explain(queryset)` for tests that assert the use of an index."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bson import json_util
from django.db import connections
from django.db.models import QuerySet
from pymongo.collection import Collection


@dataclass(frozen=True)
class Plan:
    """Stage names (IXSCAN, COLLSCAN, SORT…) and index names in no order that means anything, joins included."""

    stages: frozenset[str]
    index_names: frozenset[str]
    docs_examined: int
    keys_examined: int
    returned: int
    raw: dict

    @property
    def uses_index(self) -> bool:
        """Every collection it reads, it reads by an index."""
        by_index = bool(self.stages & {"IXSCAN", "IDHACK", "COUNT_SCAN", "DISTINCT_SCAN", "EXPRESS_IXSCAN"})
        return (by_index or "EOF" in self.stages) and "COLLSCAN" not in self.stages

    @property
    def sorts_in_memory(self) -> bool:
        return bool(self.stages & {"SORT", "$sort"})


def explain(queryset: QuerySet) -> Plan:
    """Run the query and report its plan. Needs committed documents: a transaction cannot explain."""
    connection = connections[queryset.db]
    if connection.session is not None:
        raise RuntimeError("explain() sees committed documents only: use the committed_database fixture.")
    raw = _raw(queryset)
    if any(node.get("isMultiKey") for node in _dicts(raw)):
        _rebuild_indexes(connection.get_collection(queryset.model._meta.db_table))
        raw = _raw(queryset)
    return plan_of(raw)


def _raw(queryset: QuerySet) -> dict:
    return json_util.loads(queryset.explain(verbosity="executionStats"))


def _rebuild_indexes(collection: Collection) -> None:
    """An index that ever saw a list, of an earlier test's adopted documents, even rolled back, sorts no more."""
    for index in list(collection.list_indexes()):
        if index["name"] != "_id_":
            collection.drop_index(index["name"])
            collection.database.command("createIndexes", collection.name, indexes=[dict(index)])


def plan_of(raw: dict) -> Plan:
    """The plan of any explain answer, a raw `command("explain", …, verbosity="executionStats")` included."""
    nodes = list(_dicts(raw))
    winning = [node for plan in nodes if "winningPlan" in plan for node in _dicts(plan["winningPlan"])]
    stages = {node["stage"] for node in winning if isinstance(node.get("stage"), str)}
    pipeline = raw.get("stages", [])
    stages |= {name for stage in pipeline for name in stage if name.startswith("$")}
    joins = [stage for stage in pipeline if "$lookup" in stage]
    if any(int(join.get("collectionScans", 0)) for join in joins):
        stages.add("COLLSCAN")
    index_names = {node["indexName"] for node in winning if "indexName" in node}
    index_names |= {name for join in joins for name in join.get("indexesUsed", ())}
    run = [node["executionStats"] for node in nodes if "executionStats" in node]
    return Plan(
        stages=frozenset(stages),
        index_names=frozenset(index_names),
        docs_examined=sum(int(part.get("totalDocsExamined", 0)) for part in [*run, *joins]),
        keys_examined=sum(int(part.get("totalKeysExamined", 0)) for part in [*run, *joins]),
        returned=int(pipeline[-1]["nReturned"] if pipeline else run[0]["nReturned"]),
        raw=raw,
    )


def _dicts(node: Any) -> Iterator[dict]:
    """Every dict within, without the plans that lost."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("rejectedPlans", "command"):
                yield from _dicts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _dicts(value)
