"""Reading all hits of many queries in order, page by page, from one point in time."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from elastic_transport import ApiError, SerializationError

from lolbin_rules.errors import StoreOverwhelmed, StoreUnavailable
from lolbin_rules.store.elasticsearch import errors
from lolbin_rules.store.elasticsearch.answers import (
    absent_clusters,
    all_shards_failed,
    is_context_lost,
    is_short_of_memory,
    shard_failures,
)
from lolbin_rules.store.elasticsearch.pace import Pace
from lolbin_rules.store.elasticsearch.request import Allowance, Ask, Requests, path_of
from lolbin_rules.store.port import Hit, Key, Page, Scan, ShardFailure

__all__ = ["Scanner"]

logger = logging.getLogger("lolbin_rules.store")

_NEEDS = "the index privilege `read`"
_KEEP_ALIVE = "2m"
_PARTIAL = "allow_partial_search_results"
_OLD_SERVER: dict[str, Any] = {}
"""Stands for the refusal of a server before 8.16, which opens a point in time only where every shard is there."""

_MOST_LOSSES_IN_A_ROW = 3
_MOST_REMEMBERED = 10_000
_NAME = "query:"
"""Put before the names of queries, so that a `_name` inside somebody's query is never taken for one of them."""


@dataclass(slots=True)
class _Place:
    """How far a scan has come.

    Attributes:
        pace: how many hits to ask for at once.
        after: the sort values of the last hit that was read, as the store gave them.
        position: the first of them.
        at_position: which documents at that very position were read; of very many, some, and the others may be read
            again should the point in time be lost.
        losses: how often in a row the point in time was lost before anything new was read.
    """

    pace: Pace
    after: Sequence[Any] | None = None
    position: int | None = None
    at_position: set[Key] = field(default_factory=set)
    losses: int = 0

    def start_over(self) -> None:
        """Go on in another point in time: `_shard_doc` means nothing there, so begin before all ties."""
        self.losses += 1
        if self.position is not None:
            self.after = [self.position, -1]

    def unread(self, raw: Sequence[Mapping[str, Any]], asked: frozenset[str]) -> tuple[Hit, ...]:
        """The hits among `raw` that were not read before."""
        hits = []
        for hit in (_hit(each, asked) for each in raw):
            if self.position is not None and hit.position < self.position:
                continue
            if hit.position != self.position:
                self.position = hit.position
                self.at_position = set()
            elif hit.key in self.at_position:
                continue
            if len(self.at_position) < _MOST_REMEMBERED:
                self.at_position.add(hit.key)
            hits.append(hit)
        if raw:
            self.after = raw[-1]["sort"]
        if hits:
            self.losses = 0
        return tuple(hits)


