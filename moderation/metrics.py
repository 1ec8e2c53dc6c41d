"""The figures of the dashboard: how much waits and how long, what was decided, and how alive the forum is.

Every figure is one bounded query over a window of whole UTC days, the last of which is today until now. Percentiles
are taken by nearest rank: of n values in order, p50 is the one at place ceil(n * 50 / 100). So a percentile is always
a time that somebody really waited, and both databases give the same. Durations are whole seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, exists, func, literal, or_, select, true, union_all
from sqlalchemy import case as when
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from content import queries as reference
from core.instants import DAY, epoch
from core.vocabulary import (
    LIVE_CASE_STATES,
    AppealOutcome,
    CaseState,
    PostKind,
    PostState,
    Priority,
    ThreadKind,
    Verdict,
)
from forum.models import Board, Post, Thread
from moderation.models import Appeal, Case, CaseSkip, Decision
from moderation.rulings import effective
from moderation.statements import restriction_of

WINDOWS = (30, 90, 365)
# The boards with the most decisions, and the people who decided most; what is left out is counted.
BOARDS = 20
PEOPLE = 50
# How long a newcomer has for coming back.
RETURN_DAYS = 30

FOR_MODERATORS = (CaseState.OPEN, CaseState.CLAIMED, CaseState.AWAITING_SECOND)
SHOWN = (PostState.PUBLISHED, PostState.SHIELDED)
RESTRICTING = tuple(verdict for verdict in Verdict if restriction_of(verdict, is_edit=False))
PRIORITIES = tuple(Priority)


@dataclass(frozen=True)
class Window:
    """`days` whole days in UTC from `since`; the last one is today, as far as `until`."""

    days: int
    since: datetime
    until: datetime

    def date_of(self, day: int) -> date:
        return (self.since + timedelta(days=day)).date()


@dataclass(frozen=True)
class Waiting:
    """What waits now in one priority. Ages are those of the cases that wait for moderators; None where none does."""

    priority: Priority
    waiting: int = 0
    with_author: int = 0
    # Past the time by which a person should have looked.
    late: int = 0
    oldest_seconds: int | None = None
    median_seconds: int | None = None


@dataclass(frozen=True)
class Day:
    """One day. `waiting` and `mean_age_seconds` are as of its end, one value for each of PRIORITIES."""

    date: date
    opened: int
    decisions: int
    waiting: tuple[int, ...]
    mean_age_seconds: tuple[int | None, ...]


@dataclass(frozen=True)
class BoardTimes:
    """From opening a case to the first decision of a person on it."""

    slug: str
    name: str
    decided: int
    p50_seconds: int
    p95_seconds: int


@dataclass(frozen=True)
class Times:
    """All boards together, and each of those with the most; `boards_left_out` have fewer than these."""

    decided: int
    p50_seconds: int | None
    p95_seconds: int | None
    boards: tuple[BoardTimes, ...]
    boards_left_out: int


@dataclass(frozen=True)
class Lateness:
    """Cases first decided in the window, and those of them decided after they were due."""

    priority: Priority
    decided: int = 0
    late: int = 0


@dataclass(frozen=True)
class VerdictCount:
    verdict: Verdict
    decisions: int


@dataclass(frozen=True)
class RuleCount:
    """`restricting` are the decisions that took something from an author."""

    code: str
    title: str
    decisions: int
    restricting: int


@dataclass(frozen=True)
class TakenBack:
    """Decisions of the window, and those of them that a later decision took back, up to now."""

    decisions: int
    undone: int
    restricting: int
    restricting_undone: int

    @property
    def rate(self) -> float | None:
        """Of the decisions that took something from an author, the share taken back."""
        return share(self.restricting_undone, self.restricting)


@dataclass(frozen=True)
class OutcomeCount:
    outcome: AppealOutcome
    appeals: int


@dataclass(frozen=True)
class Objections:
    """`opened` in the window; `outcomes` of those answered in it, one row for each possible answer. Waiting: now."""

    opened: int
    waiting: int
    # Of `waiting`, past the time by which we wanted to have answered.
    late: int
    outcomes: tuple[OutcomeCount, ...]

    @property
    def decided(self) -> int:
        return sum(row.appeals for row in self.outcomes)

    @property
    def rate(self) -> float | None:
        """Of the objections answered, the share that was right, wholly or in part."""
        right = (AppealOutcome.OVERTURNED, AppealOutcome.PARTLY)
        return share(sum(row.appeals for row in self.outcomes if row.outcome in right), self.decided)


@dataclass(frozen=True)
class Load:
    """`handle` is None for a former member. `days` are those with at least one decision."""

    handle: str | None
    decisions: int
    days: int


@dataclass(frozen=True)
class AnswerDay:
    """Questions that readers first saw on this day. Only those old enough count: `ripe` after 24 h and after 7 d."""

    date: date
    questions: int
    ripe_24h: int
    within_24h: int
    ripe_7d: int
    within_7d: int


@dataclass(frozen=True)
class Answers:
    """First answers by somebody other than the asker, to questions that readers can see."""

    days: tuple[AnswerDay, ...]
    questions: int
    answered: int
    median_seconds: int | None
    ripe_24h: int
    within_24h: int
    ripe_7d: int
    within_7d: int

    @property
    def share_24h(self) -> float | None:
        return share(self.within_24h, self.ripe_24h)

    @property
    def share_7d(self) -> float | None:
        return share(self.within_7d, self.ripe_7d)


@dataclass(frozen=True)
class NewcomerDay:
    """Members whose first post that others could read appeared on this day. `ripe`: their 30 days are over."""

    date: date
    newcomers: int
    returned: int
    ripe: int
    ripe_returned: int


@dataclass(frozen=True)
class Newcomers:
    """`returned` wrote again within 30 days, so far; the share is of those whose 30 days are over."""

    days: tuple[NewcomerDay, ...]
    newcomers: int
    returned: int
    ripe: int
    ripe_returned: int

    @property
    def share(self) -> float | None:
        return share(self.ripe_returned, self.ripe)


@dataclass(frozen=True)
class Metrics:
    """Everything of one dashboard."""

    window: Window
    now: tuple[Waiting, ...]
    days: tuple[Day, ...]
    times: Times
    lateness: tuple[Lateness, ...]
    verdicts: tuple[VerdictCount, ...]
    rules: tuple[RuleCount, ...]
    taken_back: TakenBack
    load: tuple[Load, ...]
    load_left_out: int
    answers: Answers
    newcomers: Newcomers
    objections: Objections
    # How often a moderator let a case pass.
    skips: int

    @property
    def overturn_rate(self) -> float | None:
        """Of the objections answered in the window, the share that was right; None where there are none."""
        return self.objections.rate


def share(part: int, whole: int) -> float | None:
    """None where there is nothing to take a share of."""
    return part / whole if whole else None


def window(days: int, *, now: datetime) -> Window:
    """The last so many days, today included."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(days, today - timedelta(days=days - 1), now)


