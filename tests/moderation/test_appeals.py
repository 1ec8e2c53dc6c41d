"""Objections: who may make one and until when, who answers, and that an overturn really reverses."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth import members
from auth.models import Member, RoleGrant
from auth.policy import ActiveRestriction, Actor
from core.audit import AuditEntry, verify
from core.db import unit_of_work
from core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from core.vocabulary import (
    AppealOutcome,
    CaseState,
    PostState,
    Priority,
    ReportStatus,
    RestrictionKind,
    Role,
    Verdict,
)
from forum import search
from forum.models import Board, Post, Thread
from moderation import (
    appeal_queries,
    appeals,
    cases,
    checks,
    decisions,
    eligibility,
    member_cases,
    metrics,
    modlog,
    operations,
)
from moderation.decisions import Decided
from moderation.models import Appeal, Case, Confirmation, Decision, Report, Sanction
from tests.forum.counting import counting
from tests.forum.stage import make_member
from tests.moderation.stage import Stage, actor_for
from tests.moderation.test_races import at_once

GROUNDS = "It was about my own medicine, and my doctor said so."
REASONS = "You are right: the rule is about other people's doses."


@pytest.fixture
def liv(stage: Stage) -> Actor:
    """A second lead, who had no part in anything."""
    return another_lead(stage, "liv")


def another_lead(stage: Stage, handle: str) -> Actor:
    member = make_member(stage.session, handle, stage.now)
    member.tf_totp_secret = "set up"
    stage.session.add(RoleGrant(member_id=member.id, role=Role.LEAD, granted_at=stage.now))
    stage.session.flush()
    stage.members[handle] = member
    stage.actors[handle] = actor_for(member, Role.LEAD)
    return stage.actors[handle]


def appeal(stage: Stage, reference: str, by: Actor | None = None, **more: Any) -> Appeal:
    values = {"grounds": GROUNDS, "now": stage.now, **more}
    return appeals.appeal(stage.session, reference=reference, by=by, **values)


def answer(stage: Stage, made: Appeal, outcome: str, by: Actor | None = None, **more: Any) -> Appeal:
    values = {"reasons": REASONS, "now": stage.now, **more}
    return appeals.decide_appeal(
        stage.session, made.id, by=by or stage.lea, outcome=outcome, settings=stage.settings, **values
    )


def reference_of(decided: Decided) -> str:
    assert decided.statement is not None
    return decided.statement.reference


def hidden(stage: Stage, verdict: Verdict = Verdict.HIDE, by: Actor | None = None, **more: Any) -> tuple[Post, Decided]:
    """Ann's question, reported by Ben and hidden by Mo."""
    post, case = stage.reported()
    return post, stage.decide(case, verdict, by or stage.mo, **more)


def about_ann(stage: Stage) -> Case:
    """A case about her as a member, opened by Mia."""
    return member_cases.open_for_member(
        stage.session, stage.ann.id, by=stage.mia, reason="Threats.", board=None, settings=stage.settings, now=stage.now
    )


def refused(stage: Stage, by: Actor | None = None) -> tuple[Post, Report, Decided]:
    """Ann's question, reported by Ben; Mo saw nothing against it."""
    post, case = stage.reported()
    decided = stage.decide(case, Verdict.DISMISS, by or stage.mo)
    report = stage.session.execute(select(Report).where(Report.case_id == case.id)).scalar_one()
    stage.session.refresh(report)
    return post, report, decided


# --- Until when --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("informed", "last_day"),
    [
        (datetime(2026, 8, 31, 9, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC)),
        (datetime(2027, 8, 31, 9, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 3, 31, 9, tzinfo=UTC), datetime(2026, 9, 30, tzinfo=UTC)),
        (datetime(2026, 7, 15, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 15, tzinfo=UTC)),
        # 184 days: a count of 180 or 183 days would end too early.
        (datetime(2026, 3, 2, 10, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC)),
    ],
)
def test_the_time_ends_six_calendar_months_later_at_the_end_of_the_day(informed: datetime, last_day: datetime) -> None:
    assert appeals.deadline(informed) == last_day + timedelta(days=1)


