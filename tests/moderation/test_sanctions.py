"""Sanctions: what each kind does at once, who may impose it, how strikes count and fall away, how it is taken back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from auth import members, tokens
from auth.models import MemberSession, Restriction
from auth.policy import Actor
from core.audit import AuditEntry
from core.errors import AppError, Conflict, Forbidden, Invalid, NotFound, TooMany
from core.vocabulary import CaseState, PostState, RestrictionKind, SanctionKind, Verdict
from moderation import checks, ladder, member_cases, misuse, own_record, sanctions
from moderation.decisions import Decided
from moderation.models import Case, Sanction, Statement
from tests.moderation.stage import Stage


def member_case(stage: Stage, actor: Actor | None = None, *, by: Actor | None = None, board: str | None = None) -> Case:
    """A case about Ann, opened by Mia, who is not the one that decides it."""
    return member_cases.open_for_member(
        stage.session,
        (actor or stage.ann).id,
        by=by or stage.mia,
        reason="Insults in three threads.",
        board=board,
        settings=stage.settings,
        now=stage.now,
    )


def impose(
    stage: Stage, spec: dict[str, Any], *, by: Actor | None = None, on: Actor | None = None, **more: Any
) -> Decided:
    """One more case about Ann, decided with this sanction."""
    case = member_case(stage, on, board=more.pop("board", None))
    return stage.decide(case, Verdict.SANCTION, by or stage.lea, sanction=spec, rule="R11-kind", **more)


def sanction_of(stage: Stage, decided: Decided) -> Sanction:
    stmt = select(Sanction).where(Sanction.decision_id == decided.decision.id)
    return stage.session.execute(stmt.execution_options(populate_existing=True)).scalar_one()


def as_she_is(stage: Stage, actor: Actor | None = None) -> Actor:
    """The member with what binds her at the stage's present time."""
    member = stage.members[(actor or stage.ann).handle]
    return members.actor_of_member(stage.session, member, now=stage.now)


def warn(stage: Stage, **more: Any) -> Sanction:
    """A warning, acknowledged."""
    given = sanction_of(stage, impose(stage, {"kind": "warning"} | more))
    return sanctions.acknowledge(stage.session, given.id, actor=stage.ann, now=stage.now)


# --- What each kind does -----------------------------------------------------------------------------------------


def test_a_reminder_takes_nothing_and_counts_for_nothing(stage: Stage) -> None:
    decided = impose(stage, {"kind": "reminder"}, by=stage.mo)
    given = sanction_of(stage, decided)
    assert (given.strikes, given.restriction_id) == (0, None)
    assert as_she_is(stage).restrictions == ()
    assert decided.statement is not None and decided.statement.restriction == "reminder"
    assert stage.told(stage.ann)[-1] == "sanctioned"
    assert stage.ask(as_she_is(stage)).post.state is PostState.PUBLISHED
    stage.sound()


def test_a_warning_keeps_from_writing_until_it_is_acknowledged(stage: Stage) -> None:
    decided = impose(stage, {"kind": "warning"}, by=stage.mo)
    given = sanction_of(stage, decided)
    warned = as_she_is(stage)
    with pytest.raises(Forbidden) as refused:
        stage.ask(warned)
    assert refused.value.code == "warning-open"
    assert warned.restrictions[0].reference == decided.statement.reference
    sanctions.acknowledge(stage.session, given.id, actor=warned, now=stage.now)
    assert stage.ask(as_she_is(stage)).post.state is PostState.PUBLISHED
    assert sanctions.live_strikes(stage.session, stage.ann.id, board_id=None, now=stage.now) == 1
    stage.sound()


def test_nobody_else_acknowledges_a_warning_and_twice_changes_nothing(stage: Stage) -> None:
    given = sanction_of(stage, impose(stage, {"kind": "warning"}))
    with pytest.raises(NotFound):
        sanctions.acknowledge(stage.session, given.id, actor=stage.ben, now=stage.now)
    first = sanctions.acknowledge(stage.session, given.id, actor=stage.ann, now=stage.now).acknowledged_at
    later = stage.now + timedelta(hours=1)
    assert sanctions.acknowledge(stage.session, given.id, actor=stage.ann, now=later).acknowledged_at == first
    told = select(AuditEntry).where(AuditEntry.action == "sanction.acknowledge")
    assert len(stage.session.execute(told).all()) == 1


