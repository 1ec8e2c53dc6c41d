"""Members write, report and mark while moderators move, merge and split: nothing is lost and everything adds up."""

import threading
from collections import Counter
from collections.abc import Callable

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from auth.models import Member
from core.db import unit_of_work, utc_now
from core.errors import AppError
from core.vocabulary import PostKind, Role
from forum import checks as forum_checks
from forum import posting, votes
from forum.models import Post
from moderation import checks, operations, reports
from tests.moderation.desk import Desk
from tests.moderation.stage import GATE, make_condition
from tests.support.cast import actor_of, make_member

ROUNDS = 8
# What may answer while a thread moves under one's hands; the text comes back with each.
EXPECTED = {"thread-not-open", "thread-changed", "thread-merged", "already-there", "already-reported", "not-found"}


def test_members_and_moderators_at_the_same_time(
    desk: Desk, app: Flask, session: Session, ann: Member, ben: Member
) -> None:
    make_condition(session, utc_now(), "Gout")
    mo = make_member(session, "mo", roles=[Role.MODERATOR])
    target = desk.ask(ann, title="The older one").thread_id
    sources = [desk.ask(ann, title=f"Again, number {n}") for n in range(ROUNDS)]
    answers = [desk.answer(ben, post, f"A pillow, number {post.id}.").id for post in sources]
    threads = [post.thread_id for post in sources]
    writers = [actor_of(make_member(session, name, approved=5)) for name in ("cleo", "dora")]
    moderator = actor_of(mo)
    session.commit()
    gate, outcomes, written = threading.Barrier(4), Counter[str](), []

    def attempt(act: Callable[[Session], int]) -> None:
        try:
            with app.app_context(), unit_of_work() as mine:
                made = act(mine)
            outcomes["done"] += 1
            written.append(made)
        except AppError as error:
            outcomes[error.code] += 1
        except OperationalError:
            # The database broke one of two transactions that waited for each other: 503, and it may be sent again.
            outcomes["deadlock"] += 1

    def write(mine: Session, number: int) -> int:
        posted = posting.add_post(
            mine,
            writers[0],
            thread_id=threads[number],
            kind=PostKind.COMMENT,
            body=f"Told in round {number}, as it came to me.",
            parent_id=answers[number],
            gate=GATE,
            settings=desk.settings,
            now=utc_now(),
        )
        return posted.post.id

    def writes() -> None:
        gate.wait(timeout=60)
        for number in range(ROUNDS):
            attempt(lambda mine, number=number: write(mine, number))

    def mark(mine: Session, number: int) -> int:
        votes.mark_helpful(mine, writers[1], answers[number], settings=desk.settings, now=utc_now())
        return 0

    def marks() -> None:
        gate.wait(timeout=60)
        for number in range(ROUNDS):
            attempt(lambda mine, number=number: mark(mine, number))

    def complain(mine: Session, number: int) -> int:
        reports.report(
            mine, writers[1], answers[number], rule="R11-kind", note="", settings=desk.settings, now=utc_now()
        )
        return 0

    def complains() -> None:
        gate.wait(timeout=60)
        for number in range(ROUNDS):
            attempt(lambda mine, number=number: complain(mine, number))

    def operate(mine: Session, number: int, operation: str) -> int:
        operations.operate(
            mine,
            threads[number],
            by=moderator,
            operation=operation,
            board="gout",
            into=target,
            rule="none",
            reason="At once.",
            settings=desk.settings,
            now=utc_now(),
        )
        return 0

    def operates() -> None:
        gate.wait(timeout=60)
        for number in range(ROUNDS):
            for operation in ("move", "merge"):
                attempt(lambda mine, number=number, operation=operation: operate(mine, number, operation))

    workers = [threading.Thread(target=work) for work in (writes, marks, complains, operates)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=300)
    assert set(outcomes) <= EXPECTED | {"done", "deadlock"}, outcomes
    assert outcomes["done"] >= 3 * ROUNDS, outcomes
    session.expire_all()
    # Members of the cast are given a standing without the posts, which alone is no finding here.
    wrong = [line for line in forum_checks.checks(session) if not line.startswith("members whose approved_count")]
    assert wrong + checks.checks(session) == []
    stored = session.execute(select(Post.id).where(Post.author_id == writers[0].id)).scalars().all()
    assert sorted(stored) == sorted(number for number in written if number)
