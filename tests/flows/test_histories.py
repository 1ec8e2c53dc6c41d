"""Long random histories through the real gate and real decisions: whatever happens, everything adds up."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor
from core.errors import AppError
from core.vocabulary import PostKind, PostState, Role, ThreadKind, Verdict
from forum import checks as forum_checks
from forum import posting, votes
from forum.models import Post, Thread
from moderation import cases, decisions, reports
from moderation import checks as moderation_checks
from moderation.models import Case, Decision
from tests.forum.stage import make_member
from tests.moderation.stage import GATE, actor_for, load_texts, make_condition

TEXTS = [
    "It has been sore for {n} days.",
    "Walking helped me on day {n}.",
    "Ring me on 020 7946 0{n:03d} and we talk.",
    "I read it on https://example.org/{n}, have a look.",
    "My exercises: one, two, and {n} more.",
]


class History:
    """Writers and moderators who do whatever comes to their minds, one act a minute."""

    def __init__(self, session: Session, settings: Any, now: Any, seed: int) -> None:
        self.session, self.settings, self.now = session, settings, now
        self.random = random.Random(seed)
        self.count = 0
        self.outcomes: Counter[str] = Counter()
        load_texts(session, now)
        make_condition(session, now)
        self.writers = [make_member(session, name, now).id for name in ("Ann", "Ben", "Cora", "Dan")]
        staff = [make_member(session, name, now) for name in ("Mo", "Mia")]
        self.moderators = [actor_for(member, Role.MODERATOR, all_boards=True) for member in staff]
        self.moderators.append(actor_for(make_member(session, "Lea", now), Role.LEAD))
        session.commit()

    def run(self, steps: int, *, check_every: int) -> None:
        acts = [self.ask, self.reply, self.reply, self.edit, self.edit, self.withdraw, self.vote, self.report]
        acts += [self.decide] * 6 + [self.undo] * 2
        for step in range(steps):
            self.now += timedelta(minutes=1)
            act = self.random.choice(acts)
            try:
                act()
                self.session.commit()
                self.outcomes[act.__name__] += 1
            except AppError as error:
                self.session.rollback()
                self.outcomes[f"{act.__name__}: {error.code}"] += 1
            if step % check_every == 0:
                self.check(step)
        self.check(steps)

    def check(self, step: int) -> None:
        wrong = forum_checks.checks(self.session) + moderation_checks.checks(self.session)
        assert wrong == [], (step, self.outcomes)

    # --- Whom and what

    def writer(self) -> Actor:
        member = self.session.get_one(Member, self.random.choice(self.writers), populate_existing=True)
        return actor_for(member)

    def text(self) -> str:
        self.count += 1
        return self.random.choice(TEXTS).format(n=self.count)

    def one(self, table: type, *conditions: Any) -> Any:
        """A random row; the latest ones come more often, so that things happen to them while they are fresh."""
        ids = self.session.execute(select(table.id).where(*conditions).order_by(table.id)).scalars().all()  # type: ignore[attr-defined]
        if not ids:
            raise AppError("nothing-there", "Nobody has made one yet.")
        chosen = self.random.choice(ids[-6:] if self.random.random() < 0.7 else ids)
        return self.session.get_one(table, chosen, populate_existing=True)

    # --- Acts

    def ask(self) -> None:
        posting.start_thread(
            self.session,
            self.writer(),
            board_slug=self.random.choice(["backache", "unsorted"]),
            kind=self.random.choice(list(ThreadKind)),
            title=f"Title {self.count}",
            body=self.text(),
            gate=GATE,
            settings=self.settings,
            now=self.now,
        )

    def reply(self) -> None:
        parent = self.one(Post, Post.state == PostState.PUBLISHED)
        posting.add_post(
            self.session,
            self.writer(),
            thread_id=parent.thread_id,
            kind=self.random.choice([PostKind.ANSWER, PostKind.COMMENT]),
            parent_id=self.random.choice([None, parent.id]),
            body=self.text(),
            gate=GATE,
            settings=self.settings,
            now=self.now,
        )

    def own(self) -> tuple[Actor, Post]:
        author = self.writer()
        return author, self.one(Post, Post.author_id == author.id)

    def edit(self) -> None:
        author, post = self.own()
        titled = post.kind is PostKind.OPENING and self.random.random() < 0.5
        posting.edit_post(
            self.session,
            author,
            post.id,
            version=post.version,
            body=self.text(),
            title=f"Other title {self.count}" if titled else None,
            gate=GATE,
            settings=self.settings,
            now=self.now,
        )

    def withdraw(self) -> None:
        if self.random.random() < 0.6:
            raise AppError("thought-better-of-it", "Most people leave their words.")
        author, post = self.own()
        posting.withdraw(self.session, author, post.id, gate=GATE, now=self.now)

    def vote(self) -> None:
        answer = self.one(Post, Post.kind == PostKind.ANSWER, Post.state == PostState.PUBLISHED)
        if self.random.random() < 0.7:
            votes.mark_helpful(self.session, self.writer(), answer.id, settings=self.settings, now=self.now)
        else:
            votes.unmark_helpful(self.session, self.writer(), answer.id)

    def report(self) -> None:
        reports.report(
            self.session,
            self.writer(),
            self.one(Post, Post.state == PostState.PUBLISHED).id,
            rule="R11-kind",
            note="Unkind.",
            settings=self.settings,
            now=self.now,
        )

    def decide(self) -> None:
        moderator = self.random.choice(self.moderators)
        case = self.one(Case)
        possible = decisions.allowed_verdicts(self.session, case, moderator, self.now)
        if not possible:
            raise AppError("no-verdict", "There is nothing to decide.")
        if self.random.random() < 0.5:
            cases.claim(self.session, case.id, by=moderator, now=self.now)
            case = self.session.get_one(Case, case.id, populate_existing=True)
        kind = (Verdict.APPROVE, Verdict.RESTORE, Verdict.DISMISS)
        verdict = self.random.choices(possible, weights=[5 if v in kind else 1 for v in possible])[0]
        decisions.decide(
            self.session,
            case.id,
            by=moderator,
            version=case.version,
            verdict=verdict.value,
            rule="R11-kind",
            reason="Read.",
            settings=self.settings,
            now=self.now,
        )
        self.outcomes[f"verdict {verdict.value}"] += 1

    def undo(self) -> None:
        decision = self.one(Decision)
        moderator = next(m for m in self.moderators if m.id == decision.moderator_id)
        decisions.undo(
            self.session, decision.id, by=moderator, reason="I misread.", settings=self.settings, now=self.now
        )


Make = Callable[[int], History]


@pytest.fixture
def history(session: Session, site: Any, now: Any) -> Make:
    return lambda seed: History(session, site.settings, now, seed)


def test_after_a_random_history_everything_adds_up(history: Make) -> None:
    lived = history(20260302)
    lived.run(250, check_every=25)
    # Without these it would prove little.
    for happened in ("ask", "reply", "edit", "withdraw", "vote", "report", "decide", "undo"):
        assert lived.outcomes[happened] > 0, lived.outcomes
    assert lived.session.execute(select(Thread.id)).first() is not None


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(40))
def test_after_many_random_histories_everything_adds_up(history: Make, seed: int) -> None:
    history(seed).run(1_000, check_every=50)
