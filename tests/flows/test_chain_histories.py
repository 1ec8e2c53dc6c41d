"""The whole chain as a state machine: random histories of posts, cases, decisions, appeals and sanctions.

A history lives in one transaction that is rolled back at its end; every act is a savepoint, so a refused act leaves
nothing. After each act oracles of their own look at what changed: every move of a post or a case is a legal one, every
restriction has its statement, nobody decided about what they have a part in, nothing was decided twice; at the end all
counters equal their recounts and the audit chain is whole.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from auth import members
from auth.models import Member, RoleGrant
from auth.policy import Actor
from core.errors import AppError, Conflict, Forbidden
from core.vocabulary import (
    LIVE_CASE_STATES,
    AppealOutcome,
    CaseState,
    PostKind,
    PostState,
    RevisionState,
    Role,
    SanctionKind,
    ThreadKind,
    Verdict,
)
from forum import checks as forum_checks
from forum import lifecycle, posting
from forum.gate import Gate, Screening, Submission
from forum.models import Post, Revision
from moderation import appeals, cases, decisions, member_cases, reporting, sanctions, screen, triage
from moderation import checks as moderation_checks
from moderation.models import Appeal, Case, Confirmation, Decision, Report, Sanction, Statement
from moderation.signals import contract, rulebook
from tests.forum.stage import make_member
from tests.moderation.stage import load_texts, make_condition, publish_article

WRITERS = ("ann", "ben", "cora", "mo")
ROLES = {"mo": Role.MODERATOR, "mia": Role.MODERATOR, "lea": Role.LEAD, "lou": Role.LEAD}
JUDGES = tuple(ROLES)
RISKY = "Ring me on 020 7946 0{n:03d} and we talk."
TEXTS = (
    "It has been sore for {n} days.",
    "Walking helped me on day {n}.",
    "My exercises: one, two, and {n} more.",
    RISKY,
    "I don't want to live any more, this is day {n}.",
)
RULES = ("R11-kind", "R3-no-doses", "R5-crisis")
SPECS: tuple[dict[str, Any], ...] = (
    {"kind": "reminder"},
    {"kind": "warning"},
    {"kind": "posting_limit", "days": 7, "daily_limit": 3},
    {"kind": "board_restriction", "days": 7, "board": "backache"},
    {"kind": "suspension", "days": 7},
    {"kind": "termination"},
)
GENTLE = (Verdict.APPROVE, Verdict.RESTORE, Verdict.DISMISS)

# Every legal move of a case, besides staying where it is. Source: docs/moderation.md, cases and claims.
O, C, A, S, D, M = (  # noqa: E741
    CaseState.OPEN,
    CaseState.CLAIMED,
    CaseState.AWAITING_AUTHOR,
    CaseState.AWAITING_SECOND,
    CaseState.DECIDED,
    CaseState.MOOT,
)
CASE_MOVES = {
    *((O, to) for to in (C, A, S, D, M)),
    *((C, to) for to in (O, A, S, D, M)),
    *((A, to) for to in (O, S, D, M)),
    *((S, to) for to in (O, D, M)),
    (D, O),
    (D, S),
}
# Restricted states, and the verdicts of decisions that may lead there.
RESTRICTED = {PostState.REJECTED, PostState.CHANGES_REQUESTED, PostState.HIDDEN, PostState.REMOVED}

# What writers and judges do, as often as it stands here.
WRITING = (
    *("ask", "reply", "edit") * 3,
    *("report", "appeal") * 2,
    "withdraw",
    *("withdraw_what_is_looked_at", "answer_what_was_asked") * 2,
    "take_report_back",
    "acknowledge",
    "time_goes_by",
)
JUDGING = (
    *("restrict", "confirm", "decide_appeal") * 3,
    *("undo_newest",) * 2,
    *("let_stand", "propose") * 2,
    *("decide_again",) * 6,
    "undo",
    "claim",
    "claim_next",
    "release",
    "open_member_case",
    "decide_on_what_was_read_before",
    *("decide_in_own_cause", "ask_for_changes") * 2,
    *("there_and_back",) * 3,
)
# Verdicts about a post in such a state, which are taken back at once, or answered by the opposite.
THERE = {
    PostState.HELD: (Verdict.HIDE, Verdict.SHIELD, Verdict.REJECT, Verdict.APPROVE),
    PostState.SHIELDED: (Verdict.HIDE, Verdict.REMOVE),
    PostState.HIDDEN: (Verdict.REMOVE,),
}


def screening(session: Session, submission: Submission, *, settings: Any, now: datetime) -> Screening:
    """The gate as it is, but words of not wanting to live shield a text instead of holding it, as a site may choose."""
    if "want to live" not in submission.body:
        return screen.screen(session, submission, settings=settings, now=now)
    found = triage.run(contract.Draft(submission.body, rules=rulebook.shipped()))
    lifecycle.lock(session, submission.post_id)
    shields = replace(found, state=PostState.SHIELDED)
    return screen.carry_out(session, submission, shields, country="GB", settings=settings, now=now)


GATE = Gate(screen=screening, held_status=screen.held_status, withdrawn=screen.withdrawn)


class Chain(RuleBasedStateMachine):
    """One history. `session`, `site` and `seen` (what was taken how often) are set on a subclass by the test."""

    session: Session
    site: Any
    start: datetime
    seen: Counter[Any]

    # --- The scene

    # An even chance for everything: a search for odd histories repeats itself too much to take every way often.
    @initialize(chance=st.randoms(use_true_random=True))
    def people(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = self.start
        self.count = 0
        self.log: list[str] = []
        self.stale: dict[int, int] = {}
        self.focus: int | None = None
        if self.session.execute(select(func.count(Member.id))).scalar_one() == 0:
            load_texts(self.session, self.now)
            publish_article(self.session, make_condition(self.session, self.now), self.now)
            for name in dict.fromkeys((*WRITERS, *JUDGES)):
                member = make_member(self.session, name, self.now)
                member.tf_totp_secret = "set up"
                member.approved_count = 0 if name == "cora" else 5
                if name in ROLES:
                    self.session.add(RoleGrant(member_id=member.id, role=ROLES[name], granted_at=self.now))
            self.session.flush()
            self.beginning()
            self.session.commit()
        self.history = self.session.begin_nested()
        self.know_people()
        self.last = self.snapshot()

    def know_people(self) -> None:
        self.ids = dict(self.session.execute(select(Member.handle, Member.id)).all())
        self.names = {number: name for name, number in self.ids.items()}

    def beginning(self) -> None:
        """What every history finds: a question with an answer, a first post that waits, a reported experience."""
        self.know_people()
        question = self.write("ann", ThreadKind.QUESTION, 0)
        self.respond("ben", question.post, PostKind.ANSWER, 1)
        self.write("cora", ThreadKind.QUESTION, 2)
        told = self.write("ben", ThreadKind.EXPERIENCE, 0)
        self.accuse("cora", told.post, RULES[0])
        # He has a part in this thread from the beginning.
        self.respond("mo", question.post, PostKind.COMMENT, 1)
        self.accuse("ben", question.post, RULES[0])

    def teardown(self) -> None:
        if not hasattr(self, "history"):
            return
        try:
            self.check_everything()
        finally:
            self.session.rollback()
            self.session.expire_all()

    @rule()
    def somebody_acts(self) -> None:
        """A writer or a judge."""
        pick, more, code = self.chance.randrange(60), self.chance.randrange(60), self.chance.choice(RULES)
        if self.chance.random() < 0.5:
            act = self.chance.choice(WRITING)
            who = self.chance.choice((*WRITERS, "mia", "lea")) if act == "report" else self.chance.choice(WRITERS)
        else:
            act, who = self.chance.choice(JUDGING), self.chance.choice(JUDGES)
        self.log.append(f"{act}({who!r}, {pick}, {more}, {code!r})")
        getattr(self, act)(who, pick, more, code)

    def check_everything(self) -> None:
        self.session.flush()
        # `approved_count` was given to the cast without posts; everything else is recounted.
        wrong = [line for line in forum_checks.checks(self.session) if "approved" not in line]
        assert wrong + moderation_checks.checks(self.session) == []

    # --- Acting

    @contextmanager
    def act(self, name: str) -> Iterator[None]:
        """One act, whole or not at all; then the oracles."""
        self.now += timedelta(minutes=1)
        self.count += 1
        nested = self.session.begin_nested()
        try:
            yield
            self.session.flush()
            nested.commit()
            self.seen[name] += 1
        except AppError as refused:
            nested.rollback()
            self.seen[f"{name}: {refused.code}"] += 1
        self.session.expire_all()
        try:
            self.look()
        except AssertionError as error:
            error.add_note("\n".join(self.log))
            raise

    def actor(self, name: str) -> Actor:
        member = self.session.get_one(Member, self.ids[name], populate_existing=True)
        return members.actor_of_member(self.session, member, now=self.now)

    def focused_post(self) -> int | None:
        return self.session.execute(select(Case.post_id).where(Case.id == self.focus)).scalar()

    def text(self, pick: int) -> str:
        return TEXTS[pick % len(TEXTS)].format(n=self.count)

    def one(self, table: Any, pick: int, *conditions: Any) -> Any:
        """One of the six newest rows that fit, so that things happen to them while they are fresh."""
        key = table.decision_id if table is Confirmation else table.id
        ids = self.session.execute(select(key).where(*conditions).order_by(key.desc()).limit(6)).scalars().all()
        if not ids:
            raise AppError("nothing-there", "Nobody has made one yet.")
        return self.session.get_one(table, ids[pick % len(ids)], populate_existing=True)

    # --- Writers

    def ask(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("ask"):
            self.write(who, list(ThreadKind)[pick % 2], more)

    def write(self, who: str, kind: ThreadKind, text: int) -> posting.Posted:
        return posting.start_thread(
            self.session,
            self.actor(who),
            board_slug="backache",
            kind=kind,
            title=f"Title {self.count}",
            body=self.text(text),
            gate=GATE,
            settings=self.site.settings,
            now=self.now,
        )

    def reply(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("reply"):
            parent = self.one(Post, pick, Post.state.in_((PostState.PUBLISHED, PostState.SHIELDED)))
            self.respond(who, parent, [PostKind.ANSWER, PostKind.COMMENT][more // 5 % 2], more)

    def respond(self, who: str, parent: Post, kind: PostKind, text: int) -> None:
        posting.add_post(
            self.session,
            self.actor(who),
            thread_id=parent.thread_id,
            kind=kind,
            parent_id=None if kind is PostKind.ANSWER else parent.id,
            body=self.text(text),
            gate=GATE,
            settings=self.site.settings,
            now=self.now,
        )

    def edit(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("edit"):
            self.rewrite(self.one(Post, pick), more)

    def rewrite(self, post: Post, text: int) -> None:
        posting.edit_post(
            self.session,
            self.actor(self.names[post.author_id]),
            post.id,
            version=post.version,
            body=self.text(text),
            title=None,
            gate=GATE,
            settings=self.site.settings,
            now=self.now,
        )

    def withdraw(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("withdraw"):
            post = self.one(Post, pick) if more % 2 else self.one(Post, 0, Post.id == self.focused_post())
            posting.withdraw(self.session, self.actor(self.names[post.author_id]), post.id, gate=GATE, now=self.now)

    def withdraw_what_is_looked_at(self, who: str, pick: int, more: int, code: str) -> None:
        """Its author thinks better of a text while somebody reads it, or after it was restricted."""
        with self.act("withdraw"):
            watched = exists().where(
                Case.post_id == Post.id, Case.state.in_((CaseState.CLAIMED, CaseState.AWAITING_SECOND))
            )
            restricted = Post.state.in_((PostState.HIDDEN, PostState.SHIELDED, PostState.CHANGES_REQUESTED))
            post = self.one(Post, pick, watched if more % 3 else restricted)
            posting.withdraw(self.session, self.actor(self.names[post.author_id]), post.id, gate=GATE, now=self.now)

    def answer_what_was_asked(self, who: str, pick: int, more: int, code: str) -> None:
        """Changes were requested: the author sends a new text or withdraws, or the team does not wait for it."""
        with self.act("answer"):
            asked = exists().where(Case.post_id == Post.id, Case.state == CaseState.AWAITING_AUTHOR)
            post = self.one(Post, pick, asked)
            if more % 4 == 0:
                self.rewrite(post, more)
            elif more % 4 == 1:
                posting.withdraw(self.session, self.actor(self.names[post.author_id]), post.id, gate=GATE, now=self.now)
            elif post.state is PostState.CHANGES_REQUESTED:
                self.rule_on(post, JUDGES[pick % 4], [Verdict.REJECT, Verdict.APPROVE][more // 4 % 2], code)
            else:
                case = self.case_of(post)
                by = self.actor(JUDGES[pick % 4])
                self.carry_out(case, by, Verdict.REMOVE, code, case.version, {"severe": more % 4 == 2})

    def report(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("report"):
            post = self.one(Post, pick, Post.state.in_((PostState.PUBLISHED, PostState.SHIELDED)))
            self.accuse(who, post, code)

    def accuse(self, who: str, post: Post, code: str) -> None:
        reporting.report(
            self.session, self.actor(who), post.id, rule=code, note="", settings=self.site.settings, now=self.now
        )

    def take_report_back(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("take_report_back"):
            report = self.one(Report, pick)
            reporting.withdraw(
                self.session, report.reference, actor=self.actor(self.names[report.reporter_id]), now=self.now
            )

    # --- Judges

    def claim(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("claim"):
            cases.claim(self.session, self.one(Case, pick).id, by=self.actor(who), now=self.now)

    def claim_next(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("claim_next"):
            case = cases.claim_next(self.session, by=self.actor(who), now=self.now)
            assert case is None or not self.has_part(self.ids[who], case), "next offered what its moderator is part of"

    def release(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("release"):
            case = self.one(Case, pick, Case.state == CaseState.CLAIMED)
            cases.release(self.session, case.id, by=self.actor(self.names[case.claimed_by]), now=self.now)

    def restrict(self, who: str, pick: int, more: int, code: str) -> None:
        """Any verdict that the house offers; each has to go through, as it was offered for this very version."""
        with self.act("restrict"):
            self.decide(who, pick, more, code, gentle=False)

    def let_stand(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("let_stand"):
            self.decide(who, pick, more, code, gentle=True)

    def propose(self, who: str, pick: int, more: int, code: str) -> None:
        """Hide or remove as something severe: it waits for a second person."""
        with self.act("propose"):
            states = ((CaseState.CLAIMED,), LIVE_CASE_STATES, (CaseState.DECIDED,))[more % 3]
            case = self.one(Case, pick, Case.state.in_(states), Case.post_id.is_not(None))
            by = self.actor(self.names[case.claimed_by] if case.claimed_by and more % 4 else who)
            offered = decisions.allowed_verdicts(self.session, case, by, self.now)
            chosen = [verdict for verdict in (Verdict.HIDE, Verdict.REMOVE) if verdict in offered]
            if not chosen:
                raise AppError("no-verdict", "There is nothing to hide or remove.")
            self.carry_out(case, by, chosen[more % len(chosen)], code, case.version, {"severe": True})

    def ask_for_changes(self, who: str, pick: int, more: int, code: str) -> None:
        """Of a text that waits, mostly by whoever has just taken its case."""
        with self.act("edit"):
            if pick % 2:
                self.rewrite(self.one(Post, pick, Post.state == PostState.PUBLISHED), TEXTS.index(RISKY))
        with self.act("claim"):
            if more % 4:
                cases.claim(self.session, self.case_of(self.waiting(pick)).id, by=self.actor(who), now=self.now)
        with self.act("ask_for_changes"):
            self.rule_on(self.waiting(pick), who, Verdict.REQUEST_CHANGES, code)
        if more % 5:
            self.answer_what_was_asked(who, pick, more, code)

    def waiting(self, pick: int) -> Post:
        """A post that nobody has read yet, or a public one with an edit that nobody has read."""
        edited = exists().where(Revision.post_id == Post.id, Revision.state == RevisionState.HELD)
        public = Post.state == PostState.PUBLISHED
        found: Post = self.one(Post, pick, (public & edited) | (Post.state == PostState.HELD))
        return found

    def there_and_back(self, who: str, pick: int, more: int, code: str) -> None:
        found: list[Post] = []
        with self.act("there"):
            found.append(self.one(Post, pick, Post.state.in_(THERE)))
            verdicts = THERE[found[0].state]
            self.rule_on(found[0], who, verdicts[more % len(verdicts)], code)
        with self.act("back"):
            if not found:
                raise AppError("nothing-there", "Nothing was decided.")
            decision = self.one(Decision, 0, Decision.case_id == self.case_of(found[0]).id)
            if pick % 3:
                self.take_back(
                    decision, self.actor(self.names[decision.moderator_id] if decision.moderator_id else who)
                )
            else:
                self.choose(self.case_of(found[0]), self.actor(who), more, code, gentle=True)

    def case_of(self, post: Post) -> Case:
        return self.one(Case, 0, Case.post_id == post.id)

    def rule_on(self, post: Post, who: str, verdict: Verdict, code: str) -> None:
        case = self.case_of(post)
        holder = self.names[case.claimed_by] if case.claimed_by else who
        self.carry_out(case, self.actor(holder), verdict, code, case.version)

    def decide_again(self, who: str, pick: int, more: int, code: str) -> None:
        """The case that was decided last, once more, as far as there is more to decide."""
        with self.act("decide_again"):
            if self.focus is None:
                raise AppError("nothing-there", "Nobody has decided anything yet.")
            case = self.session.get_one(Case, self.focus, populate_existing=True)
            self.choose(case, self.actor(who), more, code, gentle=more % 5 == 0)

    def decide(self, who: str, pick: int, verdict: int, code: str, *, gentle: bool) -> None:
        case = self.one(Case, pick, Case.state.in_(LIVE_CASE_STATES)) if pick % 4 else self.one(Case, pick)
        # Whoever holds it mostly decides it, too.
        holder = self.names.get(case.claimed_by) if verdict % 3 else None
        self.choose(case, self.actor(holder or who), verdict, code, gentle=gentle)

    def choose(self, case: Case, by: Actor, verdict: int, code: str, *, gentle: bool) -> None:
        offered = decisions.allowed_verdicts(self.session, case, by, self.now)
        if not offered:
            raise AppError("no-verdict", "There is nothing to decide.")
        chosen = [v for v in offered if (v in GENTLE) is gentle] or offered
        self.carry_out(case, by, chosen[verdict % len(chosen)], code, case.version)

    def carry_out(
        self, case: Case, by: Actor, verdict: Verdict, code: str, version: int, extras: dict[str, Any] | None = None
    ) -> None:
        self.stale.setdefault(case.id, case.version)
        decided = decisions.decide(
            self.session,
            case.id,
            by=by,
            version=version,
            verdict=verdict.value,
            rule=code,
            reason="Read with care.",
            settings=self.site.settings,
            now=self.now,
            **(self.extras(verdict, case) if extras is None else extras),
        )
        self.seen[f"verdict {verdict.value}"] += 1
        assert decided.decision.moderator_id == by.id
        self.focus = case.id

    def extras(self, verdict: Verdict, case: Case) -> dict[str, Any]:
        """What a verdict needs beside rule and reason."""
        if verdict is Verdict.REDACT:
            return {"redactions": [{"start": 0, "end": 5}]}
        if verdict is Verdict.LABEL:
            return {"label": {"text": "Read what is known first.", "reference": "backache#treatments"}}
        if verdict is Verdict.SANCTION:
            return {"sanction": SPECS[self.count % len(SPECS)]}
        if verdict in (Verdict.REMOVE, Verdict.HIDE):
            until = {"until": self.now + timedelta(hours=3)} if verdict is Verdict.HIDE else {}
            chosen: tuple[dict[str, Any], ...] = (until, {"sanction": {"kind": "warning"}}, {})
            return chosen[self.count % 3]
        return {}

    def decide_on_what_was_read_before(self, who: str, pick: int, more: int, code: str) -> None:
        """A decision about an older version than the present one never goes through."""
        with self.act("stale"):
            case = self.one(Case, pick)
            old = self.stale.get(case.id, 1)
            if old >= case.version:
                raise AppError("not-stale", "Nothing has changed since.")
            try:
                self.carry_out(case, self.actor(who), list(Verdict)[more % len(Verdict)], code, old)
            except AppError as refused:
                if isinstance(refused, Conflict):
                    self.seen["refused as stale"] += 1
                raise
            raise AssertionError("a decision about an old version went through")

    def decide_in_own_cause(self, who: str, pick: int, more: int, code: str) -> None:
        """Whoever wrote it, reported it or posted in its thread decides nothing about it."""
        with self.act("own cause"):
            newest = self.session.execute(select(Case).order_by(Case.id.desc()).limit(6)).scalars().all()
            parts = [(name, case) for name in JUDGES for case in newest if self.has_part(self.ids[name], case)]
            if not parts:
                raise AppError("no-part", "Each of them may.")
            who, case = parts[pick % len(parts)]
            try:
                verdict = [Verdict.APPROVE, Verdict.DISMISS, Verdict.HIDE][more % 3]
                self.carry_out(case, self.actor(who), verdict, code, case.version)
            except Forbidden:
                self.seen["refused in own cause"] += 1
                raise
            raise AssertionError("somebody decided about what they have a part in")

    def undo(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("undo"):
            decision = self.one(Decision, pick)
            by = self.actor(self.names[decision.moderator_id] if more % 2 and decision.moderator_id else who)
            self.take_back(decision, by)

    def undo_newest(self, who: str, pick: int, more: int, code: str) -> None:
        """Whoever decided last thinks better of it."""
        with self.act("undo_newest"):
            decision = self.one(Decision, 0, Decision.moderator_id.is_not(None))
            self.take_back(decision, self.actor(self.names[decision.moderator_id]))

    def take_back(self, decision: Decision, by: Actor) -> None:
        decisions.undo(self.session, decision.id, by=by, reason="I misread.", settings=self.site.settings, now=self.now)

    def confirm(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("confirm"):
            waits = exists().where(
                Case.id == Decision.case_id,
                Case.state == CaseState.AWAITING_SECOND,
                Case.round == Decision.round + 1,
            )
            decision = self.one(Decision, pick, waits)
            first = decision.moderator_id
            decisions.confirm(
                self.session,
                decision.id,
                by=self.actor(who),
                agrees=more % 3 > 0,
                reason="I read it too.",
                settings=self.site.settings,
                now=self.now,
            )
            assert first != self.ids[who], "the first decider was their own second person"

    # --- Members and appeals

    def open_member_case(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("open_member_case"):
            member_cases.open_for_member(
                self.session,
                self.ids[WRITERS[pick % 3]],
                by=self.actor(who),
                reason="A pattern.",
                board=None,
                settings=self.site.settings,
                now=self.now,
            )

    def acknowledge(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("acknowledge"):
            warning = self.one(Sanction, pick, Sanction.kind == SanctionKind.WARNING)
            by = self.actor(self.names[warning.member_id])
            sanctions.acknowledge(self.session, warning.id, actor=by, now=self.now)

    def appeal(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("appeal"):
            self.object_to(self.one(Statement, pick))

    def object_to(self, statement: Statement) -> None:
        appeals.appeal(
            self.session, reference=statement.reference, by=None, grounds="I kept to the rule.", now=self.now
        )

    def decide_appeal(self, who: str, pick: int, more: int, code: str) -> None:
        with self.act("decide_appeal"):
            if self.session.execute(select(Appeal.id).where(Appeal.outcome.is_(None)).limit(1)).first() is None:
                self.object_to(self.one(Statement, pick))
            found = self.one(Appeal, pick, Appeal.outcome.is_(None))
            outcome = list(AppealOutcome)[more % 4].value
            deciders = {found.first_decider_id, found.second_decider_id}
            appeals.decide_appeal(
                self.session,
                found.id,
                by=self.actor(who if who in ("lea", "mo") else "lou"),
                outcome=outcome,
                reasons="I read all of it anew.",
                settings=self.site.settings,
                now=self.now,
            )
            self.seen[f"appeal {outcome}"] += 1
            answered = self.session.get_one(Appeal, found.id, populate_existing=True)
            assert answered.decided_by not in deciders, "a decider judged the appeal against their own decision"

    def time_goes_by(self, who: str, pick: int, more: int, code: str) -> None:
        self.now += timedelta(hours=[1, 1, 2, 30][more % 4])
        with self.act("housekeeping"):
            decisions.restore_due(self.session, now=self.now)
            sanctions.finish_ended(self.session, now=self.now)

    # --- Oracles

    def has_part(self, member_id: int, case: Case) -> bool:
        """Author, member judged, reporter, or anybody who posted in the thread: asked of the tables, not the policy."""
        if case.author_id == member_id:
            return True
        if case.post_id is None:
            return False
        judged, other = aliased(Post), aliased(Post)
        reported = exists().where(Report.post_id == case.post_id, Report.reporter_id == member_id)
        posted = exists().where(
            judged.id == case.post_id, other.thread_id == judged.thread_id, other.author_id == member_id
        )
        return bool(self.session.execute(select(reported | posted)).scalar())

    def snapshot(self) -> dict[str, dict[int, Any]]:
        rows = self.session.execute(select(Decision.id, Decision.case_id, Decision.moderator_id)).all()
        return {
            "posts": dict(self.session.execute(select(Post.id, Post.state)).all()),
            "cases": dict(self.session.execute(select(Case.id, Case.state)).all()),
            "decisions": {row.id: row for row in rows},
        }

    def look(self) -> None:
        before, after = self.last, self.snapshot()
        self.last = after
        for number, state in after["posts"].items():
            came_from = before["posts"].get(number, PostState.DRAFT)
            if came_from is not state:
                assert (came_from, state) in lifecycle.MOVES, (came_from, state)
                self.seen[came_from, state] += 1
                if state in RESTRICTED:
                    self.has_reasons(number, state)
        for number, state in after["cases"].items():
            came_from = before["cases"].get(number, state)
            if came_from is not state:
                assert (came_from, state) in CASE_MOVES, (came_from, state)
                self.seen[came_from, state] += 1
        fresh = [row for number, row in after["decisions"].items() if number not in before["decisions"]]
        assert len({row.case_id for row in fresh}) == len(fresh), "one act decided a case twice"
        for row in fresh:
            if row.moderator_id is not None:
                case = self.session.get_one(Case, row.case_id)
                assert not self.has_part(row.moderator_id, case), "somebody decided about what they have a part in"

    def has_reasons(self, post_id: int, state: PostState) -> None:
        """The newest decision that moved this post led there, and its author holds a statement."""
        newest = self.session.execute(
            select(Decision.state_after, Statement.member_id, Decision.undoes_id)
            .join(Case, Case.id == Decision.case_id)
            .outerjoin(Statement, Statement.decision_id == Decision.id)
            .outerjoin(Confirmation, Confirmation.decision_id == Decision.id)
            .where(Case.post_id == post_id, ~Decision.needs_second | Confirmation.agrees)
            .order_by(func.coalesce(Confirmation.at, Decision.at).desc(), Decision.id.desc())
            .limit(1)
        ).one_or_none()
        assert newest is not None and newest.state_after is state, "a restriction without a decision"
        # What an undo or an appeal brought back to a milder restriction keeps the statement that stood for it.
        author = self.session.get_one(Post, post_id).author_id
        assert newest.member_id == author or newest.undoes_id is not None, "a restriction without a statement"


def live(session: Session, site: Any, now: datetime, *, histories: int, steps: int) -> Counter[Any]:
    """Run so many histories; returns how often each act, refusal and move happened."""
    seen: Counter[Any] = Counter()
    machine = type("OneChain", (Chain,), {"session": session, "site": site, "start": now, "seen": seen})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return seen


def test_any_history_of_the_chain_is_sound(session: Session, site: Any, now: datetime) -> None:
    seen = live(session, site, now, histories=150, steps=30)
    # Without these it would prove little.
    for happened in ("ask", "restrict", "let_stand", "undo", "appeal", "refused as stale", "refused in own cause"):
        assert seen[happened] > 0, (happened, seen)


@pytest.mark.soak
def test_long_histories_take_every_way_often(session: Session, site: Any, now: datetime) -> None:
    seen = live(session, site, now, histories=2_000, steps=50)
    print(sorted((str(key), count) for key, count in seen.items()))  # noqa: T201  the long run is read by people
    edges = {edge for edge in lifecycle.MOVES if edge[1] is not PostState.ERASED} | CASE_MOVES
    rare = {edge: seen[edge] for edge in edges if seen[edge] < 50}
    assert rare == {}, sorted((str(edge), count) for edge, count in rare.items())
