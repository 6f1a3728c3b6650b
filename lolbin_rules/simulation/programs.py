"""What people, their programs and Windows itself do on a workstation or laptop, harmless all of it.

The programs that attackers borrow have their ordinary work here too: registering libraries, printers, control panels,
with connections to machines of the office at most.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lolbin_rules.simulation import images, places
from lolbin_rules.simulation.hosts import SYSTEM
from lolbin_rules.simulation.moments import MINUTE, SECOND
from lolbin_rules.simulation.security import UNLOCK_LOGON, WINDOWS_LOGON
from lolbin_rules.simulation.stage import LONGEST_CONNECTION, Stage
from lolbin_rules.simulation.wire import Endpoint

__all__ = ["CLIENT_ACTIVITIES", "Activity", "pause", "perform", "visit"]


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that happens on machines: how often beside others, how long at most (milliseconds), and what it is."""

    weight: int
    longest: int
    act: Callable[[Stage, int], None]


def perform(stage: Stage, activities: Sequence[Activity], minute: int, count: int) -> None:
    """Let so many activities begin within the minute that starts at `minute`, and be over within it."""
    roll = stage.roll
    for activity in roll.choices(activities, [activity.weight for activity in activities], k=count):
        activity.act(stage, minute + int((MINUTE - activity.longest - LONGEST_CONNECTION) * roll.random()))


def pause(roll: random.Random, least: int, most: int) -> int:
    """So many milliseconds, from `least` to below `most`."""
    return least + int((most - least) * roll.random())


def visit(stage: Stage, at: int, program: str, endpoints: Sequence[Endpoint]) -> None:
    """A program that runs all day asks for a name and connects to it: 0.3 s."""
    endpoint, process = stage.roll.choice(endpoints), stage.running[program]
    if stage.roll.random() < 0.5:  # noqa: PLR2004 - else the name is still known
        stage.resolve(at, process, endpoint)
    stage.connect(at + pause(stage.roll, 20, 300), process, endpoint)


def _browse(stage: Stage, at: int) -> None:
    roll, browser = stage.roll, stage.running["browser"]
    arguments = ("--type=renderer", "--lang=en-GB", f"--renderer-client-id={roll.randrange(5, 900)}")
    tab = stage.start(at, images.BROWSER, arguments, browser)
    for site in roll.sample(places.SITES, roll.randrange(1, 4)):
        at += pause(roll, 100, 2000)
        stage.resolve(at, browser, site)
        stage.connect(at + pause(roll, 10, 200), browser, site)
    cache = f"C:\\Users\\{stage.host.user.name}\\AppData\\Local\\Example Browser\\Cache\\f_{roll.randrange(16**6):06x}"
    stage.write(at + pause(roll, 200, 900), browser, cache)
    stage.end(at + pause(roll, 1000, 12_000), tab)


def _edit(stage: Stage, at: int) -> None:
    roll, person = stage.roll, stage.host.user.name
    image, kind = roll.choice(((images.WINWORD, "docx"), (images.EXCEL, "xlsx")))
    name = f"{roll.choice(('minutes', 'offer', 'budget', 'plan', 'report'))}-{roll.randrange(2019, 2027)}.{kind}"
    folder = f"C:\\Users\\{person}\\Documents"
    office = stage.start(at, image, ("/n", f"{folder}\\{name}"), stage.running["explorer"])
    stage.write(at + pause(roll, 600, 1500), office, f"{folder}\\~${name}")
    for endpoint in places.CLOUD[1:]:
        stage.resolve(at + pause(roll, 1500, 2500), office, endpoint)
        stage.connect(at + pause(roll, 2500, 4000), office, endpoint)
    stage.write(at + pause(roll, 8000, 15_000), office, f"{folder}\\{name}")
    stage.end(at + pause(roll, 15_000, 25_000), office)


def _run_task(stage: Stage, at: int) -> None:
    roll = stage.roll
    image, arguments = roll.choice(
        (
            (images.TASKHOST, ("SYSTEM",)),
            (images.TASKHOST, ("Install", "$(Arg0)")),
            (images.GPUPDATE, ("/target:computer",)),
            (images.MPCMDRUN, ("SignatureUpdate", "-ScheduleJob", "-RestrictPrivileges")),
            (images.NGEN, ("ExecuteQueuedItems", "/LegacyServiceBehavior")),
        )
    )
    task = stage.start(at, image, arguments, stage.running["svchost_tasks"], SYSTEM)
    stage.end(at + pause(roll, 300, 9000), task)


