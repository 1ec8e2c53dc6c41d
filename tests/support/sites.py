"""The site under test on a real database: built and migrated once per process, pristine before each test."""

import contextlib
import contextvars
import gc
import shutil
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask, has_app_context
from flask.testing import FlaskClient

from core.config import Settings
from core.db import db
from tests.support.postgres import Server
from tests.support.server import Port

SECRET_KEY = "only-for-tests-" + "0123456789abcdef" * 3


class Client(FlaskClient):
    """A visitor whose every request has contexts of its own, as on a server.

    Inside an app context (the `session` fixture) Flask would lend that context to the request, and with it `g` and
    the session: a test would then see the request's uncommitted objects and its signed-in user. So what the test has
    arranged is committed before the request, and what it reads afterwards is read anew.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        arranged = has_app_context()
        if arranged:
            db.session.commit()
        try:
            return contextvars.Context().run(super().open, *args, **kwargs)
        finally:
            if arranged:
                db.session.expire_all()


class Database(ABC):
    """One database of one test process."""

    url: str

    @abstractmethod
    def keep(self) -> None:
        """Remember the present content as the pristine one. Nobody is connected."""

    @abstractmethod
    def restore(self) -> None:
        """Put the pristine content back. Nobody is connected."""


class SqliteDatabase(Database):
    def __init__(self, directory: Path) -> None:
        self.file = directory / "work.sqlite"
        self.pristine = directory / "pristine.sqlite"
        self.url = f"sqlite:///{self.file}"

    def keep(self) -> None:
        assert not self.file.with_name(self.file.name + "-wal").exists(), "someone is still connected"
        shutil.copyfile(self.file, self.pristine)

    def restore(self) -> None:
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        # A new file rather than new content: a forgotten connection keeps its old file to itself.
        self.file.unlink(missing_ok=True)
        shutil.copyfile(self.pristine, self.file)


class PostgresDatabase(Database):
    """Emptied row by row: copying a template of so many tables takes ten times as long."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url("work")
        server.create("work")
        self.filled = ""

    def keep(self) -> None:
        with psycopg.connect(self.server.conninfo("work")) as connection:
            found = connection.execute(
                "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> %s",
                ["alembic_version"],
            )
            tables = [name for (name,) in found]
            self.filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in tables)
            seeded = connection.execute(self.filled.encode()).fetchall()
            assert not seeded, f"a migration leaves rows, which emptying would lose: {seeded}"

    def restore(self) -> None:
        with psycopg.connect(self.server.conninfo("work")) as connection:
            # A connection that a test forgot in the middle of something would block the rest.
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'work' AND state <> 'idle' AND pid <> pg_backend_pid()"
            )
            # Neither foreign keys nor triggers are asked.
            connection.execute("SET session_replication_role = replica")
            for (name,) in connection.execute(self.filled.encode()).fetchall():
                connection.execute(f"DELETE FROM {name}".encode())
            connection.execute(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
                " FROM pg_sequences WHERE last_value IS NOT NULL"
            )


class Site:
    """The app on one backend, reused by all tests of this process: building it takes longer than most tests."""

    def __init__(self, database: Database, directory: Path, port: Port) -> None:
        self.database = database
        self.instance = directory / "instance"
        self.instance.mkdir()
        self.settings = Settings.from_env(
            {
                "BOARDWELL_DATABASE_URL": database.url,
                "BOARDWELL_SECRET_KEY": SECRET_KEY,
                "BOARDWELL_INSTANCE": str(self.instance),
                "BOARDWELL_BASE_URL": port.url,
                "BOARDWELL_MAIL_FROM": "no-reply@example.org",
                "BOARDWELL_LIMITS": "off",
                "BOARDWELL_LOG_LEVEL": "WARNING",
            }
        )
        self.settings = replace(self.settings, testing=True)
        self.app = self.build()
        migrate(self.app)
        self.disconnect(self.app)
        database.keep()

    def build(self, **changes: Any) -> Flask:
        """A new app on the same database, with some settings changed. Takes a good part of a second."""
        from wsgi import create_app

        app: Flask = create_app(replace(self.settings, **changes))
        app.test_client_class = Client
        return app

    def reset(self) -> None:
        """The pristine site: database, files and whatever the process remembers."""
        self.disconnect(self.app)
        self.database.restore()
        for path in self.instance.rglob("*"):
            if path.is_file():
                path.unlink()
        forget(self.app)

    @staticmethod
    def disconnect(app: Flask) -> None:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


def migrate(app: Flask) -> None:
    """What `flask db upgrade` does."""
    import flask_migrate

    with app.app_context():
        flask_migrate.upgrade()


def forget(app: Flask) -> None:
    """Empty the counters and caches that an app keeps in memory."""
    for limiter in app.extensions.get("limiter", ()):
        with contextlib.suppress(NotImplementedError):
            limiter.reset()


def close(site: Site) -> None:
    site.disconnect(site.app)
    gc.collect()
