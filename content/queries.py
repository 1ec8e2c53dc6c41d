"""What pages, the API and other rooms read of the reference: frozen dataclasses, fully loaded, in a fixed number of
queries whatever the number of rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from typing import Any

from sqlalchemy import Boolean, Select, case, column, false, func, select, table
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from content import sections
from content.articles import EMERGENCY
from content.conditions import by_slug, names_like
from content.models import (
    Alias,
    Article,
    ArticleVersion,
    Category,
    Condition,
    ConditionCode,
    CrisisResource,
    Definition,
    IntakeField,
    Licence,
    PageText,
    RedFlag,
    Relation,
    RuleText,
    Section,
    Source,
    condition_category,
    section_source,
)
from core.errors import NotFound
from core.keyset import Key, Page, page
from core.text import fold
from core.vocabulary import ArticleStatus

# Every country without lines of its own.
ELSEWHERE = "ZZ"
EMERGENCY_KIND = "emergency"
# What is dialled where no number is known: it works on mobile phones in most of the world.
FALLBACK_EMERGENCY = "112"
# Shown in place of the number where the reader's country is not known.
NO_NUMBER = "your emergency number"


@dataclass(frozen=True)
class SourceView:
    """Where a text is from, with the terms of its licence."""

    name: str
    publisher: str
    url: str
    note: str
    is_archived: bool
    accessed_on: date | None
    licence: str
    licence_name: str
    licence_url: str | None
    credit: str


@dataclass(frozen=True)
class SectionView:
    """One section. `html` and `text` are empty where only the teaser was asked for."""

    id: int
    article_id: int
    key: str
    heading: str
    teaser: str
    url: str
    html: str = ""
    text: str = ""
    sources: tuple[SourceView, ...] = ()


@dataclass(frozen=True)
class ArticleView:
    """An article with its sections. `file` is its key in the archive that it came from."""

    id: int
    title: str
    language: str
    version: int
    is_archived: bool
    checked_on: date | None
    reviewed_on: date | None
    reviewed_by: str | None
    next_review_due: date | None
    file: str | None
    match_reason: str
    source: SourceView
    licence: str
    licence_name: str
    licence_url: str | None
    credit: str
    updated_at: datetime
    sections: tuple[SectionView, ...] = ()
    sources: tuple[SourceView, ...] = ()


@dataclass(frozen=True)
class DefinitionView:
    term: str
    text: str
    source: SourceView


@dataclass(frozen=True)
class RelatedView:
    """Another condition. `slug` and `url` are None where the reference has no such condition yet."""

    name: str
    slug: str | None
    url: str | None
    relation: str
    note: str
    source: SourceView | None


@dataclass(frozen=True)
class RedFlagView:
    code: str
    text: str
    message: str
    urgency: str
    phrases: tuple[str, ...]
    intake_key: str | None
    intake_values: tuple[str, ...]
    source: SourceView | None
    reviewed_on: date | None
    reviewed_by: str | None


@dataclass(frozen=True)
class IntakeFieldView:
    """A question that a doctor would ask. `options` are (value, label)."""

    key: str
    label: str
    help: str
    why_asked: str
    type: str
    options: tuple[tuple[str, str], ...]
    scheme: str
    default_visibility: str
    allowed_visibility: tuple[str, ...]
    position: int


@dataclass(frozen=True)
class ConditionView:
    id: int
    slug: str
    name: str
    kind: str
    summary: str
    version: int
    review_note: str | None
    aliases: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    categories: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        return f"/reference/{self.slug}/"

    @property
    def board_url(self) -> str:
        return f"/boards/{self.slug}/"


@dataclass(frozen=True)
class ReferencePage:
    """All that the reference says of one condition; our own article stands first."""

    condition: ConditionView
    articles: tuple[ArticleView, ...]
    definitions: tuple[DefinitionView, ...]
    related: tuple[RelatedView, ...]
    red_flags: tuple[RedFlagView, ...]
    intake: tuple[IntakeFieldView, ...]

    @property
    def own(self) -> ArticleView | None:
        return next((a for a in self.articles if not a.is_archived), None)

    @property
    def archived(self) -> tuple[ArticleView, ...]:
        return tuple(a for a in self.articles if a.is_archived)


@dataclass(frozen=True)
class SectionPage:
    """All sections of one key: ours, then the archived ones, each with its article."""

    condition: ConditionView
    key: str
    sections: tuple[tuple[ArticleView, SectionView], ...]
    # (key, url) of every key that this condition has, in the order of a page.
    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ConditionRow:
    """A condition in a list."""

    slug: str
    name: str
    kind: str
    aliases: tuple[str, ...]
    board_open: bool

    @property
    def url(self) -> str:
        return f"/reference/{self.slug}/"


@dataclass(frozen=True)
class RuleView:
    code: str
    version: int
    title: str
    body: str
    dsa_category: str
    dsa_keywords: tuple[str, ...]


@dataclass(frozen=True)
class PageTextView:
    code: str
    version: int
    title: str
    body: str
    html: str
    effective_from: datetime


@dataclass(frozen=True)
class Resource:
    """A help line. `is_verified`: somebody looked it up within the last months."""

    kind: str
    name: str
    phone: str
    url: str
    hours: str
    is_verified: bool


@dataclass(frozen=True)
class HelpLines:
    """The emergency number of a country and its help lines. The number stands first among them, so that a line which
    nobody has verified of late never stands alone."""

    country: str
    emergency: str
    resources: tuple[Resource, ...]


# --- Lists -------------------------------------------------------------------------------------------------------

# Whether a board is open is the forum's fact; a list of conditions reads this one column of it by name.
_board = table("board", column("condition_id"), column("opened_at"))


def conditions_list(
    session: Session,
    *,
    q: str = "",
    letter: str = "",
    category: str = "",
    after: str | None = None,
    limit: int = 20,
) -> Page[ConditionRow]:
    """A page of conditions by name, narrowed by part of a name or alias, first letter ("#": no letter), or category.

    Raises NotFound for an unknown category, Invalid for a bad cursor. Two queries.
    """
    stmt = select(
        Condition.id,
        Condition.slug,
        Condition.name,
        Condition.name_folded,
        Condition.kind,
        func.coalesce(
            select(_board.c.opened_at.is_not(None))
            .where(_board.c.condition_id == Condition.id)
            .correlate(Condition)
            .scalar_subquery(),
            False,
        )
        .cast(Boolean)
        .label("board_open"),
    )
    if fold(q):
        stmt = stmt.where(names_like(q))
    elif q.strip():
        stmt = stmt.where(false())
    if letter == "#":
        stmt = stmt.where(~func.substr(Condition.name_folded, 1, 1).between("a", "z"))
    elif letter:
        stmt = stmt.where(func.substr(Condition.name_folded, 1, 1) == fold(letter)[:1])
    if category:
        stmt = stmt.where(Condition.id.in_(_in_category(session, category)))
    keys = [Key(Condition.name_folded, "name_folded"), Key(Condition.id, "id")]
    found = page(session, stmt, keys, after=after, limit=limit)
    aliases = aliases_of(session, [row.id for row in found.items])
    return found.map(lambda r: ConditionRow(r.slug, r.name, r.kind, aliases.get(r.id, ()), bool(r.board_open)))


def _in_category(session: Session, slug: str) -> Select[tuple[int]]:
    category_id = session.execute(select(Category.id).where(Category.slug == slug)).scalar()
    if category_id is None:
        raise NotFound("no-such-category", "There is no category of this name.")
    return select(condition_category.c.condition_id).where(condition_category.c.category_id == category_id)


def letters(session: Session) -> tuple[str, ...]:
    """The first letters that conditions have; "#" for any other sign."""
    first = func.substr(Condition.name_folded, 1, 1)
    found = set(session.execute(select(first).distinct()).scalars())
    latin = sorted(c.upper() for c in found if "a" <= c <= "z")
    return (*latin, "#") if len(latin) < len(found) else tuple(latin)


def categories(session: Session) -> list[tuple[str, str, int]]:
    """(slug, name, number of conditions) of each category that has any, in our order."""
    count = func.count(condition_category.c.condition_id)
    stmt = (
        select(Category.slug, Category.name, count)
        .join(condition_category, condition_category.c.category_id == Category.id)
        .group_by(Category.id)
        .order_by(Category.position, Category.id)
    )
    return [(slug, name, number) for slug, name, number in session.execute(stmt)]


def own_articles(session: Session) -> list[ConditionRow]:
    """The conditions that have an article of our own, by name."""
    stmt = (
        select(Condition.slug, Condition.name, Condition.kind)
        .where(
            Condition.id.in_(
                select(Article.condition_id).where(
                    Article.is_archived.is_(False), Article.status == ArticleStatus.PUBLISHED
                )
            )
        )
        .order_by(Condition.name_folded, Condition.id)
        .limit(200)
    )
    return [ConditionRow(r.slug, r.name, r.kind, (), False) for r in session.execute(stmt)]


def aliases_of(session: Session, condition_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Names of each condition, declared ones first."""
    found: dict[int, list[str]] = defaultdict(list)
    stmt = (
        select(Alias.condition_id, Alias.name)
        .where(Alias.condition_id.in_(condition_ids))
        .order_by(Alias.condition_id, Alias.is_declared.desc(), Alias.id)
    )
    for condition_id, name in session.execute(stmt) if condition_ids else ():
        found[condition_id].append(name)
    return {condition_id: tuple(names) for condition_id, names in found.items()}


