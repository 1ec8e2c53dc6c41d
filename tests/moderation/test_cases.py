"""Claims: one holder at a time, for fifteen minutes; "next" passes over what is not for this moderator."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from core.errors import Conflict, Forbidden
from core.vocabulary import CaseState, Priority, Verdict
from moderation import cases
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS


def claim(stage: Stage, case, by, minutes: float = 0):
    return cases.claim(stage.session, case.id, by=by, now=stage.now + timedelta(minutes=minutes))


def test_a_claim_lasts_fifteen_minutes_and_names_its_holder(stage: Stage) -> None:
    _, case = stage.held()
    taken = claim(stage, case, stage.mo)
    assert (taken.state, taken.claimed_by) == (CaseState.CLAIMED, stage.mo.id)
    assert taken.claimed_until == stage.now + timedelta(minutes=15)
    with pytest.raises(Conflict) as refused:
        claim(stage, case, stage.mia, 14.9)
    assert refused.value.code == "claim-taken"
    assert refused.value.extra["claimed_by"] == "mo"
    assert refused.value.extra["claimed_until"] == "2026-03-02T10:15:00Z"
    assert claim(stage, case, stage.mia, 15).claimed_by == stage.mia.id


def test_the_holder_renews_and_gives_back(stage: Stage) -> None:
    _, case = stage.held()
    claim(stage, case, stage.mo)
    assert claim(stage, case, stage.mo, 10).claimed_until == stage.now + timedelta(minutes=25)
    cases.renew(stage.session, case.id, by=stage.mo, now=stage.now + timedelta(minutes=20))
    assert stage.case(case.id).claimed_until == stage.now + timedelta(minutes=35)
    cases.renew(stage.session, case.id, by=stage.mia, now=stage.now + timedelta(minutes=21))
    assert stage.case(case.id).claimed_until == stage.now + timedelta(minutes=35)
    with pytest.raises(Conflict):
        cases.release(stage.session, case.id, by=stage.mia, now=stage.now)
    for _ in range(2):
        released = cases.release(stage.session, case.id, by=stage.mo, now=stage.now)
        assert (released.state, released.claimed_by, released.claimed_until) == (CaseState.OPEN, None, None)
    stage.sound()


def test_a_decided_case_cannot_be_claimed(stage: Stage) -> None:
    _, case = stage.held()
    stage.decide(case, Verdict.APPROVE)
    with pytest.raises(Conflict) as refused:
        claim(stage, case, stage.mo)
    assert refused.value.code == "case-decided"


def test_a_claim_does_not_change_the_version(stage: Stage) -> None:
    _, case = stage.held()
    assert claim(stage, case, stage.mo).version == case.version == 1


def test_nobody_claims_a_case_that_they_are_part_of(stage: Stage) -> None:
    own = stage.case_of(stage.ask(stage.mo).post)
    with pytest.raises(Forbidden) as refused:
        claim(stage, own, stage.mo)
    assert refused.value.code == "conflict-of-interest"


def following(stage: Stage, by, minutes: float = 0):
    case = cases.claim_next(stage.session, by=by, now=stage.now + timedelta(minutes=minutes))
    return case.id if case else None


def test_next_follows_priority_then_due_time(stage: Stage) -> None:
    _, old = stage.held(now=stage.now - timedelta(hours=5))
    _, new = stage.held()
    urgent = stage.case_of(stage.ask(body=CRISIS).post)
    mail = stage.case_of(stage.ask(body="Write to ann.smith@gmail.com").post)
    assert [following(stage, stage.mo) for _ in range(5)] == [urgent.id, mail.id, old.id, new.id, None]
    assert following(stage, stage.mia, 14) is None
    assert following(stage, stage.mia, 15) == urgent.id


def test_next_passes_over_own_reported_and_own_threads_cases_and_other_boards(stage: Stage) -> None:
    stage.ask(stage.mo)  # waits, and is Mo's own
    reported = stage.ask().post
    stage.report(reported, stage.mo)
    thread = stage.ask().thread
    mine = stage.answer(thread.id, stage.mo).post  # Mo has written here
    stage.decide(stage.case_of(mine), Verdict.REJECT, stage.lea)
    stage.answer(thread.id, stage.cora)
    assert following(stage, stage.mo) is None
    _, case = stage.held(board_slug="unsorted")
    elsewhere = replace(stage.mo, all_boards=False, board_ids=frozenset({stage.case_of(reported).board_id}))
    assert following(stage, elsewhere) is None
    assert following(stage, replace(elsewhere, board_ids=frozenset({case.board_id}))) == case.id


def test_next_is_for_moderators(stage: Stage) -> None:
    with pytest.raises(Forbidden):
        following(stage, stage.ann)


@pytest.mark.parametrize(
    "hour, priority, minutes",
    [
        (10, Priority.P0, 15),
        (3, Priority.P0, 60),
        (20, Priority.P0, 60),
        (8, Priority.P1, 60),
        (7, Priority.P1, 240),
        (10, Priority.P2, 720),
        (3, Priority.P3, 1440),
        (10, Priority.P4, 4320),
    ],
)
def test_the_due_time_follows_priority_and_hours(now: datetime, hour: int, priority: Priority, minutes: int) -> None:
    at = now.replace(hour=hour)
    assert cases.due(priority, now=at, hours=(8, 20)) == at + timedelta(minutes=minutes)
