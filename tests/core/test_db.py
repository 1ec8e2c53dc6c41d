"""Transactions: one commit, a rollback on anything raised, writers that queue."""

import threading
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from core import switches
from core.db import db, is_sqlite, unit_of_work
from core.switches import Switch


def test_a_unit_of_work_commits_at_its_end(session, now):
    with unit_of_work() as s:
        switches.turn(s, "panic", on=True, by=None, now=now)
    session.rollback()
    assert switches.is_on(session, "panic")


def test_a_unit_of_work_rolls_back_on_any_exception(session, now):
    def breaks_half_way() -> None:
        with unit_of_work() as s:
            switches.turn(s, "panic", on=True, by=None, now=now)
            s.flush()
            raise KeyError("something broke")

    with pytest.raises(KeyError):
        breaks_half_way()
    assert not switches.is_on(session, "panic")


def test_a_write_outside_a_unit_of_work_is_refused(session, now):
    session.add(Switch(name="panic", is_on=True, changed_at=now))
    session.execute(select(1))
    session.add(Switch(name="panic2", is_on=True, changed_at=now))
    with pytest.raises(Exception, match="outside unit_of_work"), session.no_autoflush, unit_of_work():
        pass
    session.rollback()


def test_naive_instants_are_refused_and_others_come_back_as_utc(session, now):
    zone = timezone(timedelta(hours=2))
    with unit_of_work() as s:
        switches.turn(s, "panic", on=True, by=None, now=datetime(2026, 3, 2, 12, 0, tzinfo=zone))
    session.expire_all()
    assert session.get(Switch, "panic").changed_at.isoformat() == "2026-03-02T10:00:00+00:00"
    with pytest.raises(StatementError, match="naive"), unit_of_work() as s:
        s.get(Switch, "panic").changed_at = datetime(2026, 3, 2)  # noqa: DTZ001


def test_sqlite_has_foreign_keys_and_a_write_ahead_log(session):
    if not is_sqlite(session):
        return
    assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_two_writers_that_read_before_they_write_both_get_through(app, now):
    with app.app_context(), unit_of_work() as s:
        switches.turn(s, "panic", on=False, by=None, now=now)
    begun, errors = threading.Barrier(2), []

    def write(count: int) -> None:
        try:
            with app.app_context():
                begun.wait(timeout=20)
                for _ in range(count):
                    with unit_of_work() as s:
                        row = s.execute(select(Switch).where(Switch.name == "panic").with_for_update()).scalar_one()
                        row.changed_at = row.changed_at + timedelta(seconds=1)
                db.session.remove()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(25,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with app.app_context():
        assert db.session.get(Switch, "panic").changed_at == now + timedelta(seconds=50)