def test_a_posting_limit_lets_so_many_posts_through_in_a_day(stage: Stage) -> None:
    stage.now += timedelta(days=2)
    impose(stage, {"kind": "posting_limit", "days": 7, "daily_limit": 2})
    limited = as_she_is(stage)
    thread = stage.ask(stage.ben).thread
    stage.ask(limited)
    stage.now += timedelta(hours=1)
    stage.answer(thread.id, limited)
    with pytest.raises(TooMany) as refused:
        stage.answer(thread.id, limited)
    assert (refused.value.code, refused.value.extra["retry_after"]) == ("posting-limit", 23 * 3600)
    with pytest.raises(TooMany):
        stage.ask(limited)
    # The first of the two is a day old: one more may be written.
    stage.now += timedelta(hours=23, minutes=1)
    assert stage.answer(thread.id, as_she_is(stage)).post.state is PostState.PUBLISHED
    with pytest.raises(TooMany):
        stage.answer(thread.id, as_she_is(stage))
    # And after its end nothing binds.
    stage.now += timedelta(days=7)
    assert as_she_is(stage).restrictions == ()


def test_a_posting_limit_can_bind_on_one_board_alone(stage: Stage) -> None:
    stage.now += timedelta(days=2)
    impose(stage, {"kind": "posting_limit", "days": 7, "daily_limit": 1, "board": "backache"})
    limited = as_she_is(stage)
    stage.ask(limited)
    with pytest.raises(TooMany):
        stage.ask(limited)
    assert stage.ask(limited, board_slug="unsorted").post.state is PostState.PUBLISHED
    stage.sound()


def test_a_board_restriction_closes_one_board_and_ends_by_itself(stage: Stage) -> None:
    given = sanction_of(
        stage, impose(stage, {"kind": "board_restriction", "days": 7, "board": "backache"}, by=stage.mo)
    )
    with pytest.raises(Forbidden) as refused:
        stage.ask(as_she_is(stage))
    assert refused.value.code == "restricted"
    assert stage.ask(as_she_is(stage), board_slug="unsorted").post.state is PostState.PUBLISHED
    stage.sound()
    stage.now += timedelta(days=7, seconds=1)
    # It binds nobody any more, though the worker has not passed yet.
    assert stage.ask(as_she_is(stage)).post.state is PostState.PUBLISHED
    assert sanctions.finish_ended(stage.session, now=stage.now) == 1
    assert sanctions.finish_ended(stage.session, now=stage.now) == 0
    ended = stage.session.get_one(Restriction, given.restriction_id, populate_existing=True)
    assert ended.lifted_at == given.until
    assert stage.told(stage.ann)[-1] == "sanction_ended"
    # The strike goes on counting.
    assert sanctions.live_strikes(stage.session, stage.ann.id, board_id=None, now=stage.now) == 1


def test_a_suspension_ends_every_sign_in_at_once(stage: Stage) -> None:
    warning = warn(stage)
    members.open_session(stage.session, stage.ann.id, user_agent="Her browser", now=stage.now)
    token = tokens.create(stage.session, stage.ann.id, name="Program", scopes=["read", "write"], now=stage.now)
    stage.session.flush()
    given = sanction_of(stage, impose(stage, {"kind": "suspension", "days": 30}))
    assert given.prior_warning_id == warning.id
    live = select(MemberSession).where(MemberSession.member_id == stage.ann.id, MemberSession.ended_at.is_(None))
    assert stage.session.execute(live).all() == []
    found = tokens.find(stage.session, token, now=stage.now)
    assert found is not None
    program = members.actor_of_member(stage.session, found[0], now=stage.now, scopes=found[1])
    for act in (lambda: stage.ask(program), lambda: stage.edit(stage.ask(stage.ann).post, program, body="Anew.")):
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.code == "suspended"
    stage.sound()
    stage.now += timedelta(days=30, seconds=1)
    assert as_she_is(stage).restrictions == ()


