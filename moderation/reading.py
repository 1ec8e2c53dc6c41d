"""How a moderator reads a text: with what the signals found marked in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from moderation.queries import FindingView, Segment


@dataclass(frozen=True)
class Found:
    """All findings of one kind. `number` is what marks their places in the text."""

    number: int
    kind: str
    holds: bool
    explanations: tuple[str, ...]
    quotes: tuple[str, ...]


@dataclass(frozen=True)
class Marked:
    """A stretch of the text; `mark` names the findings that cover it, as "1" or "1, 3"; None: nothing was found."""

    text: str
    mark: str | None


def grouped(findings: Sequence[FindingView]) -> tuple[Found, ...]:
    """One row for each kind: what holds the post first, then in the order of the text."""
    kinds: dict[str, list[FindingView]] = {}
    for one in sorted(findings, key=lambda f: (not f.holds, f.start is None, f.start or 0)):
        kinds.setdefault(one.kind, []).append(one)
    return tuple(
        Found(
            number=number,
            kind=kind,
            holds=any(one.holds for one in group),
            explanations=tuple(dict.fromkeys(one.explanation for one in group)),
            quotes=tuple(dict.fromkeys(one.quote for one in group if one.quote)),
        )
        for number, (kind, group) in enumerate(kinds.items(), start=1)
    )


def marked(segments: Sequence[Segment], found: Sequence[Found]) -> tuple[Marked, ...]:
    numbers = {group.kind: group.number for group in found}
    return tuple(
        Marked(part.text, ", ".join(str(numbers[kind]) for kind in part.kinds if kind in numbers) or None)
        for part in segments
    )
