"""Our own articles: one Markdown file per condition, its facts in YAML front matter. docs/content.md names the keys.

A file is taken whole or refused whole, with the reason; the others go on. Sections begin with
`## Heading {#key sources=a,b}`; the sources are keys of the front matter.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

import frontmatter
import yaml
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from content import articles, conditions
from content.importers import tables
from content.importers.report import Report
from content.models import (
    Alias,
    Article,
    ArticleVersion,
    Category,
    Condition,
    ConditionCode,
    Definition,
    FormerSlug,
    ImportRun,
    IntakeField,
    Licence,
    RedFlag,
    Relation,
    Source,
    condition_category,
)
from core import audit
from core.errors import Invalid
from core.text import fold, is_blank, normalise, slugify
from core.vocabulary import SECTION_KEYS, ArticleStatus, Visibility

IMPORTER = "markdown"
_HEADING = re.compile(r"^## +(?P<heading>.+?)\s*\{#(?P<key>[\w-]+)(?:\s+sources=(?P<sources>[\w,-]*))?\s*\}\s*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


class BadArticle(ValueError):
    """A file that cannot be published, with the reason in words."""


@dataclass(frozen=True)
class _Part:
    key: str
    heading: str
    markdown: str
    sources: tuple[str, ...]


def load(
    session: Session,
    path: Path,
    report: Report,
    *,
    now: datetime,
    retire_missing: bool = False,
    step: Callable[[int], None] | None = None,
) -> None:
    """Load one file or all files of a folder, tables first. Writes in the caller's transaction."""
    files = find(path)
    seen: set[str] = set()
    for file in files:
        try:
            if file.suffix == ".md":
                _load_article(session, file, report, seen, now=now)
            else:
                tables.load_file(session, file, report, now=now)
        except (BadArticle, tables.BadTable, Invalid) as error:
            report.refuse(file.name, error.detail if isinstance(error, Invalid) else str(error))
        if step:
            step(1)
    conditions.link_relations(session)
    if report.tables["updated"]:
        # A licence or a category may have changed what any page shows.
        session.flush()
        session.execute(
            update(Condition).values(version=Condition.version + 1).execution_options(synchronize_session=False)
        )
    if retire_missing:
        _retire_missing(session, seen, report, now=now)
    if report.is_change:
        session.add(ImportRun(importer=IMPORTER, counts=report.counts() | {"tables": report.tables}, at=now))
        audit.record(
            session,
            actor_id=None,
            action="content.imported",
            subject=("import", None),
            now=now,
            details={"importer": IMPORTER} | report.counts(),
        )


def find(path: Path) -> list[Path]:
    """The files to load, tables before articles. Raises BadArticle where there is none."""
    if path.is_file():
        found = [path]
    else:
        found = [*sorted(path.glob("*.yaml")), *sorted(path.glob("*.md"))]
        # Articles name licences and categories, so those come first among the tables.
        found.sort(key=lambda f: (f.suffix == ".md", f.stem not in ("licences", "categories"), f.name))
    found = [f for f in found if f.suffix in (".md", ".yaml") and not f.name.startswith((".", "_"))]
    if not found:
        raise BadArticle(f"{path} holds no .md or .yaml file")
    return found


def _retire_missing(session: Session, seen: set[str], report: Report, *, now: datetime) -> None:
    rows = session.execute(
        select(Article.id, Article.import_key).where(
            Article.importer == IMPORTER, Article.status != ArticleStatus.RETIRED
        )
    ).all()
    gone = [row.id for row in rows if row.import_key not in seen]
    articles.retire(session, gone, now=now)
    report.retired += len(gone)


