"""A year and a month of a forum and its moderation, as rows: the same for the same `now`, made without any rule.

It holds what is easy to count wrong: cases that wait already when a window begins, cases that came back, were taken
back, were touched by the site itself first or never by a person, decisions that never took effect, questions that only
their asker answered, answers that were removed, newcomers with one post held for days, accounts that are closed,
instants with parts of a second.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import AppealOutcome, CaseState, PostKind, PostState, Priority, SubjectKind, ThreadKind, Verdict
from forum.models import Board, Post, Thread
from moderation.models import Appeal, Case, CaseSkip, Confirmation, Decision

DAYS = 400
MEMBERS = 520
# The busiest first.
BOARDS = (
    "Backache",
    "Migraine",
    "Asthma",
    "Eczema",
    "Gout",
    "Insomnia",
    "Psoriasis",
    "Tinnitus",
    "Sciatica",
    "Anaemia",
    "Endometriosis",
    "Vertigo",
    "Rosacea",
    "Shingles",
    "Heartburn",
    "Scoliosis",
    "Bursitis",
    "Sinusitis",
    "Tonsillitis",
    "Bunions",
    "Cataract",
    "Hives",
    "Whiplash",
    "Bronchitis",
)
MODERATORS = ("nora", "oskar", "pia", "quin", "rosa", "sven")
# Priority: how often, hours until due, and hours that the middle case takes.
URGENCY = {
    Priority.P0: (0.03, 0.25, 0.15),
    Priority.P1: (0.09, 1, 0.6),
    Priority.P2: (0.40, 12, 4),
    Priority.P3: (0.33, 24, 9),
    Priority.P4: (0.15, 72, 30),
}
RULES = {
    "none": 60,
    "R3-no-doses": 12,
    "R9-no-ads": 10,
    "R7-privacy-own": 7,
    "R11-kind": 6,
    "R4-no-harmful-claims": 3,
    "R2-source": 2,
}
RESTRICTING = (Verdict.REJECT, Verdict.REQUEST_CHANGES, Verdict.HIDE, Verdict.REMOVE)


@dataclass
class Year:
    """Rows as they are made, in the order of time; ids follow from the order, checked when they are written."""

    session: Session
    now: datetime
    chance: random.Random = field(default_factory=lambda: random.Random(20260302))
    # Who answers objections.
    leads: list[int] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        return self.now - timedelta(days=DAYS)

    def a_while(self, hours: float) -> timedelta:
        """Around so many hours: often less, sometimes much more."""
        return timedelta(seconds=hours * 3600 * self.chance.lognormvariate(0, 1.1))

    def write(self, table: type[Any], rows: list[dict[str, Any]]) -> list[int]:
        stmt = insert(table).returning(table.id, sort_by_parameter_order=True)
        return list(self.session.execute(stmt, rows).scalars()) if rows else []


def live_through(session: Session, now: datetime) -> None:
    """Write the year that ends now. About 5,000 rows."""
    year = Year(session, now)
    boards = year.write(Board, [{"slug": name.lower(), "name": name} for name in BOARDS])
    members, moderators = _people(year)
    posts = _talk(year, boards, members)
    year.leads = moderators[:2]
    _moderate(year, posts, moderators)
    session.flush()


def _people(year: Year) -> tuple[list[tuple[int, datetime]], list[int]]:
    """Members with the time when they joined, more and more of them; and who moderates."""
    joined = sorted(year.start + timedelta(days=DAYS * math.sqrt(year.chance.random())) for _ in range(MEMBERS))
    rows = [_member(f"member{n:03}", at) for n, at in enumerate(joined)]
    rows += [_member(name, year.start) for name in MODERATORS]
    rows[-1] |= {"closed_at": year.now - timedelta(days=20), "active": False}
    ids = year.write(Member, rows)
    return list(zip(ids[:MEMBERS], joined, strict=True)), ids[MEMBERS:]


def _member(handle: str, at: datetime) -> dict[str, Any]:
    return {
        "handle": handle,
        "handle_skeleton": f"skeleton of {handle}",
        "email": f"{handle}@example.org",
        "fs_uniquifier": handle,
        "created_at": at,
    }


def _talk(year: Year, boards: list[int], members: list[tuple[int, datetime]]) -> list[dict[str, Any]]:
    """Threads and replies; returns the posts with their ids and boards."""
    chance = year.chance
    moments = []
    for member, joined in members:
        at = joined + year.a_while(3)
        while at < year.now:
            moments.append((at, member))
            if chance.random() < 0.25:
                break
            at += year.a_while(chance.choice((2, 20, 200, 600)))
    moments.sort()
    # Numbers for now; ids when written.
    threads: list[dict[str, Any]] = []
    posts: list[dict[str, Any]] = []
    places: dict[int, int] = {}
    for at, author in moments:
        published = at + year.a_while(5) if chance.random() < 0.4 else at + timedelta(seconds=0.25)
        state = chance.choices(
            (PostState.PUBLISHED, PostState.SHIELDED, PostState.REMOVED, PostState.HIDDEN, PostState.REJECTED),
            (88, 2, 5, 2, 3),
        )[0]
        if published > year.now:
            state = PostState.HELD
        seen = state not in (PostState.HELD, PostState.REJECTED)
        if not threads or chance.random() < 0.42:
            kind = ThreadKind.QUESTION if chance.random() < 0.8 else ThreadKind.EXPERIENCE
            threads.append(_thread(len(threads), kind, author, at, state, chance.choices(boards, _popular(boards))[0]))
            where, what = len(threads) - 1, PostKind.OPENING
        else:
            where = chance.randrange(max(0, len(threads) - chance.choice((3, 6, 30))), len(threads))
            is_question = threads[where]["kind"] is ThreadKind.QUESTION
            what = PostKind.ANSWER if is_question and chance.random() < 0.75 else PostKind.COMMENT
        places[where] = places.get(where, -1) + 1
        posts.append(
            _post(where, what, places[where], author, at, state) | {"published_at": published if seen else None}
        )
    ids = year.write(Thread, threads)
    board_of = [thread["board_id"] for thread in threads]
    for post in posts:
        post["board_id"], post["thread_id"] = board_of[post["thread_id"]], ids[post["thread_id"]]
    written = [{name: value for name, value in post.items() if name != "board_id"} for post in posts]
    for post, post_id in zip(posts, year.write(Post, written), strict=True):
        post["id"] = post_id
    return posts


def _popular(boards: list[int]) -> list[float]:
    return [1 / (n + 1) for n in range(len(boards))]


def _thread(number: int, kind: ThreadKind, author: int, at: datetime, state: PostState, board: int) -> dict[str, Any]:
    return {
        "board_id": board,
        "kind": kind,
        "title": f"Thread {number}",
        "slug": f"thread-{number}",
        "author_id": author,
        "state": state,
        "created_at": at,
        "last_activity_at": at,
    }


def _post(thread: int, kind: PostKind, position: int, author: int, at: datetime, state: PostState) -> dict[str, Any]:
    texts = dict.fromkeys(("source", "html", "text", "excerpt"), "It got better slowly.")
    return texts | {
        "thread_id": thread,
        "kind": kind,
        "position": position,
        "author_id": author,
        "state": state,
        "renderer": "test",
        "created_at": at,
        "was_visible": state not in (PostState.HELD, PostState.REJECTED),
    }


def _moderate(year: Year, posts: list[dict[str, Any]], moderators: list[int]) -> None:
    """A case for most posts, and what became of it."""
    chance = year.chance
    cases: list[dict[str, Any]] = []
    stories: list[list[dict[str, Any]]] = []
    for post in posts:
        # A bad fortnight: everything is reported, and nobody has time.
        bad = timedelta(days=120) < year.now - post["created_at"] < timedelta(days=134)
        if chance.random() > (0.98 if bad else 0.55):
            continue
        names = list(URGENCY)
        priority = chance.choices(names, [URGENCY[name][0] for name in names])[0]
        _, due, takes = URGENCY[priority]
        opened = post["created_at"] + timedelta(seconds=chance.random())
        at = opened + year.a_while(takes * (12 if bad else 1))
        case, story = _case(post, priority, opened, opened + timedelta(hours=due)), []
        _unfold(year, case, story, at, moderators)
        if case["state"] is CaseState.OPEN and chance.random() < 0.2:
            case |= {"state": CaseState.CLAIMED, "claimed_by": moderators[0], "claimed_until": year.now}
        case["round"] = len(story) + 1
        cases.append(case)
        stories.append(story)
    ids = year.write(Case, cases)
    decisions = []
    for case_id, story in zip(ids, stories, strict=True):
        decisions += [decision | {"case_id": case_id, "round": n} for n, decision in enumerate(story, start=1)]
    undoings = [decision.pop("undoes") for decision in decisions]
    seconds = [decision.pop("agrees") for decision in decisions]
    written = year.write(Decision, decisions)
    _confirm(year, decisions, written, seconds, moderators)
    for decision_id, undoes in zip(written, undoings, strict=True):
        if undoes:
            year.session.get_one(Decision, decision_id).undoes_id = decision_id - 1
    _pass_over(year, decisions, moderators)
    _object(year, decisions, written, {case_id: case["author_id"] for case_id, case in zip(ids, cases, strict=True)})


def _pass_over(year: Year, decisions: list[dict[str, Any]], moderators: list[int]) -> None:
    """Before one decision in nine, somebody had let the case pass."""
    rows = [
        {
            "case_id": decision["case_id"],
            "moderator_id": moderators[place % len(moderators)],
            "case_version": 1,
            "reason": "Not my field.",
            "at": decision["at"] - timedelta(minutes=5),
        }
        for place, decision in enumerate(decisions)
        if place % 9 == 0
    ]
    year.session.execute(insert(CaseSkip), rows)


def _confirm(
    year: Year, decisions: list[dict[str, Any]], ids: list[int], seconds: list[bool | None], moderators: list[int]
) -> None:
    """What the second persons said, an hour after the first."""
    rows = [
        {
            "decision_id": decision_id,
            "first_decider_id": decision["moderator_id"],
            "confirmed_by": next(one for one in moderators if one != decision["moderator_id"]),
            "agrees": agrees,
            "reason": "Read again.",
            "at": decision["at"] + timedelta(hours=1),
        }
        for decision, decision_id, agrees in zip(decisions, ids, seconds, strict=True)
        if agrees is not None
    ]
    year.session.execute(insert(Confirmation), rows)


def _object(year: Year, decisions: list[dict[str, Any]], ids: list[int], authors: dict[int, int]) -> None:
    """Objections to one restriction in four, some answered late, some not yet, some of the site's own decisions."""
    chance, rows = year.chance, []
    for decision, decision_id in zip(decisions, ids, strict=True):
        if decision["verdict"] not in RESTRICTING or decision["needs_second"] or chance.random() > 0.25:
            continue
        opened = decision["at"] + year.a_while(30)
        answered = opened + year.a_while(24 * 9)
        if opened >= year.now:
            continue
        outcome = chance.choices(tuple(AppealOutcome), (50, 30, 12, 8))[0] if answered < year.now else None
        row = {
            "reference": f"{decision_id:032x}",
            "decision_id": decision_id,
            "appellant_id": authors[decision["case_id"]],
            "first_decider_id": decision["moderator_id"],
            "grounds": "I see it differently.",
            "opened_at": opened,
            "deadline_at": opened + timedelta(days=180),
            "due_at": opened + timedelta(days=14),
            "outcome": outcome,
            "reasons": "We looked at it anew." if outcome else "",
            "decided_by": None,
            "decided_at": answered if outcome else None,
        }
        if outcome:
            row["decided_by"] = next(one for one in year.leads if one != decision["moderator_id"])
        rows.append(row)
    year.write(Appeal, rows)