def test_day_183_is_in_time_where_six_months_are_longer_and_too_late_where_they_are_shorter(stage: Stage) -> None:
    _, decided = hidden(stage)
    assert appeal(stage, reference_of(decided), now=stage.now + timedelta(days=183)).deadline_at == datetime(
        2026, 9, 3, tzinfo=UTC
    )
    stage.now = datetime(2026, 8, 31, 10, tzinfo=UTC)
    _, decided = hidden(stage)
    last = datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(Conflict) as late:
        appeal(stage, reference_of(decided), now=stage.now + timedelta(days=183))
    assert (late.value.code, late.value.extra["deadline"]) == ("appeal-too-late", "2027-03-01T00:00:00Z")
    assert "28 February 2027" in late.value.detail
    way = appeals.way(stage.session, reference_of(decided), now=last)
    assert way is not None and way.is_open and way.until.date() == last.date()
    assert appeal(stage, reference_of(decided), now=last).due_at == last + timedelta(days=14)


# --- Who and what ------------------------------------------------------------------------------------------------


def test_whoever_holds_the_reference_objects_for_the_author(stage: Stage) -> None:
    _, decided = hidden(stage)
    made = appeal(stage, reference_of(decided))
    assert (made.appellant_id, made.decision_id, made.report_id) == (stage.ann.id, decided.decision.id, None)
    assert (made.first_decider_id, made.second_decider_id) == (stage.mo.id, None)
    assert len(made.reference) == 32 and made.due_at == stage.now + timedelta(days=14)
    page = appeal_queries.appeal_page(stage.session, made.reference)
    assert (page.role, page.outcome, page.grounds) == ("author", None, GROUNDS)
    assert (page.decision_reference, page.report_reference) == (reference_of(decided), None)
    entry = stage.session.execute(select(AuditEntry).where(AuditEntry.action == "appeal.open")).scalar_one()
    assert (entry.actor_id, entry.subject_id) == (None, made.id)
    assert GROUNDS not in str(entry.details)
    stage.sound()


def test_a_reference_of_nothing_is_not_found(stage: Stage) -> None:
    hidden(stage)
    for word in ("0" * 32, "", "x"):
        with pytest.raises(NotFound):
            appeal(stage, word)
        assert appeals.way(stage.session, word, now=stage.now) is None


@pytest.mark.parametrize("grounds", ["", "  \n ", None, "x" * 4_001, "\u200b"])
def test_grounds_are_needed_and_have_a_length(stage: Stage, grounds: str | None) -> None:
    _, decided = hidden(stage)
    with pytest.raises(Invalid) as wrong:
        appeal(stage, reference_of(decided), grounds=grounds)
    assert [field for field, _ in wrong.value.errors] == ["grounds"]
    assert stage.session.execute(select(func.count(Appeal.id))).scalar_one() == 0
    assert len(appeal(stage, reference_of(decided), grounds="x" * 4_000).grounds) == 4_000


def test_a_second_objection_is_led_to_the_first(stage: Stage) -> None:
    _, decided = hidden(stage)
    first = appeal(stage, reference_of(decided))
    with pytest.raises(Conflict) as twice:
        appeal(stage, reference_of(decided), grounds="And another thing.")
    assert (twice.value.code, twice.value.extra["reference"]) == ("already-appealed", first.reference)
    answer(stage, first, "upheld")
    with pytest.raises(Conflict, match="already-appealed"):
        appeal(stage, reference_of(decided))


def test_who_decided_does_not_object_to_it(stage: Stage) -> None:
    _, decided = hidden(stage)
    with pytest.raises(Forbidden, match="first-decider"):
        appeal(stage, reference_of(decided), stage.mo)
    assert appeal(stage, reference_of(decided), stage.ann).id


def test_what_was_taken_back_leaves_nothing_to_object_to(stage: Stage) -> None:
    _, decided = hidden(stage)
    stage.undo(decided)
    with pytest.raises(Conflict, match="already-taken-back"):
        appeal(stage, reference_of(decided))


def test_a_reporter_objects_only_to_a_refusal(stage: Stage) -> None:
    _, case = stage.reported()
    report = stage.session.execute(select(Report)).scalar_one()
    with pytest.raises(Conflict, match="nothing-to-appeal"):
        appeal(stage, report.reference)
    stage.decide(case, Verdict.REMOVE)
    with pytest.raises(Conflict, match="nothing-to-appeal"):
        appeal(stage, report.reference)
    _, report, decided = refused(stage)
    made = appeal(stage, report.reference, stage.ben)
    assert (made.appellant_id, made.report_id, made.decision_id) == (stage.ben.id, report.id, decided.decision.id)
    page = appeal_queries.appeal_page(stage.session, made.reference)
    assert (page.role, page.decision_reference, page.report_reference) == ("reporter", None, report.reference)
    stage.sound()


def test_a_suspended_or_silenced_member_still_objects(stage: Stage) -> None:
    _, decided = hidden(stage)
    ann = replace(stage.ann, restrictions=(ActiveRestriction(RestrictionKind.SUSPENDED),))
    assert appeal(stage, reference_of(decided), ann).id