def metrics(session: Session, *, days: int, now: datetime) -> Metrics:
    """All figures of the window. Thirteen queries, whatever the number of rows."""
    span = window(days, now=now)
    load, left_out = _load(session, span)
    verdicts, rules = _verdicts_and_rules(session, span)
    return Metrics(
        window=span,
        now=waiting_now(session, now=now),
        days=_days(session, span),
        times=_times(session, span),
        lateness=_lateness(session, span),
        verdicts=verdicts,
        rules=rules,
        taken_back=_taken_back(session, span),
        load=load,
        load_left_out=left_out,
        answers=_answers(session, span),
        newcomers=_newcomers(session, span),
        objections=_objections(session, span),
        skips=session.execute(select(func.count(CaseSkip.id)).where(_during(CaseSkip.at, span))).scalar_one(),
    )


# --- Parts of queries --------------------------------------------------------------------------------------------


def _during(column: Any, span: Window) -> ColumnElement[bool]:
    return and_(column >= span.since, column <= span.until)


def _day_of(seconds: ColumnElement[int], span: Window) -> ColumnElement[int]:
    """The number of the day in the window, from 0; only for instants within it."""
    return (seconds - _start(span)) // literal(DAY, seconds.type)


def _start(span: Window) -> ColumnElement[int]:
    return literal(int(span.since.timestamp()), epoch.type)


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(when((condition, 1), else_=0)), 0)


