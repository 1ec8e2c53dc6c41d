"""The sidebar of a board or a thread: which sections of the condition's article fit this text best.

Pure counting, no model: words that a thread shares with a section weigh more the fewer sections hold them, words of a
heading weigh double, and cue phrases tell which kind of section a question asks for ("how long" asks for the outlook).
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from content import queries, sections
from content.models import Article, Condition, Licence, Section, Source
from content.queries import DefinitionView, RedFlagView, RelatedView
from core.vocabulary import ArticleStatus

LIMIT = 4
# A thread's title says what it is about; the rest of a long text says it less and less.
TITLE_WEIGHT = 2.0
HEADING_WEIGHT = 2.0
CUE_WEIGHT = 1.0
# The first so many characters of a text decide; the rest cannot change much.
TEXT_CHARS = 4_000
# Shown where there is no text to compare with (a board), or none of it fits.
USUAL = ("introduction", "symptoms", "treatments", "red_flags", "causes", "outlook")

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


@dataclass(frozen=True)
class SidebarSection:
    """A section that fits. `score` is comparable within one sidebar only."""

    id: int
    key: str
    heading: str
    teaser: str
    url: str
    score: float
    is_archived: bool


@dataclass(frozen=True)
class Review:
    """What may be said of the article's date: `reviewed` (by whom, here), `checked` against its sources, `archived`."""

    kind: str
    on: date | None
    by: str | None
    note: str
    # Past the date by which it should have been looked at again.
    is_due: bool = False


@dataclass(frozen=True)
class Credit:
    """Whose text the sidebar shows, and under which licence."""

    line: str
    licence: str
    licence_url: str | None
    source_name: str | None = None
    source_url: str | None = None


@dataclass(frozen=True)
class Sidebar:
    """All that a page needs. Without an article `article_url` is None and `sections` is empty: the page says so."""

    name: str | None
    slug: str | None
    summary: str
    article_url: str | None
    red_flags: tuple[RedFlagView, ...] = ()
    red_flags_url: str | None = None
    sections: tuple[SidebarSection, ...] = ()
    definitions: tuple[DefinitionView, ...] = ()
    related: tuple[RelatedView, ...] = ()
    review: Review | None = None
    credits: tuple[Credit, ...] = ()


NOTHING = Sidebar(name=None, slug=None, summary="", article_url=None)


def choose(
    session: Session,
    condition_id: int | None,
    *,
    text: str = "",
    emergency: str = queries.NO_NUMBER,
    today: date | None = None,
    limit: int = LIMIT,
) -> Sidebar:
    """The sidebar for a text about a condition; a thread gives its title, a line break, and its text.

    Five queries, about 3 ms for a long article; None gives the empty sidebar of a board without a condition.
    """
    row = session.get(Condition, condition_id) if condition_id is not None else None
    if row is None:
        return NOTHING
    parts = session.execute(
        select(
            Section.id,
            Section.article_id,
            Section.key,
            Section.heading,
            Section.teaser,
            Section.text,
            Article.is_archived,
        )
        .join(Article, Article.id == Section.article_id)
        .where(Article.condition_id == row.id, Article.status == ArticleStatus.PUBLISHED)
        .order_by(Article.is_archived, Article.import_key, Section.position)
    ).all()
    candidates = [Candidate(p.id, p.article_id, p.key, p.heading, p.teaser, p.text, p.is_archived) for p in parts]
    best = rank(candidates, text)[:limit]
    flags = queries.red_flags(session, row.id, emergency=emergency)
    has_flags_section = any(c.key == "red_flags" for c in candidates)
    review, credits = _provenance(session, best, today)
    return Sidebar(
        name=row.name,
        slug=row.slug,
        summary=row.summary,
        article_url=f"/reference/{row.slug}/" if candidates else None,
        red_flags=flags,
        red_flags_url=sections.url(row.slug, "red_flags") if has_flags_section else None,
        sections=tuple(
            SidebarSection(
                id=c.id,
                key=c.key,
                heading=c.heading,
                teaser=queries.fill(c.teaser, emergency),
                url=sections.url(row.slug, c.key),
                score=round(score, 4),
                is_archived=c.is_archived,
            )
            for c, score in best
        ),
        definitions=queries.definitions(session, row.id),
        related=queries.related(session, row.id),
        review=review,
        credits=credits,
    )


def _provenance(
    session: Session, best: Sequence[tuple["Candidate", float]], today: date | None
) -> tuple[Review | None, tuple[Credit, ...]]:
    """What may be said about the first article's date, and the credits of all articles shown. One query."""
    ids = list(dict.fromkeys(c.article_id for c, _ in best))
    if not ids:
        return None, ()
    rows = session.execute(
        select(Article, Source, Licence)
        .join(Source, Source.id == Article.source_id)
        .join(Licence, Licence.id == Article.licence_id)
        .where(Article.id.in_(ids))
    ).all()
    rows = sorted(rows, key=lambda r: ids.index(r[0].id))
    article, source, _ = rows[0]
    is_due = bool(today and article.next_review_due and article.next_review_due < today)
    if article.is_archived:
        review = Review("archived", None, None, source.note)
    elif article.reviewed_on:
        review = Review("reviewed", article.reviewed_on, article.reviewed_by, "", is_due)
    else:
        review = Review("checked", article.checked_on, None, "", is_due)
    credits = {
        Credit(
            line=licence.credit_line,
            licence=licence.name,
            licence_url=licence.url,
            source_name=source.name if article.is_archived else None,
            source_url=source.url if article.is_archived else None,
        ): None
        for article, source, licence in rows
    }
    return review, tuple(credits)