def test_the_end_of_an_account_takes_two_people_and_revokes_tokens(stage: Stage) -> None:
    members.open_session(stage.session, stage.ann.id, user_agent="Her browser", now=stage.now)
    token = tokens.create(stage.session, stage.ann.id, name="Program", scopes=["read"], now=stage.now)
    stage.session.flush()
    decided = impose(stage, {"kind": "termination"})
    assert decided.decision.needs_second and decided.statement is None
    assert as_she_is(stage).restrictions == ()
    assert stage.case(decided.decision.case_id).state is CaseState.AWAITING_SECOND
    with pytest.raises(Forbidden):
        confirm(stage, decided, stage.lea)
    done = confirm(stage, decided, stage.mo)
    assert done.statement is not None and done.statement.restriction == "termination"
    bound = as_she_is(stage).restrictions
    assert [(one.kind, one.until, one.reference) for one in bound] == [
        (RestrictionKind.SUSPENDED, None, done.statement.reference)
    ]
    assert tokens.find(stage.session, token, now=stage.now) is None
    live = select(MemberSession).where(MemberSession.member_id == stage.ann.id, MemberSession.ended_at.is_(None))
    assert stage.session.execute(live).all() == []
    stage.sound()


def confirm(stage: Stage, decided: Decided, by: Actor) -> Decided:
    from moderation import decisions

    return decisions.confirm(
        stage.session, decided.decision.id, by=by, agrees=True, reason="", settings=stage.settings, now=stage.now
    )


def test_a_sanction_can_come_with_a_verdict_on_a_post(stage: Stage) -> None:
    post, case = stage.reported()
    decided = stage.decide(case, Verdict.REMOVE, stage.mo, sanction={"kind": "warning"})
    given = sanction_of(stage, decided)
    assert (given.member_id, given.ladder_board_id) == (stage.ann.id, case.board_id)
    assert stage.post(post.id).state is PostState.REMOVED
    assert sorted(stage.told(stage.ann)[-2:]) == ["removed", "sanctioned"]
    stage.sound()


# --- Who may, and what is refused --------------------------------------------------------------------------------


def board_moderator(stage: Stage) -> Actor:
    """Mo, on one board only."""
    board_id = stage.case_of(stage.held()[0]).board_id
    return replace(stage.mo, all_boards=False, board_ids=frozenset({board_id}))


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"kind": "suspension", "days": 30}, "needs-lead"),
        ({"kind": "termination"}, "needs-lead"),
    ],
)
def test_only_leads_suspend_and_end_accounts(stage: Stage, spec: dict[str, Any], code: str) -> None:
    warn(stage)
    with pytest.raises(Forbidden) as refused:
        sanctions.check_spec(stage.session, spec, member_id=stage.ann.id, by=stage.mo, now=stage.now)
    assert refused.value.code == code
    sanctions.check_spec(stage.session, spec, member_id=stage.ann.id, by=stage.lea, now=stage.now)


def test_a_moderator_of_a_board_acts_on_that_board(stage: Stage) -> None:
    mo = board_moderator(stage)
    stage.ask(board_slug="unsorted")
    check = check_for(stage, mo)
    check({"kind": "board_restriction", "days": 7, "board": "backache"})
    check({"kind": "posting_limit", "days": 7, "board": "backache"})
    for spec in (
        {"kind": "board_restriction", "days": 7, "board": "unsorted"},
        {"kind": "posting_limit", "days": 7, "board": "unsorted"},
        {"kind": "posting_limit", "days": 7},
    ):
        with pytest.raises(Forbidden) as refused:
            check(spec)
        assert refused.value.code == "not-your-board"
    check_for(stage, stage.mo)({"kind": "posting_limit", "days": 7})


def check_for(stage: Stage, by: Actor, member_id: int | None = None) -> Callable[[dict[str, Any]], sanctions.Terms]:
    def check(spec: dict[str, Any]) -> sanctions.Terms:
        return sanctions.check_spec(stage.session, spec, member_id=member_id or stage.ann.id, by=by, now=stage.now)

    return check