# --- One condition -----------------------------------------------------------------------------------------------


def condition(session: Session, slug: str) -> ConditionView:
    """A condition with its names, codes and categories. `.slug` differs from `slug` when that is a former address."""
    row = by_slug(session, slug)
    codes = select(ConditionCode.system, ConditionCode.code).where(ConditionCode.condition_id == row.id)
    links = (
        select(Category.slug, Category.name)
        .join(condition_category, condition_category.c.category_id == Category.id)
        .where(condition_category.c.condition_id == row.id)
        .order_by(Category.position, Category.id)
    )
    return ConditionView(
        id=row.id,
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        summary=row.summary,
        version=row.version,
        review_note=row.review_note,
        aliases=aliases_of(session, [row.id]).get(row.id, ()),
        codes=tuple(
            (r.system, r.code) for r in session.execute(codes.order_by(ConditionCode.system, ConditionCode.code))
        ),
        categories=tuple((r.slug, r.name) for r in session.execute(links)),
    )


def reference_page(
    session: Session, slug: str, *, emergency: str = NO_NUMBER, with_text: bool = False
) -> ReferencePage:
    """Everything about a condition: for its page with teasers only, for the API with the whole text.

    `emergency` is the number that texts name. Twelve queries at most. Raises NotFound.
    """
    found = condition(session, slug)
    return ReferencePage(
        condition=found,
        articles=articles_of(session, found, emergency=emergency, with_text=with_text),
        definitions=definitions(session, found.id),
        related=related(session, found.id),
        red_flags=red_flags(session, found.id, emergency=emergency),
        intake=intake_fields(session, found.id),
    )