class Scanner:
    """Scans one cluster; any number of threads may share it."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._knows_partial = True

    def pages(self, request: Scan) -> Iterator[Page]:
        """Every page that has hits or lacks shards; see `Store.scan`. Only time spent in the store counts as `within`.

        A document without `order_by` comes last, at position 2**63 - 1.
        """
        if not request.index:
            return
        allowance = Allowance(request.within)
        place = _Place(Pace(request.page_size))
        while request.queries:
            opened = self._open(request, allowance)
            try:
                is_lost = yield from self._pages_of(opened, place, request, allowance)
            finally:
                self._close(opened)
            if not is_lost:
                return
            place.start_over()
            if place.losses > _MOST_LOSSES_IN_A_ROW:
                raise StoreUnavailable(
                    f"POST /_search lost its point in time {place.losses} times without a hit in between. "
                    "Look at the cluster's health: nodes may be restarting."
                )
            logger.info("The point in time of a scan of %s was lost; going on in a new one.", ",".join(request.index))

    def _pages_of(
        self, opened: dict[str, Any], place: _Place, request: Scan, allowance: Allowance
    ) -> Generator[Page, None, bool]:
        """The pages of one point in time; returns whether that was lost."""
        if "id" not in opened:  # no shard at all was there to open it
            yield Page((), shard_failures(opened))
            return False
        plain = self._ask_plainly(request, allowance)
        told: tuple[ShardFailure, ...] = ()
        while request.queries:
            asked = frozenset(request.queries)
            answer, asked_for = self._page(opened["id"], place, request, allowance)
            if is_context_lost(answer):
                return True
            opened["id"] = answer.get("pit_id", opened["id"])
            raw = answer["hits"]["hits"]
            failures = (*shard_failures(answer), *absent_clusters(answer, plain))
            page = Page(place.unread(raw, asked), failures, answer["timed_out"])
            if page.hits or page.timed_out or page.failures not in ((), told):
                yield page
            told = page.failures
            # A page may be short for want of hits that a shard failed to bring, with others still to come.
            if not raw or (len(raw) < asked_for and page.is_whole):
                return False
        return False

    def _page(self, point: str, place: _Place, request: Scan, allowance: Allowance) -> tuple[dict[str, Any], int]:
        """The next page, and how many hits were asked for in the end.

        A shard that had too little memory for its part of a page is asked again for a smaller one, before its lack is
        taken for a partial answer: the next execution's page would be as large.
        """
        pace = place.pace
        for attempt in range(1, self._requests.retries.attempts + 1):
            answer, length = self._ask_for_page(point, place, request, allowance)
            asked_for = pace.size
            if not is_short_of_memory(answer) or attempt == self._requests.retries.attempts or not pace.shrink():
                break
            self._requests.pause(attempt)
        pace.note(len(answer["hits"]["hits"]), length)
        return answer, asked_for

    def _ask_for_page(
        self, point: str, place: _Place, request: Scan, allowance: Allowance
    ) -> tuple[dict[str, Any], int]:
        pace = place.pace

        def ask(**more: Any) -> Ask:
            body = {**_search(place, request), "pit": {"id": point, "keep_alive": _KEEP_ALIVE}, **more}
            return Ask(
                "POST",
                "/_search",
                _NEEDS,
                {_PARTIAL: "true"},
                body,
                accept=all_shards_failed,
                most_bytes=pace.most_bytes,
                smaller=lambda: ask(**more) if pace.shrink() else None,
            )

        try:
            return self._requests.send_sized(ask(), allowance)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, SerializationError):
                raise
            # Documents are passed on as they were written, even with comments or 1e400 in them. Who writes one must not
            # hide the others: with a source filter, though it lets everything pass, the server writes them anew.
            logger.info("%s Asking for the documents to be written anew.", error)
            return self._requests.send_sized(ask(_source={"includes": ["*"]}), allowance)

    def _open(self, request: Scan, allowance: Allowance) -> dict[str, Any]:
        parameters = {"keep_alive": _KEEP_ALIVE, "ignore_unavailable": "true"}
        if self._knows_partial:
            parameters[_PARTIAL] = "true"
        if request.shard is not None:
            # The point in time holds this shard only, so that the searches in it need no preference of their own.
            parameters["preference"] = f"_shards:{request.shard.number}"
        ask = Ask("POST", path_of(_where(request), "_pit"), _NEEDS, parameters, accept=_not_opened)
        opened: dict[str, Any] = self._requests.send(ask, allowance)
        if opened is _OLD_SERVER:
            self._knows_partial = False
            return self._open(request, allowance)
        return opened

    def _ask_plainly(self, request: Scan, allowance: Allowance) -> dict[str, Any]:
        """An answer from outside the point in time, which says of each remote cluster how it is; empty without such."""
        if ":" not in _where(request):
            return {}
        body = {"size": 0, "query": {"match_none": {}}, "track_total_hits": False}
        parameters = {"ignore_unavailable": "true", _PARTIAL: "true"}
        ask = Ask("POST", path_of(_where(request), "_search"), _NEEDS, parameters, body, all_shards_failed)
        answer: dict[str, Any] = self._requests.send(ask, allowance)
        return answer

    def _close(self, opened: Mapping[str, Any]) -> None:
        if "id" in opened:
            self._requests.try_once(Ask("DELETE", "/_pit", _NEEDS, body={"id": opened["id"]}))


def _where(request: Scan) -> str:
    return ",".join(request.index) if request.shard is None else request.shard.index


def _search(place: _Place, request: Scan) -> dict[str, Any]:
    if request.order_by == "_seq_no":
        order: dict[str, Any] = {"order": "asc"}
    else:
        # One type of number for date and date_nanos, or the two could not be merged into one order.
        order = {"order": "asc", "unmapped_type": "date", "numeric_type": "date"}
    named = [{"bool": {"filter": [query], "_name": _NAME + name}} for name, query in request.queries.items()]
    body: dict[str, Any] = {
        "size": place.pace.size,
        "query": {"bool": {"filter": [request.filter, {"bool": {"should": named, "minimum_should_match": 1}}]}},
        "sort": [{request.order_by: order}, {"_shard_doc": "asc"}],
        "track_total_hits": False,
    }
    if place.after is not None:
        body["search_after"] = place.after
    return body


def _not_opened(error: ApiError) -> dict[str, Any] | None:
    """What to make of a point in time that could not be opened, if anything."""
    if error.meta.status == HTTPStatus.BAD_REQUEST and _PARTIAL in errors.reason(error):
        return _OLD_SERVER
    return all_shards_failed(error)


def _hit(hit: Mapping[str, Any], asked: frozenset[str]) -> Hit:
    names = asked & {name.removeprefix(_NAME) for name in hit.get("matched_queries", ()) if name.startswith(_NAME)}
    if not names:
        if len(asked) > 1:
            raise StoreOverwhelmed(
                f"POST /_search found {hit['_index']}/{hit['_id']} without saying which of {len(asked)} queries it "
                "matches. Ask for one query at once."
            )
        names = asked
    return Hit(Key(hit["_index"], hit["_id"]), hit.get("_source", {}), int(hit["sort"][0]), names)
