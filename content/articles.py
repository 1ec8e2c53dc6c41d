"""Articles: what one must have to be published, how its sections are rendered, and how versions are kept.

`save()` is the one way in for importers and editors. It works on many articles at once, writes only the rows that
differ, keeps every version whole, and moves the search rows in the same transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from content import sections
from content.models import Article, ArticleVersion, Condition, Section, section_source
from core import audit
from core.errors import Conflict, Invalid, NotFound, invalid
from core.fulltext import SearchEntry
from core.markup import RENDERER, excerpt, reference_html, render
from core.text import is_blank, normalise
from core.vocabulary import ArticleStatus

T = TypeVar("T")
# Rows per statement. SQLite takes at most 32,766 values in one.
BATCH = 500
MAX_SECTION_CHARS = 60_000
MAX_HEADING_CHARS = 300
# Texts may name the emergency number without knowing the reader's country; whoever shows them fills it in.
EMERGENCY = "{emergency}"


@dataclass(frozen=True)
class SectionDraft:
    """One section as it will be stored."""

    key: str
    heading: str
    source_text: str
    html: str
    text: str
    teaser: str
    renderer: str = RENDERER
    question_type: str | None = None
    source_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class ArticleDraft:
    """One article as it will be stored; `article_id` None makes a new one."""

    condition_id: int
    slug: str  # of the condition, for the addresses of the search rows
    title: str
    importer: str
    import_key: str
    content_hash: str
    sections: tuple[SectionDraft, ...]
    article_id: int | None = None
    language: str = "en"
    status: ArticleStatus = ArticleStatus.PUBLISHED
    is_archived: bool = False
    source_id: int | None = None
    licence_id: int | None = None
    checked_on: date | None = None
    reviewed_on: date | None = None
    reviewed_by: str | None = None
    next_review_due: date | None = None
    match_reason: str = ""


def own_section(key: str, heading: str, markdown: str, source_ids: tuple[int, ...] = ()) -> SectionDraft:
    """A section in our own words, from Markdown."""
    rendered = render(markdown, "article")
    # The teaser is the beginning of the text; a heading inside the section is none.
    teaser = excerpt(rendered.text)
    return SectionDraft(key, heading, markdown, rendered.html, rendered.text, teaser, source_ids=source_ids)


def archived_section(key: str, heading: str, answer: str, question_type: str) -> SectionDraft:
    """A section from plain text of an archive: its text is stored as it came, its lists are restored for reading."""
    return SectionDraft(
        key, heading, answer, reference_html(answer), answer, excerpt(answer), question_type=question_type
    )


def missing_for_publication(draft: ArticleDraft) -> list[str]:
    """What keeps an article from being published, in words; empty when nothing does."""
    missing = []
    if draft.source_id is None:
        missing.append("it names no source")
    if draft.licence_id is None:
        missing.append("it names no licence")
    if not draft.is_archived and draft.checked_on is None:
        missing.append("it lacks the date of its last check against the sources (checked_on)")
    if (draft.reviewed_on is None) != (draft.reviewed_by is None):
        missing.append("a review needs both a date and a name")
    if not draft.sections:
        missing.append("it has no section")
    return missing


def save(
    session: Session,
    drafts: Sequence[ArticleDraft],
    *,
    now: datetime,
    editor_id: int | None = None,
    note: str = "",
    step: Callable[[int], None] | None = None,
) -> None:
    """Insert or update articles, with versions and search rows. Only rows that differ are written.

    `step` is called with the number of articles done, for a progress bar. Costs about a millisecond for an article
    of the archives. Raises Invalid where a published one lacks what it needs.
    """
    for draft in drafts:
        if draft.status is ArticleStatus.PUBLISHED and (missing := missing_for_publication(draft)):
            raise Invalid("not-publishable", f"{draft.title} cannot be published: {'; '.join(missing)}.")
    session.flush()  # rows that the caller has added are looked up below by their keys
    for chunk in batches(drafts, BATCH):
        _save_chunk(session, chunk, now=now, editor_id=editor_id, note=note)
        if step:
            step(len(chunk))
    bump(session, {d.condition_id for d in drafts})


def retire(session: Session, article_ids: Iterable[int], *, now: datetime) -> None:
    """Take articles off the pages, the search and the API; their rows and versions stay."""
    for chunk in batches(sorted(article_ids), BATCH):
        section_ids = select(Section.id).where(Section.article_id.in_(chunk))
        session.execute(
            delete(SearchEntry)
            .where(SearchEntry.kind == "article", SearchEntry.ref_id.in_(section_ids))
            .execution_options(synchronize_session=False)
        )
        session.execute(
            update(Article)
            .where(Article.id.in_(chunk))
            .values(status=ArticleStatus.RETIRED, updated_at=now)
            .execution_options(synchronize_session=False)
        )
        conditions = session.execute(select(Article.condition_id).where(Article.id.in_(chunk)).distinct())
        bump(session, set(conditions.scalars()))


def bump(session: Session, condition_ids: Iterable[int]) -> None:
    """Something that pages of these conditions show has changed."""
    for chunk in batches(sorted(set(condition_ids)), BATCH):
        session.execute(
            update(Condition)
            .where(Condition.id.in_(chunk))
            .values(version=Condition.version + 1)
            .execution_options(synchronize_session=False)
        )


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


# --- One batch ---------------------------------------------------------------------------------------------------

_ARTICLE_FIELDS = (
    *("condition_id", "title", "language", "status", "is_archived", "source_id", "licence_id", "checked_on"),
    *("reviewed_on", "reviewed_by", "next_review_due", "importer", "import_key", "content_hash", "match_reason"),
)
_SECTION_FIELDS = ("key", "heading", "source_text", "html", "text", "teaser", "renderer", "question_type")


def _save_chunk(
    session: Session, drafts: Sequence[ArticleDraft], *, now: datetime, editor_id: int | None, note: str
) -> None:
    ids, versions = _save_articles(session, drafts, now=now)
    places = _save_sections(session, drafts, ids)
    _save_section_sources(session, drafts, places, ids)
    _save_search_rows(session, drafts, places, ids, now=now)
    session.execute(
        insert(ArticleVersion.__table__),  # type: ignore[arg-type]
        [
            {
                "article_id": article_id,
                "version": versions[article_id],
                "content": _content(draft),
                "editor_id": editor_id,
                "at": now,
                "note": note,
            }
            for draft, article_id in zip(drafts, ids, strict=True)
        ],
    )


def _save_articles(
    session: Session, drafts: Sequence[ArticleDraft], *, now: datetime
) -> tuple[list[int], dict[int, int]]:
    """Ids in the order of the drafts, and the version that each article has now."""
    known = [d.article_id for d in drafts if d.article_id is not None]
    versions = {
        row.id: row.version + 1
        for row in session.execute(select(Article.id, Article.version).where(Article.id.in_(known)))
    }
    for draft in drafts:
        if draft.article_id is not None:
            values = {name: getattr(draft, name) for name in _ARTICLE_FIELDS}
            session.execute(
                update(Article)
                .where(Article.id == draft.article_id)
                .values(**values, version=versions[draft.article_id], updated_at=now)
                .execution_options(synchronize_session=False)
            )
    fresh = [d for d in drafts if d.article_id is None]
    if fresh:
        session.execute(
            insert(Article.__table__),  # type: ignore[arg-type]
            [
                {name: getattr(d, name) for name in _ARTICLE_FIELDS}
                | {"version": 1, "created_at": now, "updated_at": now}
                for d in fresh
            ],
        )
    importers = {d.importer for d in drafts}
    keys = [d.import_key for d in drafts]
    found = {
        (row.importer, row.import_key): row.id
        for row in session.execute(
            select(Article.id, Article.importer, Article.import_key).where(
                Article.importer.in_(importers), Article.import_key.in_(keys)
            )
        )
    }
    ids = [found[d.importer, d.import_key] for d in drafts]
    return ids, {article_id: versions.get(article_id, 1) for article_id in ids}


def _save_sections(
    session: Session, drafts: Sequence[ArticleDraft], ids: Sequence[int]
) -> dict[tuple[int, int], tuple[int, bool]]:
    """Write the sections that differ. Gives (article, position) -> (section id, whether it was written)."""
    table = Section.__table__
    known = [i for d, i in zip(drafts, ids, strict=True) if d.article_id is not None]
    old = {
        (row.article_id, row.position): row
        for row in session.execute(select(table).where(table.c.article_id.in_(known)))
    }
    fresh: list[dict[str, Any]] = []
    written: set[tuple[int, int]] = set()
    wanted: set[tuple[int, int]] = set()
    for draft, article_id in zip(drafts, ids, strict=True):
        for position, section in enumerate(draft.sections):
            place = article_id, position
            wanted.add(place)
            values = {name: getattr(section, name) for name in _SECTION_FIELDS}
            row = old.get(place)
            if row is None:
                fresh.append({"article_id": article_id, "position": position, **values})
                written.add(place)
            elif any(getattr(row, name) != value for name, value in values.items()):
                session.execute(update(table).where(table.c.id == row.id).values(**values))  # type: ignore[arg-type]
                written.add(place)
    gone = [row.id for place, row in old.items() if place not in wanted]
    if gone:
        for chunk in batches(gone, BATCH):
            session.execute(
                delete(SearchEntry)
                .where(SearchEntry.kind == "article", SearchEntry.ref_id.in_(chunk))
                .execution_options(synchronize_session=False)
            )
            session.execute(delete(table).where(table.c.id.in_(chunk)))  # type: ignore[arg-type]
    if fresh:
        session.execute(insert(table), fresh)  # type: ignore[arg-type]
    found = session.execute(select(table.c.id, table.c.article_id, table.c.position).where(table.c.article_id.in_(ids)))
    return {(row.article_id, row.position): (row.id, (row.article_id, row.position) in written) for row in found}


def _save_section_sources(
    session: Session,
    drafts: Sequence[ArticleDraft],
    places: Mapping[tuple[int, int], tuple[int, bool]],
    ids: Sequence[int],
) -> None:
    pairs: list[dict[str, int]] = []
    touched: list[int] = []
    for draft, article_id in zip(drafts, ids, strict=True):
        for position, section in enumerate(draft.sections):
            section_id = places[article_id, position][0]
            if draft.article_id is not None:
                touched.append(section_id)
            pairs += [{"section_id": section_id, "source_id": s} for s in dict.fromkeys(section.source_ids)]
    for chunk in batches(touched, BATCH):
        session.execute(delete(section_source).where(section_source.c.section_id.in_(chunk)))
    if pairs:
        session.execute(insert(section_source), pairs)


def _save_search_rows(
    session: Session,
    drafts: Sequence[ArticleDraft],
    places: Mapping[tuple[int, int], tuple[int, bool]],
    ids: Sequence[int],
    *,
    now: datetime,
) -> None:
    """A row for each section of a published article. An update takes the article's rows out and puts them in again."""
    stale = [
        places[article_id, position][0]
        for draft, article_id in zip(drafts, ids, strict=True)
        if draft.article_id is not None
        for position in range(len(draft.sections))
    ]
    for chunk in batches(stale, BATCH):
        session.execute(
            delete(SearchEntry)
            .where(SearchEntry.kind == "article", SearchEntry.ref_id.in_(chunk))
            .execution_options(synchronize_session=False)
        )
    rows = [
        {
            "kind": "article",
            "ref_id": places[article_id, position][0],
            "board_id": None,
            "condition_id": draft.condition_id,
            "detail": section.key,
            "url": sections.url(draft.slug, section.key),
            "title": section.heading,
            "body": section.text,
            "at": now,
        }
        for draft, article_id in zip(drafts, ids, strict=True)
        if draft.status is ArticleStatus.PUBLISHED
        for position, section in enumerate(draft.sections)
    ]
    if rows:
        session.execute(insert(SearchEntry.__table__), rows)  # type: ignore[arg-type]