def section_page(session: Session, slug: str, key: str, *, emergency: str = NO_NUMBER) -> SectionPage:
    """All sections of one key. Raises NotFound when the condition has none."""
    found = condition(session, slug)
    every = articles_of(session, found, emergency=emergency, key=key)
    pairs = tuple((article, section) for article in every for section in article.sections)
    if not pairs:
        raise NotFound("no-such-section", "This article has no such section.")
    stmt = (
        select(Section.key)
        .join(Article, Article.id == Section.article_id)
        .where(Article.condition_id == found.id, Article.status == ArticleStatus.PUBLISHED)
        .distinct()
    )
    keys = sorted(session.execute(stmt).scalars(), key=sections.order)
    return SectionPage(found, key, pairs, tuple((k, sections.url(found.slug, k)) for k in keys))


def articles_of(
    session: Session,
    owner: ConditionView,
    *,
    emergency: str = NO_NUMBER,
    with_text: bool = False,
    key: str | None = None,
) -> tuple[ArticleView, ...]:
    """Published articles, ours first, then the archived ones in the order of their keys. Three queries.

    With `key` only that key's sections, whole.
    """
    terms = aliased(Licence)  # of the source, which need not be those of the article
    rows = session.execute(
        select(Article, Source, terms, Licence)
        .join(Source, Source.id == Article.source_id)
        .join(terms, terms.id == Source.licence_id)
        .join(Licence, Licence.id == Article.licence_id)
        .where(Article.condition_id == owner.id, Article.status == ArticleStatus.PUBLISHED)
        .order_by(Article.is_archived, Article.importer, Article.import_key, Article.id)
    ).all()
    archived_ids = {article.id for article, *_ in rows if article.is_archived}
    whole = with_text or key is not None
    columns: list[Any] = [Section.id, Section.article_id, Section.key, Section.heading, Section.teaser]
    if whole:
        columns += [Section.html, Section.text]
    stmt = (
        select(*columns)
        .where(Section.article_id.in_([article.id for article, *_ in rows]))
        .order_by(Section.article_id, Section.position)
    )
    if key is not None:
        stmt = stmt.where(Section.key == key)
    parts = session.execute(stmt).all() if rows else []
    own = [p.id for p in parts if p.article_id not in archived_ids]
    cited = _section_sources(session, own)
    by_article: dict[int, list[SectionView]] = defaultdict(list)
    for p in parts:
        archived = p.article_id in archived_ids
        by_article[p.article_id].append(
            SectionView(
                id=p.id,
                article_id=p.article_id,
                key=p.key,
                heading=p.heading,
                teaser=p.teaser if archived else fill(p.teaser, emergency),
                url=sections.url(owner.slug, p.key),
                html=(p.html if archived else fill_html(p.html, emergency)) if whole else "",
                text=(p.text if archived else fill(p.text, emergency)) if whole else "",
                sources=cited.get(p.id, ()),
            )
        )
    return tuple(
        _article(article, source_view(source, source_terms), licence, by_article[article.id])
        for article, source, source_terms, licence in rows
    )