# --- Who answers -------------------------------------------------------------------------------------------------


def test_only_a_lead_without_a_part_in_it_answers(stage: Stage, liv: Actor) -> None:
    _, decided = hidden(stage, by=stage.lea)
    made = appeal(stage, reference_of(decided))
    for by, code in [
        (stage.lea, "first-decider"),
        (stage.mia, "not-allowed"),
        (stage.ann, "not-allowed"),
        (replace(liv, has_second_factor=False), "second-factor-needed"),
    ]:
        with pytest.raises(Forbidden) as shut:
            answer(stage, made, "upheld", by)
        assert shut.value.code == code
        with pytest.raises(Forbidden, match=code):
            appeal_queries.judged(stage.session, made.id, by, now=stage.now)
    assert stage.session.get_one(Appeal, made.id, populate_existing=True).outcome is None
    assert answer(stage, made, "upheld", liv).decided_by == liv.id
    stage.sound()


def test_a_first_decider_who_is_no_lead_hears_why(stage: Stage) -> None:
    _, decided = hidden(stage)
    made = appeal(stage, reference_of(decided))
    with pytest.raises(Forbidden, match="first-decider"):
        answer(stage, made, "upheld", stage.mo)


def test_a_lead_who_reported_posted_or_objects_does_not_answer(stage: Stage, liv: Actor) -> None:
    lou = another_lead(stage, "lou")
    post, case = stage.reported()
    stage.report(post, stage.lea)
    stage.answer(post.thread_id, lou)
    decided = stage.decide(case, Verdict.REMOVE)
    made = appeal(stage, reference_of(decided))
    for by in (stage.lea, lou):
        with pytest.raises(Forbidden, match="conflict-of-interest"):
            answer(stage, made, "upheld", by)
    answer(stage, made, "upheld", liv)


def test_the_second_person_of_a_decision_does_not_answer_either(stage: Stage, liv: Actor) -> None:
    case = about_ann(stage)
    decided = stage.decide(case, Verdict.SANCTION, stage.lea, sanction={"kind": "termination"}, rule="R11-kind")
    lou = another_lead(stage, "lou")
    confirmed = decisions.confirm(
        stage.session, decided.decision.id, by=lou, agrees=True, reason="", settings=stage.settings, now=stage.now
    )
    made = appeal(stage, reference_of(confirmed))
    assert (made.first_decider_id, made.second_decider_id) == (stage.lea.id, lou.id)
    for by in (stage.lea, lou):
        with pytest.raises(Forbidden, match="first-decider"):
            answer(stage, made, "overturned", by)
    answer(stage, made, "overturned", liv)
    sanction = stage.session.execute(select(Sanction)).scalar_one()
    stage.session.refresh(sanction)
    assert sanction.voided_at == stage.now
    assert members.actor_of_member(stage.session, stage.members["ann"], now=stage.now).restrictions == ()
    stage.sound()


def taken_part(stage: Stage) -> Appeal:
    """An objection to a decision that Lea made and Mo confirmed."""
    _, decided = hidden(stage, by=stage.lea)
    stage.session.add(
        Confirmation(
            decision_id=decided.decision.id,
            first_decider_id=stage.lea.id,
            confirmed_by=stage.mo.id,
            agrees=True,
            at=stage.now,
        )
    )
    stage.session.flush()
    return appeal(stage, reference_of(decided))


@pytest.mark.parametrize("who", ["lea", "mo", "ann"])
def test_the_database_itself_refuses_the_first_two_and_the_appellant(stage: Stage, who: str) -> None:
    made = taken_part(stage)
    by = stage.actors[who].id
    with pytest.raises(IntegrityError, match="never_the"), stage.session.begin_nested():
        stage.session.execute(
            text("UPDATE appeal SET outcome = 'upheld', reasons = 'No.', decided_at = opened_at, decided_by = :by"),
            {"by": by},
        )
    with stage.session.begin_nested():
        stage.session.execute(
            text("UPDATE appeal SET outcome = 'upheld', reasons = 'No.', decided_at = opened_at, decided_by = :by"),
            {"by": stage.mia.id},
        )
    assert stage.session.get_one(Appeal, made.id, populate_existing=True).decided_by == stage.mia.id


