"""The command line in this process: exit codes, what is said where, and what is asked of a store."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from event_indices import index_events, iso, map_indices, stored
from fault_proxy import Fault, FaultProxy, Respond
from lolbin_rules import __version__
from lolbin_rules.alert.templates import templates
from lolbin_rules.cli import main
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.load import load
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.settings import ElasticsearchSettings, RunnerSettings
from lolbin_rules.shipped import shipped_rules
from worlds import KINDS, ON_A_NODE, World, open_world
from written_rules import rule_text, write_list, write_rule

pytestmark = pytest.mark.usefixtures("own_logs")

COMMANDS = ("check", "lookback", "setup", "once", "run", "coverage", "preview")
NOON = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
SPAN = ("--from", iso(NOON), "--to", iso(NOON + timedelta(hours=1)))
NOBODY = "http://127.0.0.1:1"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON, an object to a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ended]


@pytest.fixture
def command(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs the command line with these arguments and, of our variables, only these."""
    environment.setenv("LOLBIN_DATA_DIR", str(tmp_path / "data"))  # never that of the person who runs the tests

    def run(*arguments: object, **variables: object) -> Ended:
        for name, value in variables.items():
            environment.setenv(name, str(value))
        code = main([str(argument) for argument in arguments])
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with one good rule."""
    write_rule(tmp_path / "rules", "good")
    return tmp_path / "rules"


def test_check_finds_nothing_wrong_with_the_shipped_rules(command: Command) -> None:
    """Without a word of where they are."""
    ended = command("check")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "3 rules and 5 lists are well-formed.\n"


def test_check_names_every_fault_of_every_file_with_its_place(command: Command, rules: Path) -> None:
    """One line each as file:line:column; the good rule is still counted; exit code 2."""
    write_rule(rules, "hasty", risk_score=101, interval="5 minutes")
    (rules / "torn.yaml").write_text("id: [unclosed\n")
    ended = command("check", rules)
    assert ended.code == 2
    lines = ended.err.splitlines()
    text = rule_text("hasty", risk_score=101, interval="5 minutes").splitlines()
    for key in ("risk_score", "interval"):
        number = next(number for number, line in enumerate(text, 1) if line.startswith(key))
        assert any(
            re.match(rf'{re.escape(str(rules))}/hasty\.yml:{number}:\d+: rule "hasty": ', line) for line in lines
        ), key
    assert any(re.match(rf"{re.escape(str(rules))}/torn\.yaml:\d+:\d+: ", line) for line in lines)
    assert re.fullmatch(r"1 rule and 0 lists are well-formed; \d faults in 2 files\.\n", ended.out)


@pytest.mark.parametrize("arguments", [["check"], ["once", "--store", "embedded", "--rules"]])
def test_a_fault_within_a_query_is_shown_with_a_caret_below_it(
    command: Command, rules: Path, arguments: list[str]
) -> None:
    """The line of the query as it was written, below the line that names the place."""
    write_rule(rules, "torn", match=None, language="kuery", query='process.name: "a" and\n  user.name: b )c')
    ended = command(*arguments, rules)
    assert ended.code == 2
    assert f"{rules}/torn.yml:" in ended.err
    assert "\n    user.name: b )c\n                 ^\n" in ended.err


def test_check_as_json_says_the_same_for_programs(command: Command, rules: Path) -> None:
    """One object with rules, lists, faults and warnings; each fault with its parts by name."""
    write_rule(rules, "hasty", risk_score=101)
    write_rule(rules, "odd", risk_score=99)
    write_list(rules, "words", "a", "b")
    ended = command("check", rules, "--json")
    assert ended.code == 2
    (said,) = ended.lines
    assert said.keys() == {"rules", "lists", "exceptions", "faults", "warnings"}
    assert (said["rules"], said["lists"]) == (["good", "odd"], ["words"])
    (fault,), (warning,) = said["faults"], said["warnings"]
    assert fault.keys() == warning.keys()
    assert fault.keys() == {"path", "line", "column", "subject", "what", "consequence", "remedy", "shown"}
    assert (fault["path"], fault["subject"]) == (str(rules / "hasty.yml"), 'rule "hasty"')
    assert "99" in warning["what"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yml"])
def test_check_of_a_path_that_is_not_there_is_a_fault(command: Command, tmp_path: Path, name: str) -> None:
    """A misspelled path must not pass for a folder without faults."""
    ended = command("check", tmp_path / name)
    assert ended.code == 2
    assert f"{tmp_path / name}: there is no such file or folder" in ended.err


def test_check_tells_of_a_template_that_cannot_be_filled(command: Command, rules: Path) -> None:
    """It is well-formed and yet could never be searched; the line names the rule's place."""
    write_rule(rules, "hopeful", match={"process.name": "{{ vars.program }}"})
    ended = command("check", rules)
    assert ended.code == 2
    assert f'{rules}/hopeful.yml:1: rule "hopeful": ' in ended.err
    assert "'program'" in ended.err


