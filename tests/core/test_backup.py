"""Backups: made while people write, restored whole into an empty database; what is refused leaves all as it was."""

import contextvars
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select, text, update

from core import audit, backup
from core.audit import AuditEntry
from core.db import db, unit_of_work, utc_now
from core.vocabulary import Verdict
from forum.models import Post
from tests.moderation.stage import Stage, build
from tests.support.sites import migrate


def run(app: Flask, *args: str | Path) -> Result:
    return command(app, "ops", *map(str, args))


def command(app: Flask, *args: str) -> Result:
    """A command of this app, whichever app the test is in the context of."""
    return contextvars.Context().run(app.test_cli_runner().invoke, args=list(args))


@pytest.fixture
def stage(session: Any, site: Any, now: Any) -> Stage:
    """A house with members, posts, decisions and a head of the chain."""
    stage = build(session, site.settings, now)
    stage.decide(stage.held()[1], Verdict.REJECT)
    audit.record_head(session, now=now)
    session.commit()
    return stage


@pytest.fixture
def other(site: Any, backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The app on another database, in which nothing is."""
    if backend == "sqlite":
        url = f"sqlite:///{tmp_path / 'new folder' / 'other.sqlite'}"
    else:
        server = request.getfixturevalue("postgres_server")
        server.replace("other", "template0")
        url = server.url("other")
    app: Flask = site.build(database_url=url)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def counted(app: Flask) -> dict[str, int]:
    """How many rows each table has."""
    with app.app_context():
        try:
            tables = db.metadata.sorted_tables
            return {t.name: db.session.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}
        finally:
            db.session.remove()


@pytest.fixture
def writing(app: Flask) -> Iterator[Callable[[], int]]:
    """Somebody who writes all the time; the function tells how many entries are committed."""
    stop, done, errors = threading.Event(), threading.Semaphore(0), []
    written = 0

    def write() -> None:
        nonlocal written
        try:
            while not stop.is_set():
                with app.app_context(), unit_of_work() as s:
                    post = s.execute(select(Post).order_by(Post.id).limit(1)).scalar_one()
                    s.execute(update(Post).where(Post.id == post.id).values(helpful_count=post.helpful_count))
                    audit.record(s, actor_id=None, action="test", subject=("post", post.id), now=utc_now())
                written += 1
                done.release()
        except BaseException as error:
            errors.append(error)
            done.release()
        finally:
            with app.app_context():
                db.session.remove()

    def wait_for_three() -> int:
        for _ in range(3):
            done.acquire()
        return written

    thread = threading.Thread(target=write)
    thread.start()
    yield wait_for_three
    stop.set()
    thread.join()
    assert errors == []


def test_a_backup_made_while_somebody_writes_is_restored_whole(
    app: Flask, stage: Stage, other: Flask, tmp_path: Path, writing: Callable[[], int]
) -> None:
    file = tmp_path / "site.backup"
    began_with = writing()
    before = counted(app)
    made = run(app, "backup", file)
    assert made.exit_code == 0, made.output
    assert " MB in " in made.stdout
    # The writer was not kept waiting until the end: it goes on.
    assert writing() > began_with
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*.part")] == []

    restored = run(other, "restore", file)
    assert restored.exit_code == 0, restored.output
    assert "db upgrade" not in restored.stdout
    found = counted(other)
    assert found["audit_entry"] >= before["audit_entry"]
    assert {k: v for k, v in found.items() if k != "audit_entry"} == {
        k: v for k, v in before.items() if k != "audit_entry"
    }
    checked = run(other, "check")
    assert checked.exit_code == 0, checked.output
    proven = command(other, "moderation", "verify-log")
    assert proven.exit_code == 0, proven.output


def test_a_restored_site_answers_and_searches(app: Flask, stage: Stage, other: Flask, tmp_path: Path) -> None:
    """Generated columns, triggers and numbering come along, not only rows."""
    assert run(app, "backup", tmp_path / "b").exit_code == 0
    assert run(other, "restore", tmp_path / "b").exit_code == 0
    page = other.test_client().get("/search?q=walking")
    assert page.status_code == 200 and "Why does it hurt?" in page.get_data(as_text=True)
    with other.app_context():
        with unit_of_work() as s:
            newest = s.execute(select(func.max(AuditEntry.id))).scalar_one()
            assert audit.record(s, actor_id=None, action="test", subject=("post", 1), now=utc_now()).id > newest
        db.session.remove()


def test_a_full_database_is_only_replaced_by_force(app: Flask, stage: Stage, other: Flask, tmp_path: Path) -> None:
    assert run(app, "backup", tmp_path / "b").exit_code == 0
    before = counted(app)
    (tmp_path / "new folder").mkdir()
    migrate(other)
    # A database with tables but without rows counts as empty.
    assert run(other, "restore", tmp_path / "b").exit_code == 0
    with other.app_context():
        with unit_of_work() as s:
            audit.record(s, actor_id=None, action="later", subject=("post", 1), now=utc_now())
        db.session.remove()
    refused = run(other, "restore", tmp_path / "b")
    assert refused.exit_code == 1
    assert "not empty" in refused.stderr and "--force" in refused.stderr
    assert counted(other)["audit_entry"] == before["audit_entry"] + 1
    forced = run(other, "restore", tmp_path / "b", "--force")
    assert forced.exit_code == 0, forced.output
    assert counted(other) == before


def test_a_backup_that_is_damaged_leaves_the_database_as_it_was(
    app: Flask, stage: Stage, other: Flask, tmp_path: Path, backend: str
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(app, "backup", whole).exit_code == 0
    assert run(other, "restore", whole).exit_code == 0
    before = counted(other)
    # The end is missing: for SQLite most pages, for PostgreSQL the data of the last tables.
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    refused = run(other, "restore", cut, "--force")
    assert refused.exit_code == 1 and refused.stderr.startswith("Error: ")
    assert counted(other) == before
    assert run(other, "check").exit_code == 0


def test_what_is_no_backup_is_refused(app: Flask, other: Flask, tmp_path: Path, backend: str) -> None:
    for name, content, why in [
        ("text", b"hello", "no backup"),
        ("empty", b"", "no backup"),
        ("foreign", b"PGDMP..." if backend == "sqlite" else b"SQLite format 3\0", "but this site runs on"),
    ]:
        (tmp_path / name).write_bytes(content)
        refused = run(other, "restore", tmp_path / name)
        assert refused.exit_code == 1 and why in refused.stderr
    missing = run(other, "restore", tmp_path / "missing")
    assert missing.exit_code == 1 and "cannot be read" in missing.stderr
    if backend == "sqlite":
        stranger = sqlite3.connect(tmp_path / "stranger")
        stranger.execute("CREATE TABLE t (x)")
        stranger.close()
        refused = run(other, "restore", tmp_path / "stranger")
        assert refused.exit_code == 1 and "none of Boardwell" in refused.stderr
        assert not (tmp_path / "new folder" / "other.sqlite").exists()


def test_a_backup_overwrites_nothing(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    for path, why in [
        (tmp_path / "there", "already"),
        (tmp_path, "folder"),
        (tmp_path / "no" / "where", "no folder"),
    ]:
        refused = run(app, "backup", path)
        assert refused.exit_code == 1 and why in refused.stderr
    assert (tmp_path / "there").read_text() == "precious"


def test_a_backup_of_an_older_version_says_what_to_do(app: Flask, other: Flask, tmp_path: Path, session: Any) -> None:
    session.execute(text("UPDATE alembic_version SET version_num = 'first_house'"))
    session.commit()
    try:
        assert run(app, "backup", tmp_path / "b").exit_code == 0
    finally:
        newest = run_head(app)
        session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": newest})
        session.commit()
    restored = run(other, "restore", tmp_path / "b")
    assert restored.exit_code == 0 and "db upgrade" in restored.stdout


def run_head(app: Flask) -> str:
    from core.cli import _newest_migration

    with app.app_context():
        return str(_newest_migration())


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_without_its_programs_says_which_package_to_install(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(backup, "PROGRAM_FOLDERS", ())
    refused = run(app, "backup", tmp_path / "b")
    assert refused.exit_code == 1
    assert "pg_dump was not found" in refused.stderr and "postgresql-client" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_programs_older_than_the_server_are_refused(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "bin" / "pg_dump"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(backup, "PROGRAM_FOLDERS", ())
    refused = run(app, "backup", tmp_path / "b")
    assert refused.exit_code == 1 and "newest pg_dump here is of version 9" in refused.stderr


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_password_of_the_database_is_on_no_command_line(site: Any) -> None:
    from sqlalchemy.engine import make_url

    address, password = backup._conninfo(
        make_url("postgresql+psycopg://bo:s%40crt@db.example:5433/site?sslmode=require")
    )
    assert password == "s@crt" and "crt" not in address
    assert {"user=bo", "host=db.example", "port=5433", "dbname=site", "sslmode=require"} == set(address.split())
