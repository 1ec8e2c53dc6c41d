"""Which edits are only a matter of spelling, so that nobody has to read them again. Pure.

The rule, also in docs/moderation.md: at most `MOST_PLACES` words differ, each by at most `MOST_LETTERS` letters of a
word of at least `LEAST_WORD`, and each keeps its first letter; capitals, spaces and common punctuation are free. No
digit, link, address, medicine, negation or opposite is touched, and no word comes or goes.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "starter" / "trivial.yaml"
MOST_PLACES = 3
MOST_LETTERS = 2
LEAST_WORD = 4

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_LINK = re.compile(r"\S*(?:://|www\.|@)\S*|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/\S*)?", re.IGNORECASE)
# Whatever else changes is more than spelling.
_FREE = re.compile(r"[\w\s.,;:!?'\"“”‘’-]")


def is_trivial(before: str, after: str) -> bool:
    """Whether the second text is the first with its spelling put right."""
    old, new = _WORD.findall(before.casefold()), _WORD.findall(after.casefold())
    if len(old) != len(new) or _LINK.findall(before) != _LINK.findall(after):
        return False
    if _FREE.sub("", before) != _FREE.sub("", after):
        return False
    places = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    return len(places) <= MOST_PLACES and all(_is_spelling(a, b) for a, b in places)


def _is_spelling(a: str, b: str) -> bool:
    if min(len(a), len(b)) < LEAST_WORD or a[0] != b[0] or not (a + b).isalpha():
        return False
    return not _matters(a) and not _matters(b) and _distance(a, b) <= MOST_LETTERS


@cache
def _words() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def _matters(word: str) -> bool:
    """Whether one letter of this word can change what is meant."""
    known = _words()
    if word in known["negations"] or word in known["medicines"]:
        return True
    return word.startswith(tuple(known["opposites"])) or word.endswith(tuple(known["medicine_endings"]))


def _distance(a: str, b: str) -> int:
    """Letters put in, left out, replaced, or exchanged with their neighbour."""
    rows: list[list[int]] = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            least = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                least = min(least, rows[i - 2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]