def _article(article: Article, source: SourceView, licence: Licence, parts: Sequence[SectionView]) -> ArticleView:
    cited = {s: None for part in parts for s in part.sources}
    return ArticleView(
        id=article.id,
        title=article.title,
        language=article.language,
        version=article.version,
        is_archived=article.is_archived,
        checked_on=article.checked_on,
        reviewed_on=article.reviewed_on,
        reviewed_by=article.reviewed_by,
        next_review_due=article.next_review_due,
        file=article.import_key if article.is_archived else None,
        match_reason=article.match_reason,
        source=source,
        licence=licence.code,
        licence_name=licence.name,
        licence_url=licence.url,
        credit=licence.credit_line,
        updated_at=article.updated_at,
        sections=tuple(parts),
        sources=tuple(cited) or (source,),
    )


def source_view(source: Source, licence: Licence) -> SourceView:
    return SourceView(
        name=source.name,
        publisher=source.publisher,
        url=source.url,
        note=source.note,
        is_archived=source.is_archived,
        accessed_on=source.accessed_on,
        licence=licence.code,
        licence_name=licence.name,
        licence_url=licence.url,
        credit=licence.credit_line,
    )


def _section_sources(session: Session, section_ids: Sequence[int]) -> dict[int, tuple[SourceView, ...]]:
    if not section_ids:
        return {}
    rows = session.execute(
        select(section_source.c.section_id, Source, Licence)
        .join(Source, Source.id == section_source.c.source_id)
        .join(Licence, Licence.id == Source.licence_id)
        .where(section_source.c.section_id.in_(section_ids))
        .order_by(section_source.c.section_id, Source.id)
    )
    found: dict[int, list[SourceView]] = defaultdict(list)
    for section_id, source, licence in rows:
        found[section_id].append(source_view(source, licence))
    return {section_id: tuple(views) for section_id, views in found.items()}


