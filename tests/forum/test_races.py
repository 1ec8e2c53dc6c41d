"""Two people at once: one wins, the other is told, and every counter still adds up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db import unit_of_work
from core.errors import AppError, Conflict
from core.vocabulary import PostKind, PostState, ThreadKind
from forum import boards, lifecycle, posting, reading, votes
from forum.models import Board, Post, ReadMark, Revision
from tests.forum.stage import Stage

CROWD = 8


def race(app: Flask, acts: list[Callable[[Session], Any]]) -> list[Any]:
    """Run each act in a thread and transaction of its own, all let go at one moment; results or errors, in order."""
    start = Barrier(len(acts))

    def run(act: Callable[[Session], Any]) -> Any:
        with app.app_context():
            start.wait(timeout=30)
            try:
                with unit_of_work() as session:
                    return act(session)
            except AppError as error:
                return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def settled(stage: Stage) -> None:
    stage.session.rollback()
    stage.session.expire_all()
    stage.sound()


def test_of_many_who_move_one_post_one_wins(app: Flask, stage: Stage) -> None:
    post_id = stage.ask().post.id
    stage.session.commit()
    targets = [PostState.HIDDEN, PostState.REMOVED, PostState.WITHDRAWN, PostState.SHIELDED] * 2

    def mover(to: PostState) -> Callable[[Session], Any]:
        return lambda session: lifecycle.move(session, post_id, to, expected_version=1, now=stage.now).state

    results = race(app, [mover(to) for to in targets])
    won = [r for r in results if isinstance(r, PostState)]
    lost = [r for r in results if isinstance(r, Conflict)]
    assert (len(won), len(lost)) == (1, len(targets) - 1)
    assert {error.extra["version"] for error in lost} == {2}
    settled(stage)


def test_of_many_edits_of_one_version_one_wins(app: Flask, stage: Stage) -> None:
    post_id = stage.ask().post.id
    stage.session.commit()

    def editor(n: int) -> Callable[[Session], Any]:
        def edit(session: Session) -> int:
            posted = posting.edit_post(
                session,
                stage.ann,
                post_id,
                version=1,
                body=f"text {n}",
                gate=stage.gate,
                settings=stage.settings,
                now=stage.now,
            )
            return posted.post.version

        return edit

    results = race(app, [editor(n) for n in range(CROWD)])
    assert sorted(r for r in results if isinstance(r, int)) == [2]
    assert sum(isinstance(r, Conflict) for r in results) == CROWD - 1
    settled(stage)
    assert stage.session.execute(select(func.count(Revision.id))).scalar() == 2


def test_an_edit_and_a_decision_at_once_leave_one_of_them(app: Flask, stage: Stage) -> None:
    post_id = stage.ask(body="HOLD it").post.id
    stage.session.commit()

    def edit(session: Session) -> str:
        posting.edit_post(
            session,
            stage.ann,
            post_id,
            version=1,
            body="HOLD other words",
            gate=stage.gate,
            settings=stage.settings,
            now=stage.now,
        )
        return "edited"

    def approve(session: Session) -> str:
        lifecycle.move(session, post_id, PostState.PUBLISHED, expected_version=1, now=stage.now)
        return "approved"

    results = race(app, [edit, approve])
    won = [r for r in results if isinstance(r, str)]
    assert len(won) == 1
    assert sum(isinstance(r, Conflict) for r in results) == 1
    settled(stage)
    # What nobody has read is never public.
    post = stage.session.get_one(Post, post_id)
    assert (post.state is PostState.PUBLISHED) == (won == ["approved"])
    assert post.source == ("HOLD it" if won == ["approved"] else "HOLD other words")


def test_many_answers_at_once_get_positions_of_their_own(app: Flask, stage: Stage) -> None:
    thread_id = stage.ask().thread.id
    stage.session.commit()

    def answerer(n: int) -> Callable[[Session], Any]:
        return lambda session: (
            posting.add_post(
                session,
                (stage.ben, stage.cora)[n % 2],
                thread_id=thread_id,
                kind=PostKind.ANSWER,
                body=f"answer {n}",
                gate=stage.gate,
                settings=stage.settings,
                now=stage.now,
            ).post.position
        )

    assert sorted(race(app, [answerer(n) for n in range(CROWD)])) == list(range(1, CROWD + 1))
    settled(stage)


@pytest.mark.parametrize("act", ["mark", "unmark"])
def test_the_same_mark_pressed_many_times_counts_once(app: Flask, stage: Stage, act: str) -> None:
    answer_id = stage.answer(stage.ask().thread.id).post.id
    if act == "unmark":
        votes.mark_helpful(stage.session, stage.ann, answer_id, settings=stage.settings, now=stage.now)
    stage.session.commit()

    def press(session: Session) -> int:
        if act == "unmark":
            return votes.unmark_helpful(session, stage.ann, answer_id)
        return votes.mark_helpful(session, stage.ann, answer_id, settings=stage.settings, now=stage.now)

    assert set(race(app, [press] * CROWD)) == {1 if act == "mark" else 0}
    settled(stage)


def test_the_first_threads_of_a_board_at_once_make_one_board(app: Flask, stage: Stage) -> None:
    results = race(app, [lambda session: boards.ensure(session, "backache", stage.now).id] * CROWD)
    assert len(set(results)) == 1
    assert stage.session.execute(select(func.count(Board.id))).scalar() == 1


def test_a_thread_opened_in_many_windows_leaves_one_mark(app: Flask, stage: Stage) -> None:
    thread_id = stage.ask().thread.id
    stage.session.commit()
    race(app, [lambda session: reading.see(session, stage.ben, thread_id, 0, now=stage.now)] * CROWD)
    assert stage.session.execute(select(func.count()).select_from(ReadMark)).scalar() == 1


def test_threads_answers_and_moves_at_once_add_up(app: Flask, stage: Stage) -> None:
    """Different rows that share a thread, a board and authors: no deadlock, and no count is lost."""
    first = stage.ask().thread.id
    posts = [stage.answer(first, (stage.ben, stage.cora)[n % 2]).post.id for n in range(6)]
    stage.session.commit()

    def hide(post_id: int) -> Callable[[Session], Any]:
        return lambda session: (
            lifecycle.move(session, post_id, PostState.HIDDEN, expected_version=1, now=stage.now).state
        )

    def answer(session: Session) -> PostState:
        return posting.add_post(
            session,
            stage.ben,
            thread_id=first,
            kind=PostKind.ANSWER,
            body="one more",
            gate=stage.gate,
            settings=stage.settings,
            now=stage.now,
        ).post.state

    def ask(session: Session) -> PostState:
        return posting.start_thread(
            session,
            stage.cora,
            board_slug="backache",
            kind=ThreadKind.QUESTION,
            title="Another",
            body="one more",
            gate=stage.gate,
            settings=stage.settings,
            now=stage.now,
        ).post.state

    results = race(app, [hide(post_id) for post_id in posts[:4]] + [answer] * 4 + [ask] * 2)
    assert sorted(results) == sorted([PostState.HIDDEN] * 4 + [PostState.PUBLISHED] * 6)
    settled(stage)