def _load_article(session: Session, file: Path, report: Report, seen: set[str], *, now: datetime) -> None:
    raw = file.read_bytes()
    try:
        text = normalise(raw.decode("utf-8-sig"))
        post = frontmatter.loads(text)
    except UnicodeDecodeError as error:
        raise BadArticle("not UTF-8") from error
    except yaml.YAMLError as error:
        raise BadArticle(f"front matter is not YAML: {' '.join(str(error).split())}") from error
    facts = _Facts(post.metadata)
    slug = facts.text("slug", 120)
    if slug != slugify(slug) or slug in conditions.RESERVED_SLUGS:
        raise BadArticle(f"slug {slug!r} must be lower-case words joined by hyphens, and not {'unsorted'!r}")
    if slug in seen:
        raise BadArticle(f"another file of this import has the slug {slug!r} too")
    # A file that is refused below is still there: it does not count as vanished.
    seen.add(slug)
    digest = hashlib.sha256(text.encode()).hexdigest()
    parts = _split(post.content)
    known = session.execute(
        select(Article).where(Article.importer == IMPORTER, Article.import_key == slug)
    ).scalar_one_or_none()
    if known is not None and known.content_hash == digest and known.status is not ArticleStatus.RETIRED:
        report.unchanged += 1
        report.answers += len(parts)
        report.conditions += 1
        return
    if known is not None and _edited_here(session, known):
        raise BadArticle(
            f"version {known.version} was edited on the site; take its text over into the file, "
            "then import the file under another slug or retire the article first"
        )
    with session.begin_nested():
        _write(session, facts, parts, slug, digest, known, file.name, report, now=now)
    if known is None:
        report.created += 1
    else:
        report.updated += 1
    report.answers += len(parts)
    report.conditions += 1


def _edited_here(session: Session, article: Article) -> bool:
    last = select(ArticleVersion.editor_id).where(
        ArticleVersion.article_id == article.id, ArticleVersion.version == article.version
    )
    return session.execute(last).scalar() is not None


def _split(body: str) -> list[_Part]:
    """The sections of the body. Raises BadArticle for a section without a key, an unknown key or no text."""
    parts: list[tuple[re.Match[str], list[str]]] = []
    fence = None
    for number, line in enumerate(body.split("\n"), start=1):
        mark = _FENCE.match(line)
        if mark:
            fence = None if fence == mark[1][0] else fence or mark[1][0]
        if fence is None and re.match(r"## ", line):
            found = _HEADING.match(line)
            if found is None:
                raise BadArticle(f"body line {number}: a section heading needs its key: `## Heading {{#symptoms}}`")
            parts.append((found, []))
        elif parts:
            parts[-1][1].append(line)
        elif line.strip():
            raise BadArticle(f"body line {number}: text before the first section")
    if not parts:
        raise BadArticle("it has no section")
    sections = []
    for found, lines in parts:
        markdown = "\n".join(lines).strip("\n")
        if found["key"] not in SECTION_KEYS:
            raise BadArticle(f"unknown section key {found['key']!r}")
        if is_blank(markdown):
            raise BadArticle(f"section {found['key']} has no text")
        if len(found["heading"]) > articles.MAX_HEADING_CHARS:
            raise BadArticle(f"the heading of section {found['key']} is too long")
        names = tuple(filter(None, (found["sources"] or "").split(",")))
        sections.append(_Part(found["key"], found["heading"], markdown, names))
    keys = [s.key for s in sections]
    twice = {k for k in keys if keys.count(k) > 1}
    if twice:
        raise BadArticle(f"section {', '.join(sorted(twice))} occurs twice")
    return sections


# --- Writing one article -----------------------------------------------------------------------------------------


def _write(
    session: Session,
    facts: "_Facts",
    parts: Sequence[_Part],
    slug: str,
    digest: str,
    known: Article | None,
    file: str,
    report: Report,
    *,
    now: datetime,
) -> None:
    licence = _licence(session, facts.text("licence", 64, "it names no licence"))
    if not licence.importable:
        raise BadArticle(f"licence {licence.code} does not allow the text to be shown")
    checked_on = facts.date("checked_on")
    sources = _sources(session, facts)
    if not sources:
        raise BadArticle("it names no source")
    if checked_on is None:
        raise BadArticle("it lacks the date of its last check against the sources (checked_on)")
    if checked_on > now.date():
        raise BadArticle("checked_on lies in the future")
    for part in parts:
        for name in part.sources:
            if name not in sources:
                raise BadArticle(f"section {part.key} cites {name!r}, which is not among the sources")
    condition = _condition(session, facts, slug, file, report, now=now)
    _aliases(session, condition, facts)
    _codes(session, condition, facts)
    _categories(session, condition, facts)
    _definitions(session, condition, facts, sources)
    _relations(session, condition, facts, sources)
    _red_flags(session, condition, facts, sources)
    _intake(session, condition, facts)
    first = next(iter(sources.values()))
    draft = articles.ArticleDraft(
        article_id=known.id if known else None,
        condition_id=condition.id,
        slug=slug,
        title=facts.text("title", 300),
        language=facts.text("language", 8, otherwise="en"),
        status=ArticleStatus.PUBLISHED,
        source_id=first,
        licence_id=licence.id,
        checked_on=checked_on,
        reviewed_on=facts.date("reviewed_on"),
        reviewed_by=facts.get("reviewed_by"),
        next_review_due=facts.date("next_review_due"),
        importer=IMPORTER,
        import_key=slug,
        content_hash=digest,
        match_reason="our own article",
        sections=tuple(
            articles.own_section(p.key, p.heading, p.markdown, tuple(sources[name] for name in p.sources))
            for p in parts
        ),
    )
    if draft.reviewed_on and draft.reviewed_on > now.date():
        raise BadArticle("reviewed_on lies in the future")
    articles.save(session, [draft], now=now, note=f"imported from {file}"[:300])