def test_plain_moderators_lay_nothing_on_the_team(stage: Stage) -> None:
    with pytest.raises(Forbidden) as refused:
        check_for(stage, stage.mo, stage.mia.id)({"kind": "warning"})
    assert refused.value.code == "staff-member"
    assert check_for(stage, stage.lea, stage.mia.id)({"kind": "warning"}).kind is SanctionKind.WARNING
    with pytest.raises(Forbidden) as refused:
        check_for(stage, stage.lea, stage.lea.id)({"kind": "warning"})
    assert refused.value.code == "conflict-of-interest"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "sanction.kind"),
        ({"kind": "flogging"}, "sanction.kind"),
        ({"kind": "warning", "days": 3}, "sanction.days"),
        ({"kind": "warning", "board": "backache"}, "sanction.board"),
        ({"kind": "warning", "daily_limit": 3}, "sanction.daily_limit"),
        ({"kind": "posting_limit"}, "sanction.days"),
        ({"kind": "posting_limit", "days": 0}, "sanction.days"),
        ({"kind": "posting_limit", "days": 366}, "sanction.days"),
        ({"kind": "posting_limit", "days": "soon"}, "sanction.days"),
        ({"kind": "posting_limit", "days": True}, "sanction.days"),
        ({"kind": "posting_limit", "days": 3, "until": "2030-01-01"}, "sanction.days"),
        ({"kind": "posting_limit", "until": "yesterday"}, "sanction.until"),
        ({"kind": "posting_limit", "until": "2001-01-01T00:00:00Z"}, "sanction.until"),
        ({"kind": "posting_limit", "days": 3, "daily_limit": 0}, "sanction.daily_limit"),
        ({"kind": "posting_limit", "days": 3, "board": "no-such"}, "sanction.board"),
        ({"kind": "board_restriction", "days": 3}, "sanction.board"),
        ({"kind": "board_restriction", "days": 3, "board": "no-such"}, "sanction.board"),
        ({"kind": "termination", "days": 3}, "sanction.days"),
        ({"kind": "warning", "misuse": {"of": "posts"}}, "sanction.misuse.gravity"),
        ({"kind": "warning", "misuse": {"of": "likes", "gravity": "low", "intent": "mistake"}}, "sanction.misuse.of"),
        ({"kind": "warning", "misuse": {"of": "posts", "gravity": "low", "intent": "mistake"}}, "sanction.misuse.of"),
        ({"kind": "warning", "misuse": "all of it"}, "sanction.misuse"),
    ],
)
def test_wrong_fields_are_named_and_nothing_is_stored(stage: Stage, spec: dict[str, Any], field: str) -> None:
    case = member_case(stage)
    with pytest.raises(Invalid) as refused:
        stage.decide(case, Verdict.SANCTION, stage.lea, sanction=spec or {"kind": ""})
    assert field in [name for name, _ in refused.value.errors]
    assert stage.session.execute(select(Sanction)).first() is None
    assert stage.case(case.id).state is CaseState.OPEN


def test_nobody_is_suspended_without_a_live_warning_before(stage: Stage) -> None:
    spec = {"kind": "suspension", "days": 30}
    check = check_for(stage, stage.lea)
    for prepare in (lambda: None, lambda: impose(stage, {"kind": "reminder"})):
        prepare()
        with pytest.raises(Invalid) as refused:
            check(spec)
        assert refused.value.code == "warning-missing"
    decided = impose(stage, {"kind": "warning"})
    assert check(spec).prior_warning_id == sanction_of(stage, decided).id
    stage.now += sanctions.STRIKE_KEEP
    with pytest.raises(Invalid) as refused:
        check(spec)
    assert refused.value.code == "warning-missing"


def test_a_warning_taken_back_is_no_warning(stage: Stage) -> None:
    decided = impose(stage, {"kind": "warning"})
    stage.undo(decided, stage.lea)
    with pytest.raises(Invalid) as refused:
        check_for(stage, stage.lea)({"kind": "suspension", "days": 30})
    assert refused.value.code == "warning-missing"
    assert sanctions.live_strikes(stage.session, stage.ann.id, board_id=None, now=stage.now) == 0
    assert as_she_is(stage).restrictions == ()
    stage.sound()


