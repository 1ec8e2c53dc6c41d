"""Moderators in processes of their own: everything decided once, every loser a 409, and a killed one leaves nothing."""

import ctypes
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.config import Settings
from core.db import db
from core.vocabulary import CaseState, PostState, Role
from forum.models import Post
from moderation.models import Case, Decision, Statement
from tests.moderation.stage import Stage
from tests.support.cast import bearer, make_member

PROCESSES = 8
# A clean process that has loaded the app once; each worker is a fork of it.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["wsgi"])


def moderators(stage: Stage, count: int) -> list[dict[str, str]]:
    """The headers of so many moderators of all boards."""
    made = []
    for number in range(count):
        member = make_member(stage.session, f"judge{number}", roles=[Role.MODERATOR])
        made.append(bearer(member, ["read", "write", "moderate"]))
    return made


def waiting_cases(stage: Stage, count: int) -> list[int]:
    made = [stage.held()[1].id for _ in range(count)]
    stage.session.commit()
    return made


# --- What a worker does ------------------------------------------------------------------------------------------


def _judge(settings: Settings, headers: dict[str, str], wanted: list[int], told: Any) -> None:
    """Claim and decide each of these cases; tell how it was answered."""
    from wsgi import create_app

    client = create_app(settings).test_client()
    tally: Counter[tuple[str, int, str]] = Counter()
    for case_id in wanted:
        claimed = client.post(f"/api/v1/moderation/cases/{case_id}/claim", headers=headers)
        tally["claim", claimed.status_code, (claimed.get_json() or {}).get("code", "")] += 1
        answer = client.post(
            f"/api/v1/moderation/cases/{case_id}/decisions",
            headers=headers,
            json={"version": 1, "verdict": "approve"},
        )
        tally["decide", answer.status_code, (answer.get_json() or {}).get("code", "")] += 1
    told.put(tally)


