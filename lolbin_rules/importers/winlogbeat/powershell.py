"""PowerShell's two logs as Winlogbeat's module for them maps them to ECS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lolbin_rules.importers.winlogbeat.document import add, put, put_file, put_user, split_command_line, whole_number
from lolbin_rules.importers.winlogbeat.record import Record

__all__ = ["CHANNELS", "map_powershell"]

OPERATIONAL: Final = "Microsoft-Windows-PowerShell/Operational"
CLASSIC: Final = "Windows PowerShell"
CHANNELS: Final = frozenset({OPERATIONAL, CLASSIC, "PowerShellCore/Operational"})

TYPES: Final = {400: "start", 403: "end", 4105: "start", 4106: "end"}
TASKS: Final = {
    400: "Engine Lifecycle",
    403: "Engine Lifecycle",
    600: "Provider Lifecycle",
    800: "Pipeline Execution Details",
    4103: "Executing Pipeline",
    4104: "Execute a Remote Command",
    4105: "Starting Command",
    4106: "Stopping Command",
    40961: "PowerShell Console Startup",
    40962: "PowerShell Console Startup",
    53504: "PowerShell Named Pipe IPC",
}
CONTEXT: Final = {4103: "ContextInfo", 800: "param2"}
"""Where an event keeps its `name = value` lines; the other classic events have them in `param3`."""
DETAILS: Final = {4103: "Payload", 800: "param3"}
TAKEN: Final = (
    ("HostID", "process.entity_id"),
    ("HostId", "process.entity_id"),
    ("HostApplication", "process.command_line"),
    ("HostName", "process.title"),
    ("ShellID", "powershell.id"),
    ("EngineVersion", "powershell.engine.version"),
    ("NewEngineState", "powershell.engine.new_state"),
    ("PreviousEngineState", "powershell.engine.previous_state"),
    ("NewProviderState", "powershell.provider.new_state"),
    ("ProviderName", "powershell.provider.name"),
    ("PipelineID", "powershell.pipeline_id"),
    ("PipelineId", "powershell.pipeline_id"),
    ("RunspaceID", "powershell.runspace_id"),
    ("RunspaceId", "powershell.runspace_id"),
    ("HostVersion", "powershell.process.executable_version"),
    ("CommandLine", "powershell.command.value"),
    ("CommandPath", "powershell.command.path"),
    ("CommandName", "powershell.command.name"),
    ("CommandType", "powershell.command.type"),
    ("ScriptBlockId", "powershell.file.script_block_id"),
    ("ScriptBlockText", "powershell.file.script_block_text"),
)
COUNTED: Final = (
    ("SequenceNumber", "event.sequence"),
    ("MessageNumber", "powershell.sequence"),
    ("DetailSequence", "powershell.sequence"),
    ("MessageTotal", "powershell.total"),
    ("DetailTotal", "powershell.total"),
)
DROPPED: Final = ("ContextInfo", "Payload", "Severity", "param1", "param2", "param3")


def map_powershell(document: dict[str, Any], record: Record) -> dict[str, Any]:
    """Fill the document; what is left of the event data is returned."""
    code, data = record.code, {name: value for name, value in record.data.items() if isinstance(value, str)}
    task = record.task or TASKS.get(code)
    put(document, "event.module", "powershell")
    put(document, "event.category", ["process"])
    put(document, "event.type", [TYPES.get(code, "info")])
    put(document, "event.action", task)
    put(document, "winlog.task", task)
    context = CONTEXT.get(code, "param3" if record.channel == CLASSIC else "")
    data.update(_settings(data.get(context, "")))
    put(document, "powershell.command.invocation_details", list(_details(data.get(DETAILS.get(code, ""), ""))))
    for name in DROPPED if context or code in DETAILS else ():
        data.pop(name, None)
    for name, field in COUNTED:
        put(document, field, whole_number(data.pop(name, None)))
    for name, field in TAKEN:
        put(document, field, data.pop(name, None))
    put_file(document, data.pop("ScriptName", None) or data.pop("Path", None))
    if line := document.get("process", {}).get("command_line"):
        put(document, "process.args", arguments := split_command_line(line))
        put(document, "process.args_count", len(arguments))
    put(document, "user.id", record.user_id if record.channel != CLASSIC else None)
    put_user(document, "user", data.pop("User", None) or data.pop("UserId", None))
    _connected(document, data.pop("ConnectedUser", None))
    return data


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """`Host Name = ConsoleHost`, one a line; names lose their blanks, and empty values are left out."""
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        name, value = "".join(name.split()), value.strip()
        if sign and name and value:
            yield name, value


def _details(text: str) -> Iterator[dict[str, str]]:
    r"""`ParameterBinding(Add-Type): name="AssemblyName"; value="System"` and the like, one a line."""
    for line in text.splitlines():
        if not line.strip():
            continue
        head, sign, value = line.partition("):")
        kind, bracket, command = head.partition("(")
        if not (sign and bracket and kind and command):
            yield {"value": line}
            continue
        value = value.strip()
        detail = {"type": kind, "related_command": command}
        if kind == "ParameterBinding" and value.startswith("name="):
            name, _, value = value.removeprefix("name=").partition(";")
            detail["name"] = name
            value = value.strip().removeprefix("value=")
        yield {**detail, "value": value} if value else detail


def _connected(document: dict[str, Any], account: str | None) -> None:
    """A user who came from afar is the one who acts; the one on this host is whom he acts as."""
    remote: dict[str, Any] = {}
    put_user(remote, "user", account)
    if "user" not in remote:
        return
    here = document.get("user", {})
    put(document, "source.user", dict(remote["user"]))
    put(document, "destination.user", {name: here[name] for name in ("domain", "name") if name in here})
    document["user"] = {**here, **remote["user"]}
    add(document, "related.user", remote["user"]["name"])
