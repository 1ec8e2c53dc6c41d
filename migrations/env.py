"""Runs migrations on the engine of the app. Called by `flask db …` only."""

from typing import Any

from alembic import context
from flask import current_app

migrate = current_app.extensions["migrate"]
config = context.config


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, _compare_to: Any) -> bool:
    """The full-text index is made by hand in a migration: no model describes it."""
    if kind == "table":
        return not (name or "").startswith("search_fts")
    return not (reflected and name in ("tsv", "ix_search_entry_tsv"))


def render_item(kind: str, thing: Any, _context: Any) -> str | bool:
    """Our own column types are written as what the database gets."""
    if kind == "type" and type(thing).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    if kind == "type" and type(thing).__name__ == "AsaList":
        return "sa.UnicodeText()"
    return False


def run() -> None:
    engine = migrate.db.engine
    with engine.connect().execution_options(boardwell_write=True) as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            # A table is rebuilt to be altered; its rows must not cascade away meanwhile.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=migrate.db.metadata,
            include_object=include_object,
            render_item=render_item,
            compare_type=True,
            render_as_batch=sqlite,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        if sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.commit()


run()
