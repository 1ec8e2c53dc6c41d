"""The audit chain: every change of a row shows, what is emptied by the rule does not, and a head proves the whole."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, null, select, update

from core import audit
from core.audit import AuditEntry, AuditHead, Head
from core.db import unit_of_work
from core.errors import NotFound


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


def test_an_emptied_entry_still_verifies_and_says_who_emptied_it(session, chain, now):
    with unit_of_work() as s:
        audit.redact_details(s, chain[1], actor_id=None, reason="It named somebody.", now=now)
    session.expire_all()
    emptied = session.get(AuditEntry, chain[1])
    assert (emptied.details, emptied.reason) == (None, None)
    newest = session.execute(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).scalar_one()
    assert (newest.action, newest.subject_id, newest.reason) == ("audit.redacted", chain[1], "It named somebody.")
    assert audit.verify(session) == (6, None)
    with unit_of_work() as s:
        audit.redact_details(s, chain[1], actor_id=None, reason="Again.", now=now)
    assert audit.verify(session) == (6, None)


def test_an_entry_that_does_not_exist_cannot_be_emptied(session, chain, now):
    with pytest.raises(NotFound), unit_of_work() as s:
        audit.redact_details(s, 10_000, actor_id=None, reason="why", now=now)


@pytest.mark.parametrize("column", ["details", "reason"])
def test_an_entry_emptied_behind_the_rules_back_is_found(session, chain, column):
    with unit_of_work() as s:
        s.execute(update(AuditEntry).where(AuditEntry.id == chain[1]).values({column: null()}))
    session.expire_all()
    count, broken = audit.verify(session)
    assert (count, broken.entry_id) == (5, chain[1])
    assert "emptied" in broken.why


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


# --- Heads: each attack by somebody who can write to the database -------------------------------------------------


@pytest.fixture
def head(session, chain, now) -> Head:
    """The head as it was published and kept elsewhere; the database knows it too."""
    with unit_of_work() as s:
        kept = audit.record_head(s, now=now)
    return Head(kept.count, kept.hash)


def forget_heads(s) -> None:
    s.execute(delete(AuditHead))


def write_anew(s, *, changed: int) -> None:
    """The cleverest attack: one entry gets other content, and every hash from there on is computed again."""
    entries = s.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars().all()
    previous = audit.GENESIS
    for entry in entries:
        if entry.id == changed:
            entry.reason, entry.reason_hash = "something else", audit._digest("something else")
        entry.prev_hash = previous
        entry.hash = previous = audit._entry_hash(entry)
    s.flush()


def test_the_head_of_a_day_is_recorded_once(session, chain, now):
    with unit_of_work() as s:
        first = audit.record_head(s, now=now)
    assert (first.day, first.count, first.entry_id) == (now.date(), 5, chain[-1])
    with unit_of_work() as s:
        assert audit.record_head(s, now=now + timedelta(hours=13)) is None
        assert audit.record_head(s, now=now + timedelta(hours=14)).day == now.date() + timedelta(days=1)
    assert [head.day for head in audit.recorded_heads(session)] == [now.date() + timedelta(days=1), now.date()]


def test_an_empty_chain_has_no_head(session, now):
    with unit_of_work() as s:
        assert audit.record_head(s, now=now) is None
    assert audit.verify(session, [Head(1, "a" * 64)])[1].entry_id == 0


def test_a_chain_that_has_grown_fits_its_old_head(session, chain, head, now):
    with unit_of_work() as s:
        audit.record(s, actor_id=None, action="test", subject=("post", 9), now=now)
        audit.redact_details(s, chain[0], actor_id=None, reason="It named somebody.", now=now)
    assert audit.verify(session, [head]) == (7, None)


def test_a_tail_that_was_cut_off_is_found(session, chain, head):
    with unit_of_work() as s:
        s.execute(delete(AuditEntry).where(AuditEntry.id >= chain[3]))
    # The database's own list of heads tells; without it, only the head that was kept elsewhere.
    assert audit.verify(session)[1].entry_id == chain[2]
    with unit_of_work() as s:
        forget_heads(s)
    assert audit.verify(session) == (3, None)
    count, broken = audit.verify(session, [head])
    assert (count, broken.entry_id) == (3, chain[2])
    assert "cut off" in broken.why


def test_a_tail_that_was_replaced_is_found(session, chain, head, now):
    with unit_of_work() as s:
        s.execute(delete(AuditEntry).where(AuditEntry.id >= chain[3]))
        forget_heads(s)
    with unit_of_work() as s:
        made = [audit.record(s, actor_id=None, action="test", subject=("post", n), now=now) for n in range(4)]
    assert audit.verify(session) == (7, None)
    assert audit.verify(session, [head])[1].entry_id == made[1].id


def test_a_chain_that_was_computed_anew_is_found(session, chain, head):
    with unit_of_work() as s:
        write_anew(s, changed=chain[1])
        forget_heads(s)
    session.expire_all()
    assert audit.verify(session) == (5, None)
    count, broken = audit.verify(session, [head])
    assert (count, broken.entry_id) == (5, chain[4])
    assert "published" in broken.why


def test_a_head_that_was_forged_with_the_chain_does_not_fit_the_one_that_was_kept(session, chain, head):
    with unit_of_work() as s:
        write_anew(s, changed=chain[0])
        end = s.get(AuditEntry, chain[-1]).hash
        s.execute(update(AuditHead).values(hash=end))
    session.expire_all()
    assert audit.verify(session) == (5, None)
    assert audit.verify(session, [head])[1].entry_id == chain[4]


def test_heads_are_read_out_of_any_text():
    end = "0123456789abcdef" * 4
    text = f"2026-03-02 12:{end}\r\n> 7:{end}, 0:{end} 8:{end[:-1]} x9:{end}a 10:{end}"
    assert [head.count for head in audit.read_heads(text)] == [12, 7, 10]
    assert str(Head(12, end)) == f"12:{end}"