def test_check_of_one_file_finds_the_lists_beside_it(command: Command, rules: Path) -> None:
    """Or one level up, as the shipped rules have them."""
    write_list(rules, "words", "regsvr32.exe")
    file = write_rule(rules / "tactic", "listed", match={"process.name": {"list": "words"}})
    assert command("check", file).code == 0


def test_the_rules_are_those_of_the_option_else_of_the_variable(command: Command, tmp_path: Path) -> None:
    """Several paths either way; the option goes before."""
    for name in ("a", "b", "c"):
        write_rule(tmp_path / name, name)
    variable = {"LOLBIN_RULES": f"{tmp_path / 'a'}:{tmp_path / 'b'}"}
    assert command("check", "--json", **variable).lines[0]["rules"] == ["a", "b"]
    assert command("preview", "b", "--query", **variable).code == 0
    given = ("--rules", tmp_path / "c", "--rules", tmp_path / "b")
    assert command("preview", "c", "--query", *given, **variable).code == 0
    assert command("preview", "a", "--query", *given, **variable).code == 2


def test_preview_shows_the_query_without_a_cluster(command: Command) -> None:
    """Query DSL that can be pasted into a search, for fields typed as ECS has them; the doubt is said apart from it."""
    ended = command("preview", "network-connection-via-regsvr32", "--query")
    shipped = load(shipped_rules())
    rule = shipped.rules["network-connection-via-regsvr32"]
    assert ended.code == 0
    assert json.loads(ended.out) == RULE_TYPES[rule.type].compile(rule, Given(shipped.lists, (), NO_TYPES, NOON)).query
    assert "typed as ECS has them" in ended.err


def test_preview_without_a_cluster_knows_the_types_of_ecs(command: Command, rules: Path) -> None:
    """A name is compared exactly, an address as one, a message by its words."""
    query = "process.name: a.exe and destination.ip: 10.0.0.0/8 and message: hello and own.field: 1"
    file = write_rule(rules, "kql", match=None, query=query)
    ended = command("preview", file, "--query")
    assert json.loads(ended.out)["bool"]["filter"] == [
        {"term": {"process.name": {"value": "a.exe"}}},
        {"match": {"destination.ip": "10.0.0.0/8"}},
        {"match": {"message": "hello"}},
        {"match": {"own.field": "1"}},
    ]


EXPLAINED = """\
FAILED all of
met      event.category is "network" - the event has "network"
FAILED   process.name is "regsvr32.exe" - the event has "cmd.exe"
"""


def test_preview_explains_what_a_rule_makes_of_an_event(command: Command, rules: Path, tmp_path: Path) -> None:
    """From a file, as the event or as a hit that Elasticsearch prints; whatever else is named is refused."""
    source = {"@timestamp": iso(NOON), "event": {"category": "network"}, "process.name": "cmd.exe"}
    for written in (source, {"_index": "winlogbeat-8", "_id": "1", "_source": source}):
        (tmp_path / "event.json").write_text(json.dumps(written))
        ended = command("preview", rules / "good.yml", "--explain", tmp_path / "event.json")
        assert (ended.code, ended.out) == (0, EXPLAINED)
    for text, reason in (("[1]", "no JSON object"), ("{", "cannot be read"), ('{"process": 5}', "no index would")):
        (tmp_path / "event.json").write_text(text)
        ended = command("preview", rules / "good.yml", "--explain", tmp_path / "event.json")
        assert ended.code == 2
        assert reason in ended.err
    assert command("preview", rules / "good.yml", "--explain", tmp_path / "none.json").code == 2


