"""Reasons in our words that a moderator starts from: shipped with the product, edited by leads, kept by rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auth.policy import Actor, require
from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.text import is_blank, normalise
from core.vocabulary import Action
from moderation import rules
from moderation.models import CannedReason
from moderation.rulings import REASON_CHARS

FILE = Path(__file__).parent / "starter" / "canned_reasons.yaml"
TITLE_CHARS = 100
MOST = 200


@dataclass(frozen=True)
class Reason:
    id: int
    rule_code: str
    title: str
    text: str
    is_active: bool
    version: int


def load_starter(session: Session) -> int:
    """Put the shipped reasons in where there are none yet; returns how many. What leads edited is never touched."""
    if session.execute(select(CannedReason.id).limit(1)).first():
        return 0
    shipped: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for position, one in enumerate(shipped):
        session.add(CannedReason(rule_code=one["rule"], title=one["title"], text=one["text"], position=position))
    session.flush()
    return len(shipped)


def choices(session: Session, *, every: bool = False) -> tuple[Reason, ...]:
    """The reasons by rule, in their order; with `every`, those out of use too."""
    stmt = select(CannedReason).order_by(CannedReason.rule_code, CannedReason.position, CannedReason.id).limit(MOST)
    if not every:
        stmt = stmt.where(CannedReason.is_active)
    rows = session.execute(stmt.execution_options(populate_existing=True)).scalars()
    found = [Reason(r.id, r.rule_code, r.title, r.text, r.is_active, r.version) for r in rows]
    return tuple(sorted(found, key=lambda r: _number(r.rule_code)))


def _number(code: str) -> tuple[int, str]:
    digits = "".join(c for c in code.split("-")[0] if c.isdigit())
    return (int(digits) if digits else 0, code)


def get(reasons: Sequence[Reason], reason_id: int | None) -> Reason | None:
    return next((reason for reason in reasons if reason.id == reason_id), None)


def save(
    session: Session,
    *,
    by: Actor,
    rule: str | None,
    title: str | None,
    text: str | None,
    is_active: bool,
    now: datetime,
    reason_id: int | None = None,
    version: int | None = None,
) -> CannedReason:
    """A new reason, or the newer form of one. Raises Forbidden, NotFound, Conflict("reason-changed"), Invalid."""
    require(by, Action.EDIT_DESK)
    values = _check(session, rule, title, text, now=now)
    if reason_id is None:
        made = CannedReason(**values, is_active=is_active)
        session.add(made)
        session.flush()  # the audit row names it
    else:
        updated = session.execute(
            update(CannedReason)
            .where(CannedReason.id == reason_id, CannedReason.version == version)
            .values(**values, is_active=is_active, version=CannedReason.version + 1)
            .returning(CannedReason.id)
            .execution_options(synchronize_session=False)
        ).first()
        if updated is None:
            if session.get(CannedReason, reason_id) is None:
                raise NotFound()
            raise Conflict(
                "reason-changed", "Somebody else has changed this reason meanwhile. Please look at it again."
            )
        made = session.get_one(CannedReason, reason_id, populate_existing=True)
    audit.record(
        session,
        actor_id=by.id,
        action="canned_reason.save",
        subject=("canned_reason", made.id),
        details={"rule": made.rule_code, "version": made.version, "active": made.is_active},
        now=now,
    )
    return made


def _check(session: Session, rule: str | None, title: str | None, text: str | None, *, now: datetime) -> dict[str, Any]:
    errors = []
    code = (rule or "").strip()
    if code == rules.NONE or rules.in_force(session, code, now=now) is None:
        errors.append(("rule", "Choose one of the rules in force."))
    name, said = normalise(title or "", field="title").strip(), normalise(text or "", field="text")
    if not name or len(name) > TITLE_CHARS:
        errors.append(("title", f"A few words to find it by, at most {TITLE_CHARS} characters."))
    if is_blank(said) or len(said) > REASON_CHARS:
        errors.append(("text", f"Words for the author, at most {REASON_CHARS:,} characters."))
    if errors:
        raise Invalid("invalid-field", "The reason cannot be kept like this.", errors=errors)
    return {"rule_code": code, "title": name, "text": said}