# --- Ranking -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A section that could stand in the sidebar."""

    id: int
    article_id: int
    key: str
    heading: str
    teaser: str
    text: str
    is_archived: bool


def rank(candidates: Sequence[Candidate], text: str) -> list[tuple[Candidate, float]]:
    """The sections with their scores, best first, those of our own article before any archived copy.

    Of archived sections only the best of each key is kept: the others are on the same page.
    """
    scores = _scores(candidates, text)
    usual = {key: place for place, key in enumerate(USUAL)}
    ordered = sorted(
        zip(candidates, scores, strict=True),
        key=lambda pair: (
            pair[0].is_archived,
            -pair[1],
            usual.get(pair[0].key, len(usual)),
            sections.order(pair[0].key),
            pair[0].id,
        ),
    )
    seen: set[str] = set()
    kept = []
    for candidate, score in ordered:
        if candidate.key not in seen:
            kept.append((candidate, score))
            seen.add(candidate.key)
    return kept


def _scores(candidates: Sequence[Candidate], text: str) -> list[float]:
    text = text[:TEXT_CHARS].lower().replace("\u2019", "'")
    title, _, body = text.partition("\n")
    query: Counter[str] = Counter()
    for part, weight in ((title, TITLE_WEIGHT), (body, 1.0)):
        for word, count in Counter(_stems(part)).items():
            query[word] += weight * math.sqrt(count)  # type: ignore[assignment]
    if not query:
        return [0.0] * len(candidates)
    stats = [_statistics(c.heading, c.text) for c in candidates]
    frequency = Counter(word for heading, words, _ in stats for word in words.keys() | heading)
    total = len(candidates)
    average = sum(length for _, _, length in stats) / total if total else 1.0
    norm = math.sqrt(sum(query.values()))
    cues = _cues(title, body)
    scores = []
    for candidate, (heading, words, length) in zip(candidates, stats, strict=True):
        score = 0.0
        for word, weight in query.items():
            if word not in words and word not in heading:
                continue
            rarity = math.log((total + 1) / (frequency[word] + 0.5))
            if rarity > 0:
                often = words.get(word, 0)
                score += weight * rarity * (often / (often + 1.0) + HEADING_WEIGHT * (word in heading))
        score /= norm * (0.6 + 0.4 * length / average)
        scores.append(score + CUE_WEIGHT * cues.get(candidate.key, 0.0))
    return scores


def _cues(title: str, body: str) -> dict[str, float]:
    """How strongly a text asks for each kind of section."""
    found = {}
    for key, patterns in _patterns().items():
        score = sum(
            weight * (TITLE_WEIGHT / 2 * bool(p.search(title)) + 0.5 * bool(p.search(body))) for p, weight in patterns
        )
        if score:
            found[key] = score
    return found


@lru_cache(maxsize=2048)
def _statistics(heading: str, text: str) -> tuple[frozenset[str], dict[str, int], int]:
    """Stems of a section: of its heading, of its text with counts, and how many. Kept by the words themselves, so a
    changed section is counted anew at once."""
    words = _stems(text.lower().replace("\u2019", "'"))
    return frozenset(_stems(heading.lower())), dict(Counter(words)), len(words)


@cache
def _tables() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("cues.yaml").read_text("utf-8"))


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(_tables()["stop_words"].split())


@cache
def _patterns() -> dict[str, tuple[tuple[re.Pattern[str], float], ...]]:
    return {
        key: tuple((re.compile("|".join(cue["any"])), float(cue["weight"])) for cue in cues)
        for key, cues in _tables()["cues"].items()
    }


def _stems(text: str) -> list[str]:
    stop = _stop_words()
    return [_stem(word) for word in _WORD.findall(text) if word not in stop and len(word) > 1]


def _stem(word: str) -> str:
    """A light stem: enough that "aches" meets "ache" and "preventing" meets "prevent"."""
    word = word.removesuffix("'s")
    for ending, least in (("ations", 4), ("ation", 4), ("ings", 4), ("ing", 4), ("edly", 4), ("ies", 3), ("ed", 4)):
        if word.endswith(ending) and len(word) - len(ending) >= least:
            stem = word[: -len(ending)]
            return stem + "y" if ending == "ies" else _undouble(stem)
    if word.endswith("es") and len(word) > 5 and word[-3] in "sxzh":
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _undouble(stem: str) -> str:
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
