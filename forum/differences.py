"""What changed between two texts, word by word, for people who read a history or judge an edit."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from forum.revisions import HistoryEntry

# Words and what stands between them; sentences; lines. Long texts are compared in larger pieces: the cost is square.
_PIECES = (
    re.compile(r"\s+|[^\W_]+|.", re.DOTALL),
    re.compile(r"[^.!?\n]*[.!?\n]+\s*|[^.!?\n]+"),
    re.compile(r"[^\n]*\n|[^\n]+"),
)
MAX_PIECES = 3_000


@dataclass(frozen=True)
class Segment:
    """`op`: same, del or ins."""

    op: str
    text: str


@dataclass(frozen=True)
class Version:
    """One text of a post, and how it differs from the one before; the first one is shown whole."""

    entry: HistoryEntry
    title: tuple[Segment, ...]
    body: tuple[Segment, ...]


def words(old: str, new: str) -> tuple[Segment, ...]:
    """The new text with what was taken out and put in. Cost: at most about a third of a second, whatever was typed."""
    a, b = _cut(old, new)
    segments: list[Segment] = []
    for op, a1, a2, b1, b2 in SequenceMatcher(None, a, b).get_opcodes():
        if op == "equal":
            segments.append(Segment("same", "".join(b[b1:b2])))
            continue
        if a2 > a1:
            segments.append(Segment("del", "".join(a[a1:a2])))
        if b2 > b1:
            segments.append(Segment("ins", "".join(b[b1:b2])))
    return tuple(segments)


def _cut(old: str, new: str) -> tuple[list[str], list[str]]:
    for piece in _PIECES:
        a, b = piece.findall(old), piece.findall(new)
        if max(len(a), len(b)) <= MAX_PIECES:
            return a, b
    return [old], [new]


def against(before: HistoryEntry | None, entry: HistoryEntry) -> Version:
    """A version beside the one before it, of what this reader may see of both."""
    if before is None:
        return Version(entry, (Segment("same", entry.title or ""),), (Segment("same", entry.text),))
    return Version(
        entry,
        words(before.title or "", entry.title or ""),
        words(before.source or before.text, entry.source or entry.text),
    )
