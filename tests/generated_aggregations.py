"""Random documents of all types, and random requests of aggregations and sorts over them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

MAPPING: Json = {
    "dynamic": False,
    "properties": {
        "name": {"type": "keyword"},
        "kind": {"type": "keyword"},
        "size": {"type": "long"},
        "port": {"type": "integer"},
        "score": {"type": "double"},
        "share": {"type": "float"},
        "flag": {"type": "boolean"},
        "time": {"type": "date"},
        "day": {"type": "date", "format": "yyyy-MM-dd||epoch_millis"},
        "nanos": {"type": "date_nanos"},
        "ip": {"type": "ip"},
        "text": {"type": "text"},
        "also_name": {"type": "alias", "path": "name"},
        "inner": {"properties": {"name": {"type": "keyword"}}},
        "unstored": {"type": "keyword", "doc_values": False},
    },
}
EVERYWHERE = ("kind", "time", "port", "ip")
OTHER_MAPPING: Json = {
    "dynamic": False,
    "properties": {name: MAPPING["properties"][name] for name in EVERYWHERE},
}
NUMBERS = ("size", "port", "score", "share")
DATES = ("time", "day", "nanos")
GROUPABLE = ("name", "kind", "size", "port", "score", "share", "flag", "time", "day", "nanos", "ip", "also_name")
ANY = (*GROUPABLE, "inner.name", "inner", "unknown", "text", "unstored")
FIRST_MS = 1_767_225_600_000
ZONES = ("UTC", "+02:00", "-05:30", "Europe/Berlin", "America/New_York", "Asia/Kolkata")


def document(random: Random) -> Json:
    """A document in which any field may be missing or have several values."""
    makers: dict[str, Callable[[], Any]] = {
        "name": lambda: random.choice(["a", "b", "c", "B", "ä", "z z", "", "😀", "￿", "a.b"]),
        "kind": lambda: random.choice(["x", "y"]),
        "size": lambda: random.choice([0, 1, 2, -3, 7, 2**53 + 1, 10**6]),
        "port": lambda: random.choice([22, 80, 443, 8080]),
        "score": lambda: round(random.uniform(-3, 9), 2) or 0.0,
        "share": lambda: random.choice([0.1, 0.25, 3.5, -2.75]),
        "flag": lambda: random.choice([True, False]),
        "time": lambda: FIRST_MS + random.choice([1, 1000, 3_600_000]) * random.randrange(2000),
        "day": lambda: f"2026-{random.randrange(1, 13):02d}-{random.randrange(1, 28):02d}",
        "nanos": lambda: f"2026-01-{random.randrange(1, 6):02d}T10:00:00.{random.choice(['1', '123456789', '12'])}Z",
        "ip": lambda: random.choice(["10.0.0.1", "10.0.0.2", "192.168.1.1", "::1", "2001:db8::1", "::ffff:10.0.0.1"]),
        "text": lambda: "some text",
        "unstored": lambda: "u",
    }
    made: Json = {"inner": {"name": random.choice(["p", "q"])}} if random.random() < 0.5 else {}
    for name, make in makers.items():
        chance = random.random()
        if chance > 0.8:
            made[name] = [make() for _ in range(random.randrange(1, 4))]
        elif chance > 0.15:
            made[name] = make()
    return made


class Requests:
    """Makes requests, most of them sensible. Over several shards, a node tells exact counts only of large `terms`."""

    def __init__(self, random: Random, *, shards: int = 1) -> None:
        self._random, self._shards = random, shards

    def aggregations(self, depth: int = 0) -> Json:
        """One to three aggregations, with others below some."""
        return {f"a{number}": self._aggregation(depth) for number in range(self._random.choice([1, 1, 1, 2, 3]))}

    def query(self) -> Json:
        """What to aggregate over."""
        return self._one(
            lambda: {"match_all": {}},
            lambda: {"term": {"kind": "x"}},
            lambda: {"range": {"score": {"gte": 1}}},
            lambda: {"exists": {"field": self._random.choice(GROUPABLE)}},
            lambda: {"bool": {"must_not": [{"term": {"name": "a"}}]}},
            lambda: {"match_none": {}},
        )

    def sort(self) -> list[Json]:
        """One to three fields to sort by."""
        return [self._sort_field() for _ in range(self._random.choice([1, 1, 2, 3]))]

    def _sort_field(self) -> Json:
        usual = GROUPABLE if self._shards == 1 else EVERYWHERE  # a shard may refuse the others, or not be asked
        name = self._random.choice(ANY if self._random.random() < 0.1 and self._shards == 1 else usual)
        options = self._some({
            "order": lambda: self._random.choice(["asc", "desc"]),
            "missing": lambda: self._random.choice(["_first", "_last"]),
            "mode": lambda: self._random.choice(["min", "max"]),
        })  # fmt: skip
        return {name: options or self._random.choice(["asc", "desc"])}

    def _aggregation(self, depth: int) -> Json:
        leaves = [self._metric, self._metric, self._cardinality, self._top_hits]
        inner = [self._terms, self._terms, self._date_histogram, self._histogram, self._filter, self._filters]
        if depth == 0:
            inner += [self.composite, self.composite]
        made = self._one(*leaves, *inner, *inner, self._missing) if depth < 2 else self._one(*leaves)
        (kind,) = made
        if depth < 2 and kind in ("terms", "date_histogram", "histogram", "filter", "filters", "composite", "missing"):
            if self._random.random() < 0.4:
                made["aggs"] = self.aggregations(depth + 1)
            if kind == "terms" and self._random.random() < 0.25:
                made.setdefault("aggs", {})["by"] = self._ordering()
                made["terms"]["order"] = {self._path(made["aggs"]["by"]): self._random.choice(["asc", "desc"])}
        if self._random.random() < 0.05:
            made["meta"] = {"note": 1}
        return made

    def _ordering(self) -> Json:
        return self._one(
            self._metric, self._cardinality, lambda: {"filter": {"term": {"kind": "x"}}, "aggs": {"in": self._metric()}}
        )

    def _path(self, aggregation: Json) -> str:
        if "filter" in aggregation:
            return self._random.choice(["by", "by>in", "by.doc_count", "by>in.value"])
        if "stats" in aggregation:
            return self._random.choice(["by.max", "by.min", "by.avg", "by.count", "by.sum"])
        return self._random.choice(["by", "by", "by.value"])

    def _field(self, usual: tuple[str, ...]) -> str:
        return self._random.choice(ANY if self._random.random() < 0.05 else usual)

    def _metric(self) -> Json:
        kind = self._random.choice(["min", "max", "sum", "avg", "stats", "value_count"])
        field = self._field(GROUPABLE if kind == "value_count" else (*NUMBERS, "time", "day", "nanos", "flag"))
        return {kind: {"field": field, **({"missing": 5} if self._random.random() < 0.1 and field in NUMBERS else {})}}

    def _cardinality(self) -> Json:
        return {"cardinality": {"field": self._field(GROUPABLE)}}

    def _top_hits(self) -> Json:
        options = self._some({
            "size": lambda: self._random.randrange(1, 5),
            "from": lambda: self._random.randrange(3),
            "_source": lambda: self._random.choice([False, "name", ["kind", "inner.name"], {"excludes": ["inner"]}]),
        })  # fmt: skip
        return {"top_hits": {"sort": [*self.sort(), {"_seq_no": "asc"}], **options}}

    def _terms(self) -> Json:
        field = self._field(GROUPABLE)
        options = self._some({
            "size": lambda: self._random.choice([1, 2, 5, 1000]),
            "min_doc_count": lambda: self._random.choice([0, 1, 2, 5]),
            "order": lambda: self._random.choice(
                [{"_key": "asc"}, {"_key": "desc"}, {"_count": "asc"}, [{"_count": "desc"}, {"_key": "desc"}]]
            ),
        })  # fmt: skip
        if field in ("name", "kind") and self._random.random() < 0.3:
            options |= self._one(
                lambda: {"include": "[ab].*"},
                lambda: {"exclude": ["a", "x"]},
                lambda: {"include": ["a", "B", "y"], "exclude": "B"},
                lambda: {"missing": "none"},
                lambda: {"missing": "a"},
            )
        if field in ("size", "port") and self._random.random() < 0.3:
            options |= self._one(
                lambda: {"include": [80, 2]}, lambda: {"missing": 80}, lambda: {"missing": "7", "exclude": [0, 22]}
            )
        if field in ("time", "day") and self._random.random() < 0.3:
            options["format"] = self._random.choice(["yyyy-MM-dd", "epoch_second", "strict_date_optional_time"])
        if self._shards > 1:
            options["size"] = 1000
        return {"terms": {"field": field, **options}}

    def _date_histogram(self) -> Json:
        options = self._interval() | self._some({
            "min_doc_count": lambda: self._random.choice([0, 1, 2]),
            "order": lambda: self._random.choice([{"_key": "desc"}, {"_count": "desc"}]),
            "keyed": lambda: True,
            "extended_bounds": lambda: {"min": FIRST_MS - 10 * 86_400_000, "max": FIRST_MS + 20 * 86_400_000},
            "format": lambda: self._random.choice(["yyyy-MM-dd HH:mm", "epoch_millis", "date_time"]),
        })  # fmt: skip
        if any(str(value).endswith(("h", "hour", "m")) for value in options.values()):
            options |= {"min_doc_count": 1}  # thousands of empty buckets in each of many say nothing new
        return {"date_histogram": {"field": self._field(("time", "time", "day", "nanos")), **options}}

    def _interval(self) -> Json:
        calendar = ["1d", "day", "1w", "month", "1q", "year", "1h", "hour"]
        fixed = ["1d", "12h", "7d", "90m", "30d"]
        interval = self._one(
            lambda: {"calendar_interval": self._random.choice(calendar)},
            lambda: {"fixed_interval": self._random.choice(fixed)},
        )
        return interval | self._some({
            "time_zone": lambda: self._random.choice(ZONES),
            "offset": lambda: self._random.choice(["+6h", "-3h", "30m"]),
        })  # fmt: skip

    def _histogram(self) -> Json:
        interval = self._random.choice([1, 2.5, 0.3, 100])
        options = self._some({
            "offset": lambda: self._random.choice([0.5, 10]),
            "min_doc_count": lambda: self._random.choice([0, 1]),
            "keyed": lambda: True,
            "missing": lambda: 4,
            "extended_bounds": lambda: {"min": -10, "max": 20},
        })  # fmt: skip
        field = self._field(("port", "score", "score", "share", "flag"))
        options |= {"min_doc_count": 1} if field == "port" else {}
        if field == "flag":
            options.pop("missing", None)  # a boolean of 4 is nothing to learn from
        return {"histogram": {"field": field, "interval": interval, **options}}

    def _filter(self) -> Json:
        return {"filter": self.query()}

    def _filters(self) -> Json:
        queries = [self.query() for _ in range(self._random.randrange(1, 4))]
        filters = queries if self._random.random() < 0.5 else {f"q{3 - at}": query for at, query in enumerate(queries)}
        options = self._some({"other_bucket": lambda: True, "other_bucket_key": lambda: "rest", "keyed": lambda: False})
        return {"filters": {"filters": filters, **options}}

    def _missing(self) -> Json:
        return {"missing": {"field": self._field(GROUPABLE)}}

    def composite(self) -> Json:
        """A composite of one to three sources."""
        sources = [{f"s{number}": self._source()} for number in range(self._random.randrange(1, 4))]
        return {"composite": {"sources": sources, "size": self._random.choice([1, 3, 10, 1000])}}

    def _source(self) -> Json:
        made = self._one(
            lambda: {"terms": {"field": self._field(GROUPABLE)}},
            lambda: {"terms": {"field": self._field(GROUPABLE)}},
            lambda: {"date_histogram": {"field": self._field(("time", "day")), **self._interval()}},
            lambda: {"histogram": {"field": self._field(("score", "port")), "interval": 2.5}},
        )
        (body,) = made.values()
        body |= self._some({
            "order": lambda: self._random.choice(["asc", "desc"]),
            "missing_bucket": lambda: True,
        })  # fmt: skip
        if body.get("missing_bucket") and self._random.random() < 0.5:
            body["missing_order"] = self._random.choice(["first", "last", "default"])
        if "date_histogram" in made and self._random.random() < 0.3:
            body["format"] = "strict_date_optional_time"
        return made

    def _one(self, *makers: Callable[[], Json]) -> Json:
        return self._random.choice(makers)()

    def _some(self, makers: dict[str, Callable[[], Any]]) -> Json:
        return {name: make() for name, make in makers.items() if self._random.random() < 0.25}
