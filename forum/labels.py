"""Cautions beside posts: a sentence, and where the reference says what is known. At most one is live on a post."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from content.models import Article, Condition, Section
from core.errors import Invalid
from core.text import is_blank, normalise
from core.vocabulary import ArticleStatus
from forum.models import Board, Post, PostLabel, Thread

MAX_CHARS = 300


@dataclass(frozen=True)
class LabelView:
    """`reference` is "slug#section" (or "slug"), `url` the page that it names."""

    text: str
    reference: str
    url: str


def view(text: str, reference: str) -> LabelView:
    slug, _, section = reference.partition("#")
    return LabelView(text, reference, f"/reference/{slug}/" + section.replace("_", "-"))


def check(session: Session, text: str, reference: str) -> tuple[str, str, int]:
    """Text and reference as they are stored, and the article's version. Raises Invalid naming label.text or
    label.reference."""
    errors = []
    said = normalise(text, field="label.text")
    if is_blank(said):
        errors.append(("label.text", "Say in a sentence what readers should know."))
    elif len(said) > MAX_CHARS:
        errors.append(("label.text", f"At most {MAX_CHARS} characters; this has {len(said):,}."))
    slug, _, section = reference.strip().partition("#")
    section = section.replace("-", "_")
    stmt = (
        select(Article.version)
        .join(Condition, Condition.id == Article.condition_id)
        .where(Condition.slug == slug, Article.status == ArticleStatus.PUBLISHED)
        .order_by(Article.is_archived, Article.id)
        .limit(1)
    )
    if section:
        stmt = stmt.join(Section, Section.article_id == Article.id).where(Section.key == section)
    version = session.execute(stmt).scalar()
    if version is None:
        message = "Name an article of the reference, or a section of one, such as backache#treatments."
        errors.append(("label.reference", message))
    if errors or version is None:
        raise Invalid("invalid-field", "The label cannot be set like this.", errors=errors)
    return said.strip(), f"{slug}#{section}" if section else slug, version


def put(
    session: Session,
    post_id: int,
    *,
    decision_id: int,
    text: str,
    reference: str,
    article_version: int | None,
    now: datetime,
) -> None:
    """Set the post's label, in place of the one it has."""
    session.execute(
        update(PostLabel)
        .where(PostLabel.post_id == post_id, PostLabel.lifted_at.is_(None))
        .values(lifted_at=now)
        .execution_options(synchronize_session=False)
    )
    session.add(
        PostLabel(
            post_id=post_id,
            decision_id=decision_id,
            text=text,
            reference=reference,
            article_version=article_version,
            at=now,
        )
    )
    session.flush()  # the next label of this post must find it
    _show(session, post_id)


def lift(session: Session, decision_id: int, *, now: datetime) -> bool:
    """Take the label of a decision off again; the one that it replaced comes back. Returns whether it was live."""
    label = session.execute(
        select(PostLabel).where(PostLabel.decision_id == decision_id).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if label is None:
        return False
    replaced_at, label.lifted_at = label.lifted_at, now
    session.flush()  # the database allows one live label
    before = session.execute(
        select(PostLabel)
        .where(PostLabel.post_id == label.post_id, PostLabel.id != label.id, PostLabel.lifted_at == label.at)
        .order_by(PostLabel.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if before is not None:
        # Live again; or, where this label had been replaced itself, the one that comes back after its successor.
        before.lifted_at = replaced_at
        session.flush()
    if replaced_at is None:
        _show(session, label.post_id)
    return replaced_at is None


def _show(session: Session, post_id: int) -> None:
    """The thread's page has changed."""
    thread_id = select(Post.thread_id).where(Post.id == post_id).scalar_subquery()
    session.execute(
        update(Thread)
        .where(Thread.id == thread_id)
        .values(version=Thread.version + 1)
        .execution_options(synchronize_session=False)
    )


def choices(session: Session, board_id: int | None) -> list[tuple[str, str]]:
    """(reference, heading) of the sections of our own articles about the board's condition, for who sets a label."""
    stmt = (
        select(Condition.slug, Section.key, Section.heading)
        .join(Article, Article.condition_id == Condition.id)
        .join(Section, Section.article_id == Article.id)
        .join(Board, Board.condition_id == Condition.id)
        .where(Board.id == board_id, Article.status == ArticleStatus.PUBLISHED, Article.is_archived.is_(False))
        .order_by(Article.id, Section.position)
    )
    found = {f"{row.slug}#{row.key}": row.heading for row in session.execute(stmt)}
    return list(found.items())
