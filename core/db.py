"""The one source of sessions and connections, and the one place where a transaction begins and ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Enum, MetaData, event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# How long a writer waits for another writer on SQLite, in seconds; PostgreSQL waits by row.
SQLITE_BUSY_TIMEOUT = 30


class Base(DeclarativeBase):
    """All tables of all rooms stand in this metadata."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Naive values are refused on the way in; what comes out is always aware and UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored: give it a time zone")
        value = value.astimezone(UTC)
        # SQLite compares stored instants as text, so all of them must be of the same form.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def enum_column(kind: type[StrEnum], name: str | None = None) -> Enum:
    """Stored as its value in a VARCHAR with a CHECK; never a native enum, so that a new value is an easy migration.

    `name` tells the CHECKs of two columns of the same kind in one table apart.
    """
    return Enum(
        kind,
        values_callable=lambda k: [member.value for member in k],
        native_enum=False,
        create_constraint=True,
        length=32,
        name=name or kind.__name__.lower(),
    )


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One transaction: a commit at the end, a rollback on any exception. Doors and jobs open it; rules never do.

    What was read before in this request was another, finished transaction: rules read again what they decide on.
    On SQLite it begins IMMEDIATE, so writers queue instead of failing. Functions left in
    `session.info["on_begin"]` run once, inside the next transaction (the row of an Idempotency-Key is written so).
    """
    session = db.session()
    if session.in_transaction():
        if session.new or session.dirty or session.deleted:
            raise RuntimeError("a write was begun outside unit_of_work()")
        session.commit()
    # Rows read before the transaction may be stale by the time that the lock is ours.
    session.expire_all()
    try:
        session.connection(execution_options={"boardwell_write": True})
        for hook in session.info.pop("on_begin", ()):
            hook(session)
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


def install(engine: Engine) -> None:
    """Set up one engine: for SQLite WAL, foreign keys, a busy timeout and our own BEGIN."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver's own implicit BEGIN is deferred and breaks under two writers.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT * 1000}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("boardwell_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def utc_now() -> datetime:
    """For doors and jobs; rules are given `now`."""
    return datetime.now(UTC)
