"""The migrations lead up, down and up again on both databases, and end at the very tables of the models."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import CheckConstraint, MetaData, bindparam, inspect, text

from core import audit
from core.db import UtcDateTime, db, unit_of_work


@pytest.fixture
def empty(site: Any, backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The app on a database without a table, in an app context."""
    if backend == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    else:
        server = request.getfixturevalue("postgres_server")
        server.replace("empty", "template0")
        url = server.url("empty")
    app: Flask = site.build(database_url=url)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def tables() -> set[str]:
    return set(inspect(db.engine).get_table_names()) - {"alembic_version"}


def differences(caplog: pytest.LogCaptureFixture) -> str:
    """What `flask db check` finds to differ between models and migrations; empty if nothing."""
    try:
        flask_migrate.check()
    except SystemExit:
        return caplog.text or "differs"
    return ""


def check_names(metadata: MetaData) -> set[tuple[str, str]]:
    """Table and name of every CHECK that the models describe; Alembic does not compare these."""
    preparer = db.engine.dialect.identifier_preparer
    return {
        (table.name, str(preparer.format_constraint(constraint)))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint) and constraint.name is not None
    }


def test_migrations_lead_up_down_and_up_again(empty: Flask) -> None:
    flask_migrate.upgrade()
    first = tables()
    assert set(db.metadata.tables) <= first
    flask_migrate.downgrade(revision="base")
    assert tables() == set()
    flask_migrate.upgrade()
    assert tables() == first


def test_migrations_give_the_tables_of_the_models(empty: Flask, caplog: pytest.LogCaptureFixture) -> None:
    flask_migrate.upgrade()
    assert differences(caplog) == ""


def test_migrations_give_the_checks_of_the_models(empty: Flask) -> None:
    flask_migrate.upgrade()
    inspector = inspect(db.engine)
    found = {
        (table, str(check["name"])) for table in db.metadata.tables for check in inspector.get_check_constraints(table)
    }
    assert sorted(check_names(db.metadata)) == sorted(found)


def test_an_audit_chain_from_before_the_heads_verifies_after_the_upgrade(empty: Flask) -> None:
    flask_migrate.upgrade(revision="first_house")
    previous = audit.GENESIS
    for number, reason in enumerate(("", "Grüße, “why” \\ \n", "third"), start=1):
        entry = audit.AuditEntry(
            at=datetime(2026, 3, 2, 10, number, tzinfo=UTC), action="test", subject_kind="post", subject_id=number
        )
        entry.prev_hash, entry.reason, entry.reason_hash = previous, reason, audit._digest(reason)
        entry.details_hash = audit._digest({})
        entry.hash = previous = audit._entry_hash(entry)
        with unit_of_work() as session:
            session.execute(
                text(
                    "INSERT INTO audit_entry (id, at, action, subject_kind, subject_id, details, details_hash, reason,"
                    " prev_hash, hash) VALUES (:id, :at, 'test', 'post', :id, '{}', :details_hash, :reason,"
                    " :prev_hash, :hash)"
                ).bindparams(bindparam("at", type_=UtcDateTime())),
                {
                    "id": number,
                    "at": entry.at,
                    "details_hash": entry.details_hash,
                    "reason": reason,
                    "prev_hash": entry.prev_hash,
                    "hash": entry.hash,
                },
            )
    flask_migrate.upgrade()
    assert audit.verify(db.session()) == (3, None)


def test_a_missing_table_is_found(empty: Flask, caplog: pytest.LogCaptureFixture) -> None:
    flask_migrate.upgrade()
    # A table that no other points to.
    last = db.metadata.sorted_tables[-1].name
    with db.engine.begin() as connection:
        connection.execute(text(f'DROP TABLE "{last}"'))
    assert last in differences(caplog)


def test_there_is_one_newest_migration(app: Flask) -> None:
    from alembic.script import ScriptDirectory

    with app.app_context():
        config = app.extensions["migrate"].migrate.get_config()
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
