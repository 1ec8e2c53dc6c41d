"""A copy of the whole database while the site runs, and the way back from it.

SQLite is copied by itself, PostgreSQL by its own pg_dump and pg_restore. A copy stands under its name only once it is
whole, and a restoration that fails leaves the database as it was.
"""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo, sql
from sqlalchemy.engine import URL

# Is told in a line what goes on.
Say = Callable[[str], None]

# How the file of each kind begins.
MARKS = {"SQLite": b"SQLite format 3\0", "PostgreSQL": b"PGDMP"}
# How many pages of a SQLite database are restored between two lines about it.
PAGES = 20_000
# Seconds that a restoration waits for whoever is still in the database.
PATIENCE = 10
# Where PostgreSQL's own programs stand when they are not on the PATH.
PROGRAM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/*/bin")
ASIDE = "boardwell_before_restore"


class BackupError(Exception):
    """It was not done; the text says why and what to do, in words for the operator."""


@dataclass(frozen=True)
class Tool:
    """One of PostgreSQL's programs."""

    path: str
    major: int


# --- Both databases ----------------------------------------------------------------------------------------------


def backup(database: URL, target: Path, *, say: Say) -> int:
    """Copy the database into a new file that only its owner can read; returns its size in bytes. Raises BackupError."""
    if target.is_dir():
        raise BackupError(f"{target} is a folder. Name a file in it.")
    if target.exists():
        raise BackupError(f"There is a file {target} already. Choose another name, or remove it first.")
    if not target.absolute().parent.is_dir():
        raise BackupError(f"There is no folder {target.absolute().parent}. Make it first.")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        # Made with its mode: what everybody ever wrote is never readable by others, not even for a moment.
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        if database.get_backend_name() == "sqlite":
            _dump_sqlite(_file_of(database), draft, say)
        else:
            _dump_postgresql(database, draft, say)
        with open(draft, "rb") as written:
            os.fsync(written.fileno())
        os.replace(draft, target)
    except OSError as error:
        raise BackupError(f"{target} could not be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def restore(database: URL, source: Path, *, force: bool, say: Say) -> None:
    """Put a backup into an empty database; with `force` also in place of what is there. Raises BackupError.

    The site must be stopped meanwhile. Whatever goes wrong, the database stays as it was.
    """
    try:
        with open(source, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise BackupError(f"{source} cannot be read: {error.strerror or error}.") from error
    ours = "SQLite" if database.get_backend_name() == "sqlite" else "PostgreSQL"
    theirs = next((name for name, mark in MARKS.items() if start.startswith(mark)), None)
    if theirs is None:
        raise BackupError(f"{source} is no backup of Boardwell.")
    if theirs != ours:
        raise BackupError(f"{source} is a backup of {theirs}, but this site runs on {ours}.")
    if ours == "SQLite":
        _restore_sqlite(_file_of(database), source, force, say)
    else:
        _restore_postgresql(database, source, force, say)


def version_of(database: URL) -> str | None:
    """The newest migration that the database has seen; None where there is none."""
    query = "SELECT version_num FROM alembic_version"
    try:
        if database.get_backend_name() == "sqlite":
            with contextlib.closing(_open(_file_of(database), "ro")) as connection:
                row = connection.execute(query).fetchone()
        else:
            with _connect(database) as postgres:
                row = postgres.execute(query).fetchone()
    except (sqlite3.Error, psycopg.Error):
        return None
    return str(row[0]) if row else None


def _refuse_full(tables: list[str], force: bool, say: Say) -> None:
    if tables and not force:
        named = ", ".join(tables[:3]) + (" …" if len(tables) > 3 else "")
        raise BackupError(
            f"This database is not empty ({named}). Name an empty one in BOARDWELL_DATABASE_URL,"
            " or add --force to replace everything in this one."
        )
    if tables:
        say("What was in the database is being replaced.")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"


# --- SQLite ------------------------------------------------------------------------------------------------------


def _file_of(database: URL) -> Path:
    if not database.database or database.database == ":memory:":
        raise BackupError("This database stands in memory only.")
    return Path(database.database)


def _open(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=PATIENCE)


def _dump_sqlite(file: Path, draft: Path, say: Say) -> None:
    """One read transaction: writers go on meanwhile, and what they write is not in the copy."""
    if not file.is_file():
        raise BackupError(f"There is no database at {file}.")
    # Read and write: a reader alone cannot open a database whose last process was killed.
    with contextlib.closing(_open(file, "rw")) as connection:
        said, size = time.monotonic(), file.stat().st_size
        say(f"Copying {file} (about {_megabytes(size)})")

        def progress() -> None:
            nonlocal said
            if time.monotonic() - said > 2:
                said = time.monotonic()
                say(f"  {_megabytes(draft.stat().st_size)} of about {_megabytes(size)}")

        connection.set_progress_handler(progress, 1_000_000)
        try:
            connection.execute("VACUUM INTO ?", [str(draft)])
        except sqlite3.Error as error:
            raise BackupError(f"SQLite could not write the copy: {error}.") from error
    _check_sqlite(draft)


def _check_sqlite(file: Path) -> None:
    """Raises BackupError where the file is damaged, or is another program's."""
    try:
        with contextlib.closing(_open(file, "ro")) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            ours = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError(f"{file} cannot be read as a SQLite database: {error}.") from error
    if found != "ok":
        raise BackupError(f"{file} is damaged: {found}.")
    if not ours:
        raise BackupError(f"{file} is a SQLite database, but none of Boardwell.")


def _restore_sqlite(file: Path, source: Path, force: bool, say: Say) -> None:
    """Through SQLite itself and not by copying files: one transaction, seen by whoever has the database open."""
    _check_sqlite(source)
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    try:
        with contextlib.closing(_open(source, "ro")) as backed, contextlib.closing(_open(file, "rwc")) as live:
            _refuse_full(_filled_sqlite(live), force, say)
            say(f"Restoring {source} into {file}")

            def progress(status: int, remaining: int, total: int) -> None:
                if status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE):
                    raise BackupError(f"Somebody else writes to {file}. Stop the site first.")
                say(f"  {100 * (total - remaining) // max(total, 1)} %")

            backed.backup(live, pages=PAGES, progress=progress)
        _check_sqlite(file)
    except sqlite3.Error as error:
        raise BackupError(f"SQLite could not restore into {file}: {error}.") from error
    finally:
        if is_new and file.exists() and not file.stat().st_size:
            file.unlink()


def _filled_sqlite(connection: sqlite3.Connection) -> list[str]:
    """The tables that hold rows; the index of the search and the mark of the migrations do not count."""
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        if name != "alembic_version" and not name.startswith(("sqlite_", "search_fts"))
    ]
    return [name for name in names if connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()]


# --- PostgreSQL --------------------------------------------------------------------------------------------------


def _dump_postgresql(database: URL, draft: Path, say: Say) -> None:
    """pg_dump reads one snapshot: writers go on meanwhile, and what they write is not in the copy."""
    with _connect(database) as connection:
        tool = _tool("pg_dump", _major(connection))
    say(f"Copying the database with {tool.path} (version {tool.major})")
    address, password = _conninfo(database)
    command = [tool.path, "--format=custom", "--no-owner", "--no-privileges", "--verbose"]
    _run([*command, f"--file={draft}", f"--dbname={address}"], say, password)


def _restore_postgresql(database: URL, source: Path, force: bool, say: Say) -> None:
    """The old schema stands aside until the new one is whole, then goes; where that fails it comes back."""
    with _connect(database) as connection:
        tool = _tool("pg_restore", _major(connection))
        _run([tool.path, "--list", str(source)], say)
        _refuse_full(_filled_postgresql(connection), force, say)
        with _stood_aside(connection):
            say(f"Restoring {source} with {tool.path} (version {tool.major})")
            address, password = _conninfo(database)
            command = [tool.path, "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
            _run([*command, "--verbose", f"--dbname={address}", str(source)], say, password)
            if version_of(database) is None:
                raise BackupError(f"{source} is a backup of PostgreSQL, but none of Boardwell.")
        # A restored table has no statistics, and its first plans would be bad ones.
        connection.execute("ANALYZE")


@contextlib.contextmanager
def _stood_aside(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """An empty schema `public`; what was there goes at the end, or comes back on any exception."""
    aside, public = sql.Identifier(ASIDE), sql.Identifier("public")
    if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [ASIDE]).fetchone():
        raise BackupError(
            f"An earlier restoration was cut short. The schema {ASIDE} holds what was there before it: rename it to"
            " public, or drop it, and try again."
        )
    try:
        with connection.transaction():
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(public, aside))
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(public))
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL refused: {_one_line(error)} Is the site stopped?") from error
    try:
        yield
    except BaseException:
        with connection.transaction():
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(public))
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(aside, public))
        raise
    connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(aside))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") + "."


def _filled_postgresql(connection: "psycopg.Connection[Any]") -> list[str]:
    """The tables that hold rows; the mark of the migrations does not count."""
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
    ).fetchall()
    return [
        name
        for (name,) in found
        if connection.execute(sql.SQL("SELECT 1 FROM public.{} LIMIT 1").format(sql.Identifier(name))).fetchone()
    ]


@contextlib.contextmanager
def _connect(database: URL) -> "Iterator[psycopg.Connection[Any]]":
    address, password = _conninfo(database)
    try:
        connection = psycopg.connect(address, autocommit=True, password=password or None)
    except psycopg.Error as error:
        raise BackupError(f"PostgreSQL cannot be reached: {_one_line(error)}") from error
    with contextlib.closing(connection):
        connection.execute(f"SET lock_timeout = '{PATIENCE}s'")
        yield connection


def _conninfo(database: URL) -> tuple[str, str]:
    """libpq's words for the address, and the password apart: a command line can be read by every account."""
    _, parts = database.get_dialect()().create_connect_args(database)
    password = str(parts.pop("password", "") or "")
    return conninfo.make_conninfo("", **parts), password


def _major(connection: "psycopg.Connection[Any]") -> int:
    return connection.info.server_version // 10_000


def _tool(name: str, server: int) -> Tool:
    """The program that fits the server best: of its version, else the next newer one. Raises BackupError."""
    found = list(_tools(name))
    fitting = [tool for tool in found if tool.major >= server]
    if fitting:
        return min(fitting, key=lambda tool: tool.major)
    if not found:
        raise BackupError(
            f"{name} was not found, neither on the PATH nor in PostgreSQL's folders. It comes with PostgreSQL's client"
            " programs (on Debian: the package postgresql-client)."
        )
    newest = max(tool.major for tool in found)
    raise BackupError(
        f"The server is PostgreSQL {server}, but the newest {name} here is of version {newest}."
        f" Install the client programs of version {server}."
    )


def _tools(name: str) -> Iterator[Tool]:
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for pattern in PROGRAM_FOLDERS:
        folders += sorted(Path("/").glob(pattern.lstrip("/")))
    for folder in dict.fromkeys(folders):
        path = shutil.which(name, path=str(folder))
        if path is None:
            continue
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"(\d+)", told.stdout)
        if told.returncode == 0 and version:
            yield Tool(path, int(version[1]))


def _run(command: list[str], say: Say, password: str = "") -> None:
    """Run one of PostgreSQL's programs; tells table by table. Raises BackupError with its first complaints."""
    # Its messages are read below, so they must be in one known language.
    environ = {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": password} if password else {})
    errors: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stderr is not None  # asked for above
        for line in process.stderr:
            table = re.search(r"(?:dumping contents of|processing data for) table \"?(?:public\.)?(\w+)", line)
            if table:
                say(f"  {table[1]}")
            elif "error" in line.lower():
                errors.append(line.strip())
    if process.returncode:
        why = " ".join(errors[:3]) or f"it ended with code {process.returncode}"
        raise BackupError(f"{Path(command[0]).name} failed: {why}")
