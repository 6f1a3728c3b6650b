"""The store on a real Elasticsearch cluster: the only part of the package that knows its client.

Tried with 8.19.9 and 9.0.0. Servers before 8.16 open a point in time only where every shard is there, so that a scan of
them fails as a whole (StoreUnavailable) while one is missing. Indices that the credentials may not see are, to
Elasticsearch, as good as missing ones, so that patterns pass them over without an error.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lolbin_rules.errors import StoreForbidden, StoreUnavailable
from lolbin_rules.store.elasticsearch import errors
from lolbin_rules.store.elasticsearch.answers import all_shards_failed, shard_failures
from lolbin_rules.store.elasticsearch.bulk import Writer
from lolbin_rules.store.elasticsearch.connect import Connection, open_client
from lolbin_rules.store.elasticsearch.fields import find_field_types
from lolbin_rules.store.elasticsearch.languages import Languages
from lolbin_rules.store.elasticsearch.request import Allowance, Ask, Requests, Retries, empty_if_missing, path_of
from lolbin_rules.store.elasticsearch.scan import Scanner
from lolbin_rules.store.port import (
    Aggregated,
    Counted,
    Document,
    FieldTypes,
    IndexTemplate,
    Key,
    Outcome,
    Page,
    Put,
    Query,
    Rows,
    Scan,
    Seen,
    Shard,
    ShardProgress,
    Stored,
)

__all__ = ["Connection", "ElasticsearchStore", "Retries"]

logger = logging.getLogger("lolbin_rules.store")

_READ = "the index privilege `read`"
_ANY = {"ignore_unavailable": "true", "allow_no_indices": "true", "expand_wildcards": "open"}
_RETRIES = Retries()
_MOST_KEYS = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEMPLATE_PRIORITY = 500
"""Above the templates that come with Elasticsearch (100 to 200), so that no catch-all of theirs wins."""


class ElasticsearchStore:
    """A `Store` on a cluster; any number of threads may share it.

    A request that is under way when `stop` is called is waited for; nothing is sent after it, and what would have been
    sent fails with StoreUnavailable.

    Args:
        connection: where the cluster is and who asks. Nothing is sent before the first verb.
        clock: the time to go by where the credentials do not allow to ask the cluster for its own.
        retries: how often to try again, and after how long.

    Raises:
        SettingsError: the connection cannot be set up.
    """

    def __init__(self, connection: Connection, *, clock: Callable[[], datetime], retries: Retries = _RETRIES) -> None:
        self._client = open_client(connection)
        self._requests = Requests(self._client, retries, connection.hide_secrets)
        self._scanner = Scanner(self._requests)
        self._writer = Writer(self._requests)
        self._languages = Languages(self._requests)
        self._clock = clock
        self._has_no_cluster_clock = threading.Event()

    def scan(self, request: Scan) -> Iterator[Page]:
        """See `Store.scan`."""
        return self._scanner.pages(request)

    def aggregate(
        self, index: Sequence[str], query: Query, aggregations: Mapping[str, Any], *, within: timedelta
    ) -> Aggregated:
        """See `Store.aggregate`; the values are empty where no index matches or no shard answers."""
        answer = self._search(index, query, {"aggregations": aggregations}, within)
        return Aggregated(answer.get("aggregations", {}), shard_failures(answer), answer["timed_out"])

    def count(self, index: Sequence[str], query: Query, *, within: timedelta) -> Counted:
        """See `Store.count`."""
        answer = self._search(index, query, {"track_total_hits": True}, within)
        return Counted(answer["hits"]["total"]["value"], shard_failures(answer), answer["timed_out"])

    def esql(self, query: str, condition: Query, *, within: timedelta) -> Rows:
        """See `Store.esql`."""
        return self._languages.esql(query, condition, within)

    def eql(self, index: Sequence[str], body: Mapping[str, Any], *, within: timedelta) -> Mapping[str, Any]:
        """See `Store.eql`."""
        return self._languages.eql(index, body, within)

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`; raises StoreForbidden only where the request as a whole is."""
        return self._writer.create(documents)

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`; raises as `create`."""
        return self._writer.put(puts)

    def get(self, keys: Sequence[Key], fields: Sequence[str] | None = None) -> list[Stored | None]:
        """See `Store.get`; a document whose shard or index is closed to us is an error, not None."""
        found: list[Stored | None] = []
        parts = {"_source_includes": ",".join(fields)} if fields else {"_source": "false"}
        for start in range(0, len(keys), _MOST_KEYS):
            some = keys[start : start + _MOST_KEYS]
            body = {"docs": [{"_index": key.index, "_id": key.id} for key in some]}
            answers = self._documents(Ask("POST", "/_mget", _READ, None if fields is None else parts, body))
            found += [_stored(key, each) for key, each in zip(some, answers, strict=True)]
        return found

    def _documents(self, ask: Ask) -> list[dict[str, Any]]:
        """The documents of the answer; an index that somebody is just making is waited for, as far as retries go."""
        for attempt in range(1, self._requests.retries.attempts + 1):
            documents: list[dict[str, Any]] = self._requests.send(ask)["docs"]
            named = {kind for each in documents for kind in errors.kinds(each.get("error"))}
            if "no_shard_available_action_exception" not in named or attempt == self._requests.retries.attempts:
                break
            self._requests.pause(attempt)
        return documents

    def field_types(self, index: Sequence[str], fields: Sequence[str]) -> FieldTypes:
        """See `Store.field_types`."""
        return find_field_types(self._requests, index, fields)

    def refresh(self, index: Sequence[str]) -> None:
        """See `Store.refresh`."""
        if index:
            path = path_of(",".join(index), "_refresh")
            answer = self._requests.send(Ask("POST", path, "the index privilege `maintenance`", _ANY))
            if failed := answer["_shards"]["failed"]:
                raise StoreUnavailable(f"POST {path} failed on {failed} shards. Look at the cluster's health.")

    def shard_progress(self, index: Sequence[str]) -> list[ShardProgress]:
        """See `Store.shard_progress`; a shard whose primary is nowhere is left out."""
        if not index:
            return []
        parts = ("uuid", "shards.*.routing.primary", "shards.*.seq_no", "shards.*.commit.user_data.history_uuid")
        wanted = {
            "level": "shards",
            "filter_path": ",".join(["_shards.failed", *(f"indices.*.{part}" for part in parts)]),
        }
        path = path_of(",".join(index), "_stats", "docs")
        answer = self._requests.send(Ask("GET", path, "the index privilege `monitor`", _ANY | wanted))
        if failed := answer["_shards"]["failed"]:
            raise StoreUnavailable(f"GET {path} failed on {failed} shards. Look at the cluster's health.")
        return [
            ShardProgress(
                shard=Shard(name, int(number)),
                index_uuid=one["uuid"],
                history_uuid=copy["commit"]["user_data"]["history_uuid"],
                global_checkpoint=copy["seq_no"]["global_checkpoint"],
                max_seq_no=copy["seq_no"]["max_seq_no"],
            )
            for name, one in sorted(answer.get("indices", {}).items())
            for number, copies in sorted(one.get("shards", {}).items(), key=lambda item: int(item[0]))
            for copy in copies
            if copy["routing"]["primary"] and "seq_no" in copy and "commit" in copy
        ]

    def clock(self) -> datetime:
        """See `Store.clock`: that of the node that answers. Where it may not be asked, the clock given to us."""
        if not self._has_no_cluster_clock.is_set():
            # `_cat/health` tells whole seconds only, within which one search could not be told to follow another.
            wanted = {"filter_path": "nodes.*.timestamp"}
            path = "/_nodes/_local/stats/breaker"
            try:
                answer = self._requests.send(Ask("GET", path, "the cluster privilege `monitor`", wanted))
            except StoreForbidden as error:
                self._has_no_cluster_clock.set()
                logger.warning("%s Until then this machine's clock is taken for the cluster's.", error)
            else:
                told = [node["timestamp"] for node in answer.get("nodes", {}).values()]
                if not told:
                    raise StoreUnavailable(f"GET {path} did not say what time it is. Look at the cluster's health.")
                return _EPOCH + timedelta(milliseconds=min(told))
        return self._clock()

    def prepare(self, templates: Sequence[IndexTemplate]) -> list[str]:
        """See `Store.prepare`."""
        return [template.name for template in templates if self._prepare(template)]

    def stop(self) -> None:
        """See `Store.stop`."""
        self._requests.stop()

    def close(self) -> None:
        """See `Store.close`; every verb fails after it."""
        self._requests.stop()
        self._client.close()

    def _search(
        self, index: Sequence[str], query: Query, parts: Mapping[str, Any], within: timedelta
    ) -> Mapping[str, Any]:
        if not index:
            return {"timed_out": False, "hits": {"total": {"value": 0}}}
        body = {"size": 0, "track_total_hits": False, "query": {"bool": {"filter": [query]}}, **parts}
        parameters = _ANY | {"allow_partial_search_results": "true"}
        ask = Ask("POST", path_of(",".join(index), "_search"), _READ, parameters, body, all_shards_failed)
        answer: Mapping[str, Any] = self._requests.send(ask, Allowance(within))
        return answer

    def _prepare(self, template: IndexTemplate) -> bool:
        needs = "the cluster privilege `manage_index_templates`"
        path = path_of("_index_template", template.name)
        found = self._requests.send(Ask("GET", path, needs, accept=empty_if_missing))
        installed = [each["index_template"].get("version") for each in found.get("index_templates", ())]
        if any(version is not None and version >= template.version for version in installed):
            return False
        body = {
            "index_patterns": list(template.patterns),
            "priority": _TEMPLATE_PRIORITY,
            "version": template.version,
            "template": template.body,
        }
        self._requests.send(Ask("PUT", path, needs, body=body))
        return True


def _stored(key: Key, found: Mapping[str, Any]) -> Stored | None:
    if "error" in found:
        if "index_not_found_exception" in errors.kinds(found["error"]):
            return None
        raise StoreUnavailable(
            f"POST /_mget could not say whether {key.index}/{key.id} exists: {errors.reason(found['error'])}. "
            "Look at the cluster's health and at the state of the index."
        )
    if not found["found"]:
        return None
    return Stored(key, found.get("_source", {}), Seen(found["_seq_no"], found["_primary_term"]))