def test_preview_explains_what_query_dsl_cannot_say(command: Command, rules: Path, tmp_path: Path) -> None:
    """Items of a sequence one by one, and what is decided on the event itself."""
    (tmp_path / "event.json").write_text(json.dumps({"event.category": "process", "process.name": "cmd.exe"}))
    query = "sequence by host.id with maxspan=1m [process where length(process.name) > 9] [network where true]"
    file = write_rule(rules, "seq", match=None, type="eql", query=query)
    lines = command("preview", file, "--explain", tmp_path / "event.json").out.splitlines()
    assert [line for line in lines if line.startswith("Item")] == [
        "Item 1 of the sequence:",
        "Item 2 of the sequence:",
    ]
    assert any(line.startswith("FAILED what Query DSL cannot say: ") and "length" in line for line in lines)


def test_preview_takes_a_file_with_one_rule(command: Command, rules: Path) -> None:
    """What an author has just written need not be deployed first; two rules in it are one too many."""
    assert command("preview", rules / "good.yml", "--query").code == 0
    (rules / "two.yml").write_text(rule_text("first") + "---\n" + rule_text("second"))
    ended = command("preview", rules / "two.yml", "--query")
    assert ended.code == 2
    assert "holds 2 rules; one is previewed at a time" in ended.err


