"""Operations on threads by moderators: policy, rule and reason, cases, notices, and two moderators at once."""

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from core.audit import AuditEntry
from core.db import unit_of_work, utc_now
from core.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from core.notifications import Notification
from core.vocabulary import CaseState, Operation, PostState, Role, Verdict
from forum import boards, queries
from forum.models import Board, Post, Thread
from moderation import operations
from moderation.models import Decision, ThreadOperation
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.stage import Stage, actor_for, make_condition
from tests.support.cast import actor_of, bearer, make_member

GROUNDS = {"rule": "none", "reason": "It belongs there."}


@pytest.fixture
def two_boards(stage: Stage) -> Stage:
    make_condition(stage.session, stage.now, "Gout")
    return stage


def operate(stage: Stage, thread_id: int, operation: str, **more: Any) -> operations.Operated:
    values = {"by": stage.mo, **GROUNDS, **more}
    return operations.operate(
        stage.session, thread_id, operation=operation, settings=stage.settings, now=stage.now, **values
    )


def thread_of(stage: Stage, thread_id: int) -> Thread:
    return stage.session.get_one(Thread, thread_id, populate_existing=True)


def test_a_move_is_written_down_told_and_takes_its_cases_along(two_boards: Stage) -> None:
    stage = two_boards
    post, case = stage.reported()
    made = operate(stage, post.thread_id, "move", board="gout").row
    gout = stage.session.execute(select(Board.id).where(Board.slug == "gout")).scalar_one()
    assert (made.kind, made.to_board_id, made.reason) == (Operation.MOVE, gout, "It belongs there.")
    assert stage.case(case.id).board_id == gout
    assert stage.told(stage.ann)[-1] == "moved"
    entry = stage.session.execute(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).scalar_one()
    assert (entry.action, entry.subject_id, entry.reason) == ("thread.move", post.thread_id, "It belongs there.")
    stage.sound()


def test_a_merge_takes_waiting_posts_and_their_cases_along(two_boards: Stage) -> None:
    stage = two_boards
    target = stage.ask(board_slug="gout").thread
    post, case = stage.held()
    operate(stage, post.thread_id, "merge", into=target.id)
    assert stage.post(post.id).thread_id == target.id
    assert stage.case(case.id).board_id == target.board_id
    assert stage.told(stage.cora)[-1] == "moved"
    stage.sound()
    stage.decide(stage.case(case.id), Verdict.APPROVE)
    assert stage.post(post.id).state is PostState.PUBLISHED
    assert thread_of(stage, target.id).comment_count == 1
    stage.sound()