def _case(post: dict[str, Any], priority: Priority, opened: datetime, due: datetime) -> dict[str, Any]:
    return {
        "subject_kind": SubjectKind.POST,
        "post_id": post["id"],
        "board_id": post["board_id"],
        "author_id": post["author_id"],
        "state": CaseState.OPEN,
        "priority": priority,
        "lane": {Priority.P0: 0, Priority.P1: 1}.get(priority, 2),
        "due_at": due,
        "claimed_by": None,
        "claimed_until": None,
        "opened_at": opened,
        "decided_at": None,
    }


def _unfold(year: Year, case: dict[str, Any], story: list[dict[str, Any]], at: datetime, moderators: list[int]) -> None:
    """What happens to one case, as far as it has happened by now."""
    chance = year.chance
    fate = chance.random()

    def decided(
        verdict: Verdict,
        who: int | None,
        when: datetime,
        *,
        undoes: bool = False,
        needs_second: bool = False,
        agrees: bool | None = None,
    ) -> bool:
        if when >= year.now:
            return False
        rule = "none" if verdict in (Verdict.APPROVE, Verdict.DISMISS) else chance.choices(*_restricting_rules())[0]
        row = _decision(verdict, rule, who, when)
        story.append(row | {"undoes": undoes, "needs_second": needs_second, "agrees": agrees})
        return True

    who = chance.choices(moderators, (40, 24, 15, 9, 7, 5))[0]
    if fate > 0.98:
        # It was overlooked for a while.
        at += timedelta(days=chance.randrange(2, 40))
    verdict = chance.choices((Verdict.APPROVE, Verdict.DISMISS, *RESTRICTING), (62, 12, 8, 6, 3, 9))[0]
    if fate < 0.03 and at < year.now:
        case |= {"state": CaseState.MOOT, "decided_at": at}
        return
    if fate < 0.06:
        # The site hides it at once. Sometimes that is all that ever happens.
        if not decided(Verdict.HIDE, None, case["opened_at"] + timedelta(minutes=1)):
            return
        if fate < 0.04:
            case |= {"state": CaseState.DECIDED, "decided_at": case["opened_at"] + timedelta(minutes=1)}
            return
    if 0.2 < fate < 0.3:
        # Something is said that settles nothing: refused by the second person, called off, lapsed, or passed on.
        early, other = case["opened_at"] + (at - case["opened_at"]) / 3, chance.choice(moderators)
        if fate < 0.24:
            decided(Verdict.REMOVE, other, early, needs_second=True, agrees=False)
        elif fate < 0.26:
            if decided(Verdict.HIDE, other, early, needs_second=True):
                decided(Verdict.RESTORE, other, early + timedelta(seconds=9), undoes=True)
        else:
            is_lapsed = fate < 0.28
            decided(Verdict.HIDE if is_lapsed else Verdict.ESCALATE, other, early, needs_second=is_lapsed)
    two = verdict in (Verdict.HIDE, Verdict.REMOVE) and 0.3 < fate < 0.5
    if not decided(verdict, who, at, needs_second=two, agrees=True if two else None):
        return
    if verdict is Verdict.REQUEST_CHANGES:
        case["state"] = CaseState.AWAITING_AUTHOR
        again = at + year.a_while(60)
        if chance.random() < 0.8 and decided(Verdict.APPROVE, who, again):
            case |= {"state": CaseState.DECIDED, "decided_at": again}
        return
    case |= {"state": CaseState.DECIDED, "decided_at": at}
    if fate > 0.95 and decided(Verdict.RESTORE, chance.choice(moderators), at + year.a_while(4), undoes=True):
        # Taken back: it waits once more.
        case |= {"state": CaseState.OPEN, "decided_at": None}
        if decided(Verdict.APPROVE, who, at + timedelta(hours=80)):
            case |= {"state": CaseState.DECIDED, "decided_at": at + timedelta(hours=80)}


def _restricting_rules() -> tuple[list[str], list[int]]:
    broken = {code: weight for code, weight in RULES.items() if code != "none"}
    return list(broken), list(broken.values())


def _decision(verdict: Verdict, rule: str, who: int | None, at: datetime) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "rule_code": rule,
        "rule_version": 1,
        "reason": "It is said here why.",
        "moderator_id": who,
        "text_judged": "It got better slowly.",
        "state_before": PostState.PUBLISHED,
        "state_after": PostState.PUBLISHED,
        "at": at,
    }