@pytest.mark.parametrize("arguments", [("once",), ("setup",), ("preview", "network-connection-via-regsvr32")])
def test_without_a_cluster_the_embedded_store_is_worked_on(
    command: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """In the folder that LOLBIN_DATA_DIR names, made where it is missing; there is no event in it to search yet."""
    ended = command(*arguments, LOLBIN_DATA_DIR=tmp_path / "new" / "data")
    assert ended.code == (0 if arguments == ("setup",) else 1)
    assert ended.err.count("No index matches") == 3 * ("once" in arguments) + ("preview" in arguments)
    assert (tmp_path / "new" / "data" / "store.sqlite").is_file()


@pytest.mark.parametrize("name", COMMANDS[:-1])
def test_a_faulty_variable_ends_every_command_before_it_begins(command: Command, name: str) -> None:
    """Exit code 2, and the variable is named."""
    ended = command(name, LOLBIN_PREFIX="Upper Case", ELASTICSEARCH_URL=NOBODY)
    assert (ended.code, ended.out) == (2, "")
    assert "\nLOLBIN_PREFIX: " in ended.err


@pytest.mark.parametrize("url", ["localhost", "http://:9200", "ftp://localhost", "http://user@localhost:9200"])
def test_a_url_that_cannot_be_meant_is_refused_at_once(command: Command, url: str) -> None:
    """Exit code 2 without an attempt to reach anything."""
    ended = command("setup", "--store", url)
    assert ended.code == 2
    assert ended.err.count("\n") == 1


def test_a_cluster_that_cannot_be_reached_is_told_of_within_seconds(command: Command) -> None:
    """Exit code 1: another time it may be there. The last line names the address and what to check."""
    began = time.monotonic()
    ended = command("once", "--json", "--store", NOBODY)
    assert time.monotonic() - began < 15
    assert (ended.code, ended.out) == (1, "")
    assert re.fullmatch(
        r"GET /_index_template/lolbin-alerts failed \(5 attempts\): .*port=1.* its URL is right\.\n", ended.err
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--now", "2999-01-01"), "--now '2999-01-01' lies ahead"),
        (("--from", "2999-01-01"), "--from '2999-01-01' lies ahead"),
        (("--from", "2024-01-01", "--to", "2999-01-01"), "--to '2999-01-01' lies ahead"),
        (("--from", "2024-01-02", "--to", "2024-01-01"), "--from 2024-01-02 is not before --to 2024-01-01"),
        (("--from", "2024-01-01", "--to", "2024-01-01"), "is not before"),
        (("--from", "garbage"), "--from 'garbage' is no time. Write ISO 8601"),
        (("--from", "now-1h"), "--from 'now-1h' is no time"),
        (("--to", "2024-01-01"), "--to without --from"),
        (("--now", "2024-01-01", "--from", "2024-01-01"), "two ways to say when"),
        (("--rule", "network-connection-via-regsvr"), "Did you mean network-connection-via-regsvr32?"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused_before_the_cluster_is_asked(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, at once, in one sentence."""
    ended = command("once", *arguments, "--store", NOBODY)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert "attempts" not in ended.err


def test_an_unknown_rule_cannot_be_previewed(command: Command) -> None:
    """Neither by an id nor by a file; what is close is offered."""
    ended = command("preview", "network-connection-by-regsvcs", "--query")
    assert (ended.code, ended.out) == (2, "")
    assert "Did you mean network-connection-via-regsvcs?" in ended.err


@pytest.mark.parametrize("arguments", [("once",), ("run",)])
def test_faulty_rules_are_not_executed(command: Command, rules: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 2 and every fault, as `check` says it; the cluster is not asked."""
    write_rule(rules, "hasty", risk_score=101)
    ended = command(*arguments, "--rules", rules, "--store", NOBODY)
    assert (ended.code, ended.out) == (2, "")
    assert re.match(rf'{re.escape(str(rules))}/hasty\.yml:\d+:\d+: rule "hasty": .*\n\Z', ended.err)


def test_the_version_and_every_command_are_told(command: Command) -> None:
    """`--version`, `--help` and no argument at all."""
    assert command("--version").out == f"lolbin-rules {__version__}\n"
    for arguments in (("--help",), ()):
        ended = command(*arguments)
        said = re.sub(r"\x1b\[[0-9;]*m", "", ended.out + ended.err)  # some terminals are sent colours
        assert all(re.search(rf"^\W*{name}\b", said, re.MULTILINE) for name in COMMANDS)
        assert "Exit codes" in said
    assert command("detect").code == 2


def test_the_readme_has_every_command(pytestconfig: pytest.Config) -> None:
    """As one would type it."""
    readme = (pytestconfig.rootpath / "README.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"lolbin-rules {name}" not in readme]


def test_the_readme_has_every_variable(pytestconfig: pytest.Config) -> None:
    """A setting that is not documented is not there."""
    readme = (pytestconfig.rootpath / "README.md").read_text(encoding="utf-8")
    variables = [f"ELASTICSEARCH_{name.upper()}" for name in ElasticsearchSettings.model_fields]
    variables += [f"LOLBIN_{name.upper()}" for name in RunnerSettings.model_fields]
    assert not [name for name in variables if not re.search(rf"\b{name}\b", readme)]


class Site(NamedTuple):
    """A store with events, a folder of rules for them, and the command line set up for both."""

    command: Command
    world: World
    rules: Path

    @property
    def events(self) -> str:
        """The pattern of the index with the events."""
        return f"{self.world.prefix}events-*"

    @property
    def indices(self) -> set[str]:
        """The names of all indices of this test."""
        found = self.world.store.field_types([f"{self.world.prefix}*"], []).indices
        return set().union(*found.values())

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that were written."""
        return stored(self.world.store, f"{self.world.written}-alerts")

    @property
    def alerted(self) -> list[str]:
        """The ids of the events that have an alert."""
        return sorted(alert["kibana.alert.ancestors"][-1]["id"] for alert in self.alerts)


world = pytest.fixture(params=KINDS)(open_world)


@pytest.fixture
def site(command: Command, environment: pytest.MonkeyPatch, world: World, tmp_path: Path) -> Site:
    """Three hits and two other events within an hour, and one rule with an index of its own."""
    for name, value in {**world.variables, "LOLBIN_RULES": str(tmp_path / "rules")}.items():
        environment.setenv(name, value)
    site = Site(command, world, tmp_path / "rules")
    write_rule(site.rules, "good", index=[site.events])
    names = ["regsvr32.exe", "svchost.exe", "regsvr32.exe", "regsvr32.exe", "svchost.exe"]
    map_indices(world.store, site.events)
    index = f"{world.prefix}events-1"
    index_events(world.store, [(index, f"e{n}", event(name, n)) for n, name in enumerate(names)])
    return site


def event(program: str, minute: int) -> dict[str, Any]:
    """A connection of a program."""
    return {
        "@timestamp": iso(NOON + timedelta(minutes=minute)),
        "event": {"category": ["network"], "type": ["start"]},
        "process": {"name": program, "pid": 7},
        "destination": {"ip": "8.8.8.8", "port": 443},
    }


HITS = ["e0", "e2", "e3"]


def test_setup_puts_the_templates_in_place_once(site: Site) -> None:
    """The second time there is nothing to do, and it says so."""
    first, second = site.command("setup"), site.command("setup")
    names = [template.name for template in templates(site.world.written)]
    assert (first.code, second.code) == (0, 0)
    assert first.out == f"Index templates written: {', '.join(names)}.\n"
    assert second.out == "All index templates are in place.\n"
    assert site.indices == {f"{site.world.prefix}events-1"}


def test_once_over_a_span_alerts_on_every_hit_and_a_second_time_on_none(site: Site) -> None:
    """What was alerted before is counted as duplicates; one JSON object for each execution."""
    (first,), (second,) = site.command("once", *SPAN, "--json").lines, site.command("once", *SPAN, "--json").lines
    assert first["execution"]["status"] == second["execution"]["status"] == "succeeded"
    assert (first["hits"], first["alerts"], first["duplicates"]) == (3, 3, 0)
    assert (second["hits"], second["alerts"], second["duplicates"]) == (3, 0, 3)
    assert first["searched"] == [{"start": iso(NOON), "end": iso(NOON + timedelta(hours=1))}]
    assert site.alerted == HITS


def test_once_for_people_tells_each_alert_and_a_line_of_figures(site: Site) -> None:
    """On standard error, as a log; exit code 0."""
    ended = site.command("once", *SPAN)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.count(" WARNING ALERT regsvr32.exe (pid 7) connected to 8.8.8.8:443") == 3
    assert " INFO    good: succeeded; 3 hits, 3 alerts, 0 duplicates.\n" in ended.err
    assert site.alerted == HITS


def test_once_as_of_a_past_time_searches_the_window_of_that_time(site: Site) -> None:
    """The lookback before `--now`, end excluded: the hit at that very moment is not in it."""
    ended = site.command("once", "--now", iso(NOON + timedelta(minutes=3)), "--json")
    assert ended.code == 0
    assert (ended.lines[0]["hits"], site.alerted) == (2, ["e0", "e2"])


def test_once_leaves_disabled_and_unnamed_rules_alone(site: Site) -> None:
    """One line for each rule that was executed."""
    index = [site.events]
    write_rule(site.rules, "resting", index=index, enabled=False)
    write_rule(site.rules, "other", index=index)
    executed = [line["rule"]["id"] for line in site.command("once", *SPAN, "--json").lines]
    assert sorted(executed) == ["good", "other"]
    assert [line["rule"]["id"] for line in site.command("once", "--rule", "other", *SPAN, "--json").lines] == ["other"]


def test_once_with_a_faulty_rule_writes_nothing(site: Site) -> None:
    """Exit code 2: no alert, no coverage, not even of the good rule."""
    write_rule(site.rules, "hasty", risk_score=101)
    ended = site.command("once", *SPAN)
    assert ended.code == 2
    assert "hasty.yml" in ended.err
    assert site.indices == {f"{site.world.prefix}events-1"}


def test_once_without_an_index_to_search_says_so(site: Site) -> None:
    """Exit code 1, for nothing was searched; the sentence names the pattern. The other rule is executed."""
    write_rule(site.rules, "astray", index=[f"{site.world.prefix}misspelled-*"])
    ended = site.command("once", *SPAN)
    assert ended.code == 1
    assert (
        f"astray: partial failure; 0 hits, 0 alerts, 0 duplicates. No index matches {site.world.prefix}misspelled-*"
        in ended.err
    )
    assert site.alerted == HITS


@ON_A_NODE
def test_once_goes_on_where_templates_may_not_be_looked_at(site: Site, elasticsearch_url: str) -> None:
    """Credentials that only read events and write alerts are enough once an administrator ran `setup`."""
    assert site.command("setup").code == 0
    refusal = {"error": {"type": "security_exception", "reason": "action is unauthorized"}, "status": 403}
    with FaultProxy(elasticsearch_url) as proxy:
        proxy.faults = [Fault("/_index_template/", Respond(403, refusal))]
        ended = site.command("once", *SPAN, "--store", proxy.url)
    assert ended.code == 0
    assert "Grant the cluster privilege `manage_index_templates`. Index templates are taken to be in place" in ended.err
    assert site.alerted == HITS


def test_preview_tells_what_would_be_alerted_and_writes_nothing(site: Site) -> None:
    """No index, no template; the same alerts that `once` then writes, under the same ids."""
    told = site.command("preview", "good", *SPAN)
    shown = site.command("preview", "good", *SPAN, "--json")
    assert (told.code, shown.code) == (0, 0)
    assert told.out.endswith("3 hits would raise 3 alerts; nothing was written.\n")
    assert told.out.startswith(f"{iso(NOON)}  regsvr32.exe (pid 7) connected to 8.8.8.8:443")
    assert site.indices == {f"{site.world.prefix}events-1"}
    assert "Index templates written: " in site.command("setup").out
    assert site.command("once", *SPAN).code == 0
    assert {line["_id"] for line in shown.lines} == {alert["_id"] for alert in site.alerts}


def test_preview_shows_at_most_what_one_execution_would_write(site: Site) -> None:
    """And how many there are in all."""
    write_rule(site.rules, "good", index=[site.events], max_alerts=1)
    ended = site.command("preview", "good", *SPAN)
    assert ended.out.count("\n") == 2
    assert ended.out.endswith("3 hits would raise 3 alerts, the first 1 shown; nothing was written.\n")


def test_preview_fits_the_query_to_the_indices(site: Site) -> None:
    """A field that no index has is named, with what comes of it."""
    write_rule(site.rules, "good", index=[site.events], match={"process.nmae": "regsvr32.exe"})
    ended = site.command("preview", "good", "--query", "--store", site.world.name)
    assert ended.code == 0
    assert "No index has the field process.nmae: the rule's condition on it matches nothing." in ended.err
    assert json.loads(ended.out)


def test_preview_explains_an_event_of_the_store(site: Site) -> None:
    """By its index and id; one that is not there is told of."""
    where = ("--store", site.world.name)
    index = f"{site.world.prefix}events-1"
    told = site.command("preview", "good", "--explain", f"{index}/e0", *where)
    assert told.code == 0
    assert told.out.startswith("met")
    assert site.command("preview", "good", "--explain", f"{index}/e1", *where).out.startswith("FAILED")
    missing = site.command("preview", "good", "--explain", f"{index}/none", *where)
    assert (missing.code, "no event none" in missing.err) == (2, True)


def test_check_warns_of_what_no_index_of_a_store_has(site: Site) -> None:
    """A field that nobody maps, and an index that is not there; both may come to be, so neither is a fault."""
    write_rule(site.rules, "odd", index=[site.events], match=None, query="no.such.field: 1")
    write_rule(site.rules, "nowhere")
    told = site.command("check", "--store", site.world.name)
    assert told.code == 0
    warned = told.err.splitlines()
    assert any('rule "odd"' in line and "no.such.field" in line for line in warned)
    assert any('rule "nowhere"' in line and "nothing-*" in line for line in warned)
    assert not any('rule "good"' in line for line in warned)


def test_exceptions_beside_the_rules_hold_events_back(site: Site) -> None:
    """A list in the folder of exceptions applies to the rules that it names; the record says how many it held back."""
    folder = site.rules / "exceptions"
    folder.mkdir()
    entry = {"field": "process.name", "type": "match", "value": "regsvr32.exe"}
    late = {"field": "@timestamp", "type": "match", "value": iso(NOON + timedelta(minutes=2))}
    known = {
        "id": "known",
        "name": "Known",
        "owner": "soc",
        "rules": ["good"],
        "items": [{"name": "the third", "reason": "a drill", "entries": [entry, late]}],
    }
    (folder / "known.yml").write_text(yaml.safe_dump(known))
    ended = site.command("once", *SPAN, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["held_back"] == [{"exception": "known: the third", "events": 1}]
    assert site.alerted == ["e0", "e3"]
