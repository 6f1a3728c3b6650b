"""Writing documents in bulk, with a verdict on each.

Only a refusal of the request as a whole for lack of privileges is raised (StoreForbidden), or an answer by something
that is not Elasticsearch (StoreRejected); everything else is said per document. Where nothing can be reached any more,
the documents not yet sent are UNAVAILABLE as well: they are not tried one batch after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from elastic_transport import ApiError

from lolbin_rules.errors import StoreRejected, StoreUnavailable
from lolbin_rules.store.elasticsearch import errors, json_text
from lolbin_rules.store.elasticsearch.request import Ask, Requests
from lolbin_rules.store.port import Document, Outcome, Put, Verdict

__all__ = ["Writer"]

_NEEDS = "the index privileges `create_doc`, `index` and `auto_configure`"
_MOST_DOCUMENTS = 500
_MOST_BYTES = 5_000_000
_PARAMETERS = {
    "refresh": "false",
    "timeout": "10s",  # for shards that are not there; the default is as long as our patience with the whole request
    "filter_path": "items.*.status,items.*.error",
}


@dataclass(frozen=True, slots=True)
class _Item:
    """One document on its way: where its outcome belongs, its lines of the request, and what a 409 would mean."""

    place: int
    lines: bytes
    taken: Verdict


class Writer:
    """Writes to one cluster; any number of threads may share it."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def create(self, documents: Sequence[Document]) -> list[Outcome]:
        """See `Store.create`."""
        return self._write([(document, {"create": _target(document)}) for document in documents], Verdict.EXISTS)

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """See `Store.put`. A retry after a lost answer may meet its own write: it is then CONFLICT."""
        return self._write([(put.document, _put_action(put)) for put in puts], Verdict.CONFLICT)

    def _write(self, writes: Sequence[tuple[Document, Mapping[str, Any]]], taken: Verdict) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        items = []
        for place, (document, action) in enumerate(writes):
            try:
                lines = b"".join((json_text.encode(action), b"\n", json_text.encode(document.source), b"\n"))
            except (TypeError, ValueError) as error:
                outcomes[place] = Outcome(Verdict.REJECTED, f"The document cannot be written as JSON: {error}")
            else:
                items.append(_Item(place, lines, taken))
        for chunk in _chunks(items):
            try:
                self._send(chunk, outcomes)
            except StoreUnavailable as error:
                unsent = Outcome(Verdict.UNAVAILABLE, str(error))
                return [outcomes.get(place, unsent) for place in range(len(writes))]
        return [outcomes[place] for place in range(len(writes))]

    def _send(self, items: Sequence[_Item], outcomes: dict[int, Outcome]) -> None:
        """Send the items and note their outcomes, those that were turned away for now again and again."""
        for attempt in range(1, self._requests.retries.attempts + 1):
            lines = b"".join(item.lines for item in items)
            answer = self._requests.send(Ask("POST", "/_bulk", _NEEDS, _PARAMETERS, lines, accept=_refused))
            if "items" not in answer:
                self._send_halves(items, answer["refused"], outcomes)
                return
            turned_away = []
            for item, entry in zip(items, answer["items"], strict=True):
                (result,) = entry.values()  # under the name of the action
                outcomes[item.place] = _outcome(item, result)
                if result["status"] >= HTTPStatus.BAD_REQUEST and errors.judge(result["status"], result).is_retried:
                    turned_away.append(item)
            if not turned_away:
                return
            items = turned_away
            if attempt < self._requests.retries.attempts:
                self._requests.pause(attempt)

    def _send_halves(self, items: Sequence[_Item], reason: str, outcomes: dict[int, Outcome]) -> None:
        """Find the documents that make the whole request too large or invalid, and send the others."""
        if len(items) == 1:
            outcomes[items[0].place] = Outcome(Verdict.REJECTED, reason)
            return
        middle = len(items) // 2
        self._send(items[:middle], outcomes)
        self._send(items[middle:], outcomes)


def _target(document: Document) -> dict[str, Any]:
    return {"_index": document.key.index, "_id": document.key.id}


def _put_action(put: Put) -> Mapping[str, Any]:
    target = _target(put.document)
    if put.seen is None:
        return {"create": target}
    return {"index": target | {"if_seq_no": put.seen.seq_no, "if_primary_term": put.seen.primary_term}}


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    chunk: list[_Item] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) == _MOST_DOCUMENTS or size + len(item.lines) > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item.lines)
    if chunk:
        yield chunk


def _refused(error: ApiError) -> dict[str, str] | None:
    """An answer that may be due to one of the documents."""
    if error.meta.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        return {"refused": errors.reason(error)}
    return None


def _outcome(item: _Item, result: Mapping[str, Any]) -> Outcome:
    status = result["status"]
    if status < HTTPStatus.BAD_REQUEST:
        return Outcome(Verdict.CREATED if status == HTTPStatus.CREATED else Verdict.UPDATED)
    reason = errors.reason(result.get("error"))
    if status == HTTPStatus.CONFLICT:
        return Outcome(item.taken, reason)
    # Only a refusal of the document itself is for ever: privileges, blocks and limits of the cluster may change.
    is_final = errors.judge(status, result).raised is StoreRejected
    return Outcome(Verdict.REJECTED if is_final else Verdict.UNAVAILABLE, reason)
