"""Unfinished texts, kept on the server so that a closed window or another device loses nothing."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from auth.policy import Actor, require
from core import limits
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound, invalid
from core.text import is_blank, normalise
from core.vocabulary import Action
from forum.models import Draft

KEEP = timedelta(days=30)  # after the last change
MAX_DRAFTS = 50
# A draft may be longer than a post can be, so that its writer can shorten it in peace.
MAX_CHARS = 100_000
_COMPOSER = re.compile(r"/(boards/[a-z0-9-]+/(ask|share)|threads/\d+(/[a-z0-9-]+)?(/(answer|comment))?|posts/\d+/edit)")


@dataclass(frozen=True)
class DraftView:
    """One draft in the list of one's own; `is_for` is its composer's address."""

    id: int
    path: str
    title: str
    body: str
    extra: dict[str, Any]
    updated_at: datetime
    kept_until: datetime


def save(
    session: Session,
    actor: Actor,
    *,
    path: str,
    title: str,
    body: str,
    settings: Settings,
    now: datetime,
    extra: dict[str, Any] | None = None,
    draft_id: int | None = None,
) -> Draft:
    """Keep a text: a new draft, or the newer state of one's own. `extra`: the composer's other fields."""
    require(actor, Action.KEEP_DRAFT)
    if not _COMPOSER.fullmatch(path):
        raise invalid("path", "A draft belongs to the page of a composer.")
    texts = {"title": normalise(title, field="title"), "body": normalise(body, field="body")}
    if is_blank(title) and is_blank(body):
        raise Invalid("invalid-field", "There is nothing to keep yet.", errors=[("body", "Please write something.")])
    for field, text in texts.items():
        if len(text) > MAX_CHARS:
            raise invalid(field, f"A draft holds at most {MAX_CHARS:,} characters.")
    limits.spend(session, actor.id or 0, "draft", now=now, enforced=settings.limits)
    if draft_id is not None:
        draft = get(session, actor, draft_id)
    else:
        count = session.execute(select(func.count(Draft.id)).where(Draft.author_id == actor.id)).scalar_one()
        if count >= MAX_DRAFTS:
            raise Conflict("too-many-drafts", f"You have {MAX_DRAFTS} drafts. Please delete one that you do not need.")
        draft = Draft(author_id=actor.id, path=path, created_at=now)
        session.add(draft)
    draft.path, draft.title, draft.body = path, texts["title"], texts["body"]
    draft.extra, draft.updated_at = extra or {}, now
    session.flush()  # the door answers with its id
    return draft


def get(session: Session, actor: Actor, draft_id: int) -> Draft:
    """One's own draft; anybody else's does not exist."""
    require(actor, Action.KEEP_DRAFT)
    draft = session.get(Draft, draft_id, populate_existing=True)
    if draft is None or draft.author_id != actor.id:
        raise NotFound()
    return draft


def mine(session: Session, actor: Actor) -> list[DraftView]:
    """One's own drafts, the last changed first; at most MAX_DRAFTS."""
    require(actor, Action.KEEP_DRAFT)
    stmt = (
        select(Draft)
        .where(Draft.author_id == actor.id)
        .order_by(Draft.updated_at.desc(), Draft.id.desc())
        .limit(MAX_DRAFTS)
    )
    return [
        DraftView(d.id, d.path, d.title, d.body, d.extra, d.updated_at, d.updated_at + KEEP)
        for d in session.execute(stmt).scalars()
    ]


def drop(session: Session, actor: Actor, draft_id: int) -> bool:
    """Delete one's own draft (its text was sent, or is not wanted any more); returns whether there was one."""
    require(actor, Action.KEEP_DRAFT)
    gone = session.execute(
        delete(Draft).where(Draft.id == draft_id, Draft.author_id == actor.id).returning(Draft.id)
    ).first()
    return gone is not None


def forget_old(session: Session, *, now: datetime) -> None:
    """Housekeeping: drafts that nobody touched for KEEP."""
    session.execute(delete(Draft).where(Draft.updated_at < now - KEEP).execution_options(synchronize_session=False))