@pytest.mark.parametrize("column", ["first_decider_id", "second_decider_id"])
def test_the_database_refuses_a_wrong_name_for_a_first_decider(stage: Stage, column: str) -> None:
    taken_part(stage)
    with pytest.raises(IntegrityError), stage.session.begin_nested():
        stage.session.execute(text(f"UPDATE appeal SET {column} = :other"), {"other": stage.mia.id})


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'upheld'",
        "outcome = 'upheld', decided_at = opened_at, reasons = 'No.'",
        "outcome = 'upheld', decided_at = opened_at, decided_by = {mia}",
        "grounds = ''",
    ],
)
def test_the_database_refuses_half_an_answer(stage: Stage, change: str) -> None:
    taken_part(stage)
    with pytest.raises(IntegrityError), stage.session.begin_nested():
        stage.session.execute(text(f"UPDATE appeal SET {change.format(mia=stage.mia.id)}"))


def test_when_every_lead_took_part_it_is_said_and_nobody_passes(stage: Stage) -> None:
    stage.members["lea"].tf_totp_secret = "set up"
    _, decided = hidden(stage, by=stage.lea)
    assert appeals.undecidable(stage.session) == 0
    made = appeal(stage, reference_of(decided))
    assert appeals.undecidable(stage.session) == 1
    with pytest.raises(Forbidden, match="first-decider"):
        answer(stage, made, "upheld", stage.lea)
    liv = another_lead(stage, "liv")
    assert appeals.undecidable(stage.session) == 0
    stage.members["liv"].tf_totp_secret = None
    stage.session.flush()
    assert appeals.undecidable(stage.session) == 1
    answer(stage, made, "upheld", liv)
    assert appeals.undecidable(stage.session) == 0


# --- The answer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reasons", "fields"),
    [
        (None, REASONS, ["outcome"]),
        ("restored", REASONS, ["outcome"]),
        ("upheld", "", ["reasons"]),
        ("upheld", "x" * 2_001, ["reasons"]),
        ("", " ", ["outcome", "reasons"]),
        # Nothing was laid on the member, so there is no part that could fall.
        ("partly", REASONS, ["outcome"]),
    ],
)
def test_an_answer_needs_an_outcome_and_reasons(
    stage: Stage, outcome: str | None, reasons: str, fields: list[str]
) -> None:
    _, decided = hidden(stage)
    made = appeal(stage, reference_of(decided))
    with pytest.raises(Invalid) as wrong:
        answer(stage, made, outcome, reasons=reasons)  # type: ignore[arg-type]
    assert [field for field, _ in wrong.value.errors] == fields
    assert stage.session.get_one(Appeal, made.id, populate_existing=True).outcome is None


@pytest.mark.parametrize("outcome", ["upheld", "inadmissible"])
def test_what_stands_changes_nothing_but_the_objection(stage: Stage, outcome: str) -> None:
    post, decided = hidden(stage)
    before = stage.session.execute(select(func.count(Decision.id))).scalar_one()
    made = appeal(stage, reference_of(decided))
    done = answer(stage, made, outcome)
    assert (done.outcome, done.reasons, done.decided_by, done.reversal_id) == (outcome, REASONS, stage.lea.id, None)
    assert stage.post(post.id).state is PostState.HIDDEN
    assert stage.session.execute(select(func.count(Decision.id))).scalar_one() == before
    assert stage.told(stage.ann)[-1] == "appeal_decided"
    entry = stage.session.execute(select(AuditEntry).where(AuditEntry.action == f"appeal.{outcome}")).scalar_one()
    assert (entry.actor_id, entry.subject_id, entry.reason) == (stage.lea.id, made.id, REASONS)
    stage.sound()


def test_the_second_answer_is_refused(stage: Stage, liv: Actor) -> None:
    _, decided = hidden(stage)
    made = appeal(stage, reference_of(decided))
    answer(stage, made, "upheld")
    for outcome in ("overturned", "upheld"):
        with pytest.raises(Conflict, match="appeal-decided"):
            answer(stage, made, outcome, liv)


def test_a_decision_taken_back_meanwhile_leaves_one_answer(stage: Stage) -> None:
    post, decided = hidden(stage)
    made = appeal(stage, reference_of(decided))
    stage.undo(decided)
    assert appeal_queries.appeal_page(stage.session, made.reference).is_taken_back
    for outcome in ("overturned", "upheld", "partly"):
        with pytest.raises(Invalid) as wrong:
            answer(stage, made, outcome)
        assert wrong.value.code == "outcome-not-possible"
        assert wrong.value.extra["possible_outcomes"] == ["inadmissible"]
    answer(stage, made, "inadmissible", reasons="We had taken it back before.")
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


