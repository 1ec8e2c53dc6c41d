"""The figures of the dashboard, counted a second time in plain Python over every row of a seeded year."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import Priority
from forum.models import Board, Post, Thread
from moderation import metrics
from moderation.models import Appeal, Case, CaseSkip, Confirmation, Decision
from tests.forum.counting import counting
from tests.moderation.a_year import live_through
from tests.moderation.stage import load_texts

LIVE = ("open", "claimed", "awaiting_author", "awaiting_second")
RESTRICTING = ("reject", "request_changes", "hide", "remove")


def seconds(earlier: datetime, later: datetime) -> int:
    """Between whole seconds, as clocks without fractions show them."""
    return int(later.timestamp()) - int(earlier.timestamp())


def middle(values: Iterable[int], percent: int) -> int | None:
    """The smallest value that at least so many percent of the values do not exceed."""
    ordered = sorted(values)
    return next((v for n, v in enumerate(ordered, 1) if n * 100 >= percent * len(ordered)), None)


@dataclass
class Recount:
    """Every row in memory, and counting by loops."""

    session: Session
    now: datetime
    days: int

    def __post_init__(self) -> None:
        def rows(table: type[Any]) -> list[Any]:
            return list(self.session.execute(select(table).execution_options(populate_existing=True)).scalars())

        self.cases, self.decisions = rows(Case), rows(Decision)
        self.agreed = {row.decision_id for row in rows(Confirmation) if row.agrees}
        self.by_id = {decision.id: decision for decision in self.decisions}
        self.posts, self.threads, self.boards = rows(Post), {t.id: t for t in rows(Thread)}, rows(Board)
        self.appeals, self.skips = rows(Appeal), rows(CaseSkip)
        self.members = {member.id: member for member in rows(Member)}
        midnight = datetime(self.now.year, self.now.month, self.now.day, tzinfo=self.now.tzinfo)
        self.since = midnight - timedelta(days=self.days - 1)
        self.case = {case.id: case for case in self.cases}
        self.first: dict[int, Any] = {}
        for decision in sorted(self.decisions, key=lambda d: d.round):
            if decision.moderator_id is not None and self.took_effect(decision):
                self.first.setdefault(decision.case_id, decision)

    def took_effect(self, decision: Any) -> bool:
        """Two agreed where two had to, nobody was only asked to look, and what is taken back had taken effect."""
        if decision.verdict == "escalate" or (decision.needs_second and decision.id not in self.agreed):
            return False
        return decision.undoes_id is None or self.took_effect(self.by_id[decision.undoes_id])

    def inside(self, instant: datetime | None) -> bool:
        return instant is not None and self.since <= instant <= self.now

    def ends(self) -> list[datetime]:
        """The end of each day; of today, now."""
        return [min(self.since + timedelta(days=n + 1), self.now) for n in range(self.days)]

    def day(self, instant: datetime) -> int:
        return (instant - self.since).days

    def per_day(self, instants: Iterable[datetime]) -> list[int]:
        found = Counter(self.day(instant) for instant in instants)
        return [found[n] for n in range(self.days)]

    def firsts(self) -> list[tuple[Any, Any]]:
        """(case, decision) of the first decisions in the window."""
        return [(self.case[d.case_id], d) for d in self.first.values() if self.inside(d.at)]

    def made(self) -> list[Any]:
        """What was decided in the window and took effect."""
        return [d for d in self.decisions if self.inside(d.at) and self.took_effect(d)]


def check_window(found: metrics.Metrics, recount: Recount) -> None:
    assert (found.window.since, found.window.until) == (recount.since, recount.now)
    assert [day.date for day in found.days] == [(recount.since + timedelta(days=n)).date() for n in range(recount.days)]
    assert found.days[-1].date == recount.now.date()


def check_waiting(found: metrics.Metrics, recount: Recount) -> None:
    assert [row.priority for row in found.now] == list(Priority)
    for row in found.now:
        live = [case for case in recount.cases if case.priority is row.priority and case.state in LIVE]
        waits = [case for case in live if case.state != "awaiting_author"]
        ages = [seconds(case.opened_at, recount.now) for case in waits]
        assert row.waiting == len(waits)
        assert row.with_author == len(live) - len(waits)
        assert row.late == sum(case.due_at < recount.now for case in waits)
        assert row.oldest_seconds == max(ages, default=None)
        assert row.median_seconds == middle(ages, 50)
    assert sum(row.waiting for row in found.now) > 5
    assert sum(row.late for row in found.now) > 1
    assert sum(row.with_author for row in found.now) > 1


def check_flow(found: metrics.Metrics, recount: Recount) -> None:
    assert [day.opened for day in found.days] == recount.per_day(
        case.opened_at for case in recount.cases if recount.inside(case.opened_at)
    )
    assert [day.decisions for day in found.days] == recount.per_day(d.at for d in recount.made())
    assert sum(day.opened for day in found.days) > recount.days


def check_depth(found: metrics.Metrics, recount: Recount) -> None:
    ended = {}
    for case in recount.cases:
        first = recount.first.get(case.id)
        ended[case.id] = first.at if first else case.decided_at
    for day, end in zip(found.days, recount.ends(), strict=True):
        ages = defaultdict(list)
        for case in recount.cases:
            # What ends in the very second of midnight is of the day that begins.
            if case.opened_at < end and (ended[case.id] is None or ended[case.id] >= end):
                ages[case.priority].append(seconds(case.opened_at, end))
        assert day.waiting == tuple(len(ages[priority]) for priority in Priority)
        assert day.mean_age_seconds == tuple(
            sum(ages[priority]) // len(ages[priority]) if ages[priority] else None for priority in Priority
        )
    assert max(sum(day.waiting) for day in found.days) > 5


def check_times(found: metrics.Metrics, recount: Recount) -> None:
    took = defaultdict(list)
    for case, decision in recount.firsts():
        took[case.board_id].append(seconds(case.opened_at, decision.at))
    every = [value for values in took.values() for value in values]
    assert found.times.decided == len(every) > 20
    assert found.times.p50_seconds == middle(every, 50)
    assert found.times.p95_seconds == middle(every, 95)
    names = {board.id: (board.slug, board.name) for board in recount.boards}
    ranked = sorted(took, key=lambda board_id: (-len(took[board_id]), board_id))
    assert (
        list(found.times.boards)
        == [
            metrics.BoardTimes(*names[one], len(took[one]), middle(took[one], 50), middle(took[one], 95))  # type: ignore[arg-type]
            for one in ranked[: metrics.BOARDS]
        ]
    )
    assert found.times.boards_left_out == max(0, len(ranked) - metrics.BOARDS)


def check_lateness(found: metrics.Metrics, recount: Recount) -> None:
    decided = Counter(case.priority for case, _ in recount.firsts())
    late = Counter(case.priority for case, decision in recount.firsts() if decision.at > case.due_at)
    assert list(found.lateness) == [metrics.Lateness(p, decided[p], late[p]) for p in Priority]
    assert 0 < sum(late.values()) < sum(decided.values())


def check_decisions(found: metrics.Metrics, recount: Recount) -> None:
    made = recount.made()
    assert {row.verdict: row.decisions for row in found.verdicts} == Counter(d.verdict for d in made)
    assert {row.code: row.decisions for row in found.rules} == Counter(d.rule_code for d in made)
    restricting = Counter(d.rule_code for d in made if d.verdict in RESTRICTING)
    assert {row.code: row.restricting for row in found.rules if row.restricting} == restricting
    for rows in (found.verdicts, found.rules):
        counts = [row.decisions for row in rows]  # type: ignore[attr-defined]
        assert counts == sorted(counts, reverse=True)
    said = [d for d in recount.decisions if recount.inside(d.at)]
    assert 10 < len(made) < len(said) - 5, "some never took effect"
    assert any(d.needs_second for d in made)
    assert {row.title for row in found.rules} >= {"No rule broken", "No amounts of medicine"}


def check_taken_back(found: metrics.Metrics, recount: Recount) -> None:
    undone = {d.undoes_id for d in recount.decisions if d.undoes_id is not None}
    made = recount.made()
    hard = [d for d in made if d.verdict in RESTRICTING]
    back = [d for d in hard if d.id in undone]
    assert found.taken_back == metrics.TakenBack(len(made), sum(d.id in undone for d in made), len(hard), len(back))
    assert found.taken_back.rate == len(back) / len(hard)
    assert found.skips == sum(recount.inside(row.at) for row in recount.skips)
    assert found.skips > 0


def check_objections(found: metrics.Metrics, recount: Recount) -> None:
    answered = [row for row in recount.appeals if recount.inside(row.decided_at)]
    waits = [row for row in recount.appeals if row.outcome is None]
    figures = found.objections
    assert figures.opened == sum(recount.inside(row.opened_at) for row in recount.appeals) > 0
    assert (figures.waiting, figures.decided) == (len(waits), len(answered))
    assert figures.late == sum(row.due_at < recount.now for row in waits)
    assert {row.outcome.value: row.appeals for row in figures.outcomes} == {
        word: sum(row.outcome == word for row in answered)
        for word in ("upheld", "overturned", "partly", "inadmissible")
    }
    right = sum(row.outcome in ("overturned", "partly") for row in answered)
    assert found.overturn_rate == right / len(answered)
    assert 0 < right < len(answered)


def check_load(found: metrics.Metrics, recount: Recount) -> None:
    mine = defaultdict(list)
    for decision in recount.made():
        if decision.moderator_id is not None:
            mine[decision.moderator_id].append(decision.at.date())
    expected = sorted(mine, key=lambda who: (-len(mine[who]), who))
    assert [(row.decisions, row.days) for row in found.load] == [
        (len(mine[who]), len(set(mine[who]))) for who in expected
    ]
    names = [recount.members[who].handle if recount.members[who].closed_at is None else None for who in expected]
    assert [row.handle for row in found.load] == names
    assert None in names
    assert found.load_left_out == 0


def check_answers(found: metrics.Metrics, recount: Recount) -> None:
    shown = ("published", "shielded")
    answers = defaultdict(list)
    for post in recount.posts:
        asker = recount.threads[post.thread_id].author_id
        if post.kind == "answer" and post.state in shown and post.author_id != asker:
            answers[post.thread_id].append(post.published_at)
    waits: list[int] = []
    table = [[0] * 5 for _ in range(recount.days)]
    for post in recount.posts:
        thread = recount.threads[post.thread_id]
        if post.kind != "opening" or thread.kind != "question" or thread.state not in shown:
            continue
        if not recount.inside(post.published_at):
            continue
        wait = seconds(post.published_at, min(answers[thread.id])) if answers[thread.id] else None
        waits += [] if wait is None else [wait]
        row = table[recount.day(post.published_at)]
        row[0] += 1
        for place, days in ((1, 1), (3, 7)):
            if seconds(post.published_at, recount.now) >= days * 86_400:
                row[place] += 1
                row[place + 1] += wait is not None and wait <= days * 86_400
    figures = found.answers
    assert [(d.questions, d.ripe_24h, d.within_24h, d.ripe_7d, d.within_7d) for d in figures.days] == [
        tuple(row) for row in table
    ]
    sums = [sum(column) for column in zip(*table, strict=True)]
    assert [figures.questions, figures.ripe_24h, figures.within_24h, figures.ripe_7d, figures.within_7d] == sums
    assert figures.answered == len(waits) > 5
    assert figures.median_seconds == middle(waits, 50)
    assert (figures.share_24h, figures.share_7d) == (sums[2] / sums[1], sums[4] / sums[3])


def check_newcomers(found: metrics.Metrics, recount: Recount) -> None:
    by_author = defaultdict(list)
    for post in recount.posts:
        by_author[post.author_id].append(post)
    table = [[0] * 4 for _ in range(recount.days)]
    for posts in by_author.values():
        seen = [post.published_at for post in posts if post.published_at is not None]
        if not seen or not recount.inside(min(seen)):
            continue
        first = min(seen)
        again = [p for p in posts if p.created_at > first and seconds(first, p.created_at) <= 30 * 86_400]
        is_ripe = first <= recount.now - timedelta(days=30)
        row = table[recount.day(first)]
        row[0] += 1
        row[1] += bool(again)
        row[2] += is_ripe
        row[3] += bool(again) and is_ripe
    figures = found.newcomers
    assert [(d.newcomers, d.returned, d.ripe, d.ripe_returned) for d in figures.days] == [tuple(row) for row in table]
    sums = [sum(column) for column in zip(*table, strict=True)]
    assert [figures.newcomers, figures.returned, figures.ripe, figures.ripe_returned] == sums
    assert figures.share == (sums[3] / sums[2] if sums[2] else None)
    assert figures.newcomers > figures.returned > 0


CHECKS = [
    check_window,
    check_waiting,
    check_flow,
    check_depth,
    check_times,
    check_lateness,
    check_decisions,
    check_taken_back,
    check_objections,
    check_load,
    check_answers,
    check_newcomers,
]


def test_every_figure_of_a_year_is_what_a_recount_finds(session: Session, now: datetime) -> None:
    load_texts(session, now)
    live_through(session, now)
    for days in metrics.WINDOWS:
        found, recount = metrics.metrics(session, days=days, now=now), Recount(session, now, days)
        for check in CHECKS:
            check(found, recount)


def test_an_empty_site_has_figures_too(session: Session, now: datetime) -> None:
    found = metrics.metrics(session, days=30, now=now)
    assert found.times == metrics.Times(0, None, None, (), 0)
    assert found.taken_back.rate is None
    assert found.answers.share_24h is None
    assert found.answers.median_seconds is None
    assert found.newcomers.share is None
    assert (found.overturn_rate, found.objections.decided) == (None, 0)
    assert [row.waiting for row in found.now] == [0] * 5
    assert {(day.opened, day.decisions, day.waiting) for day in found.days} == {(0, 0, (0,) * 5)}


def test_the_figures_cost_thirteen_queries_however_many_rows(session: Session, now: datetime) -> None:
    with counting(session) as few:
        metrics.metrics(session, days=365, now=now)
    live_through(session, now)
    with counting(session) as many:
        metrics.metrics(session, days=365, now=now)
    assert len(few) == len(many) == 13, many
