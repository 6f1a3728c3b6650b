"""Run a real Elasticsearch node from the jars that Elastic publishes on Maven Central.

It is the server itself on the real Lucene, without the modules that are not published: no scripts, EQL or ES|QL
endpoints, data streams, security, and no `GET /`. Run this file to have a node in the foreground.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

DEFAULT_VERSION = "8.19.9"
HEAP = "1g"
START_SECONDS = 180
STOP_SECONDS = 20

_HERE = Path(__file__).resolve().parent
_JAVA_PLACES = ("usr/lib/jvm/*/bin/java", "Library/Java/JavaVirtualMachines/*/Contents/Home/bin/java")


class NodeError(RuntimeError):
    """A node could not be laid out, started or stopped; the message says what to do."""


class ElasticsearchNode:
    """One node on 127.0.0.1 with a data folder of its own.

    As a context manager it is started, and in the end stopped and its data removed. In between it may be stopped or
    killed and started again: data and port stay. With `quick_start` the JVM compiles for an early answer (half the
    processor time of a start) rather than for speed later on, as measurements need it.
    """

    def __init__(self, version: str = DEFAULT_VERSION, port: int = 0, *, quick_start: bool = True) -> None:
        self.version = version
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = Path(tempfile.mkdtemp(prefix=f"lolbin-rules-node-{self.port}-"))
        self.repository = self._folder / "repository"
        """Where it may keep snapshots."""
        self._log = self._folder / "node.log"
        self._compiler = ["-XX:TieredStopAtLevel=1"] if quick_start else []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process id of the running node."""
        return self._running().pid

    def start(self) -> None:
        """Start the node and return once it answers, with the shards of earlier data assigned."""
        if self._process is not None:
            raise NodeError(f"The node at {self.url} was started already. Stop or kill it first.")
        _free_port(self.port)
        command = self._command()
        with self._log.open("ab") as log:
            # In a session of its own, so that Ctrl-C reaches the tests, which then clean up in the node and end it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._await_answer(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the node in an orderly way; its data stay."""
        self.resume()
        self._end()

    def kill(self) -> None:
        """End the node at once, as a crash would (SIGKILL); its data stay."""
        self._running().kill()
        self._end()

    def suspend(self) -> None:
        """Freeze the node (SIGSTOP): connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen node go on (SIGCONT); harmless for one that is not frozen."""
        self._running().send_signal(signal.SIGCONT)

    def answers(self) -> bool:
        """Whether the node answers now and has assigned its shards."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            try:
                connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s")
                return connection.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False

    def wait(self) -> int:
        """Wait until the node ends by itself; its exit status."""
        return self._running().wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise NodeError(f"The node at {self.url} does not run. Start it first.")
        return self._process

    def _command(self) -> list[str]:
        java = find_java(self.version)
        home = lay_out_home(self.version)
        config = shutil.copytree(_HERE / "config", self._folder / "config", dirs_exist_ok=True)
        folders = {"data": self._folder / "data", "logs": self._folder / "logs", "repo": self.repository}
        settings = [f"http.port={self.port}", *(f"path.{name}={folder}" for name, folder in folders.items())]
        # As the official image does, so that the collector stays ahead of the circuit breaker on real memory.
        collector = ["-XX:+UseG1GC", "-XX:G1ReservePercent=25", "-XX:InitiatingHeapOccupancyPercent=30"]
        machine = [java, f"-Xms{HEAP}", f"-Xmx{HEAP}", *collector, *self._compiler, "-cp", f"{home}/lib/*"]
        return [str(word) for word in [*machine, _HERE / "Launcher.java", home, config, *settings]]

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            ended = process.poll()
            if ended is not None or time.monotonic() > deadline:
                state = f"ended with status {ended}" if ended is not None else f"gave no answer in {START_SECONDS} s"
                log = "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])
                raise NodeError(f"Elasticsearch {self.version} at {self.url} {state}. The end of its log:\n{log}")
            time.sleep(0.1)

    def _end(self) -> None:
        process = self._running()
        try:
            process.communicate(timeout=STOP_SECONDS)  # closes its standard input, at which it stops
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


def find_java(version: str = DEFAULT_VERSION) -> Path:
    """A `java` that this version of Elasticsearch runs on: of JAVA_HOME, on the path, or in the usual folders."""
    least = 17 if int(version.partition(".")[0]) < 9 else 21
    candidates = [os.environ.get("JAVA_HOME", "/usr") + "/bin/java", shutil.which("java") or "java"]
    candidates += sorted(str(path) for place in _JAVA_PLACES for path in Path("/").glob(place))
    for candidate in candidates:
        if _jdk_release(candidate) >= least:
            return Path(candidate)
    raise NodeError(f"No JDK {least} or newer was found for Elasticsearch {version}. Install one, or set JAVA_HOME.")


def lay_out_home(version: str = DEFAULT_VERSION) -> Path:
    """The folder with this version's `lib` and `modules`; its jars are downloaded on first use."""
    home = _home(version)
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    # Renaming a finished folder into place is what keeps a killed download from leaving half a home.
    with tempfile.TemporaryDirectory(prefix=f"{home.name}-", dir=home.parent) as name:
        draft = Path(name) / "home"
        _download(version, draft / "lib")
        netty = draft / "modules" / "transport-netty4"
        netty.mkdir(parents=True)
        for jar in [*draft.glob("lib/netty-*.jar"), *draft.glob("lib/transport-netty4-*.jar")]:
            jar.rename(netty / jar.name)
        descriptor = (_HERE / "plugin-descriptor.properties").read_text()
        (netty / "plugin-descriptor.properties").write_text(descriptor.replace("@version@", version))
        (draft / "plugins").mkdir()
        try:
            draft.rename(home)
        except OSError:
            if not home.is_dir():  # another run may have been faster, with the same jars
                raise
    return home


