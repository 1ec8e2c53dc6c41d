"""What the pages show, in a number of queries that does not grow with the rows."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from core.db import db
from core.errors import Forbidden, NotFound
from core.vocabulary import CaseState, Priority, Verdict
from moderation import cases, queries
from moderation.queries import FindingView, segments
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS


class Counter:
    """Counts the statements that run inside `with`."""

    def __enter__(self) -> "Counter":
        self.count = 0
        event.listen(db.engine, "before_cursor_execute", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(db.engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.count += 1


def queue(stage: Stage, actor=None, **more):
    return queries.queue(stage.session, actor or stage.mo, now=stage.now, **more)


def page(stage: Stage, case, actor=None):
    return queries.case_page(stage.session, case.id, actor or stage.mo, settings=stage.settings, now=stage.now)


def test_the_queue_stands_in_its_order_and_pages_by_keyset(stage: Stage) -> None:
    _, late = stage.held()
    _, early = stage.held(now=stage.now - timedelta(hours=3))
    urgent = stage.case_of(stage.ask(body=CRISIS).post)
    mail = stage.case_of(stage.ask(body="Write to ann.smith@gmail.com").post)
    order = [urgent.id, mail.id, early.id, late.id]
    assert [row.id for row in queue(stage).items] == order
    seen, after = [], None
    while True:
        found = queue(stage, after=after, limit=1)
        seen += [row.id for row in found.items]
        after = found.next
        if after is None:
            break
    assert seen == order
    assert queries.queue_count(stage.session, stage.mo) == 4


def test_a_row_says_what_a_moderator_must_know(stage: Stage) -> None:
    post, case = stage.held(body="See https://example.org for it.", title="A link")
    cases.claim(stage.session, case.id, by=stage.mia, now=stage.now)
    row = queue(stage).items[0]
    assert (row.title, row.author.handle, row.author.chips) == ("A link", "cora", ("new_member",))
    assert row.kinds == ("link", "newcomer")
    assert (row.claimed_by.handle, row.is_claimed, row.is_mine, row.may_decide) == ("mia", True, False, True)
    assert (row.is_edit, row.is_overdue, row.report_count, row.post_id) == (False, False, 0, post.id)


def test_the_queue_is_filtered(stage: Stage) -> None:
    _, reported = stage.reported()
    _, held = stage.held(board_slug="unsorted")

    def ids(**more) -> list[int]:
        return [row.id for row in queue(stage, **more).items]

    assert ids(board="unsorted") == [held.id]
    assert ids(kind="newcomer") == [held.id]
    assert ids(kind="report") == [reported.id]
    assert ids(priority=Priority.P0) == []
    stage.decide(reported, Verdict.HIDE)
    assert reported.id in ids(state=CaseState.DECIDED)
    assert ids() == [held.id]


def test_the_author_of_a_case_never_sees_it(stage: Stage) -> None:
    own = stage.case_of(stage.ask(stage.mo).post)
    assert own.id not in [row.id for row in queue(stage).items]
    with pytest.raises(Forbidden):
        page(stage, own)
    assert page(stage, own, stage.mia).row.id == own.id


def test_who_reported_sees_the_case_but_may_not_decide(stage: Stage) -> None:
    post = stage.ask().post
    stage.report(post, stage.mo)
    case = stage.case_of(post)
    row = next(row for row in queue(stage).items if row.id == case.id)
    assert row.may_decide is False
    assert page(stage, case).allowed_verdicts == ()


def test_the_case_page_holds_everything_for_one_decision(stage: Stage) -> None:
    post, case = stage.held_edit()
    stage.report(post, stage.ben, note="Look at the address")
    found = page(stage, case)
    assert found.text == "Why does it hurt?\n\nPlease write to ann.smith@gmail.com about it."
    assert found.live_text is not None and found.live_text != found.text
    assert found.row.is_edit
    marked = [s for s in found.body_segments if s.kinds]
    assert [(s.text, s.kinds) for s in marked] == [("ann.smith@gmail.com", ("pii_email",))]
    assert "".join(s.text for s in found.title_segments) == "Why does it hurt?"
    assert found.findings[0].quote == "ann.smith@gmail.com"
    report = found.reports[0]
    assert (report.reporter.handle, report.note, report.rule_title) == ("ben", "Look at the address", "Be kind")
    assert report.text_then == found.live_text
    assert found.standing.approved_count == 4
    assert Verdict.APPROVE in found.allowed_verdicts
    assert "none" not in {rule.code for rule in found.rules} and len(found.rules) == 13


def test_history_and_similar_decisions_stand_on_the_case_page(stage: Stage) -> None:
    _, other = stage.held_edit()
    stage.decide(other, Verdict.REJECT, reason="An address.")
    _, case = stage.held_edit()
    decided = stage.decide(case, Verdict.REQUEST_CHANGES)
    found = page(stage, case)
    assert [(d.verdict, d.may_undo, d.moderator.handle) for d in found.history] == [
        (Verdict.REQUEST_CHANGES, True, "mo")
    ]
    assert found.history[0].statement_reference == decided.statement.reference
    assert [(s.case_id, s.reason) for s in found.similar] == [(other.id, "An address.")]
    assert page(stage, case, stage.mia).history[0].may_undo is False
    assert page(stage, case, stage.lea).history[0].may_undo is True
    undone = stage.undo(decided)
    first = page(stage, case).history[-1]
    assert first.undone_by_id == undone.decision.id and first.may_undo is False


def test_segments_cover_the_text_exactly_even_where_findings_overlap() -> None:
    def finding(start, end, kind):
        return FindingView(kind, 1.0, True, start, end, "", "")

    title, body = "Ring me", "now: 123 or mail"
    findings = [finding(0, 4, "a"), finding(14, 17, "b"), finding(5, 15, "c"), finding(None, None, "d")]
    head, rest = segments(title, body, findings)
    assert "".join(s.text for s in head) == title and "".join(s.text for s in rest) == body
    assert [(s.text, s.kinds) for s in rest if s.kinds] == [("now: ", ("c",)), ("1", ("b", "c")), ("23", ("b",))]
    assert segments(None, "", [])[1] == ()


def test_statement_and_report_are_found_by_their_secret_only(stage: Stage) -> None:
    post, case = stage.reported()
    report = stage.report(post, stage.dan)
    statement = stage.decide(case, Verdict.HIDE).statement
    shown = queries.statement_page(stage.session, statement.reference)
    assert (shown.rule_code, shown.rule_title, shown.is_undone) == ("R3-no-doses", "No amounts of medicine", False)
    assert shown.lines[0].key == "restriction"
    status = queries.report_page(stage.session, report.reference, settings=stage.settings, now=stage.now)
    assert status.status.value == "acted" and "ann" not in status.outcome.lower()
    for look in (
        lambda: queries.statement_page(stage.session, "0" * 32),
        lambda: queries.report_page(stage.session, "0" * 32, settings=stage.settings, now=stage.now),
    ):
        with pytest.raises(NotFound):
            look()


def test_members_see_what_waits_and_what_was_decided_about_them(stage: Stage) -> None:
    post, case = stage.held()
    held = queries.my_held(stage.session, stage.cora, settings=stage.settings, now=stage.now).items
    assert [(one.post_id, one.held.reasons[0].kind, one.held.position) for one in held] == [(post.id, "newcomer", 1)]
    stage.decide(case, Verdict.REQUEST_CHANGES, reason="Leave the amount out.")
    held = queries.my_held(stage.session, stage.cora, settings=stage.settings, now=stage.now).items
    assert (held[0].held.reasons[0].kind, held[0].held.reasons[0].explanation) == (
        "changes_requested",
        "Leave the amount out.",
    )
    mine = queries.my_decisions(stage.session, stage.cora).items
    assert [(one.restriction, one.rule_code) for one in mine] == [("changes_requested", "R3-no-doses")]
    assert queries.my_held(stage.session, stage.ann, settings=stage.settings, now=stage.now).items == []


def test_the_number_of_queries_does_not_grow_with_the_queue(stage: Stage) -> None:
    def cost() -> int:
        with Counter() as counter:
            queue(stage, limit=100)
        return counter.count

    stage.held()
    one = cost()
    for number in range(12):
        stage.held(body=f"{stage.text()} https://example.org/{number}")
    for _ in range(4):
        post, _ = stage.reported()
        stage.report(post, stage.dan)
    assert cost() == one == 4


def test_the_number_of_queries_of_a_case_does_not_grow_with_what_is_in_it(stage: Stage) -> None:
    def cost(case) -> int:
        stage.session.flush()
        with Counter() as counter:
            page(stage, case)
        return counter.count

    post, case = stage.reported()
    stage.undo(stage.decide(case, Verdict.HIDE))
    few = cost(case)
    stage.report(post, stage.dan)
    stage.report(post, stage.cora)
    for _ in range(3):
        stage.undo(stage.decide(case, Verdict.HIDE))
    for _ in range(4):
        _, other = stage.reported()
        stage.decide(other, Verdict.DISMISS)
    assert cost(case) == few == 20