def test_misuse_is_counted_here_and_needs_a_warning_about_the_same(stage: Stage) -> None:
    for _ in range(2):
        _, case = stage.reported()
        stage.decide(case, Verdict.REMOVE, stage.mo)
    about = {"of": "posts", "items": 99, "total": 99, "gravity": "high", "intent": "careless"}
    counted = misuse.count(stage.session, stage.ann.id, "posts", now=stage.now)
    assert (counted.items, counted.total, counted.window_days) == (2, 5, 180)
    warn(stage)
    suspension = {"kind": "suspension", "days": 14, "misuse": about}
    with pytest.raises(Invalid) as refused:
        impose(stage, suspension)
    assert refused.value.code == "warning-missing"
    warning = sanction_of(
        stage,
        stage.decide(stage_case(stage), Verdict.SANCTION, stage.lea, sanction={"kind": "warning", "misuse": about}),
    )
    decided = impose(stage, suspension)
    given = sanction_of(stage, decided)
    assert given.prior_warning_id == warning.id
    assert given.misuse == {
        "of": "posts",
        "items": 2,
        "total": 5,
        "window_days": 180,
        "gravity": "high",
        "intent": "careless",
    }
    assert "2 of your 5" in " ".join(decided.statement.content.values())
    stage.sound()


def stage_case(stage: Stage) -> Case:
    """The live case about Ann."""
    stmt = select(Case).where(Case.author_id == stage.ann.id, Case.post_id.is_(None), Case.state == CaseState.OPEN)
    return stage.session.execute(stmt).scalar_one()


def test_a_decision_taken_back_is_no_misuse(stage: Stage) -> None:
    _, case = stage.reported()
    stage.undo(stage.decide(case, Verdict.REMOVE, stage.mo))
    assert misuse.count(stage.session, stage.ann.id, "posts", now=stage.now).items == 0


def test_unfounded_reports_are_counted_of_those_decided(stage: Stage) -> None:
    for verdict in (Verdict.DISMISS, Verdict.REMOVE):
        _, case = stage.reported()
        stage.decide(case, verdict, stage.mo)
    stage.reported()
    withdrawn = stage.ask().post
    stage.report(withdrawn, stage.ben)
    stage.withdraw(withdrawn, stage.ann)
    counted = misuse.count(stage.session, stage.ben.id, "reports", now=stage.now)
    assert (counted.items, counted.total) == (1, 2)
    later = stage.now + misuse.WINDOW + timedelta(days=1)
    assert misuse.count(stage.session, stage.ben.id, "reports", now=later).total == 0


# --- The database itself refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"kind": "suspension", "prior_warning_id": None}, "suspension_after_warning"),
        ({"kind": "board_restriction", "board_id": None}, "board_restriction_has_board"),
        ({"kind": "warning", "strikes": -1}, "strikes"),
    ],
)
def test_the_database_refuses_what_no_rule_would_write(stage: Stage, values: dict[str, Any], constraint: str) -> None:
    decided = impose(stage, {"kind": "reminder"})
    stage.session.execute(Sanction.__table__.delete())
    row = {
        "member_id": stage.ann.id,
        "decision_id": decided.decision.id,
        "strikes": 1,
        "strikes_until": stage.now,
        "imposed_at": stage.now,
        "misuse": {},
    }
    with pytest.raises(IntegrityError) as refused:
        stage.session.execute(insert(Sanction.__table__).values(row | values))
    assert constraint in str(refused.value)


# --- Strikes and the ladder --------------------------------------------------------------------------------------


def test_strikes_count_where_they_were_given_and_fall_away_after_180_days(stage: Stage) -> None:
    stage.ask(board_slug="unsorted")
    case = member_case(stage, board="backache")
    stage.decide(case, Verdict.SANCTION, stage.lea, sanction={"kind": "warning"})
    here = case.board_id
    other = stage.case_of(stage.held(board_slug="unsorted")[0]).board_id
    impose(stage, {"kind": "posting_limit", "days": 3})

    def count(board_id: int | None) -> int:
        return sanctions.live_strikes(stage.session, stage.ann.id, board_id=board_id, now=stage.now)

    assert (count(here), count(other), count(None)) == (2, 1, 2)
    stage.now += timedelta(days=180) - timedelta(seconds=1)
    assert count(None) == 2
    stage.now += timedelta(seconds=1)
    assert (count(here), count(None)) == (0, 0)


