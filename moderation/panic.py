"""The panic switch: while it is on, a person reads everything before it appears, and nobody can register."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, require
from core import audit, switches
from core.errors import invalid
from core.switches import PANIC, Switch
from core.text import normalise
from core.vocabulary import Action

REASON_CHARS = 2_000


@dataclass(frozen=True)
class PanicState:
    """`changed_by` None: nobody has turned it yet, or its turner has closed the account."""

    is_on: bool
    changed_at: datetime | None = None
    changed_by: str | None = None


def state(session: Session) -> PanicState:
    found = session.execute(
        select(Switch.is_on, Switch.changed_at, Member.handle, Member.closed_at)
        .outerjoin(Member, Member.id == Switch.changed_by)
        .where(Switch.name == PANIC)
    ).one_or_none()
    if found is None:
        return PanicState(is_on=False)
    return PanicState(found.is_on, found.changed_at, found.handle if found.closed_at is None else None)


def turn(session: Session, *, on: bool, by: Actor, reason: str, now: datetime) -> bool:
    """Turn the switch, with a row in the audit chain. False where it stood so already. Raises Invalid on `reason`."""
    require(by, Action.SWITCH_PANIC)
    said = normalise(reason, field="reason")
    if len(said) > REASON_CHARS:
        raise invalid("reason", f"At most {REASON_CHARS:,} characters; this has {len(said):,}.")
    if switches.is_on(session, PANIC) == on:
        return False
    switches.turn(session, PANIC, on=on, by=by.id, now=now)
    audit.record(
        session,
        actor_id=by.id,
        action="panic.on" if on else "panic.off",
        subject=("switch", None),
        reason=said,
        now=now,
    )
    return True
