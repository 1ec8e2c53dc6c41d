"""`ops check` for moderation finds each kind of breach, made here by hand."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, text, update

from core.audit import AuditEntry
from core.db import utc_now
from core.vocabulary import CaseState, PostState, Priority, ReportStatus, RevisionState, Verdict
from forum.models import Post, Revision
from moderation import checks
from moderation.models import Case, Decision, Report, Statement
from tests.moderation.stage import Stage


def found(stage: Stage) -> str:
    stage.session.flush()
    return "\n".join(checks.checks(stage.session))


@pytest.fixture
def scene(stage: Stage):
    """One of everything, and sound."""
    post, case = stage.held()
    refused, judged = stage.held()
    stage.decide(judged, Verdict.REJECT)
    reported, open_case = stage.reported()
    stage.sound()
    return {
        "post": post.id,
        "case": case.id,
        "refused": refused.id,
        "judged": judged.id,
        "reported": reported.id,
        "open": open_case.id,
    }


def test_a_sound_house_has_no_breach(stage: Stage, scene) -> None:
    assert found(stage) == ""


def change(stage: Stage, model, where, **values) -> None:
    stage.session.execute(update(model).where(where).values(**values).execution_options(synchronize_session=False))


def test_each_breach_is_named(stage: Stage, scene) -> None:
    session = stage.session
    breaches = [
        (
            "statement",
            lambda: session.execute(delete(Statement).execution_options(synchronize_session=False)),
        ),
        (
            "wait without a case",
            lambda: change(stage, Case, Case.id == scene["case"], state=CaseState.MOOT),
        ),
        ("lane", lambda: change(stage, Case, Case.id == scene["case"], priority=Priority.P0)),
        ("round", lambda: change(stage, Case, Case.id == scene["judged"], round=1)),
        (
            "longer than a claim lasts",
            lambda: change(
                stage,
                Case,
                Case.id == scene["case"],
                state=CaseState.CLAIMED,
                claimed_by=stage.mo.id,
                claimed_until=utc_now() + timedelta(hours=1),
            ),
        ),
        (
            "own author or reporter",
            lambda: change(
                stage,
                Case,
                Case.id == scene["open"],
                state=CaseState.CLAIMED,
                claimed_by=stage.ben.id,
                claimed_until=utc_now(),
            ),
        ),
        (
            "not one of their post",
            lambda: change(
                stage,
                Case,
                Case.id == scene["case"],
                revision_id=stage.post(scene["reported"]).live_revision_id,
            ),
        ),
        ("author or board", lambda: change(stage, Case, Case.id == scene["case"], author_id=stage.ben.id)),
        (
            "by the author",
            lambda: change(stage, Decision, Decision.case_id == scene["judged"], moderator_id=stage.cora.id),
        ),
        ("open reports without", lambda: change(stage, Report, Report.id > 0, case_id=scene["judged"])),
        ("another post", lambda: change(stage, Report, Report.id > 0, case_id=scene["case"])),
        ("audit chain", lambda: change(stage, AuditEntry, AuditEntry.id == 1, action="nothing")),
        (
            "edits that wait",
            lambda: (
                change(
                    stage,
                    Revision,
                    Revision.id == stage.post(scene["reported"]).live_revision_id,
                    state=RevisionState.HELD,
                )
                or change(stage, Case, Case.id == scene["open"], state=CaseState.MOOT)
                or change(stage, Report, Report.id > 0, status=ReportStatus.NOT_ACTED)
            ),
        ),
    ]
    for words, breach in breaches:
        with session.begin_nested() as savepoint:
            breach()
            assert words in found(stage), words
            savepoint.rollback()
        session.expire_all()
        assert found(stage) == ""


def test_the_database_itself_refuses_a_second_live_case_and_a_second_decision(stage: Stage, scene) -> None:
    from sqlalchemy.exc import IntegrityError

    session = stage.session
    for statement in (
        'INSERT INTO "case" (subject_kind, post_id, revision_id, board_id, author_id, state, priority, lane, due_at, '
        "score, version, round, opened_at) SELECT subject_kind, post_id, revision_id, board_id, author_id, 'open', "
        f'priority, lane, due_at, score, version, round, opened_at FROM "case" WHERE id = {scene["case"]}',
        "INSERT INTO decision (case_id, round, verdict, rule_code, rule_version, reason, moderator_id, revision_id, "
        "text_judged, state_before, state_after, automated_detection, at) SELECT case_id, round, verdict, rule_code, "
        "rule_version, reason, moderator_id, revision_id, text_judged, state_before, state_after, "
        f"automated_detection, at FROM decision WHERE case_id = {scene['judged']}",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement))
    assert stage.post(scene["refused"]).state is PostState.REJECTED
    assert session.get_one(Post, scene["post"]).state is PostState.HELD
