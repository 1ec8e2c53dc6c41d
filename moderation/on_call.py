"""A person in danger does not wait for somebody to open the queue: whoever is on call hears of it at once."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member, RoleGrant
from core import outbox
from core.config import Settings
from core.vocabulary import Priority, Role
from moderation.models import Case

KIND = "on_call"
MOST_MAILS = 20


def alert(session: Session, case: Case, *, settings: Settings, now: datetime) -> None:
    """Call the webhook, if one is set, and write to the leads (where there is none, to the moderators of all boards).

    Neither carries a word of the post, nor its board: only the case, how urgent it is, and until when.
    """
    facts = _facts(case)
    call_webhook(session, case, settings=settings, now=now)
    for member_id in _on_call(session):
        outbox.put(session, "mail", {"template": "on_call", "member_id": member_id, "to": None} | facts, now=now)


def call_webhook(session: Session, case: Case, *, settings: Settings, now: datetime, late: bool = False) -> None:
    """Tell the webhook alone, where one is set; `late`: nobody decided the case in time."""
    if settings.on_call_webhook:
        outbox.put(session, KIND, _facts(case) | {"late": late}, now=now)


def _facts(case: Case) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "priority": case.priority.value,
        "due_at": case.due_at.isoformat(),
        "path": f"/moderation/cases/{case.id}",
    }


def _on_call(session: Session) -> list[int]:
    for role in (Role.LEAD, Role.MODERATOR):
        found = session.execute(
            select(RoleGrant.member_id)
            .join(Member, Member.id == RoleGrant.member_id)
            .where(
                RoleGrant.role == role,
                RoleGrant.board_id.is_(None),
                RoleGrant.category_id.is_(None),
                Member.closed_at.is_(None),
            )
            .order_by(RoleGrant.member_id)
            .limit(MOST_MAILS)
        ).scalars()
        members = list(dict.fromkeys(found))
        if members:
            return members
    return []


def is_urgent(priority: Priority | None) -> bool:
    return priority is Priority.P0
