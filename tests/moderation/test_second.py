"""Two people: nothing happens before somebody else has agreed. Decisions by the site. Reversal after an objection."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from auth.models import Member, Restriction
from core.errors import Conflict, Forbidden, Invalid
from core.vocabulary import CaseState, Operation, PostState, ReportStatus, RevisionState, ThreadKind, Verdict
from forum import posting
from forum.gate import Gate
from forum.models import Post, Thread
from moderation import decisions, member_cases, screen, triage
from moderation.models import Confirmation, Decision, Report, Sanction, ThreadOperation
from moderation.signals import contract, rulebook
from tests.moderation.stage import GATE, Stage

V = Verdict


def confirm(stage: Stage, decided, by=None, *, agrees=True, reason="I read it too."):
    return decisions.confirm(
        stage.session,
        decided.decision.id,
        by=by or stage.mia,
        agrees=agrees,
        reason=reason,
        settings=stage.settings,
        now=stage.now,
    )


def reverse(stage: Stage, decided, by=None):
    return decisions.reverse(
        stage.session,
        decided.decision,
        by=by or stage.lea,
        reason="It keeps to the rules.",
        settings=stage.settings,
        now=stage.now,
    )


# --- The second person -------------------------------------------------------------------------------------------


def test_a_severe_removal_has_no_effect_before_somebody_else_agrees(stage: Stage) -> None:
    post, case = stage.reported()
    told = stage.told(stage.ann)
    decided = stage.decide(case, V.REMOVE, severe=True)
    again = stage.case(case.id)
    assert (again.state, again.is_severe, again.round) == (CaseState.AWAITING_SECOND, True, 2)
    assert decided.statement is None and stage.statements() == []
    assert stage.post(post.id).state is PostState.PUBLISHED and stage.told(stage.ann) == told
    report = stage.session.execute(select(Report)).scalar_one()
    assert report.status is ReportStatus.OPEN
    effective = select(Decision.id).where(decisions.effective(), Decision.case_id == case.id)
    assert stage.session.execute(effective).all() == []
    stage.sound()
    done = confirm(stage, decided)
    assert done.statement is not None and "Two persons" in done.statement.content["automation"]
    assert stage.post(post.id).state is PostState.REMOVED
    assert stage.case(case.id).state is CaseState.DECIDED
    assert stage.session.get_one(Report, report.id, populate_existing=True).status is ReportStatus.ACTED
    assert stage.told(stage.ann)[-1] == "removed"
    assert len(stage.session.execute(effective).all()) == 1
    stage.sound()


def test_the_first_decider_cannot_be_the_second_person(stage: Stage) -> None:
    _, case = stage.reported()
    decided = stage.decide(case, V.HIDE, stage.lea, severe=True)
    with pytest.raises(Forbidden) as refused:
        confirm(stage, decided, stage.lea)
    assert refused.value.code == "first-decider"
    # The database itself refuses it.
    stage.session.add(
        Confirmation(
            decision_id=decided.decision.id,
            first_decider_id=stage.lea.id,
            confirmed_by=stage.lea.id,
            agrees=True,
            at=stage.now,
        )
    )
    with pytest.raises(IntegrityError):
        stage.session.flush()


def test_who_has_a_part_in_it_cannot_be_the_second_person(stage: Stage) -> None:
    post, case = stage.reported()
    stage.answer(post.thread_id, stage.mia)
    decided = stage.decide(case, V.HIDE, severe=True)
    with pytest.raises(Forbidden) as refused:
        confirm(stage, decided, stage.mia)
    assert refused.value.code == "conflict-of-interest"


def test_a_second_person_who_disagrees_sends_the_case_back_with_a_reason(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, V.REMOVE, severe=True)
    with pytest.raises(Invalid):
        confirm(stage, decided, agrees=False, reason=" ")
    confirm(stage, decided, agrees=False, reason="It is harsh, but no threat.")
    assert stage.case(case.id).state is CaseState.OPEN
    assert stage.post(post.id).state is PostState.PUBLISHED and stage.statements() == []
    with pytest.raises(Conflict) as lapsed:
        confirm(stage, decided, stage.lea)
    assert lapsed.value.code == "decision-lapsed"
    stage.sound()
    stage.decide(case, V.DISMISS, stage.lea, rule=None, reason=None)
    stage.sound()


def test_a_report_or_a_new_text_meanwhile_lets_the_decision_lapse(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, V.REMOVE, severe=True)
    stage.report(post, stage.dan)
    assert stage.case(case.id).state is CaseState.OPEN
    with pytest.raises(Conflict) as lapsed:
        confirm(stage, decided)
    assert lapsed.value.code == "decision-lapsed"
    again = stage.decide(case, V.REMOVE)
    assert stage.case(case.id).state is CaseState.AWAITING_SECOND, "severe once, severe for good"
    stage.edit(post, stage.ann, body="Nothing of that was meant. My back is sore in the evening.")
    with pytest.raises(Conflict):
        confirm(stage, again)
    stage.sound()


def test_nothing_else_is_decided_while_a_second_person_is_awaited(stage: Stage) -> None:
    _, case = stage.reported()
    decided = stage.decide(case, V.REMOVE, severe=True)
    with pytest.raises(Conflict) as refused:
        stage.decide(case, V.DISMISS, stage.mia, rule=None, reason=None)
    assert refused.value.code == "awaits-second"
    # Its first decider may call it off.
    stage.undo(decided)
    assert stage.case(case.id).state is CaseState.OPEN
    stage.sound()


def test_what_was_called_off_leaves_the_decision_before_it_in_force(stage: Stage) -> None:
    post, case = stage.reported()
    end = stage.now + timedelta(days=2)
    hidden = stage.decide(case, V.HIDE, until=end)
    stage.undo(stage.decide(case, V.REMOVE, severe=True))
    restored = stage.decide(case, V.RESTORE)
    assert restored.decision.undoes_id == hidden.decision.id
    assert stage.post(post.id).state is PostState.PUBLISHED
    post, case = stage.reported()
    stage.decide(case, V.HIDE, until=end)
    stage.undo(stage.decide(case, V.REMOVE, severe=True))
    assert decisions.restore_due(stage.session, now=end) == 1
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


def test_a_confirmed_decision_is_taken_back_like_any_other(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, V.REMOVE, severe=True)
    confirm(stage, decided)
    stage.undo(decided)
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


def test_the_end_of_an_account_takes_two_people_and_falls_with_its_decision(stage: Stage) -> None:
    case = member_cases.open_for_member(
        stage.session, stage.dan.id, by=stage.lea, reason="Again.", board=None, settings=stage.settings, now=stage.now
    )
    decided = stage.decide(case, V.SANCTION, stage.lea, sanction={"kind": "termination"}, rule="R11-kind")
    assert stage.case(case.id).state is CaseState.AWAITING_SECOND
    assert stage.session.execute(select(Sanction.id)).all() == []
    stage.sound()
    done = confirm(stage, decided, stage.mo)
    assert done.statement is not None and done.statement.restriction == "termination"
    assert stage.session.execute(select(Restriction.reference)).scalar_one() == done.statement.reference
    stage.sound()
    stage.undo(decided, stage.lea)
    assert stage.session.execute(select(Restriction.lifted_at)).scalar_one() == stage.now
    assert stage.case(case.id).state is CaseState.OPEN
    stage.sound()


def test_a_post_in_acute_danger_is_never_hidden_by_one_person(stage: Stage) -> None:
    post, case = stage.held(body="I have a plan to kill myself tonight.")
    stage.decide(case, V.HIDE)
    assert stage.case(case.id).state is CaseState.AWAITING_SECOND
    assert stage.post(post.id).state is PostState.HELD


# --- Decisions by the site ---------------------------------------------------------------------------------------


def shielding(stage: Stage) -> Gate:
    """A gate whose triage has said: shield."""

    def screening(session, submission, *, settings, now):
        kind = "crisis_thoughts"
        found = contract.Finding(kind, 0.9, True, 0, 4, "These words worry us.", "crisis/1")
        said = triage.run(contract.Draft(submission.body, rules=rulebook.shipped()), house=(found,), signals=())
        said = triage.Triage(PostState.SHIELDED, said.priority, said.findings, said.advice)
        return screen.carry_out(session, submission, said, country="GB", settings=settings, now=now)

    return Gate(screen=screening, held_status=GATE.held_status, withdrawn=GATE.withdrawn)


def shielded(stage: Stage, actor=None) -> Post:
    return posting.start_thread(
        stage.session,
        actor or stage.ann,
        kind=ThreadKind.QUESTION,
        title="It is too much",
        board_slug="backache",
        body=stage.text(),
        gate=shielding(stage),
        settings=stage.settings,
        now=stage.now,
    ).post


def test_the_gate_shields_with_a_decision_and_a_statement_that_begins_with_support(stage: Stage) -> None:
    post = shielded(stage)
    assert post.state is PostState.SHIELDED
    decision = stage.session.execute(select(Decision).order_by(Decision.id.desc()).limit(1)).scalar_one()
    assert (decision.moderator_id, decision.verdict) == (None, V.SHIELD)
    assert (decision.state_before, decision.state_after) == (PostState.DRAFT, PostState.SHIELDED)
    statement = stage.statements()[-1]
    assert next(iter(statement.content)) == "support" and statement.restriction == "shielded"
    assert statement.export["automated_decision"] == "AUTOMATED_DECISION_FULLY"
    case = stage.case_of(post)
    assert (case.state, case.round) == (CaseState.OPEN, 2)
    stage.sound()
    stage.decide(case, V.APPROVE, rule=None, reason=None)
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


@pytest.mark.parametrize("verdict, state", [(V.SHIELD, PostState.SHIELDED), (V.HIDE, PostState.HIDDEN)])
def test_a_person_decides_on_what_the_site_has_shielded_and_may_take_it_back(stage: Stage, verdict, state) -> None:
    post = shielded(stage)
    case = stage.case_of(post)
    decided = stage.decide(case, verdict)
    assert stage.post(post.id).state is state and stage.case(case.id).state is CaseState.DECIDED
    stage.sound()
    stage.undo(decided)
    assert stage.post(post.id).state is PostState.SHIELDED
    assert stage.case(case.id).state is CaseState.OPEN, "a person still has to look"
    stage.sound()


def test_an_edit_of_what_was_never_read_waits_instead_of_being_shielded(stage: Stage) -> None:
    post, _case = stage.held()
    posting.edit_post(
        stage.session,
        stage.cora,
        post.id,
        version=stage.post(post.id).version,
        body="It is too much for me by now.",
        gate=shielding(stage),
        settings=stage.settings,
        now=stage.now,
    )
    assert stage.post(post.id).state is PostState.HELD and stage.statements() == []
    stage.sound()


def test_an_edit_of_a_public_post_is_shielded_at_once(stage: Stage) -> None:
    post = stage.ask().post
    posting.edit_post(
        stage.session,
        stage.ann,
        post.id,
        version=post.version,
        body="It is too much for me by now.",
        gate=shielding(stage),
        settings=stage.settings,
        now=stage.now,
    )
    shown = stage.post(post.id)
    assert (shown.state, shown.source) == (PostState.SHIELDED, "It is too much for me by now.")
    assert len(stage.statements()) == 1
    stage.sound()


def test_the_site_hides_for_the_time_being_and_a_person_shows_it_again(stage: Stage) -> None:
    post, case = stage.reported()
    made = decisions.provisional(
        stage.session,
        post.id,
        verdict=V.HIDE,
        rule="R11-kind",
        reason="Several members reported it.",
        revision_id=None,
        settings=stage.settings,
        now=stage.now,
    )
    assert stage.post(post.id).state is PostState.HIDDEN and made.statement is not None
    assert stage.case(case.id).state is CaseState.OPEN
    stage.sound()
    restored = stage.decide(case, V.RESTORE)
    assert restored.decision.undoes_id == made.decision.id
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


# --- Locks -------------------------------------------------------------------------------------------------------


def test_a_lock_is_a_decision_with_a_statement_and_a_way_back(stage: Stage) -> None:
    post = stage.ask().post
    stage.session.get_one(Thread, post.thread_id).is_locked = True
    said = {"by": stage.mo, "rule": "R11-kind", "settings": stage.settings, "now": stage.now}
    locked = decisions.record_lock(stage.session, post.thread_id, reason="It became a quarrel.", **said)
    assert locked.statement is not None and locked.statement.restriction == "locked"
    assert stage.told(stage.ann)[-1] == "locked"
    stage.session.add(
        ThreadOperation(
            kind=Operation.LOCK,
            thread_id=post.thread_id,
            rule_code="R11-kind",
            reason="It became a quarrel.",
            decision_id=locked.decision.id,
            moderator_id=stage.mo.id,
            at=stage.now,
        )
    )
    stage.sound()
    decisions.reverse(
        stage.session, locked.decision, by=stage.lea, reason="It had calmed.", settings=stage.settings, now=stage.now
    )
    assert not stage.session.get_one(Thread, post.thread_id, populate_existing=True).is_locked
    stage.sound()
    again = decisions.record_lock(stage.session, post.thread_id, reason="A quarrel again.", **said)
    opened = decisions.record_unlock(stage.session, post.thread_id, reason="All is calm.", **said)
    assert opened.decision.undoes_id == again.decision.id and opened.statement is None
    stage.sound()


# --- Reversal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [V.HIDE, V.REMOVE, V.SHIELD])
def test_a_reversal_shows_the_post_again_long_after_and_its_reports_were_wrong(stage: Stage, verdict) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, verdict, sanction={"kind": "warning"})
    stage.now += timedelta(days=100)
    stage.sound()
    made = reverse(stage, decided)
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert (made.verdict, made.undoes_id, made.moderator_id) == (V.RESTORE, decided.decision.id, stage.lea.id)
    assert stage.session.execute(select(Report.status)).scalar_one() is ReportStatus.NOT_ACTED
    assert stage.session.get_one(Member, stage.ann.id, populate_existing=True).upheld_report_count == 0
    assert stage.session.execute(select(Sanction.voided_at)).scalar_one() == stage.now
    assert stage.told(stage.ann)[-1] == "restored" and stage.told(stage.ben).count("report_decided") == 2
    stage.sound()
    with pytest.raises(Conflict) as twice:
        reverse(stage, decided)
    assert twice.value.code == "already-taken-back"


def test_a_reversed_rejection_or_request_publishes_the_text(stage: Stage) -> None:
    for verdict in (V.REJECT, V.REQUEST_CHANGES):
        post, case = stage.held(title=f"After {verdict}")
        decided = stage.decide(case, verdict)
        reverse(stage, decided)
        assert stage.post(post.id).state is PostState.PUBLISHED
        assert stage.case(case.id).state is CaseState.DECIDED
        stage.sound()


def test_a_reversed_rejection_of_an_edit_publishes_the_edit(stage: Stage) -> None:
    post, case = stage.held_edit()
    decided = stage.decide(case, V.REJECT)
    reverse(stage, decided)
    assert "gmail" in stage.post(post.id).source and stage.waiting(post) is None
    stage.sound()


def test_a_reversal_leaves_what_others_decided_since(stage: Stage) -> None:
    post, case = stage.reported()
    first = stage.decide(case, V.HIDE)
    stage.decide(case, V.REMOVE, stage.mia)
    reverse(stage, first)
    assert stage.post(post.id).state is PostState.REMOVED
    stage.sound()


def test_a_reversal_of_a_withdrawn_post_moves_nothing(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, V.HIDE)
    stage.withdraw(post, stage.ann)
    reverse(stage, decided)
    assert stage.post(post.id).state is PostState.WITHDRAWN
    stage.sound()


def test_a_refused_reporter_who_was_right_opens_the_case_again(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, V.DISMISS, rule=None, reason=None)
    reverse(stage, decided)
    assert stage.case(case.id).state is CaseState.OPEN
    assert stage.session.execute(select(Report.status)).scalar_one() is ReportStatus.OPEN
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()
    stage.decide(case, V.HIDE, stage.mia)
    stage.sound()


def test_the_first_decider_never_reverses(stage: Stage) -> None:
    _, case = stage.reported()
    decided = stage.decide(case, V.HIDE, stage.lea)
    with pytest.raises(Forbidden) as refused:
        reverse(stage, decided, stage.lea)
    assert refused.value.code == "first-decider"


# --- Edits of spelling -------------------------------------------------------------------------------------------


def test_a_newcomers_spelling_passes_where_more_would_wait(stage: Stage) -> None:
    post, case = stage.held(body="It is sore in the evning and walking helps.")
    stage.decide(case, V.APPROVE, rule=None, reason=None)
    assert not stage.edit(post, stage.cora, body="It is sore in the evening and walking helps.").held
    assert stage.post(post.id).source.endswith("evening and walking helps.")
    assert "trivial_edit" in stage.kinds(post)
    stage.sound()
    assert stage.edit(post, stage.cora, body="It is sore in the evening and walking never helps.").held
    waiting = stage.waiting(post)
    assert waiting is not None and waiting.state is RevisionState.HELD
