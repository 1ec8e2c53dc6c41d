"""The ladder: which sanction is proposed for so many live strikes. A moderator may choose another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from auth.policy import Actor, require
from core import audit
from core.errors import Invalid
from core.vocabulary import Action, SanctionKind
from forum import boards
from forum.models import Board
from moderation import sanctions
from moderation.models import LadderStep, Sanction

SHIPPED = Path(__file__).parent / "starter" / "ladder.yaml"
MOST_STEPS = 10
MOST_STRIKES = 50


@dataclass(frozen=True)
class Step:
    """From so many live strikes on, this is proposed; `days` None where the kind has no end of its own."""

    strikes: int
    kind: SanctionKind
    days: int | None


@dataclass(frozen=True)
class Proposal:
    """What the ladder says of one member on one board: the default of the form, which a moderator may change.

    `strikes` count on this board's ladder; `strikes_in_all` wherever they were given.
    """

    kind: SanctionKind
    days: int | None
    strikes: int
    strikes_in_all: int
    # The step needs a warning before it that this member does not have, so a warning is proposed.
    lacks_warning: bool = False


@dataclass(frozen=True)
class Ladder:
    """The steps in force on a board; `is_own` says that its leads wrote them."""

    steps: tuple[Step, ...]
    is_own: bool


def load_shipped(session: Session) -> int:
    """Put the shipped steps into a site that has no general ladder; returns how many. Safe to repeat."""
    if session.execute(select(exists().where(LadderStep.board_id.is_(None)))).scalar():
        return 0
    rows = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    for row in rows:
        session.add(LadderStep(strikes=row["strikes"], kind=SanctionKind(row["kind"]), days=row.get("days")))
    session.flush()
    return len(rows)


def of_board(session: Session, board_id: int | None) -> Ladder:
    """A board's own ladder, else the general one. One query."""
    rows = session.execute(
        select(LadderStep)
        .where((LadderStep.board_id == board_id) | LadderStep.board_id.is_(None))
        .order_by(LadderStep.strikes)
    ).scalars()
    own: dict[bool, list[Step]] = {True: [], False: []}
    for row in rows:
        own[row.board_id is not None].append(Step(row.strikes, row.kind, row.days))
    return Ladder(tuple(own[True] or own[False]), bool(own[True]))


def propose(session: Session, member_id: int, *, board_id: int | None, now: datetime) -> Proposal:
    """What the ladder proposes now. Two queries at most; changes nothing.

    Without a strike a reminder, then a warning. A step that needs a warning before it, or a board where there is none,
    falls back to something milder.
    """
    live = session.execute(
        select(Sanction.kind, Sanction.strikes, Sanction.ladder_board_id).where(
            Sanction.member_id == member_id, sanctions.is_live(now)
        )
    ).all()
    in_all = sum(row.strikes for row in live)
    strikes = sum(row.strikes for row in live if board_id is None or row.ladder_board_id in (None, board_id))
    if strikes == 0:
        kind = SanctionKind.WARNING if live else SanctionKind.REMINDER
        return Proposal(kind, None, strikes, in_all)
    fitting = [step for step in of_board(session, board_id).steps if step.strikes <= strikes]
    step = fitting[-1] if fitting else Step(1, SanctionKind.WARNING, None)
    if step.kind is SanctionKind.BOARD_RESTRICTION and board_id is None:
        step = Step(step.strikes, SanctionKind.POSTING_LIMIT, step.days)
    if step.kind is SanctionKind.SUSPENSION and all(row.kind is not SanctionKind.WARNING for row in live):
        return Proposal(SanctionKind.WARNING, None, strikes, in_all, lacks_warning=True)
    return Proposal(step.kind, step.days, strikes, in_all)


def save(
    session: Session, actor: Actor, *, board: str | None, rows: Sequence[Mapping[str, Any]], now: datetime
) -> Ladder:
    """Write a board's ladder anew (`board` None: the general one). Leads only.

    `rows` of {strikes, kind, days}; rows without strikes are left out. Without any row a board follows the general
    ladder again. Raises Invalid naming `<field>-<row>`, counted from 0.
    """
    require(actor, Action.EDIT_DESK)
    steps, errors = _read(rows)
    if board is None and not steps and not errors:
        errors.append(("strikes-0", "The general ladder needs at least one step."))
    if errors:
        raise Invalid("invalid-field", "The ladder cannot be kept like this.", errors=errors)
    place = boards.ensure(session, board, now) if board else None
    board_id = place.id if place else None
    same_board = LadderStep.board_id.is_(None) if board_id is None else LadderStep.board_id == board_id
    session.execute(delete(LadderStep).where(same_board).execution_options(synchronize_session=False))
    for step in steps:
        session.add(LadderStep(board_id=board_id, strikes=step.strikes, kind=step.kind, days=step.days))
    audit.record(
        session,
        actor_id=actor.id,
        action="ladder.save",
        subject=("board", board_id),
        details={"steps": [[step.strikes, step.kind.value, step.days] for step in steps]},
        now=now,
    )
    session.flush()
    return of_board(session, board_id)


def _read(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Step], list[tuple[str, str]]]:
    steps: list[Step] = []
    errors: list[tuple[str, str]] = []
    for number, row in enumerate(rows[:MOST_STEPS]):
        if str(row.get("strikes") or "").strip() == "":
            continue
        strikes, days = _whole(row.get("strikes")), _whole(row.get("days"))
        kind = next((kind for kind in SanctionKind if kind.value == row.get("kind")), None)
        if strikes is None or not 1 <= strikes <= MOST_STRIKES:
            errors.append((f"strikes-{number}", f"A number from 1 to {MOST_STRIKES}."))
        elif any(step.strikes == strikes for step in steps):
            errors.append((f"strikes-{number}", "There is a step for this number already."))
        if kind is None:
            errors.append((f"kind-{number}", "Choose what is proposed."))
        elif kind in sanctions.TIMED and (days is None or not 1 <= days <= sanctions.MOST_DAYS):
            errors.append((f"days-{number}", f"Say for how many days: from 1 to {sanctions.MOST_DAYS}."))
        if strikes is not None and kind is not None:
            steps.append(Step(strikes, kind, days if kind in sanctions.TIMED else None))
    return sorted(steps, key=lambda step: step.strikes), errors


def _whole(sent: Any) -> int | None:
    text = str(sent if sent is not None else "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def boards_with_own(session: Session) -> list[tuple[str, str]]:
    """(slug, name) of the boards whose leads wrote a ladder."""
    own = select(LadderStep.board_id).where(LadderStep.board_id.is_not(None))
    return [(slug, name) for slug, name in session.execute(select(Board.slug, Board.name).where(Board.id.in_(own)))]