def test_a_split_thread_can_be_reported_and_decided_as_any_other(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    made = operate(stage, thread.id, "split", post_ids=[answer.id], title="Another matter").row
    assert made.post_ids == [answer.id] and made.into_id is not None
    stage.report(stage.post(answer.id), stage.ann)
    case = stage.case_of(answer)
    stage.decide(case, Verdict.HIDE)
    assert thread_of(stage, made.into_id).state is PostState.HIDDEN
    stage.sound()


def test_a_post_with_an_open_case_does_not_become_a_first_post(stage: Stage) -> None:
    thread = stage.ask().thread
    answer = stage.answer(thread.id).post
    stage.report(answer, stage.ann)
    with pytest.raises(Invalid) as refused:
        operate(stage, thread.id, "split", post_ids=[answer.id], title="Another matter")
    assert refused.value.errors[0][0] == "post_ids"


def test_closing_is_a_decision_with_a_statement_and_opening_takes_it_back(stage: Stage) -> None:
    post = stage.ask().post
    done = operate(stage, post.thread_id, "lock", rule="R11-kind", reason="It became a quarrel.")
    assert done.decided is not None and done.decided.statement is not None
    assert done.row.decision_id == done.decided.decision.id
    assert thread_of(stage, post.thread_id).is_locked
    assert stage.told(stage.ann)[-1] == "locked"
    stage.sound()
    again = operate(stage, post.thread_id, "unlock")
    assert again.decided is not None and again.decided.decision.undoes_id == done.decided.decision.id
    assert not thread_of(stage, post.thread_id).is_locked
    stage.sound()


def test_a_live_case_stays_live_when_its_thread_is_closed(stage: Stage) -> None:
    post, case = stage.reported()
    operate(stage, post.thread_id, "lock", rule="R11-kind", reason="It became a quarrel.")
    assert stage.case(case.id).state is CaseState.OPEN
    stage.decide(stage.case(case.id), Verdict.DISMISS)
    stage.sound()


@pytest.mark.parametrize("operation", ["move", "merge", "split", "lock", "unlock"])
def test_rule_and_reason_are_needed(stage: Stage, operation: str) -> None:
    thread = stage.ask().thread
    with pytest.raises(Invalid) as refused:
        operate(stage, thread.id, operation, rule="", reason=" ")
    assert {field for field, _ in refused.value.errors} == {"rule", "reason"}


def test_nobody_closes_a_thread_without_a_rule_that_is_broken(stage: Stage) -> None:
    with pytest.raises(Invalid) as refused:
        operate(stage, stage.ask().thread.id, "lock")
    assert refused.value.errors[0][0] == "rule"


def test_pins_need_no_rule_and_no_reason(stage: Stage) -> None:
    thread = stage.ask().thread
    operate(stage, thread.id, "pin", rule=None, reason=None)
    assert thread_of(stage, thread.id).pinned_at is not None
    operate(stage, thread.id, "unpin", rule=None, reason=None)
    assert thread_of(stage, thread.id).pinned_at is None
    assert "moved" not in stage.told(stage.ann)


@pytest.mark.parametrize("who", ["ann", "ben", "wrote", "reported", "elsewhere"])
def test_who_has_no_right_or_a_part_in_it_is_refused(two_boards: Stage, who: str) -> None:
    stage = two_boards
    thread = stage.ask().thread
    by = stage.mo
    if who in ("ann", "ben"):
        by = getattr(stage, who)
    elif who == "wrote":
        stage.answer(thread.id, stage.mo)
    elif who == "reported":
        stage.report(stage.answer(thread.id).post, stage.mo)
    else:
        other = boards.ensure(stage.session, "gout", stage.now)
        by = actor_for(stage.members["mia"], Role.MODERATOR, board_ids=frozenset({other.id}))
    with pytest.raises(Forbidden):
        operate(stage, thread.id, "pin", by=by)
    assert not operations.may_operate(stage.session, thread.id, by)


def test_both_threads_of_a_merge_must_be_ones_own(two_boards: Stage) -> None:
    stage = two_boards
    target, source = stage.ask().thread, stage.ask(stage.ben).thread
    stage.answer(target.id, stage.mo)
    with pytest.raises(Forbidden) as refused:
        operate(stage, source.id, "merge", into=target.id)
    assert refused.value.code == "conflict-of-interest"


def test_a_form_read_before_somebody_elses_operation_is_refused(two_boards: Stage) -> None:
    stage = two_boards
    thread = stage.ask().thread
    seen = operations.last_operation(stage.session, thread.id)
    operate(stage, thread.id, "move", board="gout", seen=seen)
    with pytest.raises(Conflict) as refused:
        operate(stage, thread.id, "move", board="unsorted", by=stage.mia, seen=seen)
    assert refused.value.code == "thread-changed"
    assert "mo was first" in refused.value.detail


@pytest.mark.parametrize(
    ("operation", "more", "field"),
    [
        ("sing", {}, "operation"),
        ("move", {}, "board"),
        ("move", {"board": "nowhere"}, "board"),
        ("merge", {}, "into"),
        ("merge", {"into": 2_000_000_000}, "into"),
        ("split", {"title": "A title"}, "post_ids"),
    ],
)
def test_what_is_missing_is_named(stage: Stage, operation: str, more: dict[str, Any], field: str) -> None:
    thread = stage.ask().thread
    with pytest.raises(Invalid) as refused:
        operate(stage, thread.id, operation, **more)
    assert refused.value.errors[0][0] == field


def test_a_merged_thread_cannot_be_operated_any_more(stage: Stage) -> None:
    target, source = stage.ask().thread, stage.ask().thread
    operate(stage, source.id, "merge", into=target.id)
    with pytest.raises(queries.Merged):
        operate(stage, source.id, "pin")
    with pytest.raises(NotFound):
        operate(stage, 2_000_000_000, "pin")


@pytest.mark.parametrize("operations_", [("lock", "lock"), ("merge", "move"), ("merge", "merge"), ("pin", "pin")])
def test_of_two_moderators_at_the_same_moment_one_is_told_so(
    desk: Desk, app: Flask, session: Session, ann: Member, ben: Member, operations_: tuple[str, str]
) -> None:
    make_condition(session, utc_now(), "Gout")
    people = [make_member(session, name, roles=[Role.MODERATOR]) for name in ("mo", "mia")]
    thread_id, target = desk.ask(ann).thread_id, desk.ask(ben).thread_id
    actors = [actor_of(member) for member in people]
    session.commit()
    gate, codes = threading.Barrier(2), []

    def press(number: int) -> None:
        with app.app_context():
            gate.wait(timeout=30)
            more = {"into": target} if operations_[number] == "merge" else {"board": "gout"}
            try:
                with unit_of_work() as mine:
                    operations.operate(
                        mine,
                        thread_id,
                        by=actors[number],
                        operation=operations_[number],
                        rule="R11-kind",
                        reason="At once.",
                        seen=0,
                        settings=desk.settings,
                        now=utc_now(),
                        **more,
                    )
                codes.append("done")
            except AppError as error:
                codes.append(error.code)

    threads = [threading.Thread(target=press, args=(number,)) for number in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=60)
    assert sorted(code == "done" for code in codes) == [False, True], codes
    assert set(codes) - {"done"} <= {"thread-changed", "thread-locked", "thread-merged", "thread-pinned"}
    rows = session.execute(select(ThreadOperation)).scalars().all()
    assert len(rows) == 1
    assert session.execute(select(Decision)).scalars().all() == [] or operations_ == ("lock", "lock")


# --- Doors -------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_can_be_done_and_does_it(desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    make_condition(desk.session, utc_now(), "Gout")
    post = desk.ask(ann, title="Where does this belong?")
    url = f"/moderation/threads/{post.thread_id}"
    thread_url = f"/threads/{post.thread_id}/where-does-this-belong"
    assert url in html_of(desk.get(mo, thread_url))
    assert url not in html_of(desk.get(ben, thread_url))
    assert "Move it" in text_of(desk.get(mo, url))
    sent = {"operation": "move", "board": "gout", "rule": "none", "reason": "It is about gout.", "seen": "0"}
    done = desk.post(mo, url, **sent)
    assert (done.status_code, done.location) == (303, f"/threads/{post.thread_id}")
    assert "Where does this belong?" in text_of(desk.get(ann, "/boards/gout/"))
    assert "It is about gout." in text_of(desk.get(mo, url))
    told = desk.session.execute(select(Notification.link).where(Notification.member_id == ann.id)).scalars().all()
    assert told == [f"/posts/{post.id}"]


def test_a_refused_form_comes_back_filled(desk: Desk, ann: Member, mo: Member) -> None:
    post = desk.ask(ann)
    url = f"/moderation/threads/{post.thread_id}"
    answer = desk.post(mo, url, operation="move", board="nowhere", rule="none", reason="My long reason.", seen="0")
    assert answer.status_code == 422
    assert "My long reason." in text_of(answer) and 'value="nowhere"' in html_of(answer)
    desk.post(mo, url, operation="pin", seen="0")
    late = desk.post(mo, url, operation="move", board="unsorted", rule="none", reason="My long reason.", seen="0")
    assert late.status_code == 409
    assert "My long reason." in text_of(late) and "was first" in text_of(late)


def test_old_addresses_of_a_merged_thread_lead_on(desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    source = desk.ask(ben, title="The same again")
    old_id, new_id = source.thread_id, desk.ask(ann, title="The older one").thread_id
    merged = {"operation": "merge", "into": new_id, "rule": "none", "reason": "Both ask the same."}
    api, headers = f"/api/v1/moderation/threads/{old_id}/operations", bearer(mo, "read,moderate")
    made = desk.app.test_client().post(api, json=merged, headers=headers)
    assert made.status_code == 201 and made.json["operation"]["into"] == new_id
    visitor = desk.app.test_client()
    old = visitor.get(f"/threads/{old_id}/the-same-again")
    assert (old.status_code, old.location) == (301, f"/threads/{new_id}")
    old = visitor.get(f"/api/v1/threads/{old_id}")
    assert (old.status_code, old.location) == (308, f"/api/v1/threads/{new_id}")
    page = text_of(visitor.get(f"/threads/{new_id}/the-older-one"))
    assert "This began as a thread of its own, “The same again”" in page
    assert "The same again" not in text_of(visitor.get("/boards/backache/"))
    link = visitor.get(f"/posts/{source.id}")
    assert link.location.startswith(f"/threads/{new_id}/the-older-one")
    reply = desk.post(ann, f"/threads/{old_id}/answer", body="I wrote this meanwhile.", intent="send")
    assert reply.status_code == 303 and reply.location.startswith(f"/threads/{new_id}/")
    desk_page = desk.get(mo, f"/moderation/threads/{old_id}")
    assert (desk_page.status_code, desk_page.location) == (302, f"/moderation/threads/{new_id}")


def test_posts_are_split_off_by_the_page(desk: Desk, ann: Member, ben: Member, mo: Member) -> None:
    post = desk.ask(ann)
    answer = desk.answer(ben, post)
    url = f"/moderation/threads/{post.thread_id}"
    sent = {"operation": "split", "post_ids": [str(answer.id)], "rule": "none", "reason": "Another matter."}
    refused = desk.post(mo, url, **sent)
    assert refused.status_code == 422 and f'value="{answer.id}" checked' in html_of(refused)
    done = desk.post(mo, url, **sent, title="Pillows")
    made = desk.session.get_one(Post, answer.id, populate_existing=True).thread_id
    assert (done.status_code, done.location) == (303, f"/threads/{made}")
    assert "Pillows" in text_of(desk.get(ann, f"/threads/{made}/pillows"))


@pytest.mark.parametrize("path", ["/moderation/threads/{id}", "/moderation/patrol", "/moderation/talk/"])
def test_only_moderators_come_in(desk: Desk, ann: Member, ben: Member, path: str) -> None:
    path = path.format(id=desk.ask(ann).thread_id)
    assert desk.get(ben, path).status_code == 403
    assert desk.post(ben, path, operation="pin").status_code in (403, 405)
    desk.session.commit()
    assert desk.app.test_client().get(path).location.startswith("/login?next=")