def _content(draft: ArticleDraft) -> dict[str, Any]:
    """An article as its version keeps it: what was said and whence, not how it was drawn."""
    kept = {name: getattr(draft, name) for name in _ARTICLE_FIELDS if name not in ("importer", "import_key")}
    plain = {k: v.isoformat() if isinstance(v, date) else v for k, v in kept.items()}
    plain["sections"] = [
        {
            "key": s.key,
            "heading": s.heading,
            "source_text": s.source_text,
            "question_type": s.question_type,
            "sources": list(s.source_ids),
        }
        for s in draft.sections
    ]
    return plain


# --- Editing one section -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Editable:
    """One section as the editor's form needs it."""

    section_id: int
    article_id: int
    article_title: str
    version: int
    slug: str
    condition_name: str
    key: str
    heading: str
    markdown: str


def editable(session: Session, section_id: int) -> Editable:
    """A section of one of our own articles. Raises NotFound for any other: archived copies stay as they came."""
    row = session.execute(
        select(
            Section.id,
            Section.article_id,
            Article.title,
            Article.version,
            Condition.slug,
            Condition.name,
            Section.key,
            Section.heading,
            Section.source_text,
        )
        .join(Article, Article.id == Section.article_id)
        .join(Condition, Condition.id == Article.condition_id)
        .where(Section.id == section_id, Article.is_archived.is_(False), Article.status != ArticleStatus.RETIRED)
    ).one_or_none()
    if row is None:
        raise NotFound()
    return Editable(*row)


