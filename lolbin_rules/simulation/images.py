"""Programs as files on disk, as Sysmon tells of them. Their hashes are made up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = [
    "AGENT",
    "BACKGROUND",
    "BROWSER",
    "CHAT",
    "CMD",
    "CONHOST",
    "DATABASE",
    "DLLHOST",
    "EXCEL",
    "EXPLORER",
    "FILTER_HOST",
    "GPUPDATE",
    "INDEXER",
    "IPCONFIG",
    "LSASS",
    "MPCMDRUN",
    "MSHTA",
    "MSIEXEC",
    "MSMPENG",
    "NGEN",
    "NOTEPAD",
    "OUTLOOK",
    "POWERSHELL",
    "PROTOCOL_HOST",
    "REGASM",
    "REGSVCS",
    "REGSVR32",
    "RUNDLL32",
    "RUNTIME_BROKER",
    "SERVICES",
    "SVCHOST",
    "SYSTEM_PROCESS",
    "TASKHOST",
    "UPDATER",
    "WEB_WORKER",
    "WHOAMI",
    "WINWORD",
    "WMI_HOST",
    "Hashes",
    "Image",
    "hashes_of",
]

_WINDOWS: Final = "Microsoft® Windows® Operating System"
_MICROSOFT: Final = "Microsoft Corporation"
_SYSTEM32: Final = "C:\\Windows\\System32"
_OFFICE: Final = "C:\\Program Files\\Microsoft Office\\root\\Office16"
_FRAMEWORK: Final = "C:\\Windows\\Microsoft.NET\\Framework64\\v4.0.30319"


@dataclass(frozen=True, slots=True)
class Image:
    """A program: its path and what its header says; no file version means that of the machine's Windows."""

    path: str
    description: str
    original_name: str
    product: str = _WINDOWS
    company: str = _MICROSOFT
    file_version: str | None = None

    @property
    def name(self) -> str:
        """The last part of its path, spelled as on disk."""
        return self.path.rpartition("\\")[2]


@dataclass(frozen=True, slots=True)
class Hashes:
    """What a program's file would hash to, each and as one text in the manner of Sysmon."""

    md5: str
    sha1: str
    sha256: str
    imphash: str
    as_sysmon_tells: str


@lru_cache(maxsize=1024)
def hashes_of(image: Image, file_version: str) -> Hashes:
    """The same file has the same hashes, on whichever machine it is; none of them is that of any real file."""
    long = hashlib.sha512(f"simulated {image.path} {file_version}".encode()).hexdigest()
    md5, sha1, imphash = long[:32], long[32:72], long[72:104]
    sha256 = hashlib.sha256(long.encode()).hexdigest()
    told = f"SHA1={sha1},MD5={md5},SHA256={sha256},IMPHASH={imphash}".upper()
    return Hashes(md5, sha1, sha256, imphash, told)


def _windows(name: str, description: str, original_name: str = "") -> Image:
    return Image(f"{_SYSTEM32}\\{name}", description, original_name or name)


def _office(name: str, description: str, original_name: str) -> Image:
    return Image(f"{_OFFICE}\\{name}", description, original_name, "Microsoft Office", file_version="16.0.17328.20162")


def _framework(name: str, description: str) -> Image:
    path, product = f"{_FRAMEWORK}\\{name}", "Microsoft® .NET Framework"
    return Image(path, description, name, product, file_version="4.8.9032.0 built by: NET481REL1")