def _home(version: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "lolbin-rules" / f"elasticsearch-{version}"


def _download(version: str, target: Path) -> None:
    if shutil.which("mvn") is None:
        raise NodeError(
            "Maven (mvn) was not found, so Elasticsearch's jars cannot be fetched. Install the package maven."
        )
    maven = ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies"]
    options = [f"-Delasticsearch.version={version}", f"-DoutputDirectory={target}"]
    done = subprocess.run([*maven, *options], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0 or not any(target.glob("transport-netty4-*.jar")):
        raise NodeError(
            f"Maven could not fetch Elasticsearch {version}, so no node can start. Check the connection and that "
            f"this version is on Maven Central:\n{(done.stdout + done.stderr)[-2000:]}"
        )


@functools.cache
def _jdk_release(java: str) -> int:
    """The feature release of a JDK that can run source files; 0 for a JRE or anything else."""
    try:
        listed = subprocess.run([java, "--list-modules"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    release = re.search(r"^java\.base@(\d+)", listed.stdout, re.MULTILINE)
    return int(release[1]) if release and "jdk.compiler@" in listed.stdout else 0


def _free_port(wanted: int = 0) -> int:
    try:
        with socket.create_server(("127.0.0.1", wanted)) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        raise NodeError(f"Port {wanted} is taken, so no node can listen there. Free it or choose another.") from error


def main() -> None:
    """Run a node in the foreground until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description="Run an Elasticsearch node on 127.0.0.1, with data for this run only.")
    parser.add_argument("--version", default=DEFAULT_VERSION, help="default: %(default)s")
    parser.add_argument("--port", type=int, default=9200, help="default: %(default)s")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    foreground = ElasticsearchNode(options.version, options.port, quick_start=False)
    with contextlib.suppress(KeyboardInterrupt), foreground as node:
        print(f"Elasticsearch {node.version} answers at {node.url} (Ctrl-C ends it)", flush=True)  # noqa: T201
        node.wait()


if __name__ == "__main__":
    try:
        main()
    except NodeError as error:
        sys.exit(str(error))