def _licence(session: Session, code: str) -> Licence:
    licence = session.execute(select(Licence).where(Licence.code == code)).scalar_one_or_none()
    if licence is None:
        raise BadArticle(f"unknown licence {code!r}; name it in licences.yaml first")
    return licence


def _sources(session: Session, facts: "_Facts") -> dict[str, int]:
    """Key in the file -> id, in the file's order."""
    found: dict[str, int] = {}
    for row in facts.rows("sources"):
        key, name, url = row.text("key", 64), row.text("name", 300), row.text("url", 500)
        if key in found:
            raise BadArticle(f"source {key!r} occurs twice")
        if not re.match(r"https?://", url):
            raise BadArticle(f"source {key!r}: url must begin with http:// or https://")
        values = {
            "publisher": row.text("publisher", 200),
            "licence_id": _licence(session, row.text("licence", 64)).id,
            "note": str(row.get("note") or "")[:300],
            "accessed_on": row.date("accessed_on"),
        }
        source = session.execute(select(Source).where(Source.name == name, Source.url == url)).scalar_one_or_none()
        if source is None:
            source = Source(name=name, url=url, **values)
            session.add(source)
        elif not source.is_archived:
            for column, value in values.items():
                setattr(source, column, value)
        session.flush()  # for source.id
        found[key] = source.id
    return found


def _condition(session: Session, facts: "_Facts", slug: str, file: str, report: Report, *, now: datetime) -> Condition:
    """The condition of the file: made, found, or taken over from archives that call it by another name.

    All conditions that bear the file's name or one of its declared aliases become one.
    """
    name = facts.text("name", conditions.MAX_NAME_CHARS)
    folded = fold(name)
    if not folded:
        raise BadArticle("the name has no letter")
    names = {folded: name} | {fold(a.text("name", 300)): a.text("name", 300) for a in facts.rows("aliases")}
    holders = list(
        session.execute(select(Condition).where((Condition.slug == slug) | Condition.name_folded.in_(names))).scalars()
    )
    by_former = session.execute(
        select(Condition).join(FormerSlug, FormerSlug.condition_id == Condition.id).where(FormerSlug.slug == slug)
    ).scalar_one_or_none()
    owner = (
        session.execute(
            select(Condition)
            .join(Alias, Alias.condition_id == Condition.id)
            .where(Alias.folded == folded, Alias.is_declared)
        )
        .scalars()
        .first()
    )
    for other in (by_former, owner):
        if other is not None and other not in holders and _has_own_article(session, other):
            raise BadArticle(f"{name!r} already belongs to {other.name}; change that article instead")
    order = {folded: 1} | {key: n for n, key in enumerate(names, start=2) if key != folded}
    holders.sort(key=lambda c: (c.slug != slug, order.get(c.name_folded, 99), c.id))
    own = [c for c in holders if _has_own_article(session, c)]
    others = [c for c in own if c.slug != slug]
    if others:
        clash = names.get(others[0].name_folded, others[0].name)
        raise BadArticle(f"{clash!r} has an article of its own ({others[0].slug}); an alias would join the two")
    if not holders:
        condition = Condition(
            slug=slug, name=name, name_folded=folded, kind=_kind(facts), summary=_summary(facts), created_at=now
        )
        session.execute(delete(FormerSlug).where(FormerSlug.slug == slug))
        session.add(condition)
        session.flush()  # for condition.id
        return condition
    # One that has a board stays, so that its threads do.
    holders.sort(key=lambda c: conditions.in_use_elsewhere(session, c.id) is None)
    condition = holders[0]
    for other in holders[1:]:
        reason = f"{other.name} is a declared alias of {name}" if other.name_folded in names else f"same address {slug}"
        board = conditions.in_use_elsewhere(session, other.id)
        if board:
            report.look_at(file, f"{other.name} is {name} by alias, but has a {board} of its own: not joined")
            continue
        conditions.merge(session, other, into=condition, reason=reason, now=now)
        report.merge(file, f"{reason}: its texts joined")
    if condition.slug != slug or condition.name != name:
        old = condition.name
        taken = session.execute(select(Condition.id).where(Condition.name_folded == folded)).scalar()
        if taken not in (None, condition.id):
            raise BadArticle(f"{name!r} is another condition with a board of its own; join the two boards first")
        conditions.rename(session, condition, slug=slug, name=name)
        if fold(old) != folded:
            reason = f"{old} is a declared alias of {name}"
            _explain(session, condition, reason, now=now)
            report.merge(file, f"{reason}: its texts joined")
    condition.kind, condition.summary, condition.review_note = _kind(facts), _summary(facts), None
    return condition


