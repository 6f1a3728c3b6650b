"""The command line: `lolbin-rules check | coverage | hunt | lookback | preview | once | run | setup`.

Exit codes: 0 all is well; 1 an execution failed or left something undone; 2 the rules, the settings or the arguments
are faulty and nothing was done.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import orjson
import typer

from lolbin_rules import __version__
from lolbin_rules.alert.templates import templates
from lolbin_rules.asked_time import asked_span, asked_time
from lolbin_rules.check_report import elsewise_read, report, uncompilable, unfitting
from lolbin_rules.errors import LolbinRulesError, RuleSetError, SettingsError, StoreForbidden
from lolbin_rules.execution.batch import batches
from lolbin_rules.execution.preview import Preview
from lolbin_rules.execution.preview import preview as find_alerts
from lolbin_rules.execution.progress import Course
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.execution.replay import replay
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.execution.sweep import sweeping
from lolbin_rules.logs import set_up_logs
from lolbin_rules.opening import open_embedded, open_store
from lolbin_rules.options import AsJson, Begin, End, RuleIds, Rules, StoreName
from lolbin_rules.plan.window import Window, floor
from lolbin_rules.preview_report import event_of, explanation, query_of, show
from lolbin_rules.rule.coverage_mode import in_mode
from lolbin_rules.rule.load import read
from lolbin_rules.rule_paths import one_rule, read_rules, rule_paths
from lolbin_rules.schedule import TEMPLATES_FORBIDDEN, Runner, log_execution
from lolbin_rules.settings import ElasticsearchSettings, RunnerSettings, read_settings
from lolbin_rules.store.port import Store

__all__ = ["main"]

LOG = logging.getLogger(__name__)
FAILED = 1
FAULTY = 2

app = typer.Typer(
    name="lolbin-rules",
    help="Elastic SIEM style detection rules without Kibana: every matching event gets exactly one alert.",
    epilog="Exit codes: 0 all is well; 1 an execution failed or left something undone; 2 bad rules or settings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer its exit code."""
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except (RuleSetError, SettingsError) as error:
        _complain(error)
        return FAULTY
    except LolbinRulesError as error:
        _complain(error)
        return FAILED
    return 0


def _complain(error: object) -> None:
    print(error, file=sys.stderr)  # noqa: T201 - this is the command line


def _say(text: str) -> None:
    print(text)  # noqa: T201 - as above


def _json(value: Any) -> None:
    _say(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode())


def _now() -> datetime:
    return datetime.now(UTC)


def _store(
    named: str | None, cluster: ElasticsearchSettings, settings: RunnerSettings
) -> AbstractContextManager[Store]:
    return open_store(named, cluster, settings, _now)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:  # noqa: FBT002
    if version:
        _say(f"lolbin-rules {__version__}")
        raise typer.Exit


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders; else as for --rules.")] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="embedded|URL", help="Warn of fields that this store's indices lack."),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Say everything that is wrong with rule, list and exception files; exit 0 if nothing is, else 2."""
    cluster, settings = read_settings()
    now = floor(_now())
    found = in_mode(read(rule_paths(paths, settings), now=now), settings.coverage)
    faults, warnings = [*found.faults, *uncompilable(found, now)], [*found.warnings]
    if store is None:
        warnings += elsewise_read(found, now)
    else:
        with _store(store, cluster, settings) as opened:
            warnings += unfitting(found, opened, now)
    report(found, faults, warnings, as_json=as_json)
    if faults:
        raise typer.Exit(FAULTY)


@app.command()
def setup(store: StoreName = None) -> None:
    """Put the index templates in place; doing it again changes nothing."""
    cluster, settings = read_settings()
    set_up_logs(settings.log_format, settings.log_level)
    with _store(store, cluster, settings) as opened:
        written = opened.prepare(templates(settings.prefix))
    _say(f"Index templates written: {', '.join(written)}." if written else "All index templates are in place.")


