"""Late cases call the next person, level by level, once each."""

from datetime import timedelta

from sqlalchemy import select

from auth.models import RoleGrant
from core.audit import AuditEntry
from core.config import Settings
from core.outbox import OutboxMessage
from core.vocabulary import Role, Verdict
from forum.models import Board
from moderation import cases, lateness
from tests.forum.stage import make_member
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS


def call(stage: Stage, *, settings: Settings | None = None, **after: float) -> int:
    return lateness.call_for_late(
        stage.session, settings=settings or stage.settings, now=stage.now + timedelta(**after)
    )


def arm(stage: Stage) -> None:
    """Everybody of the team has set up two-step sign-in, and Ada administers."""
    stage.members["ada"] = make_member(stage.session, "ada", stage.now)
    stage.session.add(RoleGrant(member_id=stage.members["ada"].id, role=Role.ADMIN, granted_at=stage.now))
    for name in ("mo", "mia", "lea", "ada"):
        stage.members[name].tf_totp_secret = "set up"
    stage.session.flush()


def mailed(stage: Stage) -> list[tuple[str, list[str]]]:
    """Who was written to about which cases, in order."""
    stage.session.flush()
    names = {member.id: name for name, member in stage.members.items()}
    rows = stage.session.execute(select(OutboxMessage).order_by(OutboxMessage.id)).scalars()
    return [
        (names[row.payload["member_id"]], [case["path"].rsplit("/", 1)[1] for case in row.payload["cases"]])
        for row in rows
        if row.kind == "mail" and row.payload["template"] == "late"
    ]


def test_nobody_is_called_in_time(stage: Stage) -> None:
    arm(stage)
    stage.held()
    assert call(stage, hours=23, minutes=59) == 0
    assert mailed(stage) == []


def test_an_urgent_case_calls_moderators_then_leads_then_administrators(stage: Stage) -> None:
    arm(stage)
    case = stage.case_of(stage.ask(body=CRISIS).post)
    cases.claim(stage.session, case.id, by=stage.mo, now=stage.now + timedelta(minutes=10))
    assert call(stage, minutes=14) == 0
    assert call(stage, minutes=15) == 1
    # Mo holds it and knows; everybody else of the board's team hears of it.
    assert mailed(stage) == [("mia", [str(case.id)])]
    assert call(stage, minutes=24) == 0
    assert call(stage, minutes=25) == 1
    assert mailed(stage)[1:] == [("lea", [str(case.id)])]
    assert call(stage, minutes=35) == 1
    assert mailed(stage)[2:] == [("ada", [str(case.id)])]
    assert call(stage, hours=9) == 0
    assert (stage.case(case.id).breach_level, len(mailed(stage))) == (3, 3)
    entries = stage.session.execute(select(AuditEntry.details).where(AuditEntry.action == "case.late")).scalars()
    assert [entry["level"] for entry in entries] == [1, 2, 3]
    stage.sound()


def test_what_is_less_urgent_comes_once_an_hour_in_one_mail(stage: Stage) -> None:
    arm(stage)
    first, second = (stage.held(now=stage.now + timedelta(minutes=m))[1] for m in (10, 20))
    assert call(stage, hours=24, minutes=50) == 0
    assert call(stage, hours=25, minutes=1) == 2
    both = [str(first.id), str(second.id)]
    assert mailed(stage) == [("mia", both), ("mo", both)] or mailed(stage) == [("mo", both), ("mia", both)]
    assert call(stage, hours=28) == 0
    assert call(stage, hours=30) == 2
    assert mailed(stage)[2:] == [("lea", both)]


def test_a_decided_case_calls_nobody(stage: Stage) -> None:
    arm(stage)
    _, case = stage.held()
    stage.decide(case, Verdict.APPROVE)
    assert call(stage, hours=30) == 0


def test_where_a_board_has_no_moderator_the_leads_are_called_at_once(stage: Stage) -> None:
    arm(stage)
    _, case = stage.held()
    other = Board(slug="gout", name="Gout")
    stage.session.add(other)
    stage.session.flush()
    for grant in stage.session.execute(select(RoleGrant).where(RoleGrant.role == Role.MODERATOR)).scalars():
        grant.board_id = other.id
    stage.session.flush()
    assert call(stage, hours=25) == 1
    assert mailed(stage) == [("lea", [str(case.id)])]
    assert stage.case(case.id).breach_level == 2


def test_the_webhook_hears_of_late_urgent_cases(stage: Stage) -> None:
    from dataclasses import replace

    arm(stage)
    stage.ask(body=CRISIS)
    stage.held()
    hooked = replace(stage.settings, on_call_webhook="https://example.org/hook")
    call(stage, settings=hooked, hours=25)
    rows = stage.session.execute(select(OutboxMessage.payload).where(OutboxMessage.kind == "on_call")).scalars().all()
    assert [(row["priority"], row["late"]) for row in rows] == [("P0", True)]
