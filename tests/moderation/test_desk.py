"""What a moderator passes over, hands over, is given and opts out of, and what "next" offers after that."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.vocabulary import CaseState, NoteKind, Priority, Verdict
from forum.models import Board, Post
from moderation import cases, desk
from moderation.models import Case, CaseNote, CaseSkip, CaseView
from moderation.triage import PRIORITIES
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS


def following(stage: Stage, by, minutes: float = 0) -> int | None:
    case = cases.claim_next(stage.session, by=by, now=stage.now + timedelta(minutes=minutes))
    return case.id if case else None


def skip(stage: Stage, case: Case, by, reason: str = "I know her.", minutes: float = 0) -> CaseSkip:
    return desk.skip(stage.session, case.id, by=by, reason=reason, now=stage.now + timedelta(minutes=minutes))


def count(stage: Stage, kind) -> int:
    stage.session.flush()
    return stage.session.execute(select(func.count()).select_from(kind)).scalar_one()


# --- Skips -------------------------------------------------------------------------------------------------------


def test_next_passes_over_what_was_skipped_until_it_changes(stage: Stage) -> None:
    post, first = stage.held()
    _, second = stage.held(now=stage.now + timedelta(minutes=1))
    assert following(stage, stage.mo) == first.id
    skipped = skip(stage, first, stage.mo)
    assert (skipped.case_version, stage.case(first.id).state) == (1, CaseState.OPEN)
    assert following(stage, stage.mo) == second.id
    assert following(stage, stage.mo) is None
    # Nobody else is kept from it.
    assert following(stage, stage.mia) == first.id
    cases.release(stage.session, first.id, by=stage.mia, now=stage.now)
    stage.edit(post, stage.cora, body="It reads differently now.")
    assert following(stage, stage.mo) == first.id


def test_a_skipped_case_can_still_be_opened_and_decided(stage: Stage) -> None:
    _, case = stage.held()
    skip(stage, case, stage.mo)
    cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    assert stage.decide(case, Verdict.APPROVE).decision.id


def test_a_skip_needs_a_reason_and_a_part_in_the_team(stage: Stage) -> None:
    _, case = stage.held()
    for reason in ("", "  ", None, "x" * 501):
        with pytest.raises(Invalid) as refused:
            skip(stage, case, stage.mo, reason)  # type: ignore[arg-type]
        assert refused.value.errors[0][0] == "reason"
    with pytest.raises(NotFound):
        skip(stage, case, stage.ann)
    own = stage.case_of(stage.ask(stage.mo).post)
    with pytest.raises(Forbidden):
        skip(stage, own, stage.mo)
    stage.decide(case, Verdict.APPROVE, stage.mia)
    with pytest.raises(Conflict):
        skip(stage, case, stage.mo)
    assert count(stage, CaseSkip) == 0


def test_a_skip_leaves_the_claim_of_another_alone_and_a_trace_in_the_log(stage: Stage) -> None:
    _, case = stage.held()
    cases.claim(stage.session, case.id, by=stage.mia, now=stage.now)
    skip(stage, case, stage.mo)
    assert stage.case(case.id).claimed_by == stage.mia.id
    entry = stage.session.execute(select(AuditEntry).where(AuditEntry.action == "case.skip")).scalar_one()
    assert (entry.actor_id, entry.reason) == (stage.mo.id, "I know her.")


# --- Notes and hand-over -----------------------------------------------------------------------------------------


def test_a_case_is_handed_over_with_a_note(stage: Stage) -> None:
    _, case = stage.held()
    cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    given = desk.hand_over(stage.session, case.id, by=stage.mo, text="Please ask Lea first.", now=stage.now)
    assert given.state is CaseState.OPEN
    desk.note(stage.session, case.id, by=stage.mia, text="I asked her.", now=stage.now)
    told = [(one.kind, one.author, one.text) for one in desk.notes_of(stage.session, case.id)]
    assert told == [
        (NoteKind.HAND_OVER, "mo", "Please ask Lea first."),
        (NoteKind.NOTE, "mia", "I asked her."),
    ]


def test_a_blank_hand_over_gives_back_without_a_note(stage: Stage) -> None:
    _, case = stage.held()
    cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    desk.hand_over(stage.session, case.id, by=stage.mo, text=" ", now=stage.now)
    assert count(stage, CaseNote) == 0


def test_a_note_is_for_moderators_and_renews_ones_claim(stage: Stage) -> None:
    _, case = stage.held()
    cases.claim(stage.session, case.id, by=stage.mo, now=stage.now)
    later = stage.now + timedelta(minutes=10)
    desk.note(stage.session, case.id, by=stage.mo, text="Hm.", now=later)
    assert stage.case(case.id).claimed_until == later + cases.CLAIM_LEASE
    with pytest.raises(NotFound):
        desk.note(stage.session, case.id, by=stage.ann, text="Me too.", now=later)
    with pytest.raises(Invalid):
        desk.note(stage.session, case.id, by=stage.mo, text=" ", now=later)


# --- Assignment --------------------------------------------------------------------------------------------------


def arm(stage: Stage) -> None:
    """Mia has set up two-step sign-in, without which her role has no effect."""
    stage.members["mia"].tf_totp_secret = "set up"
    stage.session.flush()


def test_next_offers_an_assigned_case_to_its_moderator_alone(stage: Stage) -> None:
    arm(stage)
    _, case = stage.held()
    desk.assign(stage.session, case.id, by=stage.lea, handle="mia", now=stage.now)
    assert following(stage, stage.mo) is None
    assert following(stage, stage.mia) == case.id
    cases.release(stage.session, case.id, by=stage.mia, now=stage.now)
    desk.assign(stage.session, case.id, by=stage.lea, handle=None, now=stage.now)
    assert following(stage, stage.mo) == case.id


def test_only_leads_assign_and_only_to_who_may_decide(stage: Stage) -> None:
    arm(stage)
    _, case = stage.held()
    with pytest.raises(Forbidden):
        desk.assign(stage.session, case.id, by=stage.mo, handle="mia", now=stage.now)
    reported = stage.ask().post
    stage.report(reported, stage.mia)
    for case_id, handle in ((case.id, "ann"), (case.id, "nobody"), (stage.case_of(reported).id, "mia")):
        with pytest.raises(Invalid) as refused:
            desk.assign(stage.session, case_id, by=stage.lea, handle=handle, now=stage.now)
        assert refused.value.errors[0][0] == "handle"
    assert stage.case(case.id).assigned_to is None


# --- Opting out --------------------------------------------------------------------------------------------------


def choose(stage: Stage, by, *opted_out: str, **more) -> desk.Settings:
    values = {"blurs": True, "break_after": 10, "known": sorted(PRIORITIES), **more}
    return desk.keep_settings(stage.session, by=by, opted_out=opted_out, **values)


def test_next_passes_over_kinds_that_were_opted_out_of(stage: Stage) -> None:
    urgent = stage.case_of(stage.ask(body=CRISIS).post)
    _, plain = stage.held()
    worried = stage.ask().post
    stage.report(worried, stage.ben, rule="R5-crisis")
    choose(stage, stage.mo, "crisis_plan", "crisis_thoughts")
    assert [following(stage, stage.mo) for _ in range(2)] == [plain.id, None]
    assert [following(stage, stage.mia) for _ in range(2)] == [urgent.id, stage.case_of(worried).id]


def test_settings_are_kept_and_checked(stage: Stage) -> None:
    assert desk.settings_of(stage.session, stage.mo) == desk.Settings()
    choose(stage, stage.mo, "link", blurs=False, break_after=3)
    choose(stage, stage.mo, "link", "newcomer", blurs=False, break_after=3)
    stage.session.flush()
    assert desk.settings_of(stage.session, stage.mo) == desk.Settings(("link", "newcomer"), False, 3)
    for wrong in ({"break_after": 0}, {"break_after": None}, {"known": ["link"]}):
        with pytest.raises(Invalid):
            choose(stage, stage.mo, "newcomer", **wrong)
    with pytest.raises(Forbidden):
        choose(stage, stage.ann)


# --- Who reads what ----------------------------------------------------------------------------------------------


def test_others_who_opened_the_case_lately_are_named(stage: Stage) -> None:
    _, case = stage.held()
    desk.opened(stage.session, case.id, by=stage.mia, hard=False, now=stage.now - timedelta(minutes=20))
    assert desk.others_reading(stage.session, case.id, by=stage.mo, now=stage.now) == ()
    for minutes in (2, 1):
        desk.opened(stage.session, case.id, by=stage.mia, hard=False, now=stage.now - timedelta(minutes=minutes))
    found = desk.others_reading(stage.session, case.id, by=stage.mo, now=stage.now)
    assert found == (desk.Reader("mia", stage.now - timedelta(minutes=2)),)
    assert desk.others_reading(stage.session, case.id, by=stage.mia, now=stage.now) == ()
    # The second look within a quarter of an hour left no row of its own.
    assert count(stage, CaseView) == 2


def test_hard_texts_of_today_are_counted_once_each(stage: Stage) -> None:
    made = [stage.held()[1] for _ in range(3)]
    yesterday = stage.now - timedelta(days=1)
    desk.opened(stage.session, made[0].id, by=stage.mo, hard=True, now=yesterday)
    for minutes in (0, 20, 40):
        desk.opened(stage.session, made[1].id, by=stage.mo, hard=True, now=stage.now + timedelta(minutes=minutes))
    desk.opened(stage.session, made[2].id, by=stage.mo, hard=False, now=stage.now)
    desk.opened(stage.session, made[2].id, by=stage.mia, hard=True, now=stage.now)
    assert desk.hard_today(stage.session, stage.mo, now=stage.now + timedelta(hours=1)) == 1
    desk.forget_old(stage.session, now=yesterday + desk.KEEP_VIEWS + timedelta(minutes=1))
    assert count(stage, CaseView) == 5


def test_a_text_is_hard_by_what_was_found_or_by_why_it_was_reported() -> None:
    assert desk.is_hard(["newcomer", "crisis_thoughts"])
    assert desk.is_hard([], ["R5-crisis"])
    assert not desk.is_hard(["link"], ["R9-no-ads"])


# --- Saved views -------------------------------------------------------------------------------------------------


def test_views_are_kept_by_name_and_dropped_by_their_owner(stage: Stage) -> None:
    desk.save_view(stage.session, by=stage.mo, name="Urgent", query="priority=P1")
    desk.save_view(stage.session, by=stage.mo, name="Urgent", query="priority=P0")
    stage.session.flush()
    ((view_id, name, query),) = desk.views_of(stage.session, stage.mo)
    assert (name, query) == ("Urgent", "priority=P0")
    assert desk.views_of(stage.session, stage.mia) == []
    with pytest.raises(NotFound):
        desk.drop_view(stage.session, view_id, by=stage.mia)
    desk.drop_view(stage.session, view_id, by=stage.mo)
    assert desk.views_of(stage.session, stage.mo) == []
    with pytest.raises(Invalid):
        desk.save_view(stage.session, by=stage.mo, name=" ", query="")
    for number in range(desk.MOST_VIEWS):
        desk.save_view(stage.session, by=stage.mo, name=str(number), query="")
        stage.session.flush()
    with pytest.raises(Conflict):
        desk.save_view(stage.session, by=stage.mo, name="one more", query="")


# --- Due times, order and score ----------------------------------------------------------------------------------


def test_a_sensitive_board_is_looked_at_in_half_the_time(stage: Stage) -> None:
    _, usual = stage.held()
    stage.session.execute(update(Board).where(Board.slug == "backache").values(is_sensitive=True))
    post, soon = stage.held()
    assert (usual.due_at - usual.opened_at, soon.due_at - soon.opened_at) == (timedelta(hours=24), timedelta(hours=12))
    stage.report(stage.ask().post, stage.ben, rule="R5-crisis")
    newest = stage.session.execute(select(Case).order_by(Case.id.desc()).limit(1)).scalar_one()
    assert (newest.priority, newest.due_at - newest.opened_at) == (Priority.P1, timedelta(minutes=30))
    assert stage.post(post.id).state.value == "held"


def test_the_score_is_the_sum_of_terms_that_are_shown(stage: Stage) -> None:
    _, held = stage.held()
    assert set(held.score_terms) == {"severity", "reach", "reporters", "standing"}
    assert held.score == pytest.approx(sum(held.score_terms.values()))
    assert held.score_terms["severity"] > 0 and held.score_terms["standing"] > 0
    post, reported = stage.reported()
    assert reported.score_terms["reporters"] == 1.0
    assert reported.score_terms["reach"] >= 1.0
    assert reported.score_terms["standing"] == 0.0
    # What everybody finds wrong counts for more than what one does.
    stage.report(post, stage.dan)
    assert stage.case(reported.id).score_terms["reporters"] == 2.0


def test_between_cases_of_the_same_instant_the_score_decides(stage: Stage) -> None:
    plain, _ = stage.held()
    worse, _ = stage.held(body="See https://example.org and https://example.net for it, both of them.")
    case, grave = stage.case_of(plain), stage.case_of(worse)
    assert (case.due_at, case.lane) == (grave.due_at, grave.lane)
    assert grave.score > case.score
    assert following(stage, stage.mo) == grave.id


# --- Who moderates one board -------------------------------------------------------------------------------------


def test_a_moderator_of_some_boards_gets_the_first_of_all_of_them(stage: Stage) -> None:
    _, early = stage.held(now=stage.now - timedelta(hours=2))
    _, other = stage.held(board_slug="unsorted", now=stage.now - timedelta(hours=3))
    _, late = stage.held(board_slug="unsorted", now=stage.now - timedelta(hours=1))
    boards = frozenset({early.board_id, other.board_id})
    assert len(boards) == 2
    gus = replace(stage.mo, all_boards=False, board_ids=boards)
    one = replace(gus, board_ids=frozenset({early.board_id}))
    assert following(stage, one) == early.id
    assert [following(stage, gus) for _ in range(3)] == [other.id, late.id, None]
    # Leases that ran out come back, in the same order.
    assert [following(stage, replace(gus, id=stage.mia.id), 15) for _ in range(4)] == [
        other.id,
        early.id,
        late.id,
        None,
    ]


def test_the_next_case_is_named_beforehand_without_being_taken(stage: Stage) -> None:
    _, first = stage.held(now=stage.now - timedelta(hours=2))
    _, second = stage.held()
    assert cases.peek_next(stage.session, by=stage.mo, opted_out_of=(), now=stage.now) == first.id
    following_id = cases.peek_next(stage.session, by=stage.mo, opted_out_of=(), now=stage.now, besides=first.id)
    assert following_id == second.id
    assert stage.case(first.id).state is CaseState.OPEN
    assert stage.session.execute(select(func.count(Post.id))).scalar_one() >= 2