def _judge_until_killed(settings: Settings, headers: dict[str, str], is_inside: ctypes.c_int) -> None:
    """Decide whatever comes next, one way or the other, and show while rows are written but not committed."""
    from wsgi import create_app

    app = create_app(settings)
    with app.app_context():
        engine = db.engine

    @event.listens_for(engine, "after_cursor_execute")
    def _wrote(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip()[:6].upper() in ("INSERT", "UPDATE"):
            is_inside.value = 1

    for ending in ("commit", "rollback"):
        event.listen(engine, ending, lambda _connection: setattr(is_inside, "value", 0))
    client, chance = app.test_client(), random.Random(os.getpid())
    while True:
        answer = client.post("/api/v1/moderation/cases/next", headers=headers)
        if answer.status_code == 204:
            return
        assert answer.status_code == 200, answer.get_data(as_text=True)
        case = answer.get_json()
        verdict = chance.choice(["approve", "reject"])
        client.post(
            f"/api/v1/moderation/cases/{case['id']}/decisions",
            headers=headers,
            json={
                "version": case["version"],
                "verdict": verdict,
                "rule": "R3-no-doses",
                "reason": "It names an amount.",
            },
        )


# --- Proofs ------------------------------------------------------------------------------------------------------


def each_decided_once(stage: Stage, count: int) -> None:
    """Every case is wanted by two of the processes at the same time."""
    judges = moderators(stage, PROCESSES)
    wanted = waiting_cases(stage, count)
    told = FORKS.Queue()
    workers = [
        FORKS.Process(
            target=_judge, args=(stage.settings, headers, wanted[number % (PROCESSES // 2) :: PROCESSES // 2], told)
        )
        for number, headers in enumerate(judges)
    ]
    for worker in workers:
        worker.start()
    tally = sum((told.get() for _ in workers), Counter[tuple[str, int, str]]())
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    decided = sum(n for (what, status, _), n in tally.items() if (what, status) == ("decide", 201))
    assert decided == count, tally
    refused = {key: n for key, n in tally.items() if key[1] not in (200, 201)}
    assert {status for _, status, _ in refused} <= {409}, tally
    assert sum(tally.values()) == count * 2 * 2, tally
    each = Counter(stage.session.execute(select(Decision.case_id).where(Decision.case_id.in_(wanted))).scalars())
    assert each == dict.fromkeys(wanted, 1)
    assert whole(stage.session, wanted) == {(CaseState.DECIDED, PostState.PUBLISHED): count}
    stage.sound()


def whole(session: Session, wanted: list[int]) -> Counter[tuple[CaseState, PostState]]:
    """How the cases stand, after looking that each has all of its decision or nothing of it."""
    session.expire_all()
    rows = session.execute(
        select(Case.id, Case.state, Post.state.label("post"), Decision.id.label("decision"), Statement.id.label("told"))
        .join(Post, Post.id == Case.post_id)
        .outerjoin(Decision, Decision.case_id == Case.id)
        .outerjoin(Statement, Statement.decision_id == Decision.id)
        .where(Case.id.in_(wanted))
    ).all()
    written = dict(
        session.execute(
            select(AuditEntry.subject_id, func.count(AuditEntry.id))
            .where(AuditEntry.subject_kind == "case", AuditEntry.action.in_(("case.approve", "case.reject")))
            .group_by(AuditEntry.subject_id)
        ).all()
    )
    for row in rows:
        done = row.state is CaseState.DECIDED
        assert done is (row.decision is not None) is (row.post is not PostState.HELD), row
        assert (row.told is not None) is (row.post is PostState.REJECTED), row
        assert written.get(row.id, 0) == int(done), row
    return Counter((row.state, row.post) for row in rows)


def nothing_half_done(stage: Stage, *, kills: int, inside: int, cases: int) -> None:
    """Kill workers at any moment, many with rows written and not committed."""
    judges = moderators(stage, 2)
    wanted = waiting_cases(stage, cases)
    chance = random.Random(20260302)
    killed: Counter[bool] = Counter()
    while killed.total() < kills:
        workers = []
        for headers in judges:
            # Without a lock, which a killed process would keep for ever.
            flag = FORKS.RawValue("i", 0)
            worker = FORKS.Process(target=_judge_until_killed, args=(stage.settings, headers, flag))
            worker.start()
            workers.append((worker, flag))
        for worker, flag in workers:
            was_inside = _kill(worker, flag, chance, must_be_inside=chance.random() < 0.7)
            if was_inside is not None:
                killed[was_inside] += 1
        if killed.total() % 20 < len(judges):
            whole(stage.session, wanted)
            stage.session.rollback()
    assert killed[True] >= inside, killed
    standing = whole(stage.session, wanted)
    assert sum(standing.values()) == cases
    assert any(state is CaseState.DECIDED for state, _ in standing), standing
    stage.sound()


def _kill(worker: Any, flag: ctypes.c_int, chance: random.Random, *, must_be_inside: bool) -> bool | None:
    """Kill it at a random moment of its work, inside a transaction if asked; None where it had ended by itself."""
    begun: float | None = None
    patience = chance.uniform(0.0, 1.0)
    while worker.is_alive():
        if begun is None:
            begun = time.monotonic() if flag.value else None
        elif time.monotonic() - begun > patience and (flag.value == 1 or not must_be_inside):
            os.kill(worker.pid, signal.SIGKILL)
            break
    worker.join()
    assert worker.exitcode in (0, -signal.SIGKILL)
    return bool(flag.value) if worker.exitcode == -signal.SIGKILL else None


def test_two_processes_for_each_case_decide_it_once(stage: Stage) -> None:
    each_decided_once(stage, 24)


def test_killed_processes_leave_nothing_half_done(stage: Stage) -> None:
    nothing_half_done(stage, kills=4, inside=1, cases=200)


@pytest.mark.soak
def test_eight_processes_decide_thousands_of_cases_once_each(stage: Stage, backend: str) -> None:
    each_decided_once(stage, 5_000 if backend == "postgresql" else 500)


@pytest.mark.soak
def test_two_hundred_kills_leave_nothing_half_done(stage: Stage) -> None:
    nothing_half_done(stage, kills=200, inside=100, cases=6_000)