def _run_in_background(stage: Stage, at: int) -> None:
    roll, person = stage.roll, stage.host.user
    image, arguments = roll.choice(
        (
            (images.BACKGROUND, ("-ServerName:App.AppXbxsb9pbnn3cgaqmpc9cqdnrqpa1ywpnn.mca",)),
            (images.RUNTIME_BROKER, ("-Embedding",)),
            (images.DLLHOST, ("/Processid:{AB8902B4-09CA-4BB6-B78D-A8F59079A8D5}",)),
            (images.WMI_HOST, ("-secured", "-Embedding")),
        )
    )
    process = stage.start(at, image, arguments, stage.running["svchost_dcom"], person)
    if image is images.BACKGROUND:
        endpoint = roll.choice(places.TELEMETRY)
        stage.resolve(at + pause(roll, 100, 500), process, endpoint)
        stage.connect(at + pause(roll, 500, 900), process, endpoint)
    stage.end(at + pause(roll, 1000, 15_000), process)


def _search(stage: Stage, at: int) -> None:
    indexer = stage.running["indexer"]
    arguments = ("Global\\UsGthrFltPipeMssGthrPipe_S-1-5-21", "1", "-2147483646", "Software\\Windows Search")
    hosts = [stage.start(at, images.PROTOCOL_HOST, arguments, indexer)]
    hosts.append(stage.start(at + pause(stage.roll, 10, 200), images.FILTER_HOST, ("0", "820", "824"), indexer))
    for process in hosts:
        stage.end(at + pause(stage.roll, 5000, 20_000), process)


def _update(stage: Stage, at: int) -> None:
    roll = stage.roll
    updater = stage.start(at, images.UPDATER, ("/ua", "/installsource", "scheduler"), stage.running["svchost_tasks"])
    stage.resolve(at + pause(roll, 100, 600), updater, places.UPDATES[0])
    stage.connect(at + pause(roll, 700, 1500), updater, places.UPDATES[0])
    stage.end(at + pause(roll, 2000, 9000), updater)


def _administer(stage: Stage, at: int) -> None:
    roll, agent = stage.roll, stage.running["svchost_tasks"]
    script = f"C:\\ProgramData\\Inventory\\{roll.choice(('software', 'disks', 'certificates'))}.ps1"
    arguments = ("-NoProfile", "-ExecutionPolicy", "AllSigned", "-File", script)
    shell = stage.start(at, images.POWERSHELL, arguments, agent, SYSTEM)
    console = stage.start(at + pause(roll, 10, 60), images.CONHOST, ("0xffffffff", "-ForceV1"), shell)
    test = f"C:\\Windows\\Temp\\__PSScriptPolicyTest_{roll.randrange(16**8):08x}.ps1"
    stage.write(at + pause(roll, 300, 700), shell, test)
    child = stage.start(at + pause(roll, 800, 1500), images.IPCONFIG, ("/all",), shell)
    stage.end(at + pause(roll, 1600, 2000), child)
    stage.connect(at + pause(roll, 2000, 4000), shell, places.INTRANET)
    stage.end(at + pause(roll, 5000, 8000), shell)
    stage.end(at + 8000, console)


def _log_on_script(stage: Stage, at: int) -> None:
    roll = stage.roll
    stage.log_on(at, stage.host.user, UNLOCK_LOGON)
    arguments = ("/c", "\\\\files.sim.example\\netlogon\\drives.cmd")
    shell = stage.start(at + pause(roll, 500, 1500), images.CMD, arguments, stage.running["explorer"])
    stage.connect(at + pause(roll, 1500, 2000), stage.running["system"], places.FILE_SERVER)
    stage.end(at + pause(roll, 2500, 6000), shell)


def _start_a_part_of_windows(stage: Stage, at: int) -> None:
    stage.log_on(at, SYSTEM, WINDOWS_LOGON)
    arguments = ("-k", "netsvcs", "-p", "-s", stage.roll.choice(("BITS", "UsoSvc", "Appinfo", "wlidsvc")))
    process = stage.start(at + 40, images.SVCHOST, arguments, stage.running["services"])
    stage.connect(at + pause(stage.roll, 500, 4000), process, stage.roll.choice(places.UPDATES))
    stage.end(at + pause(stage.roll, 5000, 20_000), process)


