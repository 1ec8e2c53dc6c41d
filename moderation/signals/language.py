"""Small helps for signals that read English: apostrophes, clauses, and whether a "not" turns a match round."""

import re
from functools import lru_cache

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'", "＇": "'"})
# A turn of phrase in which a "not" belongs to something else than what follows.
_NOT = re.compile(
    r"\b(?:(?:not|never|neither|nor|without|denies|deny)\b|no(?!\s+(?:one|body|matter|doubt|more|longer|idea)\b)\b"
    r"|(?:do|does|did|is|are|am|was|were|has|have|had|would|wo|ca|could|should|ai)n'?t\b)"
    r"(?!\s+(?:sure|only|just|know|care|stop|wait|help|see|stand|cope|take|handle|bear|go|joking|kidding|lying)\b)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.!?;:\n]|,(?!\s*ever\b)|\b(?:but|because|although|however)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?\n]")
_WORD = re.compile(r"[\w']+")


def even(text: str) -> str:
    """The same text, of the same length, with one kind of apostrophe."""
    return text.translate(_APOSTROPHES)


def is_negated(text: str, start: int, *, words: int = 5) -> bool:
    """Whether one of the last `words` words of the clause before `start` turns what follows into its opposite."""
    before = text[max(0, start - 120) : start]
    cut = 0
    for found in _CLAUSE_END.finditer(before):
        cut = found.end()
    clause = before[cut:]
    near = list(_WORD.finditer(clause))[-words:]
    return bool(near and _NOT.search(clause[near[0].start() :]))


def sentence(text: str, start: int, end: int) -> str:
    """The sentence around a match; at most 200 characters on each side."""
    stops = [found.end() for found in _SENTENCE_END.finditer(text[max(0, start - 200) : start])]
    first = max(0, start - 200) + (stops[-1] if stops else 0)
    stop = _SENTENCE_END.search(text, end, min(len(text), end + 200))
    return text[first : stop.start() if stop else min(len(text), end + 200)]


@lru_cache(maxsize=4096)
def phrase(words: str) -> re.Pattern[str]:
    """A phrase as people type it: any case, any space, and at most one further word between two of its words."""
    parts = [re.escape(part) for part in even(words).split()]
    # In front of a phrase of three words or more, one word may have slipped in ("numb right between my legs").
    gap = r"[\s,]{1,3}(?:[\w']{1,20}[\s,]{1,3})?" if len(parts) > 2 else r"[\s-]{1,3}"
    return re.compile(rf"(?<!\w){gap.join(parts)}(?!\w)", re.IGNORECASE)
