"""A stage for moderation's tests: a board with its people, the real gate, the starter's rules and help lines."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member, RoleGrant
from auth.policy import Actor
from content.models import Article, Condition, CrisisResource, Licence, RedFlag, RuleText, Section, Source
from core.config import ROOT, Settings
from core.notifications import Notification
from core.vocabulary import ArticleStatus, PostKind, PostState, Role, ThreadKind, Verdict
from forum import checks as forum_checks
from forum import posting, revisions
from forum.gate import Gate
from forum.models import Post, Revision
from forum.posting import Posted
from moderation import checks, decisions, reports, screen
from moderation.decisions import Decided
from moderation.models import Case, Finding, Report, Statement
from tests.forum.stage import make_member

GATE = Gate(screen=screen.screen, held_status=screen.held_status, withdrawn=screen.withdrawn)
STARTER = ROOT / "content" / "starter"


def load_texts(session: Session, now: datetime) -> None:
    """The rules and help lines that ship with the product."""
    for rule in yaml.safe_load((STARTER / "rules.yaml").read_text()):
        session.add(RuleText(**rule, effective_from=now - timedelta(days=100)))
    for position, line in enumerate(yaml.safe_load((STARTER / "crisis_resources.yaml").read_text())):
        names = ("country", "kind", "name", "phone", "url", "hours")
        session.add(CrisisResource(**{name: line[name] for name in names}, position=position))
    session.flush()


def make_condition(session: Session, now: datetime, name: str = "Backache") -> Condition:
    """A condition with one red flag."""
    condition = Condition(slug=name.lower(), name=name, name_folded=name.lower(), created_at=now)
    session.add(condition)
    session.flush()
    session.add(
        RedFlag(
            condition_id=condition.id,
            code="saddle-numbness",
            text="Numbness between the legs",
            message="Loss of feeling there needs checking now. Call {emergency}.",
            urgency="emergency_now",
            phrases=["numb between my legs", "numbness between my legs"],
            intake_key="associated",
            intake_values=["saddle"],
            position=0,
        )
    )
    session.flush()
    return condition


def publish_article(session: Session, condition: Condition, now: datetime) -> Article:
    """An article of this condition with one section, on treatments."""
    licence = Licence(code="own", name="Our own")
    session.add(licence)
    session.flush()
    source = Source(name="Our own", publisher="Us", url="", licence_id=licence.id)
    session.add(source)
    session.flush()
    article = Article(
        condition_id=condition.id,
        title=condition.name,
        status=ArticleStatus.PUBLISHED,
        source_id=source.id,
        licence_id=licence.id,
        checked_on=now.date(),
        importer="markdown",
        import_key=condition.slug,
        content_hash="",
        created_at=now,
        updated_at=now,
    )
    session.add(article)
    session.flush()
    words = "Most backs heal by themselves."
    session.add(
        Section(
            article_id=article.id,
            position=0,
            key="treatments",
            heading="Treatments",
            source_text=words,
            html=f"<p>{words}</p>",
            text=words,
            teaser=words,
            renderer="1",
        )
    )
    session.flush()
    return article


def actor_for(member: Member, *roles: Role, **facts: Any) -> Actor:
    """The member with these roles, without asking the database again."""
    return Actor(
        id=member.id,
        handle=member.handle,
        roles=frozenset(roles),
        approved_count=member.approved_count,
        country=member.country,
        has_second_factor=bool(roles),
        **facts,
    )


@dataclass
class Stage:
    """Ann, Ben and Dan are known here, Cora is new; Mo and Mia moderate all boards, Lea leads."""

    session: Session
    settings: Settings
    now: datetime
    condition: Condition
    members: dict[str, Member] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Actor:
        try:
            return self.__dict__["actors"][name]
        except KeyError:
            raise AttributeError(name) from None

    # --- Writing

    def ask(self, actor: Actor | None = None, *, body: str | None = None, **more: Any) -> Posted:
        values = {
            "kind": ThreadKind.QUESTION,
            "title": "Why does it hurt?",
            "board_slug": "backache",
            "now": self.now,
            **more,
        }
        return posting.start_thread(
            self.session,
            actor or self.ann,
            body=body or self.text(),
            gate=GATE,
            settings=self.settings,
            **values,
        )

    def answer(self, thread_id: int, actor: Actor | None = None, *, body: str | None = None, **more: Any) -> Posted:
        values = {"kind": PostKind.ANSWER, "now": self.now, **more}
        return posting.add_post(
            self.session,
            actor or self.ben,
            thread_id=thread_id,
            body=body or self.text(),
            gate=GATE,
            settings=self.settings,
            **values,
        )

    def edit(self, post: Post, actor: Actor, **more: Any) -> Posted:
        fresh = self.post(post.id)
        values = {"version": fresh.version, "now": self.now, **more}
        return posting.edit_post(self.session, actor, post.id, gate=GATE, settings=self.settings, **values)

    def withdraw(self, post: Post, actor: Actor) -> Post:
        return posting.withdraw(self.session, actor, post.id, gate=GATE, now=self.now)

    def report(self, post: Post, actor: Actor, *, rule: str = "R11-kind", note: str = "") -> Report:
        return reports.report(self.session, actor, post.id, rule=rule, note=note, settings=self.settings, now=self.now)

    _texts: int = 0

    def text(self) -> str:
        """A harmless text that no other post has."""
        self._texts += 1
        return f"It has been sore for {self._texts} days and walking helps me a little in the evening."

    # --- Moderating

    def decide(self, case: Case, verdict: Verdict | str, by: Actor | None = None, **more: Any) -> Decided:
        values = {
            "version": self.case(case.id).version,
            "rule": "R3-no-doses",
            "reason": "It names an amount.",
            "now": self.now,
            **more,
        }
        return decisions.decide(
            self.session, case.id, by=by or self.mo, verdict=verdict, settings=self.settings, **values
        )

    def undo(self, decided: Decided, by: Actor | None = None, **more: Any) -> Decided:
        values = {"reason": "I pressed the wrong button.", "now": self.now, **more}
        return decisions.undo(self.session, decided.decision.id, by=by or self.mo, settings=self.settings, **values)

    # --- Looking

    def post(self, post_id: int) -> Post:
        return self.session.get_one(Post, post_id, populate_existing=True)

    def case(self, case_id: int) -> Case:
        return self.session.get_one(Case, case_id, populate_existing=True)

    def case_of(self, post: Post) -> Case:
        """The newest case about a post."""
        return self.session.execute(
            select(Case)
            .where(Case.post_id == post.id)
            .order_by(Case.id.desc())
            .limit(1)
            .execution_options(populate_existing=True)
        ).scalar_one()

    def kinds(self, post: Post) -> set[str]:
        """What was found in any text of a post."""
        stmt = (
            select(Finding.kind).join(Revision, Revision.id == Finding.revision_id).where(Revision.post_id == post.id)
        )
        return set(self.session.execute(stmt).scalars())

    def waiting(self, post: Post) -> Revision | None:
        return revisions.waiting(self.session, post.id)

    def told(self, actor: Actor) -> list[str]:
        """What this member was told, oldest first."""
        self.session.flush()
        stmt = select(Notification.kind).where(Notification.member_id == actor.id).order_by(Notification.id)
        return [kind.value for kind in self.session.execute(stmt).scalars()]

    def statements(self) -> list[Statement]:
        return list(self.session.execute(select(Statement).order_by(Statement.id)).scalars())

    def sound(self) -> None:
        """Every invariant of forum and moderation holds."""
        self.session.flush()
        assert forum_checks.checks(self.session) == []
        assert checks.checks(self.session) == []

    # --- Scenes

    def held(self, actor: Actor | None = None, **more: Any) -> tuple[Post, Case]:
        """Cora's first question, waiting."""
        posted = self.ask(actor or self.cora, **more)
        assert posted.post.state is PostState.HELD
        return posted.post, self.case_of(posted.post)

    def reported(self) -> tuple[Post, Case]:
        """Ann's published question, reported by Ben."""
        post = self.ask().post
        self.report(post, self.ben)
        return post, self.case_of(post)

    def held_edit(self) -> tuple[Post, Case]:
        """Ann's published question, with an edit of it that waits because of an address in it."""
        post = self.ask().post
        self.edit(post, self.ann, body="Please write to ann.smith@gmail.com about it.")
        return post, self.case_of(post)


