"""What a first visitor finds: demo members, threads and a queue, made through the same rules as everything else."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auth.members import actor_of_member, create_member, grant_role
from auth.models import Member
from auth.policy import Actor
from content.models import RuleText
from core.config import Settings
from core.vocabulary import PostKind, Role, ThreadKind, Verdict
from forum import posting, votes
from forum.gate import Gate
from forum.intake import IntakeInput
from moderation import cases, decisions, reports

TEXTS = Path(__file__).parent / "demo.yaml"
# How long the demo moderator took for each post, so that waiting times have a history.
READING_TIME = timedelta(minutes=25)


def exists(session: Session) -> bool:
    """Whether the demo members are there already."""
    return session.execute(select(Member.id).where(Member.is_demo).limit(1)).first() is not None


def lock_accounts(session: Session) -> None:
    """Nobody signs in as a demo member any more: the site listens on an address that others can reach."""
    session.execute(update(Member).where(Member.is_demo).values(active=False))


def unlock_accounts(session: Session) -> None:
    session.execute(update(Member).where(Member.is_demo, Member.closed_at.is_(None)).values(active=True))


def logins(session: Session) -> list[tuple[str, str, str | None]]:
    """(handle, role, TOTP secret as stored) of one member, one newcomer and the staff who can still sign in."""
    texts = _texts()
    roles = {texts["members"][0]["handle"]: "member", texts["members"][-1]["handle"]: "newcomer"}
    roles |= {row["handle"]: row["role"] for row in texts["staff"]}
    found = session.execute(
        select(Member.handle, Member.tf_totp_secret).where(Member.handle.in_(roles), Member.is_demo, Member.active)
    ).all()
    secrets = {row.handle: row.tf_totp_secret for row in found}
    return [(handle, role, secrets[handle]) for handle, role in roles.items() if handle in secrets]


def make_members(session: Session, *, password_hash: str, totp_secrets: Mapping[str, str], now: datetime) -> None:
    """The cast. `totp_secrets`: one for each handle of the staff."""
    texts = _texts()
    began = now - timedelta(days=60)
    # The demo's history begins before the site did: its rules have to be in force by then.
    session.execute(update(RuleText).where(RuleText.version == 1).values(effective_from=began))
    for row in texts["members"] + texts["staff"]:
        member = create_member(
            session,
            handle=row["handle"],
            email=f"{row['handle']}@example.org",
            password_hash=password_hash,
            birth_year=1980,
            now=began,
            confirmed_at=began,
            country=row.get("country", "GB"),
            is_demo=True,
        )
        if "role" in row:
            member.tf_primary_method = "authenticator"
            member.tf_totp_secret = totp_secrets[row["handle"]]
            grant_role(session, member, Role(row["role"]), by=None, now=began)


def staff_handles() -> list[str]:
    return [row["handle"] for row in _texts()["staff"]]


def make_threads(session: Session, *, gate: Gate, settings: Settings, now: datetime) -> None:
    """Threads, answers and comments in the order of time, each read by the demo moderator; then the waiting ones."""
    stage = _Stage(session, gate, settings)
    texts = _texts()
    acts = []
    for row in texts["threads"]:
        start = now - timedelta(hours=row["hours_ago"])
        acts.append((start, "thread", row, None))
        acts += [(start + _after(answer), "answer", answer, row) for answer in row["answers"]]
        for parent in [row, *row["answers"]]:
            acts += [(start + _after(comment), "comment", comment, parent) for comment in parent.get("comments", [])]
    for at, kind, row, parent in sorted(acts, key=lambda act: act[0]):
        stage.play(kind, row, parent, at)
    for row in texts["waiting"]:
        stage.start(row, now - timedelta(hours=row["hours_ago"]))
    for row in texts["reports"]:
        thread = next(t for t in texts["threads"] if t["title"] == row["thread"])
        post_id = stage.posts[id(thread["answers"][row["answer"]])]
        by = stage.actor(row["reporter"], now)
        reports.report(session, by, post_id, rule=row["rule"], note=row["note"], settings=settings, now=now)


def _after(row: Mapping[str, Any]) -> timedelta:
    return timedelta(hours=row["hours_after"])


def _texts() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return loaded


class _Stage:
    """One performance of the texts: remembers which row became which post."""

    def __init__(self, session: Session, gate: Gate, settings: Settings) -> None:
        self.session, self.gate, self.settings = session, gate, settings
        self.posts: dict[int, int] = {}
        self.threads: dict[int, int] = {}

    def actor(self, handle: str, now: datetime) -> Actor:
        member = self.session.execute(select(Member).where(Member.handle == handle)).scalar_one()
        self.session.refresh(member)
        return actor_of_member(self.session, member, now=now)

    def play(self, kind: str, row: dict[str, Any], parent: dict[str, Any] | None, at: datetime) -> None:
        if kind == "thread":
            posted = self.start(row, at)
        else:
            assert parent is not None  # only threads stand alone
            posted = posting.add_post(
                self.session,
                self.actor(row["author"], at),
                thread_id=self.threads[id(parent)],
                kind=PostKind(kind),
                body=row["body"],
                parent_id=self.posts[id(parent)] if kind == "comment" else None,
                gate=self.gate,
                settings=self.settings,
                now=at,
            )
            self.remember(row, posted)
        if posted.held:
            self.approve(posted.post.id, at + READING_TIME)
        for handle in row.get("helpful", ()):
            later = at + timedelta(hours=1)
            votes.mark_helpful(
                self.session, self.actor(handle, later), posted.post.id, settings=self.settings, now=later
            )

    def start(self, row: dict[str, Any], at: datetime) -> posting.Posted:
        posted = posting.start_thread(
            self.session,
            self.actor(row["author"], at),
            board_slug=row["board"],
            kind=ThreadKind(row["kind"]),
            title=row["title"],
            body=row["body"],
            intake=[IntakeInput(key, tuple(values)) for key, values in row.get("intake", {}).items()],
            was_misdiagnosed=row.get("was_misdiagnosed", False),
            gate=self.gate,
            settings=self.settings,
            now=at,
        )
        self.remember(row, posted)
        return posted

    def remember(self, row: dict[str, Any], posted: posting.Posted) -> None:
        self.posts[id(row)], self.threads[id(row)] = posted.post.id, posted.thread.id

    def approve(self, post_id: int, at: datetime) -> None:
        case = cases.live_case(self.session, post_id)
        assert case is not None  # a held post has one
        moderator = self.actor("kestrel", at)
        case = cases.claim(self.session, case.id, by=moderator, now=at)
        decisions.decide(
            self.session,
            case.id,
            by=moderator,
            version=case.version,
            verdict=Verdict.APPROVE.value,
            settings=self.settings,
            now=at,
        )
