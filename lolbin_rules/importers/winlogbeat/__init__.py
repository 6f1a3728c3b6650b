"""Raw Windows records as the ECS documents that Winlogbeat 8 makes of them.

What the modules for Sysmon, the Security log and PowerShell do is known from their public documentation and from what
they write; the code here is our own. Not done: `dns.question.registered_domain` (needs the list of public suffixes),
descriptions of codes that Winlogbeat adds beside them (Kerberos options, access rights), and `message`, which only
Windows can render.
"""

from __future__ import annotations

from lolbin_rules.importers.winlogbeat.record import UnreadableRecord
from lolbin_rules.importers.winlogbeat.route import to_ecs

__all__ = ["UnreadableRecord", "to_ecs"]
