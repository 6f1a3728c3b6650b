"""What servers do all day: they are connected to, logged on to, watched over and backed up."""

from __future__ import annotations

from typing import Final

from lolbin_rules.simulation import images, places
from lolbin_rules.simulation.hosts import SYSTEM, Host
from lolbin_rules.simulation.moments import SECOND
from lolbin_rules.simulation.programs import Activity, pause, visit
from lolbin_rules.simulation.security import NETWORK_LOGON, WINDOWS_LOGON
from lolbin_rules.simulation.stage import Stage

__all__ = ["SERVER_ACTIVITIES"]

_PORTS: Final = (("lsass", 88), ("lsass", 389), ("svchost_rpc", 135), ("system", 445), ("web_worker", 443))


def _answer(stage: Stage, at: int) -> None:
    roll, peer = stage.roll, _peer(stage)
    for program, port in roll.sample(_PORTS, roll.randrange(1, 4)):
        stage.accept(at + pause(roll, 0, 900), stage.running[program], peer, port)


def _be_logged_on_to(stage: Stage, at: int) -> None:
    peer = _peer(stage)
    stage.accept(at, stage.running["system"], peer, 445)
    stage.log_on(at + pause(stage.roll, 10, 300), peer.user, NETWORK_LOGON, peer)


def _check(stage: Stage, at: int) -> None:
    roll = stage.roll
    script = f"C:\\Program Files\\Example Monitoring\\checks\\{roll.choice(('disk', 'memory', 'queue', 'backup'))}.ps1"
    arguments = ("-NoLogo", "-NoProfile", "-NonInteractive", "-File", script)
    shell = stage.start(at, images.POWERSHELL, arguments, stage.running["agent"])
    console = stage.start(at + pause(roll, 10, 60), images.CONHOST, ("0xffffffff", "-ForceV1"), shell)
    stage.end(at + pause(roll, 900, 4000), shell)
    stage.end(at + 4000, console)


def _run_task(stage: Stage, at: int) -> None:
    stage.log_on(at, SYSTEM, WINDOWS_LOGON)
    tasks = stage.running["svchost_tasks"]
    task = stage.start(at + 20, images.TASKHOST, (stage.roll.choice(("SYSTEM", "KEYROAMING", "/RuntimeWide")),), tasks)
    stage.end(at + pause(stage.roll, 400, 8000), task)


def _keep_data(stage: Stage, at: int) -> None:
    name = f"D:\\Data\\{stage.roll.choice(('orders', 'stock', 'ledger'))}_{stage.roll.randrange(16**5):05x}.trn"
    stage.write(at, stage.running["database"], name)


def _peer(stage: Stage) -> Host:
    # a fleet with a server has other machines
    everyone = stage.peers
    return everyone[(stage.host.number + stage.roll.randrange(1, len(everyone))) % len(everyone)]


SERVER_ACTIVITIES: Final = (
    Activity(12, SECOND, _answer),
    Activity(9, SECOND, _be_logged_on_to),
    Activity(4, 4 * SECOND + 1, _check),
    Activity(4, 8 * SECOND, _run_task),
    Activity(6, SECOND, _keep_data),
    Activity(5, SECOND, lambda stage, at: visit(stage, at, "agent", (places.INTRANET,))),
    Activity(3, SECOND, lambda stage, at: visit(stage, at, "svchost_update", places.UPDATES)),
    Activity(3, SECOND, lambda stage, at: visit(stage, at, "msmpeng", places.TELEMETRY)),
    Activity(5, SECOND, lambda stage, at: visit(stage, at, "lsass", places.DIRECTORY)),
)
"""Of servers."""