@app.command()
def once(
    rules: Rules = None,
    only: RuleIds = None,
    store: StoreName = None,
    now: Annotated[
        str | None, typer.Option("--now", metavar="TIME", help="Search each rule's window as of this past time.")
    ] = None,
    begin: Begin = None,
    end: End = None,
    is_sweep: Annotated[  # noqa: FBT002
        bool, typer.Option("--sweep", help="Search again what was searched in LOLBIN_SWEEP_REACH, for late arrivals.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Execute every enabled rule once and write its alerts: now, as of a past time, over a past span, or a sweep."""
    cluster, settings = read_settings()
    set_up_logs(settings.log_format, "WARNING" if as_json else settings.log_level)
    when = asked_time(_now(), now, begin, end)
    if is_sweep and when is not None:
        raise SettingsError("--sweep is about the present; it goes with neither --now nor --from and --to.")
    ruleset = read_rules(rules, settings, only)
    orders = Orders(
        [],
        ruleset.lists,
        floor(_now()),
        prefix=settings.prefix,
        gap_horizon=settings.gap_horizon,
        exceptions=ruleset.exceptions_by_rule,
    )
    if not any(rule.enabled for rule in ruleset.rules.values()):
        _complain("No rule is enabled, so nothing was done. Set `enabled: true` in a rule, or name other rules.")
        return
    is_done = True
    with _store(store, cluster, settings) as opened:
        _prepare(opened, settings)
        for batch, together in batches(ruleset.rules).items():
            past = Window(when - batch.lookback, when) if isinstance(when, datetime) else when
            ordered = replace(orders, rules=together)
            if is_sweep:
                ordered = sweeping(replace(ordered, now=floor(opened.clock())), settings.sweep_reach)
            for execution in _executions(ordered, opened, past):
                is_done &= execution.status is Status.SUCCEEDED
                _json(execution.to_json()) if as_json else log_execution(execution)
    if not is_done:
        raise typer.Exit(FAILED)


@app.command()
def coverage(
    rule: Annotated[str | None, typer.Argument(help="A rule's id; else every rule.")] = None,
    rules: Rules = None,
    store: StoreName = None,
    begin: Begin = None,
    end: End = None,
    is_filling: Annotated[bool, typer.Option("--fill", help="First search what of the period is not settled.")] = False,  # noqa: FBT002
    is_certifying: Annotated[  # noqa: FBT002
        bool, typer.Option("--certify", help="Recount the source: has every hit its alert?")
    ] = False,
    is_written: Annotated[bool, typer.Option("--write", help="Store what --certify says as a document.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Say which time of each rule was searched, and why not where it was not; exit 1 if time or an alert is lacking."""
    from lolbin_rules.coverage_report import DEFAULT_PERIOD, CoverageReport  # noqa: PLC0415 - as for `hunt`

    cluster, settings = read_settings()
    set_up_logs(settings.log_format, "WARNING")
    if is_written and not is_certifying:
        raise SettingsError("--write stores a certificate, and --certify makes one. Give both.")
    now = floor(_now())
    period = asked_span(now, begin, end) if begin is not None or end is not None else Window(now - DEFAULT_PERIOD, now)
    ruleset = read_rules(rules, settings, [rule] if rule else None)
    with _store(store, cluster, settings) as opened:
        report_on = CoverageReport(ruleset, settings, opened, as_json=as_json)
        if is_filling or is_written:
            _prepare(opened, settings)
        if is_filling:
            report_on.fill(period)
        is_whole = report_on.certify(period, is_written=is_written) if is_certifying else report_on.show(period)
    if not is_whole:
        raise typer.Exit(FAILED)


@app.command()
def hunt(
    events: Annotated[
        list[Path], typer.Argument(metavar="EVENTS...", help="NDJSON (plain, .gz, .zst) or EVTX files, folders, or -.")
    ],
    rules: Rules = None,
    only: RuleIds = None,
    index: Annotated[
        str | None, typer.Option("--index", help="The index that the events are taken to be in; else by their content.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Search files of events with every enabled rule, over all time; nothing is written."""
    from lolbin_rules.hunt import hunt as find_in_all_time  # noqa: PLC0415 - `check` must be quick and needs none of it
    from lolbin_rules.hunt import undated  # noqa: PLC0415 - as above
    from lolbin_rules.hunt_report import HuntReport  # noqa: PLC0415 - as above
    from lolbin_rules.intake import take_in  # noqa: PLC0415 - as above

    _, settings = read_settings()
    set_up_logs(settings.log_format, "WARNING")
    ruleset = read_rules(rules, settings, only)
    if not any(rule.enabled for rule in ruleset.rules.values()):
        raise SettingsError(
            "No rule is enabled, so nothing was done. Set `enabled: true` in a rule, or name other rules."
        )
    hunting = HuntReport(as_json=as_json)
    with (
        TemporaryDirectory(prefix="lolbin-rules-") as folder,
        open_embedded(Path(folder), _now, is_durable=False, indices=[index] if index else []) as opened,
    ):
        intake = take_in(hunting.reading(events, index), opened)
        hunting.took_in(intake, undated(intake.indices, opened))
        hunted = find_in_all_time(ruleset, opened, floor(_now()), hunting.tell)
    if not hunting.ended(intake, hunted):
        raise typer.Exit(FAILED)


def _prepare(store: Store, settings: RunnerSettings) -> None:
    try:
        store.prepare(templates(settings.prefix))
    except StoreForbidden as error:
        LOG.warning("%s %s", error, TEMPLATES_FORBIDDEN)


def _executions(orders: Orders, store: Store, past: Window | None) -> Iterator[Execution]:
    return replay(orders, past, store) if past else iter(execute(orders, store))


@app.command()
def run(
    rules: Rules = None,
    store: StoreName = None,
    events: Annotated[
        list[Path] | None,
        typer.Option("--events", help="Feed the embedded store from this file or folder; repeatable."),
    ] = None,
    is_simulated: Annotated[  # noqa: FBT002
        bool, typer.Option("--simulate", help="Feed the embedded store from a simulated Windows fleet.")
    ] = False,
) -> None:
    """Execute the rules by their intervals until stopped (Ctrl-C or SIGTERM; a second time stops at once)."""
    from lolbin_rules.feed import Feeding, start_feeding  # noqa: PLC0415 - `check` must be quick and needs none of it

    cluster, settings = read_settings()
    set_up_logs(settings.log_format, settings.log_level)
    paths = rule_paths(rules, settings)
    read(paths).raise_if_faulty()
    with _store(store, cluster, settings) as opened:
        runner = Runner(opened, settings, paths, _now, log_execution)
        _stop_on_signals(runner)
        start_feeding(runner, Feeding(events or (), is_simulated))
        if not runner.run():
            LOG.warning("An execution was abandoned after LOLBIN_STOP_GRACE; its time is searched at the next start.")
            os._exit(FAILED)  # anything milder would wait for the request that is under way


def _stop_on_signals(runner: Runner) -> None:
    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once, which costs nothing but time
        # In a thread, because this one may hold the very locks that stopping takes.
        threading.Thread(target=runner.stop).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


@app.command()
def preview(
    rule: Annotated[str, typer.Argument(help="A rule's id, or a file with one rule.")],
    rules: Rules = None,
    store: StoreName = None,
    as_query: Annotated[bool, typer.Option("--query", help="Print the rule's Query DSL and search nothing.")] = False,  # noqa: FBT002
    event: Annotated[
        str | None,
        typer.Option("--explain", metavar="EVENT", help="Say which clauses an event meets: a JSON file, or INDEX/ID."),
    ] = None,
    begin: Begin = None,
    end: End = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show the alerts a rule would raise, its query, or what it makes of an event; nothing is written."""
    cluster, settings = read_settings()
    set_up_logs(settings.log_format, "WARNING")
    span = asked_span(_now(), begin, end) if begin is not None or end is not None else None
    chosen, ruleset = one_rule(rule, rules, settings)
    now = floor(_now())
    if as_query or event is not None:
        with _anywhere(store, cluster, settings) as opened:
            lines = explanation(chosen, ruleset, event_of(event, opened), now) if event is not None else None
            query = query_of(chosen, ruleset, opened, now) if lines is None else None
        for line in lines or ():
            _say(line)
        if lines is None and query is None:
            raise typer.Exit(FAILED)
        if query is not None:
            _say(orjson.dumps(query, option=orjson.OPT_INDENT_2).decode())
        return
    window = span or Window(now - chosen.lookback, now)
    found = Preview(Course(Execution(chosen, "manual", started_at=now, now=window.end)), chosen.max_alerts)
    with _store(store, cluster, settings) as opened:
        find_alerts([found], window, ruleset.lists, ruleset.exceptions_by_rule, opened)
    if not show(found, as_json=as_json):
        raise typer.Exit(FAILED)


@app.command()
def lookback(
    rules: Rules = None,
    only: RuleIds = None,
    store: StoreName = None,
    index: Annotated[
        list[str] | None, typer.Option("--index", help="Measure these indices, not those of the rules; repeatable.")
    ] = None,
    begin: Begin = None,
    end: End = None,
    loss: Annotated[float, typer.Option("--loss", min=0, max=1, help="The share of events that may be missed.")] = 1e-4,
    what_if: Annotated[
        list[str] | None,
        typer.Option("--what-if", metavar="interval=5m,lookback=now-9m", help="Replay what arrived so; repeatable."),
    ] = None,
    outage: Annotated[
        list[str] | None, typer.Option("--outage", metavar="TIME/2h", help="... with no executions then; repeatable.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Measure how late events arrive, what each rule misses of them, and which lookback would do."""
    from lolbin_rules.lookback_report import Asked, tell  # noqa: PLC0415 - `check` must be quick and needs none of it
    from lolbin_rules.what_if_report import Replays, outages, tell_replays  # noqa: PLC0415 - as above

    cluster, settings = read_settings()
    set_up_logs(settings.log_format, "WARNING")
    now = floor(_now())
    window = asked_span(now, begin, end) if begin or end else Window(now - timedelta(days=7), now)
    ruleset, spans = read_rules(rules, settings, only), outages(outage or ())
    with _store(store, cluster, settings) as opened:
        if what_if or spans:
            asked = Replays(ruleset, window, tuple(what_if or ()), spans, settings.gap_horizon, now)
            is_whole = tell_replays(asked, opened, as_json=as_json)
        else:
            asking = Asked(ruleset, tuple(index or ()), window, loss, now, settings.prefix)
            is_whole = tell(asking, opened, as_json=as_json)
    if not is_whole:
        raise typer.Exit(FAILED)


def _anywhere(
    named: str | None, cluster: ElasticsearchSettings, settings: RunnerSettings
) -> AbstractContextManager[Store | None]:
    """The store that is named, if any is: what a query looks like can be told without one."""
    return _store(named, cluster, settings) if named or cluster.url else nullcontext()