def _explain(session: Session, condition: Condition, reason: str, *, now: datetime) -> None:
    """Every archived text that is now under another name says why."""
    rows = session.execute(
        select(Article).where(Article.condition_id == condition.id, Article.importer != IMPORTER)
    ).scalars()
    for article in rows:
        article.match_reason = reason[:300]


def _has_own_article(session: Session, condition: Condition) -> bool:
    own = select(Article.id).where(
        Article.condition_id == condition.id, Article.importer == IMPORTER, Article.status != ArticleStatus.RETIRED
    )
    return session.execute(own.limit(1)).first() is not None


def _kind(facts: "_Facts") -> str:
    return facts.choice("kind", ("condition", "symptom"))


def _summary(facts: "_Facts") -> str:
    return facts.text("summary", 1_000)


def _aliases(session: Session, condition: Condition, facts: "_Facts") -> None:
    wanted = {}
    for row in facts.rows("aliases"):
        name = row.text("name", 300)
        folded = fold(name)
        if not folded:
            raise BadArticle(f"alias {name!r} has no letter")
        if folded != condition.name_folded:
            wanted[folded] = (name, row.choice("kind", ("synonym", "lay", "misspelling")))
    for name, kind in wanted.values():
        conditions.declare_alias(session, condition.id, name, kind=kind)
        session.flush()  # so that the next alias of the same folded form finds it


def _codes(session: Session, condition: Condition, facts: "_Facts") -> None:
    have = {
        tuple(row)
        for row in session.execute(
            select(ConditionCode.system, ConditionCode.code).where(ConditionCode.condition_id == condition.id)
        )
    }
    for row in facts.rows("codes"):
        code = (row.text("system", 32), row.text("code", 32))
        if code not in have:
            session.add(ConditionCode(condition_id=condition.id, system=code[0], code=code[1]))
            have.add(code)


def _categories(session: Session, condition: Condition, facts: "_Facts") -> None:
    slugs = facts.texts("categories")
    known: dict[str, int] = dict(
        session.execute(select(Category.slug, Category.id).where(Category.slug.in_(slugs))).all()
    )
    unknown = [s for s in slugs if s not in known]
    if unknown:
        raise BadArticle(f"unknown category {unknown[0]!r}")
    if not slugs:
        raise BadArticle("it stands in no category")
    # Our own article knows better than what was guessed for an archive.
    session.execute(delete(condition_category).where(condition_category.c.condition_id == condition.id))
    session.execute(
        condition_category.insert(),
        [{"condition_id": condition.id, "category_id": i} for i in dict.fromkeys(known[s] for s in slugs)],
    )


def _source_of(row: "_Facts", sources: Mapping[str, int], what: str, *, required: bool = False) -> int | None:
    key = row.get("source")
    if key is None and not required:
        return None
    if key not in sources:
        raise BadArticle(f"{what} cites {key!r}, which is not among the sources")
    return sources[key]


def _definitions(session: Session, condition: Condition, facts: "_Facts", sources: Mapping[str, int]) -> None:
    session.execute(delete(Definition).where(Definition.condition_id == condition.id))
    for position, row in enumerate(facts.rows("definitions")):
        session.add(
            Definition(
                condition_id=condition.id,
                position=position,
                term=row.text("term", 200),
                text=row.text("text", 5_000),
                source_id=_source_of(row, sources, "a definition", required=True),
            )
        )


