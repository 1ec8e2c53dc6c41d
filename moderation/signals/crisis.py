"""Words of a person in acute danger: a plan, means, a time, a farewell, an overdose taken; and thoughts of dying.

A missed text is worse than one read too often, so doubt counts as a match; negation, idioms and stories of the past
are passed over. Nothing is ever removed by this: it holds, calls a person, and shows help at once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from moderation.signals.contract import Draft, Finding, RuleFile
from moderation.signals.language import even, is_negated, sentence

RULES = "crisis"
PLAN = "crisis_plan"
THOUGHTS = "crisis_thoughts"
KINDS = frozenset({PLAN, THOUGHTS})


def crisis(draft: Draft) -> Iterator[Finding]:
    """Kind crisis_plan (P0) or crisis_thoughts (P1), one finding for each group of words met; all of them hold."""
    rules = draft.rules[RULES]
    book = _book(rules)
    text = book.idioms.sub(lambda found: "\0" * len(found[0]), even(draft.text))
    thoughts = list(_matches(text, book.alone[THOUGHTS], book))
    plans = list(_matches(text, book.alone[PLAN], book))
    if thoughts or plans:
        plans += list(_matches(text, book.together, book))
    # An edit of a text that a person has read is asked about new words only, but about all of them together.
    shown = even(draft.shown_text)
    if all(text[start:end] in shown for _, _, start, end in thoughts + plans):
        return
    for kind, group, start, end in plans or thoughts:
        said = rules.data["kinds"][kind]
        yield Finding(kind, said["score"], True, start, end, said["explanations"][group], rules.version)


@dataclass(frozen=True)
class _Book:
    idioms: re.Pattern[str]
    past: re.Pattern[str]
    # (kind, group, pattern); the first two tables are by kind.
    alone: Mapping[str, list[tuple[str, str, re.Pattern[str]]]]
    together: list[tuple[str, str, re.Pattern[str]]]


def _matches(
    text: str, patterns: list[tuple[str, str, re.Pattern[str]]], book: _Book
) -> Iterator[tuple[str, str, int, int]]:
    """The first good match of each group."""
    met: set[str] = set()
    for kind, group, pattern in patterns:
        if group in met:
            continue
        for found in pattern.finditer(text):
            if is_negated(text, found.start()) or book.past.search(sentence(text, found.start(), found.end())):
                continue
            met.add(group)
            yield kind, group, found.start(), found.end()
            break


@cache
def _book(rules: RuleFile) -> _Book:
    words: dict[str, str] = {}
    for name, piece in rules.data["words"].items():
        words[name] = _fill(piece, words)
    kinds = rules.data["kinds"]
    alone = {
        kind: [(kind, group, _compile(p, words)) for group, ps in kinds[kind]["alone"].items() for p in ps]
        for kind in (PLAN, THOUGHTS)
    }
    together = [(PLAN, group, _compile(p, words)) for group, ps in kinds[PLAN]["together"].items() for p in ps]
    return _Book(_any(rules.data["idioms"], words), _any(rules.data["past"], words), alone, together)


def _fill(piece: str, words: Mapping[str, str]) -> str:
    for name, text in words.items():
        piece = piece.replace("{" + name + "}", text)
    return piece


def _compile(pattern: str, words: Mapping[str, str]) -> re.Pattern[str]:
    spaced = _fill(pattern, words).replace(" *", "\\s{0,4}").replace("(?! ", "(?!\\s{1,4}").replace(" ?", "\\s?")
    spaced = spaced.replace(" ", "[\\s,]{1,4}")
    return re.compile(rf"(?:\b|(?<=^)){spaced}\b", re.IGNORECASE | re.MULTILINE)


def _any(patterns: list[str], words: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile("|".join(_compile(p, words).pattern for p in patterns), re.IGNORECASE)