def edit_section(
    session: Session,
    section_id: int,
    *,
    version: int,
    heading: str,
    markdown: str,
    note: str,
    checked_on: date | None,
    editor_id: int,
    now: datetime,
) -> int:
    """Make the next version of the article with this section changed; gives the version's number.

    `checked_on` is set when the editor compared the text with its sources anew. Raises Conflict when somebody else
    was faster, Invalid for empty or over-long text.
    """
    heading, markdown = check_text(heading, markdown)
    found = editable(session, section_id)
    article = session.get_one(Article, found.article_id)
    if article.version != version:
        raise Conflict(
            "article-changed",
            "Somebody else has changed this article meanwhile. Your text is still here; compare it and save again.",
            version=article.version,
        )
    stored = stored_draft(session, article, slug=found.slug)
    place = session.execute(select(Section.position).where(Section.id == section_id)).scalar_one()
    old = stored.sections[place]
    changed = own_section(old.key, heading, markdown, old.source_ids)
    if changed == old and checked_on is None:
        return article.version
    parts = (*stored.sections[:place], changed, *stored.sections[place + 1 :])
    if checked_on is not None:
        stored = replace(stored, checked_on=checked_on)
    save(session, [replace(stored, sections=parts)], now=now, editor_id=editor_id, note=note[:300])
    audit.record(
        session,
        actor_id=editor_id,
        action="article.edited",
        subject=("article", article.id),
        now=now,
        details={"section": section_id, "key": old.key, "version": version + 1},
        reason=note[:300],
    )
    return version + 1


