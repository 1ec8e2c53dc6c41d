"""The one inversion: what the forum must ask moderation, as one frozen table of functions.

Moderation stands to the forum's right, so the forum cannot import it: `wsgi.py` hands over a `Gate`, doors pass it on,
and rules get it as an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from core.config import Settings
from core.vocabulary import PostKind, PostState, ThreadKind

# Under this key the application carries its Gate.
EXTENSION = "boardwell.gate"


@dataclass(frozen=True)
class Resource:
    """One help line."""

    name: str
    phone: str = ""
    url: str = ""
    hours: str = ""


@dataclass(frozen=True)
class GuidanceNote:
    """What the writer is told at once. `urgency`: emergency_now, same_day, soon or info."""

    kind: str
    urgency: str
    message: str
    resources: tuple[Resource, ...] = ()


@dataclass(frozen=True)
class Submission:
    """One text on its way to the readers: a new post, or an edit of one."""

    post_id: int
    revision_id: int
    thread_id: int
    board_id: int
    condition_id: int | None
    board_mode: str
    author_id: int
    author_country: str | None
    post_kind: PostKind
    thread_kind: ThreadKind
    title: str | None
    body: str
    is_edit: bool = False
    # What readers see at present, where the post is published and its author edits it.
    live_body: str | None = None
    live_title: str | None = None
    # Key of the intake question -> the chosen values, private ones too: red flags may need them.
    intake: Mapping[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Screening:
    """`state` is PUBLISHED, HELD or SHIELDED; of an edit, HELD means that the edit waits."""

    state: PostState
    guidance: tuple[GuidanceNote, ...] = ()


@dataclass(frozen=True)
class HeldReason:
    """`kind` is a finding's kind; `explanation` one kind sentence for the author."""

    kind: str
    explanation: str


@dataclass(frozen=True)
class HeldStatus:
    """What the author sees of the wait. `expected_wait_minutes` is None while no history exists; `hours` are UTC."""

    reasons: tuple[HeldReason, ...]
    position: int | None
    expected_wait_minutes: int | None
    hours: tuple[int, int]


class Screen(Protocol):
    """Writes findings and opens or updates the case, in the caller's transaction."""

    def __call__(self, session: Session, submission: Submission, *, settings: Settings, now: datetime) -> Screening: ...


class ShowHeld(Protocol):
    """None when nothing of this post waits."""

    def __call__(self, session: Session, post_id: int, *, settings: Settings, now: datetime) -> HeldStatus | None: ...


class TellWithdrawn(Protocol):
    """Its author withdrew the post: a case about a waiting text of it is moot."""

    def __call__(self, session: Session, post_id: int, *, now: datetime) -> None: ...


@dataclass(frozen=True)
class Gate:
    screen: Screen
    held_status: ShowHeld
    withdrawn: TellWithdrawn


class _Carrier(Protocol):
    @property
    def extensions(self) -> dict[str, Any]: ...


def of(app: _Carrier) -> Gate:
    """The gate that `wsgi.py` handed to this application."""
    gate: Gate = app.extensions[EXTENSION]
    return gate
