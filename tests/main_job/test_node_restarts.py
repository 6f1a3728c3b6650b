"""A node that goes away in the midst of an execution and comes back: nothing is lost and nothing is alerted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from elasticsearch_node.node import ElasticsearchNode
from fault_proxy import Fault, FaultProxy, Rewrite
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Status
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore, Retries
from ticks import AFTERWARDS, BASE, Runner, assert_complete, load_two_sets
from worlds import World, now, on_node

PREFIX = "restarts-"
BRIEF = Retries(attempts=2, first_wait=timedelta(milliseconds=10))


@pytest.fixture
def own_world(private_node: ElasticsearchNode) -> Iterator[World]:
    """A node of the test's own, with the package's templates."""
    with on_node(private_node.url, PREFIX) as world:
        world.store.prepare(templates(world.written))
        yield world


@pytest.mark.parametrize(
    ("away", "moment"),
    [(ElasticsearchNode.kill, "POST /_bulk"), (ElasticsearchNode.stop, "POST /_search")],
    ids=["killed when alerts were written", "stopped when it was searched"],
)
def test_a_node_that_goes_away_in_the_midst_of_an_execution(
    away: Callable[[ElasticsearchNode], None],
    moment: str,
    all_rules: RuleSet,
    private_node: ElasticsearchNode,
    own_world: World,
) -> None:
    """The execution fails; when the node is back, a later one finds what it left, and what it wrote is there once."""
    runner = Runner.of_both(all_rules, own_world)
    runner.tick(own_world.store, BASE - timedelta(minutes=30))
    made = load_two_sets(own_world)

    def go_away(answer: Any) -> Any:
        away(private_node)
        return answer

    with FaultProxy(private_node.url) as proxy:
        shaky = ElasticsearchStore(Connection(url=proxy.url), clock=now, retries=BRIEF)
        proxy.faults = [Fault(moment, Rewrite(go_away), times=1)]
        gone = runner.tick(shaky, BASE + timedelta(minutes=2))
        shaky.close()
    assert {execution.status for execution in gone.values()} == {Status.FAILED}
    private_node.start()
    later = runner.tick(own_world.store, AFTERWARDS)
    assert {execution.status for execution in later.values()} == {Status.SUCCEEDED}, [e.reason for e in later.values()]
    assert_complete(own_world, made)