def stored_draft(session: Session, article: Article, *, slug: str) -> ArticleDraft:
    """An article as it stands, in the form that `save` takes."""
    sources: dict[int, list[int]] = defaultdict(list)
    rows = (
        session.execute(select(Section).where(Section.article_id == article.id).order_by(Section.position))
        .scalars()
        .all()
    )
    links = session.execute(
        select(section_source.c.section_id, section_source.c.source_id)
        .where(section_source.c.section_id.in_([r.id for r in rows]))
        .order_by(section_source.c.section_id, section_source.c.source_id)
    )
    for section_id, source_id in links:
        sources[section_id].append(source_id)
    values = {name: getattr(article, name) for name in _ARTICLE_FIELDS}
    parts = tuple(
        SectionDraft(**{name: getattr(r, name) for name in _SECTION_FIELDS}, source_ids=tuple(sources[r.id]))
        for r in rows
    )
    return ArticleDraft(**values, slug=slug, article_id=article.id, sections=parts)


def check_text(heading: str, markdown: str) -> tuple[str, str]:
    """Heading and text of a section as they may be stored. Raises Invalid naming every field that cannot."""
    errors: list[tuple[str, str]] = []
    for check, value in ((_check_heading, heading), (_check_markdown, markdown)):
        try:
            check(value)
        except Invalid as error:
            errors += error.errors
    if errors:
        raise Invalid("invalid-field", errors[0][1], errors=errors)
    return _check_heading(heading), _check_markdown(markdown)


def _check_heading(heading: str) -> str:
    heading = " ".join(normalise(heading, field="heading").split())
    if is_blank(heading):
        raise invalid("heading", "Give the section a heading.")
    if len(heading) > MAX_HEADING_CHARS:
        raise invalid("heading", f"A heading may have at most {MAX_HEADING_CHARS} characters.")
    return heading


def _check_markdown(markdown: str) -> str:
    markdown = normalise(markdown, field="markdown")
    if is_blank(markdown):
        raise invalid("markdown", "Write the section's text.")
    if len(markdown) > MAX_SECTION_CHARS:
        raise invalid("markdown", f"A section may have at most {MAX_SECTION_CHARS:,} characters.")
    return markdown