def test_other_decisions_on_the_case_stay_possible_while_an_objection_waits(stage: Stage) -> None:
    post, decided = hidden(stage)
    made = appeal(stage, reference_of(decided))
    removed = stage.decide(stage.case_of(post), Verdict.REMOVE, stage.mia)
    # The first decision is overturned; what was decided later stands until somebody objects to that.
    answer(stage, made, "overturned")
    assert stage.post(post.id).state is PostState.REMOVED
    stage.sound()
    second = appeal(stage, reference_of(removed))
    answer(stage, second, "overturned")
    assert stage.post(post.id).state in (PostState.PUBLISHED, PostState.HIDDEN)
    stage.sound()


# --- An overturn really reverses ---------------------------------------------------------------------------------


def figures(stage: Stage, post: Post) -> dict[str, Any]:
    """Everything that must be as before."""
    stage.session.flush()
    fresh = stage.post(post.id)
    thread = stage.session.get_one(Thread, fresh.thread_id, populate_existing=True)
    board = stage.session.get_one(Board, thread.board_id, populate_existing=True)
    author = stage.session.get_one(Member, fresh.author_id, populate_existing=True)
    return {
        "state": fresh.state,
        "live": fresh.live_revision_id,
        "text": fresh.text,
        "thread": (thread.state, thread.answer_count, thread.comment_count, thread.is_locked),
        "board": (board.thread_count, board.post_count, board.last_activity_at),
        "activity": thread.last_activity_at,
        "member": (author.approved_count, author.upheld_report_count),
        "found": len(found(stage, "pillowfort")),
    }


def found(stage: Stage, word: str) -> list[Any]:
    return list(search.search(stage.session, word, limit=20).items)


WORDS = "A pillowfort under the knees helped me for a while."


@pytest.mark.parametrize("verdict", [Verdict.HIDE, Verdict.REMOVE])
@pytest.mark.parametrize("kind", ["question", "answer"])
def test_a_hidden_or_removed_post_is_back_with_all_that_hangs_on_it(stage: Stage, kind: str, verdict: Verdict) -> None:
    question = stage.ask(stage.dan, body=WORDS if kind == "question" else None)
    post = question.post if kind == "question" else stage.answer(question.thread.id, stage.ann, body=WORDS).post
    author = stage.dan if kind == "question" else stage.ann
    before = figures(stage, post)
    assert before["found"] == 1
    report = stage.report(post, stage.ben)
    decided = stage.decide(stage.case_of(post), verdict, sanction={"kind": "warning"})
    taken = figures(stage, post)
    assert taken["found"] == 0 and taken["state"] is not before["state"] and taken["board"] != before["board"]
    assert taken["member"][1] == 1
    assert members.actor_of_member(stage.session, stage.members[author.handle or ""], now=stage.now).restrictions
    made = appeal(stage, reference_of(decided))
    later = stage.now + timedelta(days=100)
    done = answer(stage, made, "overturned", now=later)
    assert figures(stage, post) == before
    reversal = stage.session.get_one(Decision, done.reversal_id)
    assert (reversal.verdict, reversal.undoes_id, reversal.moderator_id, reversal.reason) == (
        Verdict.RESTORE,
        decided.decision.id,
        stage.lea.id,
        REASONS,
    )
    # What was laid on the author counts no more.
    sanction = stage.session.execute(select(Sanction)).scalar_one()
    stage.session.refresh(sanction)
    assert (sanction.voided_at, sanction.voided_by_id) == (later, reversal.id)
    assert not members.actor_of_member(stage.session, stage.members[author.handle or ""], now=later).restrictions
    # Everybody concerned is told, and honestly.
    assert set(stage.told(author)[-2:]) == {"restored", "appeal_decided"}
    assert stage.told(stage.ben)[-1] == "report_decided"
    stage.session.refresh(report)
    assert report.status is ReportStatus.NOT_ACTED and "took our decision back" in report.outcome
    # And the public log says so.
    entries = {entry.id: entry for entry in modlog.entries(stage.session, limit=100).items}
    assert entries[decided.decision.id].appeal is AppealOutcome.OVERTURNED
    assert entries[decided.decision.id].taken_back_by == reversal.id
    assert entries[reversal.id].by_appeal and entries[reversal.id].takes_back == decided.decision.id
    assert metrics.metrics(stage.session, days=365, now=later).overturn_rate == 1.0
    assert verify(stage.session)[1] is None
    stage.sound()