def _print(stage: Stage, at: int) -> None:
    roll = stage.roll
    arguments = ("printui.dll,PrintUIEntry", "/in", "/n", "\\\\files.sim.example\\Printer-2")
    process = stage.start(at, images.RUNDLL32, arguments, stage.running["explorer"])
    stage.resolve(at + pause(roll, 100, 300), process, places.PRINTER)
    stage.connect(at + pause(roll, 300, 900), process, places.PRINTER)
    stage.end(at + pause(roll, 1500, 4000), process)


def _run_a_library(stage: Stage, at: int) -> None:
    arguments, parent = stage.roll.choice(
        (
            (("C:\\Windows\\System32\\shell32.dll,Control_RunDLL", "desk.cpl"), "explorer"),
            (("C:\\Windows\\System32\\PcaSvc.dll,PcaPatchSdbTask",), "svchost_tasks"),
            (("C:\\Windows\\System32\\AppxDeploymentClient.dll,AppxPreStageCleanupRunTask",), "svchost_tasks"),
            (("InetCpl.cpl,ClearMyTracksByProcess", "8"), "explorer"),
        )
    )
    process = stage.start(at, images.RUNDLL32, arguments, stage.running[parent])
    stage.end(at + pause(stage.roll, 300, 6000), process)


def _install(stage: Stage, at: int) -> None:
    roll = stage.roll
    installer = stage.start(at, images.MSIEXEC, ("/V",), stage.running["services"])
    image, arguments, partner = roll.choice(
        (
            (images.REGSVR32, ("/s", "C:\\Program Files\\Example CAD\\viewer.dll"), places.LICENCES),
            (images.REGSVR32, ("/s", "C:\\Program Files\\Common Files\\Example\\codec.ax"), None),
            (images.REGSVCS, ("/reconfig", "C:\\Program Files\\Example ERP\\Components.dll"), places.LICENCES),
            (images.REGASM, ("/codebase", "/tlb", "C:\\Program Files\\Example ERP\\AddIn.dll"), places.ASSEMBLY_FEED),
        )
    )
    stage.write(at + pause(roll, 300, 800), installer, arguments[-1])
    tool = stage.start(at + pause(roll, 1000, 2000), image, arguments, installer)
    if partner is not None:
        stage.resolve(at + pause(roll, 2100, 2300), tool, partner)
        stage.connect(at + pause(roll, 2300, 2900), tool, partner)
    stage.end(at + pause(roll, 3000, 5000), tool)
    stage.end(at + pause(roll, 5000, 9000), installer)


CLIENT_ACTIVITIES: Final = (
    Activity(14, 19 * SECOND, _browse),
    Activity(5, 25 * SECOND, _edit),
    Activity(10, 9 * SECOND, _run_task),
    Activity(9, 15 * SECOND, _run_in_background),
    Activity(5, 21 * SECOND, _search),
    Activity(3, 9 * SECOND, _update),
    Activity(2, 8 * SECOND + 1, _administer),
    Activity(1, 6 * SECOND, _log_on_script),
    Activity(3, 20 * SECOND, _start_a_part_of_windows),
    Activity(2, 4 * SECOND, _print),
    Activity(3, 6 * SECOND, _run_a_library),
    Activity(2, 9 * SECOND, _install),
    Activity(12, SECOND, lambda stage, at: visit(stage, at, "chat", places.CHAT_CLOUD)),
    Activity(9, SECOND, lambda stage, at: visit(stage, at, "outlook", places.CLOUD)),
    Activity(9, SECOND, lambda stage, at: visit(stage, at, "svchost_update", places.UPDATES)),
    Activity(7, SECOND, lambda stage, at: visit(stage, at, "msmpeng", places.TELEMETRY)),
    Activity(9, SECOND, lambda stage, at: visit(stage, at, "lsass", places.DIRECTORY)),
    Activity(6, SECOND, lambda stage, at: visit(stage, at, "system", (places.FILE_SERVER,))),
)
"""Of workstations and laptops."""
