"""The audit chain: every change of a row shows, and emptied details do not."""

import pytest
from sqlalchemy import delete, select, update

from core import audit
from core.audit import AuditEntry
from core.db import unit_of_work


@pytest.fixture
def chain(session, now):
    with unit_of_work() as s:
        for number in range(5):
            audit.record(
                s, actor_id=None, action="test", subject=("post", number), now=now, details={"n": number}, reason="why"
            )
    return [e.id for e in session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars()]


def test_an_untouched_chain_verifies(session, chain):
    assert audit.verify(session) == (5, None)


@pytest.mark.parametrize("column", ["action", "subject_id", "reason", "subject_kind"])
def test_a_changed_row_is_found(session, chain, column):
    value = 99 if column == "subject_id" else "changed"
    with unit_of_work() as s:
        s.execute(update(AuditEntry).where(AuditEntry.id == chain[2]).values({column: value}))
    session.expire_all()
    count, broken = audit.verify(session)
    assert (count, broken.entry_id) == (3, chain[2])


def test_changed_details_are_found(session, chain):
    with unit_of_work() as s:
        s.execute(update(AuditEntry).where(AuditEntry.id == chain[1]).values(details={"n": 7}))
    session.expire_all()
    assert audit.verify(session)[1].entry_id == chain[1]


def test_emptied_details_still_verify(session, chain):
    from sqlalchemy import null

    with unit_of_work() as s:
        s.execute(update(AuditEntry).where(AuditEntry.id == chain[1]).values(details=null()))
    session.expire_all()
    assert audit.verify(session) == (5, None)


def test_a_removed_row_is_found(session, chain):
    with unit_of_work() as s:
        s.execute(delete(AuditEntry).where(AuditEntry.id == chain[2]))
    session.expire_all()
    assert audit.verify(session)[1].entry_id == chain[3]


def test_the_chain_has_no_fork_when_two_write_at_once(app, now):
    import threading

    errors = []

    def write() -> None:
        try:
            with app.app_context():
                for _ in range(10):
                    with unit_of_work() as s:
                        audit.record(s, actor_id=None, action="race", subject=("post", 1), now=now)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with app.app_context():
        from core.db import db

        assert audit.verify(db.session()) == (30, None)