def test_a_refused_text_is_published_by_an_overturn(stage: Stage) -> None:
    post, case = stage.held(body=WORDS)
    decided = stage.decide(case, Verdict.REJECT)
    made = appeal(stage, reference_of(decided))
    answer(stage, made, "overturned")
    fresh = stage.post(post.id)
    assert (fresh.state, fresh.was_visible) == (PostState.PUBLISHED, True)
    assert len(found(stage, "pillowfort")) == 1
    assert stage.case(case.id).state is CaseState.DECIDED
    stage.sound()


def test_changes_asked_for_are_needed_no_more(stage: Stage) -> None:
    post, case = stage.held(body=WORDS)
    decided = stage.decide(case, Verdict.REQUEST_CHANGES)
    answer(stage, appeal(stage, reference_of(decided)), "overturned")
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert stage.case(case.id).state is CaseState.DECIDED
    stage.sound()


def test_a_refused_edit_goes_live_by_an_overturn(stage: Stage) -> None:
    post, case = stage.held_edit()
    decided = stage.decide(case, Verdict.REJECT)
    answer(stage, appeal(stage, reference_of(decided)), "overturned")
    assert "ann.smith@gmail.com" in stage.post(post.id).text
    stage.sound()


def test_words_that_were_taken_out_come_back(stage: Stage) -> None:
    post = stage.ask(body=WORDS).post
    stage.report(post, stage.ben)
    case = stage.case_of(post)
    text_judged = f"Why does it hurt?\n\n{WORDS}"
    start = text_judged.index("pillowfort")
    decided = stage.decide(case, Verdict.REDACT, redactions=[{"start": start, "end": start + len("pillowfort")}])
    assert "pillowfort" not in stage.post(post.id).text and not found(stage, "pillowfort")
    made = appeal(stage, reference_of(decided))
    # Who answers reads the text as it was.
    judged = appeal_queries.judged(stage.session, made.id, stage.lea, now=stage.now)
    assert judged.text == text_judged == "".join(part.text for part in judged.segments)
    answer(stage, made, "overturned")
    assert stage.post(post.id).text.strip() == WORDS.strip() and len(found(stage, "pillowfort")) == 1
    stage.sound()


def test_a_lock_is_opened_again(stage: Stage) -> None:
    posted = stage.ask()
    operations.operate(
        stage.session,
        posted.thread.id,
        operation="lock",
        by=stage.mo,
        rule="R11-kind",
        reason="It went in circles.",
        settings=stage.settings,
        now=stage.now,
    )
    thread = stage.session.get_one(Thread, posted.thread.id, populate_existing=True)
    assert thread.is_locked
    reference = stage.statements()[-1].reference
    answer(stage, appeal(stage, reference), "overturned")
    assert not stage.session.get_one(Thread, posted.thread.id, populate_existing=True).is_locked
    stage.sound()


def test_partly_lifts_the_sanction_and_lets_the_decision_on_the_text_stand(stage: Stage) -> None:
    post, decided = hidden(stage, Verdict.REMOVE, sanction={"kind": "warning"})
    made = appeal(stage, reference_of(decided))
    assert appeals.possible_outcomes(stage.session, made, decided.decision) == tuple(
        AppealOutcome(one) for one in ("upheld", "overturned", "partly", "inadmissible")
    )
    done = answer(stage, made, "partly")
    assert (done.outcome, done.reversal_id) == (AppealOutcome.PARTLY, None)
    assert stage.post(post.id).state is PostState.REMOVED
    sanction = stage.session.execute(select(Sanction)).scalar_one()
    stage.session.refresh(sanction)
    assert (sanction.voided_at, sanction.voided_by_id) == (stage.now, None)
    assert not members.actor_of_member(stage.session, stage.members["ann"], now=stage.now).restrictions
    assert modlog.entries(stage.session, limit=1).items[0].appeal is AppealOutcome.PARTLY
    stage.sound()


def test_an_overturned_suspension_opens_the_doors_at_once(stage: Stage, liv: Actor) -> None:
    for spec in ({"kind": "warning"}, {"kind": "suspension", "days": 30}):
        case = about_ann(stage)
        decided = stage.decide(case, Verdict.SANCTION, stage.lea, sanction=spec, rule="R11-kind")
    actor = members.actor_of_member(stage.session, stage.members["ann"], now=stage.now)
    assert {one.kind.value for one in actor.restrictions} == {"warning", "suspended"}
    made = appeal(stage, reference_of(decided), actor)
    # There is no decision on a text beside it: what would fall partly falls as a whole.
    with pytest.raises(Invalid):
        answer(stage, made, "partly", liv)
    answer(stage, made, "overturned", liv)
    actor = members.actor_of_member(stage.session, stage.members["ann"], now=stage.now)
    assert {one.kind.value for one in actor.restrictions} == {"warning"}
    stage.sound()