def test_the_ladder_proposes_the_next_step(stage: Stage) -> None:
    ladder.load_shipped(stage.session)
    board_id = stage.case_of(stage.held()[0]).board_id

    def proposed() -> tuple[str, int | None, int]:
        found = ladder.propose(stage.session, stage.ann.id, board_id=board_id, now=stage.now)
        return found.kind.value, found.days, found.strikes

    steps = [proposed()]
    for spec in (
        {"kind": "reminder"},
        {"kind": "warning"},
        {"kind": "warning"},
        {"kind": "posting_limit", "days": 7},
        {"kind": "board_restriction", "days": 7, "board": "backache"},
        {"kind": "suspension", "days": 30},
    ):
        impose(stage, spec)
        steps.append(proposed())
    assert steps == [
        ("reminder", None, 0),
        ("warning", None, 0),
        ("warning", None, 1),
        ("posting_limit", 7, 2),
        ("board_restriction", 7, 3),
        ("suspension", 30, 4),
        ("termination", None, 5),
    ]


def test_without_a_warning_a_warning_is_proposed_in_the_place_of_a_suspension(stage: Stage) -> None:
    ladder.save(
        stage.session, stage.lea, board=None, rows=[{"strikes": 1, "kind": "suspension", "days": 30}], now=stage.now
    )
    impose(stage, {"kind": "posting_limit", "days": 7})
    found = ladder.propose(stage.session, stage.ann.id, board_id=None, now=stage.now)
    assert (found.kind, found.lacks_warning) == (SanctionKind.WARNING, True)


def test_leads_give_a_board_a_ladder_of_its_own_and_take_it_back(stage: Stage) -> None:
    assert ladder.load_shipped(stage.session) == 5
    assert ladder.load_shipped(stage.session) == 0
    rows = [{"strikes": "2", "kind": "board_restriction", "days": "3"}, {"strikes": "", "kind": "", "days": ""}]
    own = ladder.save(stage.session, stage.lea, board="backache", rows=rows, now=stage.now)
    assert own.is_own and [(s.strikes, s.kind.value, s.days) for s in own.steps] == [(2, "board_restriction", 3)]
    assert len(ladder.of_board(stage.session, None).steps) == 5
    back = ladder.save(stage.session, stage.lea, board="backache", rows=[], now=stage.now)
    assert not back.is_own and len(back.steps) == 5
    with pytest.raises(Forbidden):
        ladder.save(stage.session, stage.mo, board="backache", rows=rows, now=stage.now)


def test_a_wrong_ladder_is_refused_field_by_field(stage: Stage) -> None:
    ladder.load_shipped(stage.session)
    rows = [
        {"strikes": "0", "kind": "warning", "days": ""},
        {"strikes": "2", "kind": "", "days": ""},
        {"strikes": "3", "kind": "suspension", "days": ""},
        {"strikes": "3", "kind": "warning", "days": ""},
    ]
    with pytest.raises(Invalid) as refused:
        ladder.save(stage.session, stage.lea, board=None, rows=rows, now=stage.now)
    assert [name for name, _ in refused.value.errors] == ["strikes-0", "kind-1", "days-2", "strikes-3"]
    with pytest.raises(Invalid):
        ladder.save(stage.session, stage.lea, board=None, rows=[], now=stage.now)
    assert len(ladder.of_board(stage.session, None).steps) == 5


# --- Standing, member cases, taking back -------------------------------------------------------------------------


def test_a_member_reads_how_they_stand_and_what_comes_next(stage: Stage) -> None:
    ladder.load_shipped(stage.session)
    assert own_record.standing(stage.session, stage.ann, now=stage.now).is_good
    warning = sanction_of(stage, impose(stage, {"kind": "warning"}))
    found = own_record.standing(stage.session, stage.ann, now=stage.now)
    assert [row.id for row in found.to_acknowledge] == [warning.id]
    assert (found.strikes, found.next_kind) == (1, SanctionKind.WARNING)
    sanctions.acknowledge(stage.session, warning.id, actor=stage.ann, now=stage.now)
    found = own_record.standing(stage.session, stage.ann, now=stage.now)
    assert ([row.id for row in found.counting], found.in_force) == ([warning.id], ())
    stage.now += timedelta(days=180)
    found = own_record.standing(stage.session, stage.ann, now=stage.now)
    assert found.is_good and [row.id for row in found.past] == [warning.id]


