"""Asks a node the questions of `recorded/*.json` again and writes down its answers.

Run it with the address of an Elasticsearch node: `python tests/dsl/record.py http://127.0.0.1:9200`. The questions were
written for this project; the answers are those of Elasticsearch 8.19.9.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"
REFUSED = "refused"
FORMATS = {"date": "epoch_millis", "date_nanos": "strict_date_optional_time_nanos"}


class Node:
    """A node, and indices of its own for each question."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Its answer, refusals included; a text is sent as it is."""
        text = body if isinstance(body, str) else json.dumps(body)
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else text.encode(),
            method=method,
            headers={"Content-Type": "application/x-ndjson" if isinstance(body, str) else "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            told = json.load(error)
        return told

    def create(self, mappings: Any, settings: Mapping[str, Any]) -> str | None:
        """A new index; None if it is refused."""
        name = f"record-{next(self._numbers)}"
        self.ask("DELETE", f"/{name}")
        whole = {"mappings": mappings, "settings": {"number_of_shards": 1, "number_of_replicas": 0, **settings}}
        return None if "error" in self.ask("PUT", f"/{name}", whole) else name

    def index(self, name: str, documents: Iterable[str]) -> list[bool]:
        """Write documents, given as JSON; which were taken."""
        lines = [line for number, text in enumerate(documents) for line in (f'{{"index":{{"_id":"{number}"}}}}', text)]
        told = self.ask("POST", f"/{name}/_bulk?refresh=true", "\n".join([*lines, ""]))
        return ["error" not in item["index"] for item in told["items"]]

    def values(self, name: str, fields: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Document -> field -> its values, those of dates as numbers or with nine digits."""
        types = {field: self._type(name, field) for field in fields}
        wanted = [
            {"field": field, **({"format": FORMATS[kind]} if kind in FORMATS else {})}
            for field, kind in types.items()
            if kind not in ("", "text")
        ]
        body = {"size": 10_000, "docvalue_fields": wanted, "_source": False}
        told = self.ask("POST", f"/{name}/_search", body)
        hits = told["hits"]["hits"]
        return {hit["_id"]: hit.get("fields", {}) for hit in hits}

    def mapping(self, name: str) -> dict[str, Any]:
        """The mapping of an index."""
        mappings: dict[str, Any] = self.ask("GET", f"/{name}/_mapping")[name]["mappings"]
        return mappings

    def drop(self, name: str) -> None:
        """Delete an index."""
        self.ask("DELETE", f"/{name}")

    def _type(self, name: str, field: str) -> str:
        told = self.ask("POST", f"/{name}/_field_caps", {"fields": [field]})["fields"]
        return str(next(iter(told.get(field, {"": None}))))


def record_values(node: Node, group: dict[str, Any]) -> None:
    """`field`: a definition. `cases`: JSON value -> the field's values, or "refused"."""
    name = node.create({"properties": {"f": group["field"]}}, group.get("settings", {}))
    assert name, group
    raws = list(group["cases"])
    taken = node.index(name, [f'{{"f":{raw}}}' for raw in raws])
    values = node.values(name, ["f"])
    for number, raw in enumerate(raws):
        group["cases"][raw] = values[str(number)].get("f", []) if taken[number] else REFUSED
    node.drop(name)


def record_documents(node: Node, group: dict[str, Any]) -> None:
    """`mappings`, `settings`, `documents` one after the other -> `taken`, `values` of `fields`, `mapped` at the end.

    With `each: true` every document has an index of its own.
    """
    documents = group["documents"]
    told = [_told(node, group, [text]) for text in documents] if group.get("each") else [_told(node, group, documents)]
    group["taken"] = [taken for each in told for taken in each[0]]
    group["values"] = [values for each in told for values in each[1]]
    group["mapped"] = [each[2] for each in told]


def _told(node: Node, group: Mapping[str, Any], documents: list[str]) -> tuple[list[bool], list[Any], Any]:
    name = node.create(group["mappings"], group.get("settings", {}))
    assert name, group
    taken = [node.index(name, [text])[0] for text in documents] if len(documents) == 1 else node.index(name, documents)
    found = node.values(name, group.get("fields", []))
    mapped = node.mapping(name).get("properties", {})
    node.drop(name)
    return taken, [found.get(str(number), {}) for number in range(len(documents))], mapped


def record_mappings(node: Node, group: dict[str, Any]) -> None:
    """`mappings` and `settings` -> `taken`."""
    name = node.create(group["mappings"], group.get("settings", {}))
    group["taken"] = name is not None
    if name:
        node.drop(name)


def record_dates(node: Node, group: dict[str, Any]) -> None:
    """`format`, `cases`: text -> milliseconds, or "refused"."""
    name = node.create({"properties": {"f": {"type": "date", "format": group["format"]}}}, {})
    assert name, group
    texts = list(group["cases"])
    taken = node.index(name, [json.dumps({"f": text}) for text in texts])
    values = node.values(name, ["f"])
    for number, text in enumerate(texts):
        group["cases"][text] = int(values[str(number)]["f"][0]) if taken[number] else REFUSED
    node.drop(name)


def record_limits(node: Node, group: dict[str, Any]) -> None:
    """`format`, `side` (gte or lte), `zone`, `cases`: date or date math -> milliseconds, or "refused"."""
    name = node.create({"properties": {"f": {"type": "date"}}}, {})
    assert name
    node.index(name, ['{"f":[-9000000000000000,9000000000000000]}'])
    place = {"gte": 1, "lte": 2}[group["side"]]
    for text in group["cases"]:
        asked = {group["side"]: text, "format": group["format"]}
        if group.get("zone"):
            asked["time_zone"] = group["zone"]
        told = node.ask("GET", f"/{name}/_validate/query?explain=true", {"query": {"range": {"f": asked}}})
        explained = told["explanations"][0].get("explanation", "")
        found = re.search(r"f:\[(-?\d+) TO (-?\d+)\]", explained)
        group["cases"][text] = int(found[place]) if found else REFUSED
    node.drop(name)


RECORDERS: Mapping[str, Callable[[Node, dict[str, Any]], None]] = {
    "values": record_values,
    "documents": record_documents,
    "mappings": record_mappings,
    "dates": record_dates,
    "limits": record_limits,
}


def main(url: str, names: Sequence[str]) -> None:
    """Record everything, or the files of these names."""
    node = Node(url)
    for name, record in RECORDERS.items():
        if names and name not in names:
            continue
        path = RECORDED / f"{name}.json"
        groups = json.loads(path.read_text(encoding="utf-8"))
        for group in groups:
            record(node, group)
        lines = ",\n".join(json.dumps(group, ensure_ascii=True) for group in groups)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
