"""What stands beside a case on its page: who else reads it, notes, ready reasons, the next case, one's own day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from auth.policy import Actor, allowed
from core.vocabulary import Action
from moderation import canned, cases, desk
from moderation.queries import CaseRow

# As many reasons can be pressed at once, one for each digit.
READY = 9
# What a finding of a kind is most often about; the longest beginning that fits counts.
LIKELY = {
    "crisis_": "R5-crisis",
    "pii_person": "R8-privacy-others",
    "pii_profile": "R8-privacy-others",
    "pii_": "R7-privacy-own",
    "link": "R9-no-ads",
    "promotion": "R9-no-ads",
    "spam": "R9-no-ads",
    "duplicate": "R9-no-ads",
    "hostile": "R11-kind",
    "dosing": "R3-no-doses",
    "sourcing": "R2-source",
    "advice": "R1-own-story",
    "impersonation": "R10-honest-role",
}


@dataclass(frozen=True)
class Today:
    """How many hard texts this moderator has opened today, and whether a break is due."""

    hard: int
    needs_break: bool


@dataclass(frozen=True)
class Beside:
    settings: desk.Settings
    today: Today
    is_hard: bool
    others: tuple[desk.Reader, ...]
    notes: tuple[desk.Note, ...]
    # Reasons to decide with in one press, the likeliest first.
    ready: tuple[canned.Reason, ...]
    # The case that "next" would take now.
    next_id: int | None
    # (id, handle) of those to whom a lead may give it; empty for others.
    team: tuple[tuple[int, str], ...]

    @property
    def is_blurred(self) -> bool:
        return self.is_hard and self.settings.blurs


def beside(
    session: Session,
    row: CaseRow,
    *,
    by: Actor,
    board_id: int | None,
    reasons: Sequence[canned.Reason],
    now: datetime,
) -> Beside:
    """Read-only; five queries, and one more for leads."""
    chosen = desk.settings_of(session, by)
    return Beside(
        settings=chosen,
        today=today(session, by, chosen, now=now),
        is_hard=desk.is_hard(row.kinds, row.reported_rules),
        others=desk.others_reading(session, row.id, by=by, now=now),
        notes=desk.notes_of(session, row.id),
        ready=ready(reasons, kinds=row.kinds, reported_rules=row.reported_rules),
        next_id=cases.peek_next(session, by=by, now=now, besides=row.id, opted_out_of=chosen.opted_out),
        team=tuple(desk.team(session, board_id)) if allowed(by, Action.ASSIGN_CASE) else (),
    )


def today(session: Session, by: Actor, chosen: desk.Settings, *, now: datetime) -> Today:
    hard = desk.hard_today(session, by, now=now)
    return Today(hard, hard >= chosen.break_after)


def ready(
    reasons: Sequence[canned.Reason], *, kinds: Sequence[str], reported_rules: Sequence[str]
) -> tuple[canned.Reason, ...]:
    """The reasons for the rules that were reported, then for what was found, then the others."""
    wanted = [*reported_rules, *(rule for kind in kinds if (rule := _likely(kind)))]
    first = {rule: place for place, rule in reversed(list(enumerate(wanted)))}
    return tuple(sorted(reasons, key=lambda reason: first.get(reason.rule_code, len(wanted)))[:READY])


def _likely(kind: str) -> str | None:
    fits = [beginning for beginning in LIKELY if kind.startswith(beginning)]
    return LIKELY[max(fits, key=len)] if fits else None