def definitions(session: Session, condition_id: int) -> tuple[DefinitionView, ...]:
    """Several for one term, each with its source. One query."""
    rows = session.execute(
        select(Definition, Source, Licence)
        .join(Source, Source.id == Definition.source_id)
        .join(Licence, Licence.id == Source.licence_id)
        .where(Definition.condition_id == condition_id)
        .order_by(Definition.position, Definition.id)
    )
    return tuple(DefinitionView(d.term, d.text, source_view(source, licence)) for d, source, licence in rows)


def related(session: Session, condition_id: int) -> tuple[RelatedView, ...]:
    """Other conditions, in the order of the article. One query."""
    other = select(Condition.id, Condition.slug).subquery()
    rows = session.execute(
        select(Relation, other.c.slug, Source, Licence)
        .outerjoin(other, other.c.id == Relation.related_id)
        .outerjoin(Source, Source.id == Relation.source_id)
        .outerjoin(Licence, Licence.id == Source.licence_id)
        .where(Relation.condition_id == condition_id)
        .order_by(Relation.position, Relation.id)
    )
    return tuple(
        RelatedView(
            name=r.related_name,
            slug=slug,
            url=f"/reference/{slug}/" if slug else None,
            relation=r.kind,
            note=r.note,
            source=source_view(source, licence) if source else None,
        )
        for r, slug, source, licence in rows
    )


def red_flags(session: Session, condition_id: int | None, *, emergency: str = NO_NUMBER) -> tuple[RedFlagView, ...]:
    """The signs that need care soon, most urgent first. One query; none without a condition."""
    if condition_id is None:
        return ()
    urgency = case({"emergency_now": 0, "same_day": 1}, value=RedFlag.urgency, else_=2)
    rows = session.execute(
        select(RedFlag, Source, Licence)
        .outerjoin(Source, Source.id == RedFlag.source_id)
        .outerjoin(Licence, Licence.id == Source.licence_id)
        .where(RedFlag.condition_id == condition_id, RedFlag.is_active)
        .order_by(urgency, RedFlag.position, RedFlag.id)
    )
    return tuple(
        RedFlagView(
            code=f.code,
            text=fill(f.text, emergency),
            message=fill(f.message, emergency),
            urgency=f.urgency,
            phrases=tuple(f.phrases),
            intake_key=f.intake_key,
            intake_values=tuple(f.intake_values),
            source=source_view(source, licence) if source else None,
            reviewed_on=f.reviewed_on,
            reviewed_by=f.reviewed_by,
        )
        for f, source, licence in rows
    )


def intake_fields(session: Session, condition_id: int | None) -> tuple[IntakeFieldView, ...]:
    """The questions a doctor would ask, in their order. One query; none without a condition."""
    if condition_id is None:
        return ()
    rows = session.execute(
        select(IntakeField)
        .where(IntakeField.condition_id == condition_id)
        .order_by(IntakeField.position, IntakeField.id)
    ).scalars()
    return tuple(
        IntakeFieldView(
            key=f.key,
            label=f.label,
            help=f.help,
            why_asked=f.why_asked,
            type=f.type,
            options=tuple((o["value"], o["label"]) for o in f.options),
            scheme=f.scheme,
            default_visibility=str(f.default_visibility),
            allowed_visibility=tuple(f.allowed_visibility),
            position=f.position,
        )
        for f in rows
    )


def fill(text: str, emergency: str) -> str:
    """Put the reader's emergency number where a text asks for it."""
    return text.replace(EMERGENCY, emergency)


def fill_html(html: str, emergency: str) -> str:
    return html.replace(EMERGENCY, escape(emergency))


