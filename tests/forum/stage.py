"""A stage for the forum's tests: members, a condition with questions, and a gate that is told what to say."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor
from content.models import Condition, IntakeField
from core.config import Settings
from core.text import confusable_skeleton, fold
from core.vocabulary import PostKind, PostState, Role, ThreadKind, Visibility
from forum import posting
from forum.checks import checks
from forum.gate import Gate, GuidanceNote, HeldReason, HeldStatus, Resource, Screening, Submission
from forum.models import Post, Revision
from forum.posting import Posted

NOTE = GuidanceNote("red_flag", "same_day", "See a doctor today.", (Resource("Line", "116 123", "", "day and night"),))


@dataclass
class Doorkeeper:
    """A gate of its own: it lets everything pass, or says what a text's first word tells it ("HOLD", "SHIELD")."""

    seen: list[Submission] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)

    def screen(self, session: Session, submission: Submission, *, settings: Settings, now: datetime) -> Screening:
        # What the gate is told must stand in the database already: it points to it.
        assert session.get(Revision, submission.revision_id) is not None
        self.seen.append(submission)
        if submission.body.startswith("HOLD"):
            return Screening(PostState.HELD, (NOTE,))
        if submission.body.startswith("SHIELD"):
            return Screening(PostState.SHIELDED)
        return Screening(PostState.PUBLISHED)

    def held_status(self, session: Session, post_id: int, *, settings: Settings, now: datetime) -> HeldStatus | None:
        waiting = session.execute(
            select(Revision.id).where(Revision.post_id == post_id, Revision.state == "held")
        ).first()
        if waiting is None:
            return None
        return HeldStatus((HeldReason("newcomer", "A person reads first posts."),), 1, None, (8, 20))

    def tell(self, session: Session, post_id: int, *, now: datetime) -> None:
        self.withdrawn.append(post_id)

    def gate(self) -> Gate:
        return Gate(screen=self.screen, held_status=self.held_status, withdrawn=self.tell)


_number = count(1)


def make_member(session: Session, handle: str, now: datetime, *, approved: int = 0) -> Member:
    """A confirmed member; `approved` gives a standing without the posts, so it is not for tests that recount."""
    member = Member(
        handle=handle,
        handle_skeleton=confusable_skeleton(handle),
        email=f"{handle.lower()}@example.org",
        fs_uniquifier=f"{handle}-{next(_number)}",
        confirmed_at=now,
        created_at=now,
        country="GB",
        approved_count=approved,
    )
    session.add(member)
    session.flush()
    return member


def actor_for(member: Member, *roles: Role, **facts: Any) -> Actor:
    return Actor(
        id=member.id,
        handle=member.handle,
        roles=frozenset(roles),
        approved_count=member.approved_count,
        country=member.country,
        has_second_factor=bool(roles),
        **facts,
    )


def make_condition(session: Session, now: datetime, name: str = "Backache") -> Condition:
    condition = Condition(slug=fold(name).replace(" ", "-"), name=name, name_folded=fold(name), created_at=now)
    session.add(condition)
    session.flush()
    return condition


def ask_intake(session: Session, condition: Condition) -> None:
    """Four questions, one of each type."""
    everyone = [v.value for v in Visibility]
    options = [{"value": "25-34", "label": "25 to 34"}, {"value": "35-44", "label": "35 to 44"}]
    sites = [{"value": "low", "label": "Low back"}, {"value": "neck", "label": "Neck"}]
    for position, (key, kind, choices, default, allowed) in enumerate(
        [
            ("age_band", "choice", options, Visibility.MEMBERS, ["members", "helpers", "private"]),
            ("site", "multi", sites, Visibility.PUBLIC, everyone),
            ("severity_0_10", "number", [], Visibility.PUBLIC, everyone),
            ("tried", "text", [], Visibility.HELPERS, everyone),
        ]
    ):
        session.add(
            IntakeField(
                condition_id=condition.id,
                position=position,
                key=key,
                label=f"Question {key}?",
                why_asked="It helps.",
                type=kind,
                options=choices,
                default_visibility=default,
                allowed_visibility=allowed,
            )
        )
    session.flush()


@dataclass
class Stage:
    """One condition's board and its people: Ann asks, Ben answers, Cora is new, Mo moderates."""

    session: Session
    settings: Settings
    now: datetime
    keeper: Doorkeeper
    condition: Condition
    ann: Actor
    ben: Actor
    cora: Actor
    mo: Actor

    @property
    def gate(self) -> Gate:
        return self.keeper.gate()

    def ask(self, actor: Actor | None = None, *, body: str = "It hurts.", **more: Any) -> Posted:
        values = {"kind": ThreadKind.QUESTION, "title": "Why does it hurt?", "board_slug": "backache", **more}
        return posting.start_thread(
            self.session,
            actor or self.ann,
            body=body,
            gate=self.gate,
            settings=self.settings,
            **{"now": self.now, **values},
        )

    def answer(self, thread_id: int, actor: Actor | None = None, *, body: str = "Try a walk.", **more: Any) -> Posted:
        values = {"kind": PostKind.ANSWER, "now": self.now, **more}
        return posting.add_post(
            self.session,
            actor or self.ben,
            thread_id=thread_id,
            body=body,
            gate=self.gate,
            settings=self.settings,
            **values,
        )

    def comment(self, thread_id: int, actor: Actor | None = None, **more: Any) -> Posted:
        return self.answer(thread_id, actor, **{"kind": PostKind.COMMENT, "body": "How long?", **more})

    def edit(self, post: Post, actor: Actor | None = None, **more: Any) -> Posted:
        values = {"version": post.version, "now": self.now, **more}
        return posting.edit_post(
            self.session, actor or self.ann, post.id, gate=self.gate, settings=self.settings, **values
        )

    def fresh(self, post: Post) -> Post:
        return self.session.get_one(Post, post.id, populate_existing=True)

    def sound(self) -> None:
        """Every counter, pointer and state still adds up."""
        self.session.flush()
        assert checks(self.session) == []


def build(session: Session, settings: Settings, now: datetime) -> Stage:
    """A new stage in this session's transaction."""
    condition = make_condition(session, now)
    people = {name: make_member(session, name.title(), now) for name in ("ann", "ben", "cora", "mo")}
    actors = {name: actor_for(member) for name, member in people.items()}
    actors["mo"] = actor_for(people["mo"], Role.MODERATOR, all_boards=True)
    session.commit()
    return Stage(session, settings, now, Doorkeeper(), condition, **actors)