def publish_some(session: Session, stage: "Stage", actor: Actor, count: int) -> Actor:
    """Give a member a real standing: so many published posts; returns the actor with it."""
    for _ in range(count):
        posted = stage.ask(actor)
        if posted.post.state is PostState.HELD:
            stage.decide(stage.case_of(posted.post), Verdict.APPROVE, stage.lea)
    member = session.get_one(Member, actor.id, populate_existing=True)
    return replace(actor, approved_count=member.approved_count)


def build(session: Session, settings: Settings, now: datetime) -> Stage:
    """A new stage in this session's transaction. Those who are known here have published three real posts."""
    load_texts(session, now)
    stage = Stage(session, settings, now, make_condition(session, now))
    cast = {
        "ann": (),
        "ben": (),
        "dan": (),
        "cora": (),
        "mo": (Role.MODERATOR,),
        "mia": (Role.MODERATOR,),
        "lea": (Role.LEAD,),
    }
    for name, roles in cast.items():
        stage.members[name] = make_member(session, name, now)
        for role in roles:
            session.add(RoleGrant(member_id=stage.members[name].id, role=role, granted_at=now))
        everywhere = {"all_boards": True} if Role.MODERATOR in roles else {}
        stage.actors[name] = actor_for(stage.members[name], *roles, **everywhere)
    for name in ("ann", "ben", "dan"):
        stage.actors[name] = publish_some(session, stage, stage.actors[name], 3)
    session.flush()
    return stage
