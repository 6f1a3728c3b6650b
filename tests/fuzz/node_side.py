"""The side that is right: an index on a real node."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from elasticsearch import ApiError, Elasticsearch

from fuzz.answers import Answer

__all__ = ["NodeIndex", "node_now"]

_SIZE_OF_A_BULK = 500
_FIELDS_AT_ONCE = 80
_REFUSED = 400
_NOT_ANSWERED = frozenset({400, 500})
"""Some faulty queries break the node rather than being refused."""


def node_now(client: Elasticsearch) -> int:
    """The node's clock, in milliseconds since 1970."""
    answer = client.nodes.stats(node_id="_local", metric="jvm", filter_path="nodes.*.timestamp")
    return max(int(node["timestamp"]) for node in answer["nodes"].values())


class NodeIndex:
    """One index of random documents on the node; as a context manager it is made, and in the end deleted."""

    def __init__(
        self, client: Elasticsearch, name: str, mappings: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> None:
        self._client = client
        self.name = name
        self._mappings, self._settings = mappings, settings
        self.size = 0

    def __enter__(self) -> Self:
        self._client.options(ignore_status=404).indices.delete(index=self.name)
        self._client.indices.create(index=self.name, mappings=self._mappings, settings=self._settings)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.options(ignore_status=404).indices.delete(index=self.name)

    def add(self, documents: Mapping[str, Any]) -> dict[str, str]:
        """Add the documents in this order and make them searchable; id -> why it was refused, of those that were."""
        refused: dict[str, str] = {}
        ids = list(documents)
        for start in range(0, len(ids), _SIZE_OF_A_BULK):
            some = ids[start : start + _SIZE_OF_A_BULK]
            operations = [line for each in some for line in ({"index": {"_id": each}}, documents[each])]
            answer = self._client.options(request_timeout=120).bulk(index=self.name, operations=operations)
            for item in (item["index"] for item in answer["items"]):
                if item["status"] == _REFUSED:
                    refused[item["_id"]] = _reason(item["error"])
                elif item["status"] > _REFUSED:
                    raise RuntimeError(f"the node did not take {item['_id']}: {item['status']} {item.get('error')}")
        self._client.indices.refresh(index=self.name)
        self.size += len(ids) - len(refused)
        return refused

    def mappings(self) -> dict[str, Any]:
        """The mapping, with what documents added to it."""
        found: dict[str, Any] = self._client.indices.get_mapping(index=self.name)[self.name]["mappings"]
        return found

    def values(self, fields: Mapping[str, str]) -> dict[str, dict[str, frozenset[Any]]]:
        """What the documents have in some fields (name -> type), typed: id -> field -> values."""
        found: dict[str, dict[str, frozenset[Any]]] = {}
        names = sorted(fields)
        for start in range(0, len(names), _FIELDS_AT_ONCE):
            some = [{"field": name} | _format(fields[name]) for name in names[start : start + _FIELDS_AT_ONCE]]
            answer = self._client.search(
                index=self.name, size=self.size, source=False, docvalue_fields=some, sort="_doc"
            )
            for hit in answer["hits"]["hits"]:
                values = {
                    name: frozenset(_typed(fields[name], each) for each in several)
                    for name, several in hit.get("fields", {}).items()
                }
                found.setdefault(hit["_id"], {}).update(values)
        return found

    def ask(self, queries: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The answer to each of the queries."""
        if not queries:
            return []
        searches = [line for query in queries for line in ({}, self._search(query))]
        try:
            response = self._client.options(request_timeout=600).msearch(
                index=self.name,
                searches=searches,
                filter_path="responses.hits.hits._id,responses.error,responses.status,responses._shards.failures",
                max_concurrent_searches=1,
            )
        except ApiError as error:  # one that cannot be read spoils the whole request
            if error.status_code not in _NOT_ANSWERED:
                raise
            if len(queries) == 1:
                return [Answer(refused=_reason(error.body["error"]))]
            half = len(queries) // 2
            return [*self.ask(queries[:half]), *self.ask(queries[half:])]
        return [_answer(each) for each in response["responses"]]

    def _search(self, query: Mapping[str, Any]) -> dict[str, Any]:
        return {"query": query, "size": self.size, "_source": False, "sort": ["_doc"]}

    def explain(self, query: Mapping[str, Any]) -> str:
        """How the node reads the query, in Lucene's words."""
        try:
            answer = self._client.indices.validate_query(index=self.name, body={"query": query}, explain=True)
        except ApiError as error:
            return str(error)[:300]
        explanations: Iterable[Mapping[str, Any]] = answer.get("explanations", ())
        return "; ".join(str(each.get("explanation", each.get("error", "")))[:600] for each in explanations)


def _format(kind: str) -> dict[str, str]:
    return {"format": "epoch_millis"} if kind in {"date", "date_nanos"} else {}


def _typed(kind: str, value: Any) -> Any:
    """A doc value as `lolbin_rules.dsl.field.Value` says that it is held."""
    if kind == "date":
        return int(value)
    if kind == "date_nanos":
        return int(Decimal(value) * 1_000_000)
    if kind == "ip":
        address = ipaddress.ip_address(value)
        return int(address) if address.version == 6 else int(address) | 0xFFFF_0000_0000
    return int(value) if kind == "boolean" else value


def _answer(response: Mapping[str, Any]) -> Answer:
    if "error" in response:
        reason = _reason(response["error"])
        return (
            Answer(refused=reason)
            if response["status"] == _REFUSED
            else Answer(broken=f"{response['status']} {reason}")
        )
    if failures := response.get("_shards", {}).get("failures"):
        return Answer(broken=str(failures)[:300])
    return Answer(hits=frozenset(hit["_id"] for hit in response.get("hits", {}).get("hits", ())))


def _reason(error: Mapping[str, Any]) -> str:
    causes = [error, *error.get("root_cause", ())]
    cause: Mapping[str, Any] | None = error.get("caused_by")
    while cause:
        causes.append(cause)
        cause = cause.get("caused_by")
    return " <- ".join(dict.fromkeys(f"{each.get('type')}: {str(each.get('reason'))[:160]}" for each in causes))
