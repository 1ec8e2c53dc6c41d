"""Every verdict: when it is possible, what it does, what it leaves behind, and how it is taken back."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from core import audit
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound, VersionMissing
from core.fulltext import SearchEntry
from core.vocabulary import CaseState, PostState, ReportStatus, RevisionState, Verdict
from moderation import cases, decisions, queries
from moderation.decisions import verdicts_for
from moderation.models import Decision, Report
from tests.moderation.stage import Stage

V = Verdict
ASKING = (V.APPROVE, V.REQUEST_CHANGES, V.REJECT)
MARKING = (V.REDACT, V.LABEL)
FIRST = (*ASKING, *MARKING, V.SHIELD, V.HIDE, V.ESCALATE)
PUBLIC = (*MARKING, V.SHIELD, V.HIDE, V.REMOVE)
CHANGES = RevisionState.CHANGES_REQUESTED


@pytest.mark.parametrize(
    "case_state, post_state, waiting, newest, expected",
    [
        (CaseState.OPEN, PostState.HELD, RevisionState.HELD, True, FIRST),
        (CaseState.CLAIMED, PostState.HELD, RevisionState.HELD, True, FIRST),
        (CaseState.AWAITING_AUTHOR, PostState.CHANGES_REQUESTED, CHANGES, True, (V.APPROVE, V.REJECT)),
        (CaseState.OPEN, PostState.PUBLISHED, RevisionState.HELD, True, (*FIRST[:5], V.HIDE, V.REMOVE, V.ESCALATE)),
        (CaseState.OPEN, PostState.PUBLISHED, None, True, (V.DISMISS, *PUBLIC, V.ESCALATE)),
        (CaseState.OPEN, PostState.SHIELDED, None, True, (V.APPROVE, *PUBLIC, V.ESCALATE)),
        (CaseState.OPEN, PostState.SHIELDED, RevisionState.HELD, True, (*ASKING, V.HIDE, V.REMOVE, V.ESCALATE)),
        (CaseState.DECIDED, PostState.SHIELDED, None, True, (V.RESTORE, *MARKING, V.HIDE, V.REMOVE)),
        (CaseState.DECIDED, PostState.PUBLISHED, None, True, PUBLIC),
        (CaseState.DECIDED, PostState.PUBLISHED, None, False, ()),
        (CaseState.OPEN, PostState.HIDDEN, None, True, (V.RESTORE, V.HIDE, V.REMOVE, V.ESCALATE)),
        (CaseState.DECIDED, PostState.HIDDEN, None, True, (V.RESTORE, V.REMOVE)),
        (CaseState.DECIDED, PostState.HIDDEN, None, False, ()),
        (CaseState.DECIDED, PostState.REMOVED, None, True, (V.RESTORE,)),
        (CaseState.DECIDED, PostState.REJECTED, None, True, (V.RESTORE,)),
        (CaseState.DECIDED, PostState.HELD, None, True, ()),
        (CaseState.AWAITING_SECOND, PostState.PUBLISHED, None, True, ()),
        (CaseState.MOOT, PostState.WITHDRAWN, None, True, ()),
        (CaseState.OPEN, PostState.WITHDRAWN, None, True, ()),
        # A case about a member.
        (CaseState.OPEN, None, None, True, (V.DISMISS, V.SANCTION, V.ESCALATE)),
        (CaseState.DECIDED, None, None, True, ()),
    ],
)
def test_the_possible_verdicts_follow_from_case_and_post(case_state, post_state, waiting, newest, expected) -> None:
    assert set(verdicts_for(case_state, post_state, waiting, is_newest=newest)) == set(expected)


def test_approve_publishes_with_rule_none_and_a_standing_reason(stage: Stage) -> None:
    post, case = stage.held()
    decided = stage.decide(case, V.APPROVE, rule=None, reason=None)
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert (decided.decision.rule_code, decided.statement) == ("none", None)
    assert decided.decision.reason == decisions.STANDING_REASONS[V.APPROVE]
    again = stage.case(case.id)
    assert (again.state, again.claimed_by, again.round) == (CaseState.DECIDED, None, 2)
    assert stage.told(stage.cora) == ["published"]
    assert stage.session.execute(select(SearchEntry.id).where(SearchEntry.ref_id == post.thread_id)).first()
    stage.sound()


@pytest.mark.parametrize(
    "verdict, state, told",
    [
        (V.REJECT, PostState.REJECTED, "rejected"),
        (V.REQUEST_CHANGES, PostState.CHANGES_REQUESTED, "changes_requested"),
    ],
)
def test_a_first_publication_is_refused_with_a_statement(stage: Stage, verdict, state, told) -> None:
    post, case = stage.held()
    decided = stage.decide(case, verdict)
    assert stage.post(post.id).state is state
    assert decided.statement is not None
    assert stage.told(stage.cora) == [told]
    assert decided.decision.text_judged.endswith(post.source)
    assert (decided.decision.state_before, decided.decision.state_after) == (PostState.HELD, state)
    stage.sound()


def test_requested_changes_come_back_into_the_same_case(stage: Stage) -> None:
    post, case = stage.held()
    stage.decide(case, V.REQUEST_CHANGES)
    assert stage.case(case.id).state is CaseState.AWAITING_AUTHOR
    with pytest.raises(Conflict) as taken:
        cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    assert taken.value.code == "case-awaits-author"
    stage.edit(post, stage.cora, body="The same without an amount.", now=stage.now + timedelta(hours=1))
    again = stage.case(case.id)
    assert (again.state, again.round) == (CaseState.OPEN, 2)
    assert again.due_at == stage.now + timedelta(hours=25)
    stage.decide(case, V.APPROVE)
    assert stage.post(post.id).source == "The same without an amount."
    assert [d.round for d in stage.session.execute(select(Decision).where(Decision.case_id == case.id)).scalars()] == [
        1,
        2,
    ]
    stage.sound()


def test_an_approved_edit_replaces_the_text_and_a_rejected_one_does_not(stage: Stage) -> None:
    post, case = stage.held_edit()
    old = stage.post(post.id).source
    decided = stage.decide(case, V.REJECT)
    assert (decided.decision.state_before, decided.decision.state_after) == (PostState.PUBLISHED,) * 2
    assert decided.statement is not None and decided.statement.restriction == "edit_rejected"
    assert stage.post(post.id).source == old and stage.waiting(post) is None
    stage.edit(post, stage.ann, body="Or ring 020 7946 0958 please.")
    second = stage.case_of(post)
    assert second.id != case.id
    stage.decide(second, V.APPROVE)
    assert stage.post(post.id).source == "Or ring 020 7946 0958 please."
    stage.sound()


@pytest.mark.parametrize(
    "verdict, state", [(V.HIDE, PostState.HIDDEN), (V.REMOVE, PostState.REMOVED), (V.DISMISS, PostState.PUBLISHED)]
)
def test_a_reported_post_is_judged_and_the_reporter_hears_of_it(stage: Stage, verdict, state) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, verdict)
    acted = verdict is not V.DISMISS
    assert stage.post(post.id).state is state
    report = stage.session.execute(select(Report).execution_options(populate_existing=True)).scalar_one()
    assert report.status is (ReportStatus.ACTED if acted else ReportStatus.NOT_ACTED)
    assert report.decision_id == decided.decision.id and report.outcome
    assert stage.told(stage.ben)[-1] == "report_decided"
    assert (decided.statement is not None) is acted
    stage.session.refresh(stage.members["ann"])
    assert stage.members["ann"].upheld_report_count == int(acted)
    assert bool(stage.session.execute(select(SearchEntry.id).where(SearchEntry.ref_id == post.thread_id)).first()) is (
        not acted
    )
    stage.sound()


def test_a_dismissal_is_no_news_for_the_author(stage: Stage) -> None:
    _, case = stage.reported()
    before = stage.told(stage.ann)
    stage.decide(case, V.DISMISS, rule="", reason=" ")
    assert stage.told(stage.ann) == before


@pytest.mark.parametrize("verdict", [V.HIDE, V.REMOVE])
def test_what_was_hidden_or_removed_can_be_restored_and_points_back(stage: Stage, verdict) -> None:
    post, case = stage.reported()
    first = stage.decide(case, verdict)
    decided = stage.decide(case, V.RESTORE, rule="none", reason="It was harmless after all.")
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert decided.decision.undoes_id == first.decision.id
    assert stage.told(stage.ann)[-1] == "restored"
    stage.sound()


def test_a_rejected_post_can_be_restored(stage: Stage) -> None:
    post, case = stage.held()
    stage.decide(case, V.REJECT)
    stage.decide(case, V.RESTORE, by=stage.lea)
    assert stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


def test_an_edit_that_waits_falls_when_its_post_is_hidden(stage: Stage) -> None:
    post, case = stage.held_edit()
    decided = stage.decide(case, V.HIDE)
    assert decided.statement is not None and decided.statement.restriction == "hidden"
    assert stage.waiting(post) is None
    stage.undo(decided)
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert stage.waiting(post) is not None
    assert stage.case(case.id).state is CaseState.OPEN
    stage.sound()


# --- Refusals ----------------------------------------------------------------------------------------------------


def refused(stage: Stage, kind, case, verdict, **more):
    before = [(d.id, d.round) for d in stage.session.execute(select(Decision)).scalars()]
    with pytest.raises(kind) as caught:
        stage.decide(case, verdict, **more)
    assert [(d.id, d.round) for d in stage.session.execute(select(Decision)).scalars()] == before
    return caught.value


def test_a_stale_version_is_a_conflict_that_names_the_current_one(stage: Stage) -> None:
    post, case = stage.held()
    seen = case.version
    stage.edit(post, stage.cora, body="A wholly different text.")
    error = refused(stage, Conflict, case, V.APPROVE, version=seen)
    assert (error.code, error.extra["version"]) == ("case-changed", seen + 1)
    assert refused(stage, VersionMissing, case, V.APPROVE, version=None).status == 428


def test_the_second_moderator_is_refused(stage: Stage) -> None:
    _, case = stage.held()
    seen = case.version
    stage.decide(case, V.APPROVE, version=seen)
    error = refused(stage, Conflict, case, V.REJECT, by=stage.mia, version=seen)
    assert error.code == "case-changed"


def test_somebody_elses_live_claim_is_respected_and_an_expired_one_is_not(stage: Stage) -> None:
    _, case = stage.held()
    cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    error = refused(stage, Conflict, case, V.APPROVE, by=stage.mia)
    assert error.code == "claim-taken" and error.extra["claimed_by"] == "mo"
    assert error.detail == "This case is taken by mo until 10:15 UTC."
    stage.decide(case, V.APPROVE, by=stage.mia, now=stage.now + timedelta(minutes=15))


def test_rule_and_reason_are_demanded(stage: Stage) -> None:
    _, case = stage.held()
    error = refused(stage, Invalid, case, V.REJECT, rule=None, reason="  ")
    assert {field for field, _ in error.errors} == {"rule", "reason"}
    assert refused(stage, Invalid, case, V.REJECT, rule="none").errors[0][0] == "rule"
    assert refused(stage, Invalid, case, V.REJECT, rule="R99-none-such").errors[0][0] == "rule"
    assert refused(stage, Invalid, case, V.REJECT, reason="x" * 2001).errors[0][0] == "reason"


def test_a_verdict_that_does_not_fit_is_refused(stage: Stage) -> None:
    _, case = stage.held()
    error = refused(stage, Invalid, case, V.DISMISS)
    assert error.code == "verdict-not-allowed" and "approve" in error.extra["allowed_verdicts"]
    assert refused(stage, Invalid, case, "explode").errors[0][0] == "verdict"


def test_nobody_decides_own_posts_reported_ones_or_their_own_threads(stage: Stage) -> None:
    own = stage.ask(stage.mo).post
    assert refused(stage, Forbidden, stage.case_of(own), V.APPROVE).code == "conflict-of-interest"
    thread = stage.ask().thread
    stage.decide(stage.case_of(stage.answer(thread.id, stage.mo).post), V.APPROVE, by=stage.lea)
    other = stage.answer(thread.id, stage.cora).post
    assert refused(stage, Forbidden, stage.case_of(other), V.APPROVE).code == "conflict-of-interest"
    reported = stage.ask().post
    stage.report(reported, stage.mo)
    assert refused(stage, Forbidden, stage.case_of(reported), V.HIDE).code == "conflict-of-interest"
    # A lead is bound by it just as well.
    stage.report(reported, stage.lea)
    assert refused(stage, Forbidden, stage.case_of(reported), V.HIDE, by=stage.lea).code == "conflict-of-interest"


def test_a_case_of_another_board_does_not_exist(stage: Stage) -> None:
    from dataclasses import replace

    _, case = stage.held()
    elsewhere = replace(stage.mo, all_boards=False, board_ids=frozenset({case.board_id + 1}))
    refused(stage, NotFound, case, V.APPROVE, by=elsewhere)
    here = replace(stage.mo, all_boards=False, board_ids=frozenset({case.board_id}))
    stage.decide(case, V.APPROVE, by=here)


def test_a_decision_is_in_the_audit_chain(stage: Stage) -> None:
    _, case = stage.held()
    decided = stage.decide(case, V.REJECT)
    entry = stage.session.execute(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).scalar_one()
    assert (entry.action, entry.subject_id, entry.actor_id) == ("case.reject", case.id, stage.mo.id)
    assert entry.details["decision"] == decided.decision.id
    assert audit.verify(stage.session)[1] is None


# --- Undo --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [V.APPROVE, V.REJECT, V.REQUEST_CHANGES])
def test_undoing_a_decision_on_a_first_publication_lets_it_wait_again(stage: Stage, verdict) -> None:
    post, case = stage.held()
    decided = stage.decide(case, verdict)
    undone = stage.undo(decided)
    assert stage.post(post.id).state is PostState.HELD
    assert undone.decision.undoes_id == decided.decision.id
    again = stage.case(case.id)
    assert (again.state, again.round) == (CaseState.OPEN, 3)
    assert (undone.statement is not None) is (verdict is V.APPROVE)
    stage.decide(case, V.APPROVE)
    stage.sound()


@pytest.mark.parametrize("verdict", [V.APPROVE, V.REJECT, V.REQUEST_CHANGES])
def test_undoing_a_decision_on_an_edit_brings_the_old_text_and_the_waiting_edit_back(stage: Stage, verdict) -> None:
    post, case = stage.held_edit()
    old, edit = stage.post(post.id).source, stage.waiting(post)
    undone = stage.undo(stage.decide(case, verdict))
    assert stage.post(post.id).source == old
    assert stage.waiting(post).id == edit.id and stage.waiting(post).state is RevisionState.HELD
    assert stage.case(case.id).revision_id == edit.id
    assert (undone.statement is not None) is (verdict is V.APPROVE)
    stage.sound()


@pytest.mark.parametrize("verdict", [V.HIDE, V.REMOVE, V.DISMISS])
def test_undoing_a_decision_on_a_report_leaves_the_report_undecided_again(stage: Stage, verdict) -> None:
    post, case = stage.reported()
    stage.undo(stage.decide(case, verdict), by=stage.lea)
    assert stage.post(post.id).state is PostState.PUBLISHED
    report = stage.session.execute(select(Report).execution_options(populate_existing=True)).scalar_one()
    assert (report.status, report.outcome, report.decision_id) == (ReportStatus.OPEN, "", None)
    assert stage.case(case.id).state is CaseState.OPEN
    stage.session.refresh(stage.members["ann"])
    assert stage.members["ann"].upheld_report_count == 0
    stage.sound()


def test_undoing_a_restoration_hides_again_with_a_statement(stage: Stage) -> None:
    post, case = stage.reported()
    stage.decide(case, V.HIDE)
    undone = stage.undo(stage.decide(case, V.RESTORE))
    assert stage.post(post.id).state is PostState.HIDDEN
    assert undone.statement is not None and undone.statement.restriction == "hidden"
    assert stage.told(stage.ann)[-1] == "hidden"
    stage.sound()


def test_undo_belongs_to_the_decider_and_to_leads(stage: Stage) -> None:
    _, case = stage.held()
    decided = stage.decide(case, V.REJECT)
    with pytest.raises(Forbidden):
        stage.undo(decided, by=stage.mia)
    with pytest.raises(Invalid):
        stage.undo(decided, reason=" ")
    stage.undo(decided, by=stage.lea)


def test_undo_ends_after_a_day(stage: Stage) -> None:
    _, case = stage.held()
    decided = stage.decide(case, V.REJECT)
    with pytest.raises(Conflict) as late:
        stage.undo(decided, now=stage.now + timedelta(hours=24, seconds=1))
    assert late.value.code == "undo-too-late"
    stage.undo(decided, now=stage.now + timedelta(hours=24))


def test_undo_is_refused_once_something_happened_since(stage: Stage) -> None:
    post, case = stage.held()
    decided = stage.decide(case, V.REQUEST_CHANGES)
    stage.edit(post, stage.cora, body="As you asked.")
    with pytest.raises(Conflict) as overtaken:
        stage.undo(decided)
    assert overtaken.value.code == "undo-overtaken"
    first = stage.decide(case, V.APPROVE)
    stage.undo(first)
    with pytest.raises(Conflict):
        stage.undo(first)


def test_undo_is_refused_once_a_newer_case_is_about_the_post(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, V.DISMISS)
    stage.report(post, stage.ben)
    with pytest.raises(Conflict) as overtaken:
        stage.undo(decided)
    assert overtaken.value.code == "undo-overtaken"
    history = queries.case_page(stage.session, case.id, stage.mo, settings=stage.settings, now=stage.now).history
    assert [one.may_undo for one in history] == [False]
    stage.sound()


def test_a_withdrawn_post_stays_withdrawn(stage: Stage) -> None:
    post, case = stage.held()
    decided = stage.decide(case, V.APPROVE)
    stage.withdraw(post, stage.cora)
    with pytest.raises(Conflict):
        stage.undo(decided)
    stage.sound()