def test_an_overturn_itself_is_not_undone(stage: Stage, liv: Actor) -> None:
    post, decided = hidden(stage, by=stage.lea)
    done = answer(stage, appeal(stage, reference_of(decided)), "overturned", liv)
    for by in (liv, stage.lea):
        with pytest.raises(AppError) as shut:
            decisions.undo(stage.session, done.reversal_id, by=by, reason="No.", settings=stage.settings, now=stage.now)
        assert shut.value.code in ("undo-impossible", "conflict-of-interest")
    assert stage.post(post.id).state is PostState.PUBLISHED


def test_who_was_overruled_decides_nothing_more_on_the_case(stage: Stage, liv: Actor) -> None:
    post, decided = hidden(stage)
    answer(stage, appeal(stage, reference_of(decided)), "overturned")
    case = stage.case_of(post)
    with pytest.raises(Forbidden, match="conflict-of-interest"):
        stage.decide(case, Verdict.HIDE, stage.mo)
    stage.decide(case, Verdict.HIDE, stage.mia)
    stage.sound()


# --- A refused reporter ------------------------------------------------------------------------------------------


def test_a_reporter_who_was_right_gets_a_new_decision_by_somebody_else(stage: Stage) -> None:
    post, report, decided = refused(stage)
    made = appeal(stage, report.reference)
    done = answer(stage, made, "overturned")
    case = stage.case_of(post)
    assert (case.id, case.state, case.priority) == (decided.decision.case_id, CaseState.OPEN, Priority.P2)
    assert case.due_at <= stage.now + timedelta(hours=12)
    stage.session.refresh(report)
    assert (report.status, report.decision_id) == (ReportStatus.OPEN, None)
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert stage.told(stage.ben)[-1] == "appeal_decided"
    assert done.reversal_id is not None
    stage.sound()
    # Not offered to the first decider, by hand neither; to the others it is.
    assert cases.claim_next(stage.session, by=stage.mo, now=stage.now) is None
    with pytest.raises(Forbidden, match="conflict-of-interest"):
        cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    mine = select(Case.id).where(Case.id == case.id)
    assert stage.session.execute(mine.where(eligibility.may_decide(stage.mo))).first() is None
    assert stage.session.execute(mine.where(eligibility.may_decide(stage.mia))).first() is not None
    taken = cases.claim_next(stage.session, by=stage.mia, now=stage.now)
    assert taken is not None and taken.id == case.id
    stage.decide(case, Verdict.REMOVE, stage.mia)
    stage.session.refresh(report)
    assert report.status is ReportStatus.ACTED
    stage.sound()


def test_a_reporter_who_was_not_right_changes_nothing(stage: Stage) -> None:
    post, report, _ = refused(stage)
    answer(stage, appeal(stage, report.reference), "upheld")
    stage.session.refresh(report)
    assert report.status is ReportStatus.NOT_ACTED
    assert stage.case_of(post).state is CaseState.DECIDED
    stage.sound()


def test_a_report_whose_case_has_a_newer_one_beside_it_joins_that(stage: Stage) -> None:
    post, report, decided = refused(stage)
    made = appeal(stage, report.reference)
    stage.report(post, stage.dan)
    newer = stage.case_of(post)
    assert newer.id != decided.decision.case_id
    answer(stage, made, "overturned")
    stage.session.refresh(report)
    assert (report.status, report.case_id) == (ReportStatus.OPEN, newer.id)
    assert stage.case(newer.id).priority is Priority.P2
    stage.sound()


def test_a_report_of_a_post_that_was_withdrawn_meanwhile_is_settled(stage: Stage) -> None:
    post, report, _ = refused(stage)
    made = appeal(stage, report.reference)
    stage.withdraw(post, stage.ann)
    answer(stage, made, "overturned")
    stage.session.refresh(report)
    assert report.status is ReportStatus.NOT_ACTED and "withdrew" in report.outcome
    stage.sound()


def test_a_reporter_whose_upheld_report_was_overturned_objects_in_turn(stage: Stage, liv: Actor) -> None:
    post, decided = hidden(stage)
    answer(stage, appeal(stage, reference_of(decided)), "overturned")
    report = stage.session.execute(select(Report)).scalar_one()
    made = appeal(stage, report.reference)
    assert (made.appellant_id, made.first_decider_id) == (stage.ben.id, stage.lea.id)
    with pytest.raises(Forbidden):
        answer(stage, made, "upheld", stage.lea)
    answer(stage, made, "overturned", liv)
    stage.session.refresh(report)
    assert report.status is ReportStatus.OPEN
    assert stage.case_of(post).state is CaseState.OPEN
    # Published until somebody else has decided.
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