SYSTEM_PROCESS: Final = Image("System", "-", "-", "-", "-", "-")
SERVICES: Final = _windows("services.exe", "Services and Controller app")
LSASS: Final = _windows("lsass.exe", "Local Security Authority Process")
SVCHOST: Final = _windows("svchost.exe", "Host Process for Windows Services")
TASKHOST: Final = _windows("taskhostw.exe", "Host Process for Windows Tasks")
BACKGROUND: Final = _windows("backgroundTaskHost.exe", "Background Task Host")
RUNTIME_BROKER: Final = _windows("RuntimeBroker.exe", "Runtime Broker")
DLLHOST: Final = _windows("dllhost.exe", "COM Surrogate")
CONHOST: Final = _windows("conhost.exe", "Console Window Host", "CONHOST.EXE")
CMD: Final = _windows("cmd.exe", "Windows Command Processor", "Cmd.Exe")
WHOAMI: Final = _windows("whoami.exe", "whoami - displays logged on user information")
IPCONFIG: Final = _windows("ipconfig.exe", "IP Configuration Utility")
GPUPDATE: Final = _windows("gpupdate.exe", "Microsoft® Group Policy Update Utility", "GPUPDATE.EXE")
MSIEXEC: Final = _windows("msiexec.exe", "Windows® installer")
MSHTA: Final = _windows("mshta.exe", "Microsoft (R) HTML Application host", "MSHTA.EXE")
NOTEPAD: Final = _windows("notepad.exe", "Notepad", "NOTEPAD.EXE")
REGSVR32: Final = _windows("regsvr32.exe", "Microsoft(C) Register Server", "REGSVR32.EXE")
RUNDLL32: Final = _windows("rundll32.exe", "Windows host process (Rundll32)", "RUNDLL32.EXE")
INDEXER: Final = _windows("SearchIndexer.exe", "Microsoft Windows Search Indexer")
PROTOCOL_HOST: Final = _windows("SearchProtocolHost.exe", "Microsoft Windows Search Protocol Host")
FILTER_HOST: Final = _windows("SearchFilterHost.exe", "Microsoft Windows Search Filter Host")
WMI_HOST: Final = _windows("wbem\\WmiPrvSE.exe", "WMI Provider Host", "Wmiprvse.exe")
POWERSHELL: Final = _windows("WindowsPowerShell\\v1.0\\powershell.exe", "Windows PowerShell", "PowerShell.EXE")
EXPLORER: Final = Image("C:\\Windows\\explorer.exe", "Windows Explorer", "EXPLORER.EXE")
WINWORD: Final = _office("WINWORD.EXE", "Microsoft Word", "WinWord.exe")
EXCEL: Final = _office("EXCEL.EXE", "Microsoft Excel", "Excel.exe")
OUTLOOK: Final = _office("OUTLOOK.EXE", "Microsoft Outlook", "Outlook.exe")
REGSVCS: Final = _framework("RegSvcs.exe", "Microsoft .NET Services Installation Utility")
REGASM: Final = _framework("RegAsm.exe", "Microsoft .NET Assembly Registration Utility")
NGEN: Final = _framework("ngen.exe", "Microsoft Common Language Runtime native compiler")
MSMPENG: Final = Image(
    "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.24050.7-0\\MsMpEng.exe",
    "Antimalware Service Executable",
    "MsMpEng.exe",
    file_version="4.18.24050.7",
)
MPCMDRUN: Final = Image(
    "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.24050.7-0\\MpCmdRun.exe",
    "Microsoft Malware Protection Command Line Utility",
    "MpCmdRun.exe",
    file_version="4.18.24050.7",
)
BROWSER: Final = Image(
    "C:\\Program Files\\Example Browser\\Application\\browser.exe",
    "Example Browser",
    "browser.exe",
    "Example Browser",
    "Example Browser Authors",
    "126.0.6478.127",
)
UPDATER: Final = Image(
    "C:\\Program Files (x86)\\Example Browser\\Update\\updater.exe",
    "Example Browser Updater",
    "updater.exe",
    "Example Browser Updater",
    "Example Browser Authors",
    "1.3.195.15",
)
CHAT: Final = Image(
    "C:\\Program Files\\Example Chat\\chat.exe", "Example Chat", "chat.exe", "Example Chat", "Example Ltd.", "24.4.9"
)
AGENT: Final = Image(
    "C:\\Program Files\\Example Monitoring\\agent.exe",
    "Example Monitoring Agent",
    "agent.exe",
    "Example Monitoring",
    "Example Ltd.",
    "7.2.0",
)
WEB_WORKER: Final = _windows("inetsrv\\w3wp.exe", "IIS Worker Process")
DATABASE: Final = Image(
    "C:\\Program Files\\Microsoft SQL Server\\MSSQL16.MSSQLSERVER\\MSSQL\\Binn\\sqlservr.exe",
    "SQL Server Windows NT - 64 Bit",
    "SQLSERVR.EXE",
    "Microsoft SQL Server",
    file_version="2022.0160.4125.03",
)
