"""Many moderators at once, each on a connection of its own: every case is decided once, every loser gets a 409."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.policy import Actor
from core.db import db, unit_of_work, utc_now
from core.errors import AppError, Conflict
from core.vocabulary import CaseState, PostState, Role, Verdict
from forum import posting
from forum.models import Post
from moderation import cases, decisions, reports
from moderation.models import Case, Decision
from tests.forum.stage import make_member
from tests.moderation.stage import GATE, Stage, actor_for

MODERATORS = 4


def moderators(stage: Stage) -> list[Actor]:
    found = []
    for number in range(MODERATORS):
        member = make_member(stage.session, f"moderator{number}", stage.now)
        found.append(actor_for(member, Role.MODERATOR, all_boards=True))
    return found


def waiting_cases(stage: Stage, count: int) -> list[int]:
    made = [stage.held()[1].id for _ in range(count)]
    stage.session.commit()
    return made


def at_once(app: Flask, work: list[Callable[[], None]]) -> None:
    """Run all of it at the same time, each in a thread with a session and connection of its own."""
    barrier, failed = threading.Barrier(len(work)), []

    def run(one: Callable[[], None]) -> None:
        with app.app_context():
            barrier.wait()
            try:
                one()
            except BaseException as error:
                failed.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def judge(actor: Actor, case_id: int, settings: Any, tally: Counter[str]) -> None:
    """Claim, then decide whatever came of the claim, with the version that everybody has seen."""
    try:
        with unit_of_work() as session:
            cases.claim(session, case_id, by=actor, now=utc_now())
        tally["claimed"] += 1
    except Conflict as refused:
        tally[f"claim refused: {refused.code}"] += 1
    try:
        with unit_of_work() as session:
            decisions.decide(session, case_id, by=actor, version=1, verdict="approve", settings=settings, now=utc_now())
        tally["decided"] += 1
    except Conflict as refused:
        tally[f"decision refused: {refused.code}"] += 1


def everybody_wants_every_case(app: Flask, stage: Stage, count: int) -> None:
    people = moderators(stage)
    wanted = waiting_cases(stage, count)
    tallies = [Counter[str]() for _ in people]

    def go_through(actor: Actor, tally: Counter[str]) -> Callable[[], None]:
        return lambda: [judge(actor, case_id, stage.settings, tally) for case_id in wanted] and None

    at_once(app, [go_through(actor, tally) for actor, tally in zip(people, tallies, strict=True)])
    total = sum(tallies, Counter[str]())
    assert total["decided"] == count
    assert total["decision refused: claim-taken"] + total["decision refused: case-changed"] == count * (MODERATORS - 1)
    refused = total["claim refused: claim-taken"] + total["claim refused: case-decided"]
    assert total["claimed"] + refused == count * MODERATORS
    each = Counter(stage.session.execute(select(Decision.case_id).where(Decision.case_id.in_(wanted))).scalars())
    assert each == dict.fromkeys(wanted, 1)
    published = select(func.count(Post.id)).join(Case, Case.post_id == Post.id).where(Case.id.in_(wanted))
    assert stage.session.execute(published.where(Post.state == PostState.PUBLISHED)).scalar_one() == count
    stage.sound()


def everybody_takes_the_next(app: Flask, stage: Stage, count: int) -> None:
    people = moderators(stage)
    wanted = waiting_cases(stage, count)
    got: list[int] = []

    def take(actor: Actor) -> Callable[[], None]:
        def until_empty() -> None:
            while True:
                with unit_of_work() as session:
                    case = cases.claim_next(session, by=actor, now=utc_now())
                    seen = (case.id, case.version) if case else None
                if seen is None:
                    return
                got.append(seen[0])
                with unit_of_work() as session:
                    decisions.decide(
                        session,
                        seen[0],
                        by=actor,
                        version=seen[1],
                        verdict="approve",
                        settings=stage.settings,
                        now=utc_now(),
                    )

        return until_empty

    at_once(app, [take(actor) for actor in people])
    assert sorted(got) == sorted(wanted)  # nothing twice, nothing left
    states = stage.session.execute(select(Case.state).where(Case.id.in_(wanted))).scalars()
    assert set(states) == {CaseState.DECIDED}
    stage.sound()


def test_a_hundred_cases_wanted_by_all_are_each_decided_once(app: Flask, stage: Stage) -> None:
    everybody_wants_every_case(app, stage, 100)


def test_next_hands_out_each_of_a_hundred_cases_once(app: Flask, stage: Stage) -> None:
    everybody_takes_the_next(app, stage, 100)


@pytest.mark.soak
def test_a_thousand_cases_wanted_by_all_are_each_decided_once(app: Flask, stage: Stage) -> None:
    everybody_wants_every_case(app, stage, 1_000)


@pytest.mark.soak
def test_next_hands_out_each_of_a_thousand_cases_once(app: Flask, stage: Stage) -> None:
    everybody_takes_the_next(app, stage, 1_000)


def test_authors_reporters_and_moderators_meet_on_the_same_posts_without_harm(app: Flask, stage: Stage) -> None:
    """Edits, withdrawals, reports and decisions of the same posts at once: one wins, the others are refused cleanly."""
    posts = [stage.ask().post.id for _ in range(24)]
    for post_id in posts:
        stage.report(stage.post(post_id), stage.dan)
    stage.session.commit()
    done: Counter[str] = Counter()

    def each(act: Callable[[Session, int], Any], name: str) -> Callable[[], None]:
        def run() -> None:
            for post_id in posts:
                try:
                    with unit_of_work() as session:
                        act(session, post_id)
                    done[name] += 1
                except AppError as refused:
                    done[f"refused with {refused.status}"] += 1

        return run

    def edit(session: Session, post_id: int) -> None:
        post = session.get_one(Post, post_id, populate_existing=True)
        posting.edit_post(
            session,
            stage.ann,
            post_id,
            version=post.version,
            body=f"A new text for {post_id}, and ring 020 7946 0958.",
            gate=GATE,
            settings=stage.settings,
            now=utc_now(),
        )

    def withdraw(session: Session, post_id: int) -> None:
        if post_id % 3 == 0:
            posting.withdraw(session, stage.ann, post_id, gate=GATE, now=utc_now())

    def report(session: Session, post_id: int) -> None:
        reports.report(session, stage.ben, post_id, rule="R11-kind", note="", settings=stage.settings, now=utc_now())

    def decide(session: Session, post_id: int) -> None:
        case = session.execute(
            select(Case.id, Case.version).where(Case.post_id == post_id).order_by(Case.id.desc()).limit(1)
        ).one()
        decisions.decide(
            session,
            case.id,
            by=stage.mo,
            version=case.version,
            verdict=Verdict.HIDE,
            rule="R11-kind",
            reason="Unkind.",
            settings=stage.settings,
            now=utc_now(),
        )

    work = [each(edit, "edited"), each(withdraw, "withdrawn"), each(report, "reported"), each(decide, "hidden")]
    at_once(app, work)
    assert done["hidden"] + done["withdrawn"] > 0
    refusals = {name for name in done if name.startswith("refused")}
    assert refusals and refusals <= {f"refused with {status}" for status in (403, 404, 409, 422)}
    stage.session.expire_all()
    stage.sound()


def test_redactions_of_posts_that_quote_each_other_never_wait_for_each_other(app: Flask, stage: Stage) -> None:
    pairs = []
    for number in range(8):
        mine, yours = f"the pharmacy in Elm Street {number}", f"my cousin from Oakham {number}"
        first = stage.ask(body=f"I went to {mine}. You said: {yours}.").post
        second = stage.ask(stage.dan, body=f"I wrote of {yours}. You said: {mine}.").post
        for post in (first, second):
            stage.report(post, stage.ben, rule="R8-privacy-others")
        pairs.append(((stage.case_of(first).id, mine), (stage.case_of(second).id, yours)))
    stage.session.commit()
    done: Counter[str] = Counter()

    def redact(by: Actor, side: int) -> Callable[[], None]:
        def run() -> None:
            for pair in pairs:
                case_id, words = pair[side]
                try:
                    with unit_of_work() as session:
                        decisions.decide(
                            session,
                            case_id,
                            by=by,
                            version=session.get_one(Case, case_id).version,
                            verdict=Verdict.REDACT,
                            rule="R8-privacy-others",
                            reason="It says where somebody can be found.",
                            words=[words],
                            settings=stage.settings,
                            now=utc_now(),
                        )
                    done["redacted"] += 1
                except Conflict as refused:
                    done[refused.code] += 1

        return run

    at_once(app, [redact(stage.mo, 0), redact(stage.mia, 1)])
    assert set(done) <= {"redacted", "case-changed"} and done["redacted"] >= len(pairs)
    stage.session.expire_all()
    stage.sound()