# --- At the same moment ------------------------------------------------------------------------------------------


def test_of_many_objections_and_many_answers_at_once_the_first_counts(app: Flask, stage: Stage) -> None:
    leads = [another_lead(stage, f"lead{number}") for number in range(4)]
    post, decided = hidden(stage)
    reference, settings = reference_of(decided), stage.settings
    stage.session.commit()
    tally: Counter[str] = Counter()

    def count(work: Callable[[Session], Any]) -> Callable[[], None]:
        def once() -> None:
            try:
                with unit_of_work() as session:
                    work(session)
                tally["done"] += 1
            except Conflict as error:
                tally[error.code] += 1

        return once

    def objects(session: Session) -> None:
        appeals.appeal(session, reference=reference, by=None, grounds=GROUNDS, now=stage.now)

    at_once(app, [count(objects) for _ in leads])
    assert tally == {"done": 1, "already-appealed": 3}
    appeal_id = stage.session.execute(select(Appeal.id)).scalar_one()
    stage.session.commit()
    tally.clear()

    def answers(lead: Actor) -> Callable[[Session], None]:
        def overturn(session: Session) -> None:
            appeals.decide_appeal(
                session, appeal_id, by=lead, outcome="overturned", reasons=REASONS, settings=settings, now=stage.now
            )

        return overturn

    at_once(app, [count(answers(lead)) for lead in leads])
    assert tally == {"done": 1, "appeal-decided": 3}
    undone = select(func.count(Decision.id)).where(Decision.undoes_id == decided.decision.id)
    assert stage.session.execute(undone).scalar_one() == 1
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


# --- Lists and checks --------------------------------------------------------------------------------------------


def test_the_list_stands_by_due_and_tells_who_may_answer(stage: Stage, liv: Actor) -> None:
    made = []
    for days, by in ((2, stage.mo), (0, stage.lea), (1, stage.mo)):
        _, decided = hidden(stage, by=by)
        made.append(appeal(stage, reference_of(decided), now=stage.now + timedelta(days=days)))
    rows = appeal_queries.listed(stage.session, stage.lea, now=stage.now + timedelta(days=15)).items
    assert [row.id for row in rows] == [made[1].id, made[2].id, made[0].id]
    assert [row.may_decide for row in rows] == [False, True, True]
    assert [row.is_overdue for row in rows] == [True, False, False]
    first = appeal_queries.listed(stage.session, liv, now=stage.now, limit=2)
    rest = appeal_queries.listed(stage.session, liv, now=stage.now, limit=2, after=first.next)
    assert [row.id for row in (*first.items, *rest.items)] == [row.id for row in rows]
    answer(stage, made[0], "upheld")
    answer(stage, made[2], "overturned", now=stage.now + timedelta(days=2))
    rows = appeal_queries.listed(stage.session, liv, now=stage.now, state="decided").items
    assert [row.id for row in rows] == [made[2].id, made[0].id]
    only = appeal_queries.listed(stage.session, liv, now=stage.now, state="decided", outcome=AppealOutcome.UPHELD)
    assert [row.id for row in only.items] == [made[0].id]
    assert appeal_queries.listed(stage.session, liv, now=stage.now, role="reporter").items == []
    with pytest.raises(Forbidden):
        appeal_queries.listed(stage.session, stage.mo, now=stage.now)


def test_the_list_costs_the_same_with_more_rows(stage: Stage, liv: Actor) -> None:
    def cost() -> int:
        with counting(stage.session) as sent:
            appeal_queries.listed(stage.session, liv, now=stage.now)
        return len(sent)

    appeal(stage, reference_of(hidden(stage)[1]))
    few = cost()
    for _ in range(3):
        appeal(stage, reference_of(hidden(stage)[1]))
    assert cost() == few == 2


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ("first_decider_id = NULL", "objections that hide who decided"),
        ("appellant_id = {dan}", "objections by somebody whom the decision does not concern"),
        ("outcome = 'overturned', reasons = 'Yes.', decided_at = opened_at, decided_by = {lea}", "without a reversal"),
    ],
)
def test_ops_check_notices(stage: Stage, change: str, title: str) -> None:
    appeal(stage, reference_of(hidden(stage)[1]))
    stage.sound()
    stage.session.execute(text(f"UPDATE appeal SET {change.format(dan=stage.dan.id, lea=stage.lea.id)}"))
    assert [line for line in checks.checks(stage.session) if title in line], checks.checks(stage.session)
