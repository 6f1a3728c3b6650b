"""What each type of rule needs, and what it may have: one table, for the loader and for the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator

from lolbin_rules.rule.findings import Finding
from lolbin_rules.rule.refusal import KEY, NO_VALUE, Refusal

__all__ = [
    "RULE_KINDS",
    "TYPED_KEYS",
    "AnyLanguage",
    "Language",
    "RuleKind",
    "RuleTypeName",
    "kind_findings",
    "kind_schemas",
    "with_kind_defaults",
]

RuleTypeName: TypeAlias = Literal[
    "query", "saved_query", "eql", "threshold", "new_terms", "threat_match", "esql", "machine_learning"
]
Language: TypeAlias = Literal["kuery", "lucene", "eql", "esql"]
Spellings: TypeAlias = Mapping[str, str]


def _not_kql(value: Any) -> Any:
    if value != "kql":
        return value
    raise Refusal('the text "kql" is none of kuery, lucene, eql, esql', "Write kuery, as Elastic's rules call KQL.")


AnyLanguage: TypeAlias = Annotated[Language | None, BeforeValidator(_not_kql)]

DEFAULT_TYPE: Final = "query"
ANOMALIES: Final = (".ml-anomalies-*",)
"""Where Elasticsearch keeps what its machine learning found."""


@dataclass(frozen=True, slots=True)
class RuleKind:
    """What a rule of one type consists of, besides what all rules have.

    Attributes:
        needs: keys that it must have; `match` among them stands for `match` or `query`.
        may: keys that it may have.
        languages: what its query may be written in, the first if nothing is said.
    """

    needs: tuple[str, ...]
    may: frozenset[str]
    languages: tuple[Language, ...] = ("kuery", "lucene")

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        return self.may.union(self.needs)


_ASKED: Final = frozenset({"exclude", "query", "language", "case_insensitive", "filters", "saved_id"})
_EQL: Final = frozenset(
    {"event_category_override", "tiebreaker_field", "timestamp_field", "eql_engine", "exclude", "language", "filters"}
)
_THREAT: Final = frozenset(
    {
        *("threat_query", "threat_language", "threat_filters", "threat_indicator_path"),
        *("concurrent_searches", "items_per_search"),
    }
)
RULE_KINDS: Final[Mapping[str, RuleKind]] = {
    "query": RuleKind(("index", "match"), _ASKED),
    "saved_query": RuleKind(("index", "saved_id", "query"), _ASKED),
    "eql": RuleKind(("index", "query"), _EQL, ("eql",)),
    "threshold": RuleKind(("index", "match", "threshold"), _ASKED),
    "new_terms": RuleKind(("index", "match", "new_terms_fields", "history_window_start"), _ASKED),
    "threat_match": RuleKind(("index", "match", "threat_index", "threat_mapping"), _ASKED | _THREAT),
    "esql": RuleKind(("query",), frozenset({"index", "exclude", "language"}), ("esql",)),
    "machine_learning": RuleKind(("anomaly_threshold", "machine_learning_job_id"), frozenset({"index"}), ()),
}
TYPED_KEYS: Final = frozenset().union(*(kind.keys for kind in RULE_KINDS.values()))
"""The keys that not every type has."""
_QUERY_MISSING: Final = {
    "saved_query": Refusal(
        "key query is missing",
        'Add the text of the saved query, such as query: "process.name: regsvr32.exe".',
        consequence="a saved query is kept by Kibana and cannot be read from here",
    ),
    "eql": Refusal(
        "key query is missing",
        'Add it, such as query: process where process.name : "regsvr32.exe".',
        consequence="every event would become an alert",
    ),
    "esql": Refusal(
        "key query is missing",
        'Add it, such as query: FROM winlogbeat-* METADATA _id, _index | WHERE process.name == "regsvr32.exe".',
        consequence="there would be nothing to search",
    ),
}
TYPE_OF: Final = {"eql": "eql", "esql": "esql", "kuery": "query", "lucene": "query"}
"""Language -> the type to suggest for it."""


def kind_findings(written: Mapping[str, Any], model: type[BaseModel], spellings: Spellings) -> list[Finding]:
    """What of a rule does not fit its type; nothing where the type itself is not known.

    Args:
        written: the rule as it was written.
        model: the rule's model, for what its keys are when they are not given.
        spellings: every name of a key -> the key.
    """
    given = {spellings[name]: name for name in written if name in spellings}
    type_name = written.get("type", DEFAULT_TYPE)
    kind = RULE_KINDS.get(type_name) if isinstance(type_name, str) else None
    if kind is None:
        return []
    return [
        *_of_another_type(type_name, kind, given),
        *_not_given(type_name, kind, given, written, model),
        *_of_the_query(type_name, kind, given, written),
        *_of_suppression(type_name, given, written),
    ]


def with_kind_defaults(written: Mapping[str, Any]) -> dict[str, Any]:
    """The rule with what goes without saying in its type: the language of its query, the indices of anomalies."""
    type_name = written.get("type", DEFAULT_TYPE)
    kind = RULE_KINDS.get(type_name) if isinstance(type_name, str) else None
    filled = dict(written)
    if kind and kind.languages and "query" in written:
        filled.setdefault("language", kind.languages[0])
    if type_name == "machine_learning":
        filled.setdefault("index", ANOMALIES)
    return filled


def _of_another_type(type_name: str, kind: RuleKind, given: Spellings) -> Iterator[Finding]:
    for key, name in given.items():
        if key in TYPED_KEYS and key not in kind.keys:
            owners = " or ".join(owner for owner, other in RULE_KINDS.items() if key in other.keys)
            what = f"key {name} has no meaning with type {type_name}"
            refusal = Refusal(what, f"Remove it, or set type: {owners}.", consequence="it would be ignored")
            yield Finding((name, KEY), refusal)


def _not_given(
    type_name: str, kind: RuleKind, given: Spellings, written: Mapping[str, Any], model: type[BaseModel]
) -> Iterator[Finding]:
    for key in kind.needs:
        if key in given:
            if written[given[key]] is None and model.model_fields[key].default is None:
                yield Finding((given[key],), Refusal(NO_VALUE, "Write one."))
        elif key != "match" or "query" not in given:
            yield Finding((key,), _QUERY_MISSING[type_name] if key == "query" else None)


def _of_the_query(type_name: str, kind: RuleKind, given: Spellings, written: Mapping[str, Any]) -> Iterator[Finding]:
    if "query" in kind.may and {"match", "query"} <= given.keys():
        what = "match and query are both given, two ways to say the same"
        remedy = "Keep one of them; exclude may stand beside either."
        yield Finding((given["query"], KEY), Refusal(what, remedy, consequence="nobody could tell which was meant"))
    yield from _of_the_language(type_name, kind, given, written)
    if "case_insensitive" in given and "case_insensitive" in kind.keys:
        if "query" not in given:
            remedy = "Write it into the conditions: {any_of: [...], case_insensitive: true}."
            yield Finding((given["case_insensitive"], KEY), _without_query("case_insensitive", remedy))
        elif written.get("language", "kuery") == "lucene":
            what, remedy = "key case_insensitive has no meaning with language lucene", "Remove it, or write KQL."
            yield Finding((given["case_insensitive"], KEY), Refusal(what, remedy, consequence="it would be ignored"))


def _of_the_language(type_name: str, kind: RuleKind, given: Spellings, written: Mapping[str, Any]) -> Iterator[Finding]:
    language = written.get("language")
    if "language" not in given or "query" not in kind.keys:
        return
    if "query" not in given and "match" in given:
        yield Finding((given["language"], KEY), _without_query("language", "Remove it; conditions have no language."))
    elif isinstance(language, str) and language in get_args(Language) and language not in kind.languages:
        taken = " or ".join(kind.languages)
        what = f"a query of a rule of type {type_name} is not written in {language}"
        remedy = f"Set type: {TYPE_OF[language]}, or write the query in {taken}."
        yield Finding((given["language"],), Refusal(what, remedy))


def _without_query(key: str, remedy: str) -> Refusal:
    return Refusal(f"key {key} has no meaning without query", remedy, consequence="it would be ignored")


def _of_suppression(type_name: str, given: Spellings, written: Mapping[str, Any]) -> Iterator[Finding]:
    name = given.get("suppression")
    inner = written.get(name) if name else None
    if name is None or not isinstance(inner, Mapping | BaseModel):
        return
    keys = inner.model_fields_set if isinstance(inner, BaseModel) else inner.keys()
    if type_name != "threshold":
        if "group_by" not in keys:
            yield Finding((name, "group_by"), None)
        return
    for key in ("group_by", "missing_fields", "missing_fields_strategy"):
        if key in keys:
            refusal = Refusal(
                f"key {key} has no meaning with type threshold, whose fields name the group",
                "Remove it; only duration may be given.",
                consequence="it would be ignored",
            )
            yield Finding((name, key, KEY), refusal)


def kind_schemas(names_of: Mapping[str, tuple[str, ...]], nullable: frozenset[str]) -> list[dict[str, Any]]:
    """The table as JSON Schema: one condition for each type, and what goes together whatever the type is.

    Args:
        names_of: key -> all names of it.
        nullable: the keys that may be null where they are not needed.
    """
    return [*(_schema(name, kind, names_of, nullable) for name, kind in RULE_KINDS.items()), *_OF_THE_QUERY]


def _schema(
    type_name: str, kind: RuleKind, names_of: Mapping[str, tuple[str, ...]], nullable: frozenset[str]
) -> dict[str, Any]:
    condition: dict[str, Any] = {"properties": {"type": {"const": type_name}}}
    if type_name != DEFAULT_TYPE:
        condition["required"] = ["type"]
    foreign = sorted(name for key in TYPED_KEYS - kind.keys for name in names_of[key])
    properties: dict[str, Any] = dict.fromkeys(foreign, False)
    properties.update(
        {name: {"not": {"type": "null"}} for key in kind.needs if key in nullable for name in names_of[key]}
    )
    if kind.languages:
        properties["language"] = {"enum": list(kind.languages)}
    inner = dict.fromkeys(("group_by", "missing_fields", "missing_fields_strategy"), False)
    of_suppression = {"properties": inner} if type_name == "threshold" else {"required": ["group_by"]}
    if_mapping = {"if": {"type": "object"}, "then": of_suppression}
    properties.update(dict.fromkeys(names_of["suppression"], if_mapping))
    needed = [_one_of(("match", "query") if key == "match" else names_of[key]) for key in kind.needs]
    return {"if": condition, "then": {"properties": properties, "allOf": needed}}


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    return {"required": list(names)} if len(names) == 1 else {"anyOf": [{"required": [name]} for name in names]}


_OF_THE_QUERY: Final[tuple[dict[str, Any], ...]] = (
    {"not": {"required": ["match", "query"]}},
    {
        "if": {"required": ["case_insensitive"]},
        "then": {"required": ["query"], "properties": {"language": {"const": "kuery"}}},
    },
    {"if": {"required": ["language"]}, "then": {"required": ["query"]}},
)
