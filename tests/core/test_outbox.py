"""The outbox and its worker: at least once, later after a failure, never lost, never without its transaction."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import outbox
from core.cli import deliver_next, work
from core.db import unit_of_work
from core.outbox import MAX_ATTEMPTS, OutboxMessage


@pytest.fixture
def delivered(app):
    """Replaces what delivers `test` messages by a list; everything else is the real thing."""
    seen: list[dict] = []
    handlers = app.extensions["boardwell.handlers"]
    app.extensions["boardwell.handlers"] = {**handlers, "test": lambda payload: seen.append(dict(payload))}
    yield seen
    app.extensions["boardwell.handlers"] = handlers


def test_a_message_goes_out_once(app, session, now, delivered):
    with unit_of_work() as s:
        outbox.put(s, "test", {"n": 1}, now=now)
    assert deliver_next() is True
    assert deliver_next() is False
    assert delivered == [{"n": 1}]


def test_a_message_of_a_rolled_back_transaction_never_goes_out(app, session, now, delivered):
    def breaks_half_way() -> None:
        with unit_of_work() as s:
            outbox.put(s, "test", {"n": 1}, now=now)
            s.flush()
            raise KeyError

    with pytest.raises(KeyError):
        breaks_half_way()
    assert deliver_next() is False
    assert delivered == []


def test_a_failing_handler_is_tried_again_later_and_given_up_visibly(app, session, now):
    with unit_of_work() as s:
        outbox.put(s, "test", {}, now=now)
    at = now
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with unit_of_work() as s:
            delivery = outbox.lease_next(s, now=at)
            assert delivery is not None and delivery.attempts == attempt
            outbox.mark_failed(s, delivery, "no route", now=at)
        with unit_of_work() as s:
            assert outbox.lease_next(s, now=at) is None
        at += timedelta(days=1)
    session.expire_all()
    row = session.execute(select(OutboxMessage)).scalar_one()
    assert row.failed_at is not None and row.last_error == "no route" and row.sent_at is None


def test_a_lease_that_ran_out_is_taken_again(session, now):
    with unit_of_work() as s:
        outbox.put(s, "test", {}, now=now)
    with unit_of_work() as s:
        first = outbox.lease_next(s, now=now)
    with unit_of_work() as s:
        assert outbox.lease_next(s, now=now + timedelta(seconds=1)) is None
    with unit_of_work() as s:
        again = outbox.lease_next(s, now=now + outbox.LEASE)
    assert first is not None and again is not None and first.id == again.id


def test_delivered_messages_are_forgotten_after_a_month_and_failed_ones_are_not(session, now):
    with unit_of_work() as s:
        for number in range(2):
            outbox.put(s, "test", {"n": number}, now=now)
        sent = outbox.lease_next(s, now=now)
        assert sent is not None
        outbox.mark_sent(s, sent.id, now=now)
        failed = outbox.lease_next(s, now=now)
        assert failed is not None
        outbox.mark_failed(s, failed, "no route", now=now)
    for later, left in ((timedelta(days=29), 2), (timedelta(days=31), 1)):
        with unit_of_work() as s:
            outbox.forget_old(s, now=now + later)
        assert len(session.execute(select(OutboxMessage.id)).all()) == left


def test_two_workers_never_deliver_the_same_message(app, session, now, delivered):
    with unit_of_work() as s:
        for number in range(40):
            outbox.put(s, "test", {"n": number}, now=now)
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(app, stop), kwargs={"once": True}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(d["n"] for d in delivered) == list(range(40))


def test_the_worker_command_handles_what_is_due_and_ends(app, session, now, delivered):
    with unit_of_work() as s:
        outbox.put(s, "test", {"n": 1}, now=now)
        outbox.put(s, "test", {"n": 2}, now=now)
    assert work(app, threading.Event(), once=True) == 2