@dataclass(frozen=True)
class VersionView:
    """One version of an article: who made it, when, and why. `editor` is None for an import."""

    version: int
    at: datetime
    note: str
    editor: str | None


def versions(session: Session, article_id: int, *, limit: int = 50) -> tuple[VersionView, ...]:
    """The newest versions of an article. One query."""
    rows = session.execute(
        select(ArticleVersion.version, ArticleVersion.at, ArticleVersion.note, Member.handle)
        .outerjoin(Member, Member.id == ArticleVersion.editor_id)
        .where(ArticleVersion.article_id == article_id)
        .order_by(ArticleVersion.version.desc())
        .limit(limit)
    )
    return tuple(VersionView(r.version, r.at, r.note, r.handle) for r in rows)


# --- Rules, house texts, help lines ------------------------------------------------------------------------------


def rule_texts(session: Session, now: datetime) -> list[RuleView]:
    """The rules in force at `now`, in the order of their numbers. One query."""
    rows = _in_force(session, RuleText, now)
    views = [RuleView(r.code, r.version, r.title, r.body, r.dsa_category, tuple(r.dsa_keywords)) for r in rows.values()]
    return sorted(views, key=lambda r: (_number(r.code), r.code))


def rule(session: Session, code: str, now: datetime) -> RuleView:
    """One rule as it is in force. Raises NotFound."""
    found = next((r for r in rule_texts(session, now) if r.code == code), None)
    if found is None:
        raise NotFound("no-such-rule", "There is no such rule.")
    return found


def page_text(session: Session, code: str, now: datetime) -> PageTextView:
    """A house text as it is in force. Raises NotFound."""
    found = _in_force(session, PageText, now, code=code).get(code)
    if found is None:
        raise NotFound("no-such-text", "This text has not been written yet.")
    return PageTextView(found.code, found.version, found.title, found.body, found.html, found.effective_from)


def _in_force(session: Session, model: Any, now: datetime, *, code: str | None = None) -> dict[str, Any]:
    """By code, the newest version that is effective."""
    stmt = select(model).where(model.effective_from <= now).order_by(model.code, model.version)
    if code is not None:
        stmt = stmt.where(model.code == code)
    return {row.code: row for row in session.execute(stmt).scalars()}


def _number(code: str) -> int:
    digits = "".join(c for c in code.split("-")[0] if c.isdigit())
    return int(digits) if digits else 0


def help_lines(session: Session, country: str | None, today: date) -> HelpLines:
    """The lines of a country, or of everywhere else: the emergency number, verified lines, the others. One query."""
    wanted = (country or ELSEWHERE, ELSEWHERE)
    rows = session.execute(
        select(CrisisResource)
        .where(CrisisResource.country.in_(wanted))
        .order_by(CrisisResource.position, CrisisResource.id)
    ).scalars()
    found: dict[str, list[CrisisResource]] = defaultdict(list)
    for row in rows:
        found[row.country].append(row)
    here = wanted[0] if found.get(wanted[0]) else ELSEWHERE
    numbers = [r for place in (here, ELSEWHERE) for r in found[place] if r.kind == EMERGENCY_KIND and r.phone]
    lines = [r for r in found[here] if r.kind != EMERGENCY_KIND]
    ordered = numbers[:1] + sorted(lines, key=lambda r: not _is_verified(r, today))
    return HelpLines(
        country=here,
        emergency=numbers[0].phone if numbers else FALLBACK_EMERGENCY,
        resources=tuple(Resource(r.kind, r.name, r.phone, r.url, r.hours, _is_verified(r, today)) for r in ordered),
    )


def _is_verified(row: CrisisResource, today: date) -> bool:
    return row.verify_by is not None and row.verify_by >= today


def countries(session: Session) -> list[str]:
    """The countries whose numbers are known."""
    stmt = select(CrisisResource.country).where(CrisisResource.country != ELSEWHERE).distinct()
    return sorted(session.execute(stmt).scalars())
