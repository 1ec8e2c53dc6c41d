"""The board rules that decisions and reports cite; their texts and versions live in the content table."""

from datetime import datetime

from sqlalchemy.orm import Session

from content import queries as reference
from content.queries import RuleView

# What a decision cites that finds no rule broken.
NONE = "none"


def in_force(session: Session, code: str, *, now: datetime) -> RuleView | None:
    """One rule as it is at `now`; None where there is no such code."""
    return next((rule for rule in reference.rule_texts(session, now) if rule.code == code), None)


def choices(session: Session, *, now: datetime) -> tuple[RuleView, ...]:
    """The rules that can be broken, in their order."""
    return tuple(rule for rule in reference.rule_texts(session, now) if rule.code != NONE)