def test_undoing_gives_back_what_the_sanction_took(stage: Stage) -> None:
    decided = impose(stage, {"kind": "board_restriction", "days": 7, "board": "backache"}, by=stage.mo)
    undone = stage.undo(decided, stage.mo)
    given = sanction_of(stage, decided)
    assert (given.voided_at, given.voided_by_id) == (stage.now, undone.decision.id)
    assert stage.ask(as_she_is(stage)).post.state is PostState.PUBLISHED
    assert sanctions.void(stage.session, decided.decision, by_decision=undone.decision, now=stage.now) is None
    stage.sound()


def test_there_is_one_live_case_about_a_member(stage: Stage) -> None:
    case = member_case(stage)
    with pytest.raises(Conflict) as refused:
        member_case(stage, by=stage.mo)
    assert refused.value.extra["case_id"] == case.id
    stage.decide(case, Verdict.DISMISS, stage.mo)
    assert stage.told(stage.ann)[-1:] != ["sanctioned"]
    assert member_case(stage).id != case.id
    row = {
        name: getattr(case, name) for name in ("subject_kind", "priority", "lane", "due_at", "opened_at", "author_id")
    }
    extra = {"state": CaseState.OPEN, "score": 0.0, "version": 1, "round": 1, "score_terms": {}}
    flags = {"needs_lead": False, "is_severe": False, "breach_level": 0}
    with pytest.raises(IntegrityError):
        stage.session.execute(insert(Case.__table__).values(row | extra | flags))


@pytest.mark.parametrize(
    ("who", "reason", "board", "error"),
    [
        ("ben", "Look", None, Forbidden),
        ("ann", "Look", None, Forbidden),
        ("mo", " ", None, Invalid),
        ("mo", "x" * 2_001, None, Invalid),
        ("mo", "Look", "no-such", NotFound),
    ],
)
def test_who_opens_a_case_about_a_member_and_how(
    stage: Stage, who: str, reason: str, board: str | None, error: type[AppError]
) -> None:
    with pytest.raises(error):
        member_cases.open_for_member(
            stage.session,
            stage.ann.id,
            by=getattr(stage, who),
            reason=reason,
            board=board,
            settings=stage.settings,
            now=stage.now,
        )


def test_nobody_of_the_team_is_judged_by_themselves(stage: Stage) -> None:
    case = member_case(stage, stage.mo)
    with pytest.raises((Forbidden, NotFound)):
        stage.decide(case, Verdict.DISMISS, stage.mo)
    with pytest.raises(Forbidden):
        member_cases.record(stage.session, stage.mo.id, by=stage.mo, now=stage.now)


# --- ops check finds what was done behind our back ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("lifted", "sanctions in force that restrict nothing"),
        ("voided", "restrictions in force without a sanction"),
        ("strikes", "sanctions with strikes that their kind does not have"),
        ("statement", "sanctions without a statement of reasons"),
        ("reference", "restrictions that point to another statement"),
    ],
)
def test_ops_check_finds_a_sanction_and_its_restriction_at_odds(stage: Stage, damage: str, found: str) -> None:
    decided = impose(stage, {"kind": "board_restriction", "days": 3650 // 10, "board": "backache"})
    stage.session.flush()
    assert checks.checks(stage.session) == []
    given = sanction_of(stage, decided)
    changes = {
        "lifted": update(Restriction).values(lifted_at=stage.now),
        "voided": update(Sanction).values(voided_at=stage.now),
        "strikes": update(Sanction).values(strikes=7),
        "statement": update(Statement).where(Statement.decision_id == given.decision_id).values(member_id=stage.ben.id),
        "reference": update(Restriction).values(reference="0" * 32),
    }
    stage.session.execute(changes[damage].execution_options(synchronize_session=False))
    assert any(line.startswith(found) for line in checks.checks(stage.session))
