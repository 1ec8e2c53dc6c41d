"""Members report posts; reports join the case, and nobody can report twice, too often, or themselves."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from auth.policy import ANONYMOUS
from core.errors import Conflict, Forbidden, Invalid, NotFound, SignInNeeded, TooMany
from core.outbox import OutboxMessage
from core.vocabulary import PostState, Priority, Verdict
from forum.models import Revision
from tests.moderation.stage import Stage


def test_reports_join_one_case_and_raise_its_version_and_score(stage: Stage) -> None:
    post, case = stage.reported()
    assert (case.priority, case.version, case.score_terms["reporters"]) == (Priority.P3, 1, 1.0)
    before = case.score
    stage.report(post, stage.dan, rule="R9-no-ads", note="An advertisement")
    again = stage.case_of(post)
    assert (again.id, again.version, again.score_terms["reporters"]) == (case.id, 2, 2.0)
    assert again.score == before + 1.0
    stage.sound()


def test_the_text_that_was_reported_is_kept(stage: Stage) -> None:
    post = stage.ask().post
    text = stage.post(post.id).source
    report = stage.report(post, stage.ben)
    stage.edit(post, stage.ann, body="Now it reads quite differently.")
    assert stage.session.get_one(Revision, report.revision_id).source == text


def test_a_worry_about_a_life_goes_first(stage: Stage) -> None:
    post = stage.ask().post
    stage.report(post, stage.ben, rule="R5-crisis")
    assert stage.case_of(post).priority is Priority.P1
    other = stage.ask(body="Something plain at first.").post
    revision = stage.session.get_one(Revision, stage.post(other.id).live_revision_id)
    revision.source = "I am going to kill myself tonight."
    stage.session.flush()
    stage.report(other, stage.ben, rule="R5-crisis")
    assert stage.case_of(other).priority is Priority.P0
    stage.session.flush()
    mails = select(OutboxMessage).where(OutboxMessage.kind == "mail")
    assert [mail.payload["template"] for mail in stage.session.execute(mails).scalars()] == ["on_call"]


def test_a_report_moves_a_waiting_edits_case_up_but_never_down(stage: Stage) -> None:
    post, case = stage.held_edit()
    assert case.priority is Priority.P2
    due = case.due_at
    stage.report(post, stage.ben)
    again = stage.case(case.id)
    assert (again.priority, again.due_at) == (Priority.P2, due)
    stage.report(post, stage.dan, rule="R5-crisis")
    assert stage.case(case.id).priority is Priority.P1


def test_what_cannot_be_reported(stage: Stage) -> None:
    post, case = stage.reported()
    with pytest.raises(Forbidden) as own:
        stage.report(post, stage.ann)
    assert own.value.code == "own-post"
    with pytest.raises(Conflict) as twice:
        stage.report(post, stage.ben)
    assert twice.value.code == "already-reported" and len(twice.value.extra["reference"]) == 32
    with pytest.raises(SignInNeeded):
        stage.report(post, ANONYMOUS)
    for rule in ("", "none", "R99"):
        with pytest.raises(Invalid):
            stage.report(post, stage.dan, rule=rule)
    with pytest.raises(Invalid):
        stage.report(post, stage.dan, note="x" * 2001)
    held, _ = stage.held()
    with pytest.raises(NotFound):
        stage.report(held, stage.ben)
    stage.decide(case, Verdict.HIDE)
    assert stage.post(post.id).state is PostState.HIDDEN
    with pytest.raises(Forbidden):
        stage.report(post, stage.dan)


def test_after_a_dismissal_the_same_member_may_report_again(stage: Stage) -> None:
    post, case = stage.reported()
    stage.decide(case, Verdict.DISMISS)
    stage.report(post, stage.ben)
    assert stage.case_of(post).id != case.id
    stage.sound()


def test_mass_reports_meet_a_limit(stage: Stage) -> None:
    posts = [stage.ask(stage.dan).post for _ in range(31)]
    stage.settings = replace(stage.settings, limits=True)
    for post in posts[:30]:
        stage.report(post, stage.ben)
    with pytest.raises(TooMany):
        stage.report(posts[30], stage.ben)