def _relations(session: Session, condition: Condition, facts: "_Facts", sources: Mapping[str, int]) -> None:
    session.execute(delete(Relation).where(Relation.condition_id == condition.id))
    rows = facts.rows("relations")
    slugs = {str(row.get("slug") or "") for row in rows}
    by_slug: dict[str, int] = dict(
        session.execute(select(Condition.slug, Condition.id).where(Condition.slug.in_(slugs))).all()
    )
    for position, row in enumerate(rows):
        related = by_slug.get(str(row.get("slug") or ""))
        session.add(
            Relation(
                condition_id=condition.id,
                related_id=related if related != condition.id else None,
                related_name=row.text("name", 300),
                kind=row.choice("kind", ("related", "may_cause", "differential", "broader")),
                note=" ".join(str(row.get("note") or "").split()),
                source_id=_source_of(row, sources, "a relation"),
                position=position,
            )
        )


def _red_flags(session: Session, condition: Condition, facts: "_Facts", sources: Mapping[str, int]) -> None:
    session.execute(delete(RedFlag).where(RedFlag.condition_id == condition.id))
    for position, row in enumerate(facts.rows("red_flags")):
        intake = row.get("intake") or {}
        session.add(
            RedFlag(
                condition_id=condition.id,
                position=position,
                code=row.text("code", 64),
                text=row.text("text", 1_000),
                message=row.text("message", 2_000, otherwise=""),
                urgency=row.choice("urgency", ("emergency_now", "same_day", "soon")),
                phrases=row.texts("phrases"),
                intake_key=intake.get("key"),
                intake_values=[str(v) for v in intake.get("values", [])],
                source_id=_source_of(row, sources, "a red flag"),
                reviewed_on=row.date("reviewed_on"),
                reviewed_by=row.get("reviewed_by"),
            )
        )


def _intake(session: Session, condition: Condition, facts: "_Facts") -> None:
    session.execute(delete(IntakeField).where(IntakeField.condition_id == condition.id))
    keys = set()
    for position, row in enumerate(facts.rows("intake")):
        key = row.text("key", 32)
        keys.add(key)
        allowed = row.texts("allowed")
        visibility = row.choice("visibility", tuple(Visibility))
        if not allowed or set(allowed) - set(Visibility) or visibility not in allowed:
            raise BadArticle(f"intake {key}: `allowed` must hold known visibilities, `visibility` among them")
        kind = row.choice("type", ("choice", "multi", "text", "number"))
        options = [{"value": o.text("value", 64), "label": o.text("label", 200)} for o in row.rows("options")]
        if (kind in ("choice", "multi")) != bool(options):
            raise BadArticle(f"intake {key}: options belong to choice and multi, and only to those")
        session.add(
            IntakeField(
                condition_id=condition.id,
                position=position,
                key=key,
                label=row.text("label", 300),
                help=row.text("help", 1_000, otherwise=""),
                why_asked=row.text("why", 1_000),
                type=kind,
                options=options,
                scheme=row.text("scheme", 16, otherwise=""),
                default_visibility=Visibility(visibility),
                allowed_visibility=allowed,
            )
        )
    for row in facts.rows("red_flags"):
        asked = (row.get("intake") or {}).get("key")
        if asked is not None and asked not in keys:
            raise BadArticle(f"red flag {row.get('code')} watches the intake field {asked!r}, which there is not")


# --- Front matter ------------------------------------------------------------------------------------------------


class _Facts:
    """Front matter, or one entry of a list in it, read with clear errors."""

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self.values, self.where = values, where

    def fail(self, why: str) -> NoReturn:
        raise BadArticle(f"{self.where}{why}")

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def text(self, name: str, limit: int, missing: str | None = None, *, otherwise: str | None = None) -> str:
        value = self.values.get(name)
        if value is None or (isinstance(value, str) and is_blank(value)):
            if otherwise is not None:
                return otherwise
            self.fail(missing or f"{name} is missing")
        if not isinstance(value, str):
            self.fail(f"{name} must be text; put it in quotes")
        value = " ".join(value.split())
        if len(value) > limit:
            self.fail(f"{name} has more than {limit} characters")
        return value

    def texts(self, name: str) -> list[str]:
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.fail(f"{name} must be a list of texts")
        return value

    def choice(self, name: str, options: Iterable[str]) -> str:
        value, known = self.values.get(name), list(options)
        if value not in known:
            self.fail(f"{name} must be one of {', '.join(known)}, not {value!r}")
        return str(value)

    def date(self, name: str) -> date | None:
        value = self.values.get(name)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            self.fail(f"{name} must be a date such as 2026-03-02")
        return value

    def rows(self, name: str) -> list["_Facts"]:
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            self.fail(f"{name} must be a list of entries")
        return [_Facts(v, f"{self.where}{name} {n}: ") for n, v in enumerate(value, start=1)]
