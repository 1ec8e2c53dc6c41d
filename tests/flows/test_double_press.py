"""A button pressed many times at once: it is done once, and every press gets the same answer."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import func, select

from forum.models import Thread
from tests.flows.scene import load_starter
from tests.support.cast import bearer, csrf_of, make_member, sign_in

PRESSES = 5
SENT = {"title": "Pressed again and again", "body": "The page was slow, so I pressed once more."}


def press(app, send):
    """Let all presses go at one moment, each on a connection of its own; their answers."""
    start = Barrier(PRESSES)

    def once(_number):
        client = app.test_client()
        start.wait(timeout=30)
        return send(client)

    with ThreadPoolExecutor(PRESSES) as pool:
        return list(pool.map(once, range(PRESSES)))


def test_a_form_that_is_pressed_many_times_at_once_leads_every_press_to_the_one_thread(app, client, session):
    load_starter(app)
    sign_in(client, make_member(session, "ann", approved=5))
    form = SENT | {"csrf_token": csrf_of(client, "/boards/gout/ask"), "_key": "one-and-the-same"}
    cookie = client.get_cookie("boardwell").value
    session.rollback()

    def send(other):
        other.set_cookie("boardwell", cookie)
        return other.post("/boards/gout/ask", data=form)

    answers = press(app, send)
    assert {a.status_code for a in answers} == {303}
    assert len({a.headers["Location"] for a in answers}) == 1
    assert session.scalar(select(func.count(Thread.id))) == 1
    assert client.post("/boards/gout/ask", data=form).headers["Location"] == answers[0].headers["Location"]


def test_a_program_that_repeats_itself_at_once_gets_the_first_answer(app, client, session):
    load_starter(app)
    headers = bearer(make_member(session, "ann", approved=5)) | {"Idempotency-Key": "one-and-the-same"}
    session.rollback()
    answers = press(
        app, lambda other: other.post("/api/v1/boards/gout/threads", json=SENT | {"kind": "question"}, headers=headers)
    )
    assert {a.status_code for a in answers} == {201}
    assert len({a.json["thread"]["id"] for a in answers}) == 1
    assert session.scalar(select(func.count(Thread.id))) == 1
