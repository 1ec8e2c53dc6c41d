"""What a signal is given and what it gives back. A signal is a pure function: no session, no clock, no network."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True, eq=False)
class RuleFile:
    """One rule file with its version, which every finding repeats. Compared by identity, so it can key a cache."""

    name: str
    version: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class RedFlagRule:
    """One red flag of the board's condition, as its editors keep it."""

    code: str
    urgency: str
    message: str
    phrases: tuple[str, ...] = ()
    intake_key: str | None = None
    intake_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copies:
    """Where the same folded text stands already."""

    by_author_lately: bool = False
    elsewhere: bool = False


@dataclass(frozen=True)
class Draft:
    """One text before it is shown, with every fact that a signal may ask for. Offsets count in `text`."""

    body: str
    title: str | None = None
    rules: Mapping[str, RuleFile] = field(default_factory=dict)
    # Posts of the author that others could read so far.
    author_posts: int = 0
    # Whether this board reads the first posts of a new member before they appear.
    newcomers_wait: bool = True
    country: str = "GB"
    copies: Copies = Copies()
    red_flags: tuple[RedFlagRule, ...] = ()
    intake: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    # What readers see at present, where this is an edit: what stands there already needs no second look.
    shown_text: str = ""

    @cached_property
    def text(self) -> str:
        return join(self.title, self.body)


@dataclass(frozen=True)
class Finding:
    """One observation: where (None: the post as a whole) and, in one sentence for its author and moderators, why."""

    kind: str
    score: float
    holds: bool
    start: int | None
    end: int | None
    explanation: str
    rule_version: str


Signal = Callable[[Draft], Iterable[Finding]]


def join(title: str | None, body: str) -> str:
    """Title and body as one text; offsets of findings count in it."""
    return body if title is None else f"{title}\n\n{body}"
