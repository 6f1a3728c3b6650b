"""Queries in the languages that only Elasticsearch itself answers: ES|QL, and EQL by its own search.

Both are in the modules that come with the Elastic licence; a server without them does not know their addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from elastic_transport import ApiError

from lolbin_rules.errors import StoreRejected
from lolbin_rules.store.elasticsearch import errors
from lolbin_rules.store.elasticsearch.request import Allowance, Ask, Requests, path_of
from lolbin_rules.store.port import Query, Rows

__all__ = ["Languages", "rows_of"]

_NEEDS: Final = "the index privilege `read`"
_PARTIAL: Final = "allow_partial_results"
_ABSENT: Final[dict[str, Any]] = {}
"""Stands for the answer of a server that does not know the address."""
_OLD_SERVER: Final[dict[str, Any]] = {}
"""Stands for the refusal of a server that has no partial answers to ES|QL yet, and so none to be refused."""
_UNKNOWN_ADDRESS: Final = ("no handler found for uri", "Incorrect HTTP method for uri")


class Languages:
    """Asks one cluster; any number of threads may share it."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._knows_partial = True

    def esql(self, query: str, condition: Query, within: timedelta) -> Rows:
        """See `Store.esql`."""
        body = {"query": query, "filter": condition}
        parameters = {"format": "json", **({_PARTIAL: "false"} if self._knows_partial else {})}
        answer = self._requests.send(
            Ask("POST", "/_query", _NEEDS, parameters, body, accept=_not_answered), Allowance(within)
        )
        if answer is _OLD_SERVER:
            self._knows_partial = False
            return self.esql(query, condition, within)
        if answer is _ABSENT:
            raise StoreRejected(
                "This Elasticsearch has no ES|QL: it does not know POST /_query. Use a server with the modules under "
                "the Elastic licence, 8.14 or later, or write the rule in KQL or EQL."
            )
        return rows_of(answer)

    def eql(self, index: Sequence[str], body: Mapping[str, Any], within: timedelta) -> Mapping[str, Any]:
        """See `Store.eql`."""
        parameters = {"ignore_unavailable": "true", "allow_no_indices": "true", "expand_wildcards": "open"}
        path = path_of(",".join(index), "_eql", "search")
        answer: Mapping[str, Any] = self._requests.send(
            Ask("POST", path, _NEEDS, parameters, body, accept=_absent), Allowance(within)
        )
        if answer is _ABSENT:
            raise StoreRejected(
                "This Elasticsearch has no EQL search: it does not know POST /<index>/_eql/search. Set eql_engine: "
                "own, which answers EQL on any store, or use a server with the modules under the Elastic licence."
            )
        return answer


def rows_of(answer: Mapping[str, Any]) -> Rows:
    """The answer of ES|QL in its JSON format."""
    clusters = answer.get("_clusters", {})
    return Rows(
        columns=tuple((column["name"], column["type"]) for column in answer["columns"]),
        rows=tuple(tuple(row) for row in answer["values"]),
        is_partial=bool(
            answer.get("is_partial") or any(clusters.get(each) for each in ("skipped", "partial", "failed"))
        ),
    )


def _absent(error: ApiError) -> dict[str, Any] | None:
    is_about_address = error.meta.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED}
    if is_about_address and any(words in errors.reason(error) for words in _UNKNOWN_ADDRESS):
        return _ABSENT
    return None


def _not_answered(error: ApiError) -> dict[str, Any] | None:
    is_old = error.meta.status == HTTPStatus.BAD_REQUEST and f"unrecognized parameter: [{_PARTIAL}]" in errors.reason(
        error
    )
    return _OLD_SERVER if is_old else _absent(error)
