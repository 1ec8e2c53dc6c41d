"""The sidebar of a board or a thread: which sections of the condition's article fit this text best.

Three votes are added. Words that a thread shares with a section weigh more the fewer sections hold them. Cue phrases
tell which kind of section is asked for ("how long" asks for the outlook). And examples of what members say, sorted by
the section that they need, teach which words lean to which section.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from itertools import pairwise
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
LEAN_WEIGHT = 0.25
# What is said in the text counts so much of what is said in the title.
BODY_SHARE = 0.5
# What a red flag named in the text adds to the section about them, by its urgency.
ALARM = {"emergency_now": 1.5, "same_day": 0.4}
# A word that no example of a section holds speaks against it only so much.
LEAST_LEAN = -0.4
# The first so many characters of a text decide; the rest cannot change much.
TEXT_CHARS = 2_000
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

    Seven queries, about 3 ms for a long article; None gives the empty sidebar of a board without a condition.
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
    flags = queries.red_flags(session, row.id, emergency=emergency)
    names = [row.name, *queries.aliases_of(session, [row.id]).get(row.id, ())]
    signs = [(flag.urgency, phrase) for flag in flags for phrase in flag.phrases]
    best = rank(candidates, text, names=names, signs=signs)[:limit]
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


def rank(
    candidates: Sequence[Candidate], text: str, *, names: Iterable[str] = (), signs: Iterable[tuple[str, str]] = ()
) -> list[tuple[Candidate, float]]:
    """The sections with their scores, best first, those of our own article before any archived copy.

    `names` are those of the condition, whose words tell no section from another; `signs` are (urgency, phrase) of its
    red flags: a thread that holds one is first of all about those. Of archived sections only the best of each key is
    kept: the others are on the same page.
    """
    scores = _scores(candidates, text, frozenset(_stems(" ".join(names).lower())))
    alarm = _alarm(text, signs)
    scores = [s + alarm * (c.key == "red_flags") for c, s in zip(candidates, scores, strict=True)]
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


def _alarm(text: str, signs: Iterable[tuple[str, str]]) -> float:
    """What the most urgent red flag in a text adds."""
    plain = " ".join(text[:TEXT_CHARS].lower().replace("\u2019", "'").split())
    return max((ALARM.get(urgency, 0.0) for urgency, phrase in signs if phrase.lower() in plain), default=0.0)


def _scores(candidates: Sequence[Candidate], text: str, names: frozenset[str] = frozenset()) -> list[float]:
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
    cues, leans = _cues(title, body), _leans(title, body)
    scores = []
    for candidate, (heading, words, length) in zip(candidates, stats, strict=True):
        score = 0.0
        for word, weight in query.items():
            if word in names or (word not in words and word not in heading):
                continue
            rarity = math.log((total + 1) / (frequency[word] + 0.5))
            if rarity > 0:
                often = words.get(word, 0)
                score += weight * rarity * (often / (often + 1.0) + HEADING_WEIGHT * (word in heading))
        score /= norm * (0.6 + 0.4 * length / average)
        score += CUE_WEIGHT * cues.get(candidate.key, 0.0) + LEAN_WEIGHT * leans.get(candidate.key, 0.0)
        scores.append(score)
    return scores


# A thread is read more often than it is written: what its words ask for is kept for a while.
@lru_cache(maxsize=1024)
def _cues(title: str, body: str) -> dict[str, float]:
    """How strongly a text asks for each kind of section."""
    found = {}
    for key, groups in _patterns().items():
        score = sum(
            weight * (_worth(patterns, title) + BODY_SHARE * _worth(patterns, body)) for weight, patterns in groups
        )
        if score:
            found[key] = score
    return found


def _worth(patterns: Sequence[re.Pattern[str]], text: str) -> float:
    """One sign counts whole, a second and third of the same strength count half."""
    signs = sum(1 for pattern in patterns if pattern.search(text))
    return min(signs, 1) + 0.5 * min(max(signs - 1, 0), 2)


@lru_cache(maxsize=1024)
def _leans(title: str, body: str) -> dict[str, float]:
    """How far the words of a text lean to each kind of section: a sum of log-odds, as in a naive Bayes classifier."""
    found: Counter[str] = Counter()
    for part, share in ((title, 1.0), (body, BODY_SHARE)):
        for feature in _features(part):
            for key, lean in _lean_of(feature).items():
                found[key] += share * lean  # type: ignore[assignment]
    return dict(found)


@cache
def _lean_of(feature: str) -> dict[str, float]:
    """Log-odds of one word or pair of words for each key; empty for what no example holds."""
    by_key, sizes = _examples()
    everywhere = sum(counts[feature] for counts in by_key.values())
    if not everywhere:
        return {}
    base = (everywhere + 0.3) / (sum(sizes.values()) + 0.6)
    strength = 0.7 if " " in feature else 1.0
    return {
        key: strength * max(LEAST_LEAN, math.log((by_key[key][feature] + 1.2 * base) / (sizes[key] + 1.2) / base))
        for key in by_key
    }


@cache
def _examples() -> tuple[dict[str, Counter[str]], dict[str, int]]:
    """In how many examples of each key a word or pair occurs, and how many examples there are."""
    table = yaml.safe_load(Path(__file__).with_name("sidebar_examples.yaml").read_text("utf-8"))
    counts = {key: Counter(f for example in said for f in _features(example.lower())) for key, said in table.items()}
    return counts, {key: len(said) for key, said in table.items()}


def _features(text: str) -> set[str]:
    """Stems and pairs of neighbours. Small words stay: "how long" and "why me" are made of them."""
    stems = [_stem(word) for word in _WORD.findall(text)]
    return {*stems, *(f"{a} {b}" for a, b in pairwise(stems))}


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
def _patterns() -> dict[str, tuple[tuple[float, tuple[re.Pattern[str], ...]], ...]]:
    """By section key: the weight of a strength, and its signs."""
    weights = _tables()["weights"]
    return {
        key: tuple(
            (float(weights[name]), tuple(re.compile("".join(sign)) for sign in signs)) for name, signs in groups.items()
        )
        for key, groups in _tables()["cues"].items()
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