def _at_rank(value: Any, place: Any, size: Any, percent: int) -> ColumnElement[Any]:
    """The percentile by nearest rank, in a group whose rows know their place in order and the group's size."""
    return func.max(when((place == (size * percent + 99) // 100, value)))


def _is_first_by_a_person(decision: Any) -> ColumnElement[bool]:
    """Nobody decided this case before. What the site itself did about it does not count as a look, and what never took
    effect decided nothing."""
    earlier = aliased(Decision)
    before = exists().where(
        earlier.case_id == decision.case_id,
        earlier.round < decision.round,
        earlier.moderator_id.is_not(None),
        effective(earlier),
    )
    return and_(decision.moderator_id.is_not(None), effective(decision), ~before)


# --- What waits --------------------------------------------------------------------------------------------------


def waiting_now(session: Session, *, now: datetime) -> tuple[Waiting, ...]:
    """What waits at this moment, by priority. One query over the live cases."""
    waits = Case.state.in_(FOR_MODERATORS)
    mine = [Case.priority, waits]
    live = (
        select(
            Case.priority,
            waits.label("waits"),
            and_(waits, Case.due_at < now).label("is_late"),
            (literal(int(now.timestamp()), epoch.type) - epoch(Case.opened_at)).label("age"),
            func.row_number().over(partition_by=mine, order_by=[Case.opened_at.desc(), Case.id]).label("place"),
            func.count().over(partition_by=mine).label("size"),
        )
        .where(Case.state.in_(LIVE_CASE_STATES))
        .subquery()
    )
    c = live.c
    rows = session.execute(
        select(
            c.priority,
            _count_if(c.waits).label("waiting"),
            _count_if(~c.waits).label("with_author"),
            _count_if(c.is_late).label("late"),
            func.max(when((c.waits, c.age))).label("oldest"),
            func.max(when((and_(c.waits, c.place == (c.size * 50 + 99) // 100), c.age))).label("median"),
        ).group_by(c.priority)
    )
    found = {
        row.priority: Waiting(row.priority, row.waiting, row.with_author, row.late, row.oldest, row.median)
        for row in rows
    }
    return tuple(found.get(priority, Waiting(priority)) for priority in PRIORITIES)


def _stays(span: Window) -> CTE:
    """Every case that waited at some time of the window, from its opening to the first decision of a person.

    Cases that ended without one (withdrawn by the author, or settled by the site) end when they were closed. A case
    that comes back later is not counted again here; `waiting_now` knows it.
    """
    opened, by_person = (
        epoch(Case.opened_at),
        exists().where(Decision.case_id == Case.id, Decision.moderator_id.is_not(None), effective()),
    )
    decided = (
        select(Case.priority, opened.label("opened"), epoch(Decision.at).label("ended"))
        .join(Case, Case.id == Decision.case_id)
        .where(_during(Decision.at, span), _is_first_by_a_person(Decision))
    )
    waiting = select(Case.priority, opened, literal(None, epoch.type)).where(
        Case.state.in_(LIVE_CASE_STATES), Case.opened_at <= span.until, ~by_person
    )
    closed = select(Case.priority, opened, epoch(Case.decided_at)).where(
        Case.state.in_((CaseState.MOOT, CaseState.DECIDED)), _during(Case.decided_at, span), ~by_person
    )
    return union_all(decided, waiting, closed).cte("stays")


def _changes(span: Window) -> Select[Any]:
    """Per day and priority how many cases came and how many went, with the sum of their opening times.

    Day -1 holds those that waited already when the window began.
    """
    stays = _stays(span)

    def moves(kind: str, instant: ColumnElement[int]) -> Select[Any]:
        day = when((instant < _start(span), literal(-1, epoch.type)), else_=_day_of(instant, span))
        each = (
            select(
                literal(kind).label("kind"),
                day.label("day"),
                stays.c.priority,
                (stays.c.opened - _start(span)).label("opened"),
            )
            .where(instant.is_not(None))
            .subquery()
        )
        grouped = (each.c.kind, each.c.day, each.c.priority)
        return select(*grouped, func.count().label("cases"), func.sum(each.c.opened).label("opened")).group_by(*grouped)

    both = union_all(moves("came", stays.c.opened), moves("went", stays.c.ended)).subquery()
    return select(both)


def _days(session: Session, span: Window) -> tuple[Day, ...]:
    """Inflow, decisions, depth and mean age, day by day. Two queries; at most 10 rows for each day."""
    came: dict[tuple[int, Priority], tuple[int, int]] = {}
    went: dict[tuple[int, Priority], tuple[int, int]] = {}
    for row in session.execute(_changes(span)):
        (came if row.kind == "came" else went)[row.day, row.priority] = (row.cases, int(row.opened))
    each = (
        select(_day_of(epoch(Decision.at), span).label("day")).where(_during(Decision.at, span), effective()).subquery()
    )
    made = session.execute(select(each.c.day, func.count().label("decisions")).group_by(each.c.day))
    decisions = {row.day: row.decisions for row in made}
    none = (0, 0)
    waiting = {priority: came.get((-1, priority), none) for priority in PRIORITIES}
    days = []
    for number in range(span.days):
        for priority in PRIORITIES:
            more, less = came.get((number, priority), none), went.get((number, priority), none)
            before = waiting[priority]
            waiting[priority] = (before[0] + more[0] - less[0], before[1] + more[1] - less[1])
        end = min((number + 1) * DAY, int(span.until.timestamp()) - int(span.since.timestamp()))
        days.append(
            Day(
                date=span.date_of(number),
                opened=sum(came.get((number, priority), none)[0] for priority in PRIORITIES),
                decisions=decisions.get(number, 0),
                waiting=tuple(waiting[priority][0] for priority in PRIORITIES),
                mean_age_seconds=tuple(
                    (end * cases - opened) // cases if cases else None
                    for cases, opened in (waiting[priority] for priority in PRIORITIES)
                ),
            )
        )
    return tuple(days)


# --- What was decided --------------------------------------------------------------------------------------------


def _times(session: Session, span: Window) -> Times:
    """One query: ranks within each board and over all, then one row for each of the boards with the most."""
    took = (
        select(Case.board_id, (epoch(Decision.at) - epoch(Case.opened_at)).label("seconds"))
        .join(Case, Case.id == Decision.case_id)
        .where(_during(Decision.at, span), _is_first_by_a_person(Decision))
        .subquery()
    )
    order = took.c.seconds
    ranked = select(
        took.c.board_id,
        took.c.seconds,
        func.row_number().over(partition_by=took.c.board_id, order_by=order).label("place"),
        func.count().over(partition_by=took.c.board_id).label("size"),
        func.row_number().over(order_by=order).label("place_of_all"),
        func.count().over(partition_by=None).label("size_of_all"),
    ).subquery()
    r = ranked.c
    boards = (
        select(
            r.board_id,
            func.count().label("decided"),
            _at_rank(r.seconds, r.place, r.size, 50).label("p50"),
            _at_rank(r.seconds, r.place, r.size, 95).label("p95"),
            # Each of these two stands in the row of one board only.
            _at_rank(r.seconds, r.place_of_all, r.size_of_all, 50).label("p50_of_all"),
            _at_rank(r.seconds, r.place_of_all, r.size_of_all, 95).label("p95_of_all"),
        )
        .group_by(r.board_id)
        .subquery()
    )
    b = boards.c
    rows = session.execute(
        select(
            Board.slug,
            Board.name,
            b.decided,
            b.p50,
            b.p95,
            func.max(b.p50_of_all).over().label("p50_of_all"),
            func.max(b.p95_of_all).over().label("p95_of_all"),
            func.sum(b.decided).over().label("decided_of_all"),
            func.count().over().label("boards"),
        )
        .join_from(boards, Board, Board.id == b.board_id, isouter=True)
        .order_by(b.decided.desc(), b.board_id)
        .limit(BOARDS)
    ).all()
    if not rows:
        return Times(0, None, None, (), 0)
    first = rows[0]
    return Times(
        decided=int(first.decided_of_all),
        p50_seconds=first.p50_of_all,
        p95_seconds=first.p95_of_all,
        boards=tuple(BoardTimes(row.slug or "", row.name or "", row.decided, row.p50, row.p95) for row in rows),
        boards_left_out=first.boards - len(rows),
    )


def _lateness(session: Session, span: Window) -> tuple[Lateness, ...]:
    rows = session.execute(
        select(Case.priority, func.count().label("decided"), _count_if(Decision.at > Case.due_at).label("late"))
        .join_from(Decision, Case, Case.id == Decision.case_id)
        .where(_during(Decision.at, span), _is_first_by_a_person(Decision))
        .group_by(Case.priority)
    )
    found = {row.priority: Lateness(row.priority, row.decided, row.late) for row in rows}
    return tuple(found.get(priority, Lateness(priority)) for priority in PRIORITIES)


def _verdicts_and_rules(session: Session, span: Window) -> tuple[tuple[VerdictCount, ...], tuple[RuleCount, ...]]:
    """Both from one table of verdict by rule, the most frequent first; and one query for the rules' titles."""
    rows = session.execute(
        select(Decision.verdict, Decision.rule_code, func.count().label("decisions"))
        .where(_during(Decision.at, span), effective())
        .group_by(Decision.verdict, Decision.rule_code)
    ).all()
    titles = {rule.code: rule.title for rule in reference.rule_texts(session, span.until)}
    verdicts: dict[Verdict, int] = {}
    rules: dict[str, list[int]] = {}
    for verdict, code, count in rows:
        verdicts[verdict] = verdicts.get(verdict, 0) + count
        both = rules.setdefault(code, [0, 0])
        both[0] += count
        both[1] += count if verdict in RESTRICTING else 0
    return (
        tuple(
            VerdictCount(verdict, n) for verdict, n in sorted(verdicts.items(), key=lambda item: (-item[1], item[0]))
        ),
        tuple(
            RuleCount(code, titles.get(code, code), every, restricting)
            for code, (every, restricting) in sorted(rules.items(), key=lambda item: (-item[1][0], item[0]))
        ),
    )


def _taken_back(session: Session, span: Window) -> TakenBack:
    later = aliased(Decision)
    restricts, undone = Decision.verdict.in_(RESTRICTING), later.id.is_not(None)
    row = session.execute(
        select(
            func.count(),
            _count_if(undone),
            _count_if(restricts),
            _count_if(and_(restricts, undone)),
        )
        .select_from(Decision)
        .outerjoin(later, later.undoes_id == Decision.id)
        .where(_during(Decision.at, span), effective())
    ).one()
    return TakenBack(*map(int, row))


def _objections(session: Session, span: Window) -> Objections:
    """One query over the objections that were opened or answered in the window, or wait."""
    waits = Appeal.outcome.is_(None)
    answered = {one: and_(Appeal.outcome == one, _during(Appeal.decided_at, span)) for one in AppealOutcome}
    row = session.execute(
        select(
            _count_if(_during(Appeal.opened_at, span)),
            _count_if(waits),
            _count_if(and_(waits, Appeal.due_at < span.until)),
            *(_count_if(condition) for condition in answered.values()),
        ).where(or_(waits, Appeal.decided_at >= span.since, Appeal.opened_at >= span.since))
    ).one()
    opened, waiting, late, *counts = map(int, row)
    return Objections(
        opened, waiting, late, tuple(OutcomeCount(one, n) for one, n in zip(answered, counts, strict=True))
    )


def _load(session: Session, span: Window) -> tuple[tuple[Load, ...], int]:
    """Who decided how much, and how many more people there are. Decisions of the site itself are nobody's load."""
    each = (
        select(Decision.moderator_id, _day_of(epoch(Decision.at), span).label("day"))
        .where(_during(Decision.at, span), Decision.moderator_id.is_not(None), effective())
        .subquery()
    )
    whose = (
        select(
            each.c.moderator_id,
            func.count().label("decisions"),
            func.count(each.c.day.distinct()).label("days"),
        )
        .group_by(each.c.moderator_id)
        .subquery()
    )
    rows = session.execute(
        select(
            when((Member.closed_at.is_(None), Member.handle), else_=None).label("handle"),
            whose.c.decisions,
            whose.c.days,
            func.count().over().label("people"),
        )
        .join(whose, whose.c.moderator_id == Member.id)
        .order_by(whose.c.decisions.desc(), Member.id)
        .limit(PEOPLE)
    ).all()
    people = rows[0].people if rows else 0
    return tuple(Load(row.handle, row.decisions, row.days) for row in rows), people - len(rows)


# --- How alive the forum is --------------------------------------------------------------------------------------


def _answers(session: Session, span: Window) -> Answers:
    """One query. A question counts from the moment when readers could first see it, and so does an answer."""
    opening, answer = aliased(Post), aliased(Post)
    is_answer = and_(
        answer.thread_id == Thread.id,
        answer.kind == PostKind.ANSWER,
        answer.state.in_(SHOWN),
        answer.author_id != Thread.author_id,
    )
    asked = (
        select(
            epoch(opening.published_at).label("asked"),
            (epoch(func.min(answer.published_at)) - epoch(opening.published_at)).label("wait"),
        )
        .join_from(opening, Thread, Thread.id == opening.thread_id)
        .outerjoin(answer, is_answer)
        .where(
            opening.kind == PostKind.OPENING,
            _during(opening.published_at, span),
            Thread.kind == ThreadKind.QUESTION,
            Thread.state.in_(SHOWN),
        )
        .group_by(opening.id, opening.published_at)
        .subquery()
    )
    a = asked.c
    has_answer = a.wait.is_not(None)
    ranked = select(
        _day_of(a.asked, span).label("day"),
        a.asked,
        a.wait,
        # Those without an answer come last, so that the places of the others count from 1.
        func.row_number().over(order_by=[when((has_answer, 0), else_=1), a.wait]).label("place"),
        func.count(a.wait).over(partition_by=None).label("answered"),
    ).subquery()
    r = ranked.c
    until = int(span.until.timestamp())

    def old_enough(days: int) -> ColumnElement[bool]:
        return r.asked <= literal(until - days * DAY, epoch.type)

    rows = session.execute(
        select(
            r.day,
            func.count().label("questions"),
            func.count(r.wait).label("answered"),
            _count_if(old_enough(1)).label("ripe_24h"),
            _count_if(and_(old_enough(1), r.wait <= DAY)).label("within_24h"),
            _count_if(old_enough(7)).label("ripe_7d"),
            _count_if(and_(old_enough(7), r.wait <= 7 * DAY)).label("within_7d"),
            _at_rank(r.wait, r.place, r.answered, 50).label("median"),
        ).group_by(r.day)
    ).all()
    by_day = {row.day: row for row in rows}
    names = ("questions", "ripe_24h", "within_24h", "ripe_7d", "within_7d")
    return Answers(
        days=tuple(AnswerDay(span.date_of(n), *_numbers(by_day.get(n), names)) for n in range(span.days)),
        answered=sum(row.answered for row in rows),
        median_seconds=next((row.median for row in rows if row.median is not None), None),
        **{name: sum(int(getattr(row, name)) for row in rows) for name in names},
    )


def _newcomers(session: Session, span: Window) -> Newcomers:
    """One query: the first posts that others could read, and whether their authors wrote again."""
    again, first = aliased(Post), func.min(Post.published_at)
    # Over an index that holds both columns: no post itself is read.
    firsts = (
        select(Post.author_id, first.label("first"))
        .where(Post.published_at.is_not(None))
        .group_by(Post.author_id)
        .having(_during(first, span))
        .subquery()
    )
    f = firsts.c
    wrote_again = exists().where(
        again.author_id == f.author_id,
        again.state != PostState.DRAFT,
        again.created_at > f.first,
        epoch(again.created_at) - epoch(f.first) <= RETURN_DAYS * DAY,
    )
    each = select(
        _day_of(epoch(f.first), span).label("day"),
        (f.first <= span.until - timedelta(days=RETURN_DAYS)).label("is_ripe"),
        wrote_again.label("returned"),
    ).subquery()
    e = each.c
    rows = session.execute(
        select(
            e.day,
            func.count().label("newcomers"),
            _count_if(e.returned == true()).label("returned"),
            _count_if(e.is_ripe == true()).label("ripe"),
            _count_if(and_(e.is_ripe == true(), e.returned == true())).label("ripe_returned"),
        ).group_by(e.day)
    ).all()
    by_day = {row.day: row for row in rows}
    names = ("newcomers", "returned", "ripe", "ripe_returned")
    return Newcomers(
        days=tuple(NewcomerDay(span.date_of(n), *_numbers(by_day.get(n), names)) for n in range(span.days)),
        **{name: sum(int(getattr(row, name)) for row in rows) for name in names},
    )


def _numbers(row: Any, names: tuple[str, ...]) -> Iterator[int]:
    return (int(getattr(row, name)) if row is not None else 0 for name in names)
