"""Sanctions: what is laid on a member, from a friendly word to the end of an account.

Each comes with a decision and its statement of reasons. What it forbids is a `Restriction`, read with every request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from auth import members, policy, tokens
from auth.models import Member, Restriction, RoleGrant
from auth.policy import Actor
from core import audit
from core.config import Settings
from core.errors import Forbidden, Invalid, NotFound
from core.notifications import notify
from core.vocabulary import STAFF_ROLES, NotificationKind, RestrictionKind, Role, SanctionKind
from forum import boards
from moderation import misuse
from moderation.models import Case, Decision, Sanction, Statement

# How long a strike counts. Source: docs/moderation.md, sanctions.
STRIKE_KEEP = timedelta(days=180)
STRIKES = {
    SanctionKind.REMINDER: 0,
    SanctionKind.WARNING: 1,
    SanctionKind.POSTING_LIMIT: 1,
    SanctionKind.BOARD_RESTRICTION: 1,
    SanctionKind.SUSPENSION: 1,
    SanctionKind.TERMINATION: 1,
}
# These end by themselves, so they need an end; the others must not have one.
TIMED = frozenset({SanctionKind.POSTING_LIMIT, SanctionKind.BOARD_RESTRICTION, SanctionKind.SUSPENSION})
LEADS_ONLY = frozenset({SanctionKind.SUSPENSION, SanctionKind.TERMINATION})
MOST_DAYS = 365
DEFAULT_DAYS = {SanctionKind.POSTING_LIMIT: 7, SanctionKind.BOARD_RESTRICTION: 7, SanctionKind.SUSPENSION: 30}
DEFAULT_DAILY_LIMIT = 3
MOST_DAILY_LIMIT = 50
RESTRICTS = {
    SanctionKind.WARNING: RestrictionKind.WARNING,
    SanctionKind.POSTING_LIMIT: RestrictionKind.POSTING_LIMIT,
    SanctionKind.BOARD_RESTRICTION: RestrictionKind.BOARD,
    SanctionKind.SUSPENSION: RestrictionKind.SUSPENDED,
    SanctionKind.TERMINATION: RestrictionKind.SUSPENDED,
}


@dataclass(frozen=True)
class Terms:
    """A sanction that may be imposed: every field checked. `until` is None where it has no end of its own."""

    kind: SanctionKind
    member_id: int
    until: datetime | None = None
    # Of a board restriction, and of a posting limit that binds on one board only.
    board_id: int | None = None
    board_name: str | None = None
    daily_limit: int | None = None
    prior_warning_id: int | None = None
    misuse: Mapping[str, Any] | None = None


# --- Before it is decided ----------------------------------------------------------------------------------------


def needs_second(spec: Mapping[str, Any] | None) -> bool:
    """Whether two people have to decide this sanction: the end of an account."""
    return bool(spec) and (spec or {}).get("kind") == SanctionKind.TERMINATION.value


def check_spec(session: Session, spec: Mapping[str, Any], *, member_id: int, by: Actor, now: datetime) -> Terms:
    """The sanction that was asked for, if it may be imposed by this moderator on this member now.

    Raises Invalid naming `sanction.<field>`, Invalid("warning-missing") for a suspension without a live warning before
    it, Forbidden("needs-lead", "staff-member", "not-your-board", "conflict-of-interest").
    """
    terms = read(session, spec, member_id=member_id, now=now)
    _require(session, terms, spec, by)
    return terms


def read(session: Session, spec: Mapping[str, Any], *, member_id: int, now: datetime) -> Terms:
    """The sanction that was asked for, every field checked; who asks is not looked at."""
    errors: list[tuple[str, str]] = []
    kind = _kind(spec)
    until = _until(spec, kind, errors, now=now)
    place = _board(session, spec, kind, errors)
    limit = _daily_limit(spec, kind, errors)
    about = _misuse(session, spec, kind, errors, member_id=member_id, now=now)
    if errors:
        raise Invalid("invalid-field", "The sanction cannot be recorded like this.", errors=errors)
    warning = _prior_warning(session, member_id, about, now=now)
    if kind is SanctionKind.SUSPENSION and warning is None:
        of = f" about the same misuse, of {about['of']}," if about else ""
        message = (
            f"Nobody is suspended without a warning before. This member has no live warning{of} "
            "so a warning is what can be given now."
        )
        raise Invalid("warning-missing", message, errors=[("sanction.kind", message)])
    return Terms(
        kind=kind,
        member_id=member_id,
        until=until,
        board_id=place.id if place else None,
        board_name=place.name if place else None,
        daily_limit=limit,
        prior_warning_id=warning,
        misuse=about,
    )


def _kind(spec: Mapping[str, Any]) -> SanctionKind:
    known = ", ".join(kind.value for kind in SanctionKind)
    try:
        return SanctionKind(str(spec.get("kind") or ""))
    except ValueError as error:
        raise Invalid(
            "invalid-field", "There is no such sanction.", errors=[("sanction.kind", f"Choose one of: {known}.")]
        ) from error


def _until(
    spec: Mapping[str, Any], kind: SanctionKind, errors: list[tuple[str, str]], *, now: datetime
) -> datetime | None:
    days, until = spec.get("days"), spec.get("until")
    if kind not in TIMED:
        if days not in (None, "") or until not in (None, ""):
            errors.append(("sanction.days", "This sanction has no end of its own: leave the time out."))
        return None
    if days not in (None, "") and until not in (None, ""):
        errors.append(("sanction.days", "Give a number of days or an end, not both."))
        return None
    end = _instant(until) if until not in (None, "") else _after_days(days, now)
    if end is None or not now < end <= now + timedelta(days=MOST_DAYS):
        field = "sanction.until" if until not in (None, "") else "sanction.days"
        errors.append((field, f"Say for how long: from 1 to {MOST_DAYS} days."))
        return None
    return end


def _after_days(days: Any, now: datetime) -> datetime | None:
    given = _whole(days)
    return now + timedelta(days=given) if given is not None and 1 <= given <= MOST_DAYS else None


def _whole(sent: Any) -> int | None:
    if isinstance(sent, bool):
        return None
    if isinstance(sent, int):
        return sent
    text = sent.strip() if isinstance(sent, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _instant(sent: Any) -> datetime | None:
    if isinstance(sent, datetime):
        return sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    try:
        found = datetime.fromisoformat(str(sent).strip())
    except ValueError:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def _board(
    session: Session, spec: Mapping[str, Any], kind: SanctionKind, errors: list[tuple[str, str]]
) -> boards.BoardPlace | None:
    slug = spec.get("board")
    if slug in (None, ""):
        if kind is SanctionKind.BOARD_RESTRICTION:
            errors.append(("sanction.board", "Name the board on which this member may not write."))
        return None
    if kind not in (SanctionKind.BOARD_RESTRICTION, SanctionKind.POSTING_LIMIT):
        errors.append(("sanction.board", "This sanction holds everywhere: leave the board out."))
        return None
    try:
        place = boards.find(session, str(slug))
    except NotFound:
        place = None
    if place is None or place.board is None:
        errors.append(("sanction.board", "There is no such board."))
        return None
    return place


def _daily_limit(spec: Mapping[str, Any], kind: SanctionKind, errors: list[tuple[str, str]]) -> int | None:
    given = spec.get("daily_limit")
    if kind is not SanctionKind.POSTING_LIMIT:
        if given not in (None, ""):
            errors.append(("sanction.daily_limit", "Only a posting limit has a number of posts."))
        return None
    limit = DEFAULT_DAILY_LIMIT if given in (None, "") else _whole(given)
    if limit is None or not 1 <= limit <= MOST_DAILY_LIMIT:
        errors.append(("sanction.daily_limit", f"From 1 to {MOST_DAILY_LIMIT} posts in 24 hours."))
        return None
    return limit


def _misuse(
    session: Session,
    spec: Mapping[str, Any],
    kind: SanctionKind,
    errors: list[tuple[str, str]],
    *,
    member_id: int,
    now: datetime,
) -> dict[str, Any] | None:
    """What a moderator says of a misuse, beside the numbers that are counted here and nowhere else."""
    given = spec.get("misuse")
    if not given:
        return None
    if not isinstance(given, Mapping):
        errors.append(("sanction.misuse", "An object with of, gravity and intent."))
        return None
    if not given.get("of") and not given.get("gravity") and not given.get("intent"):
        return None  # an empty part of the form
    wrong = []
    for field, choices in (("of", misuse.KINDS), ("gravity", misuse.GRAVITIES), ("intent", misuse.INTENTS)):
        if given.get(field) not in choices:
            wrong.append((f"sanction.misuse.{field}", f"Choose one of: {', '.join(choices)}."))
    if kind is SanctionKind.REMINDER:
        wrong.append(("sanction.misuse", "Misuse begins with a warning, not with a reminder."))
    if wrong:
        errors.extend(wrong)
        return None
    counted = misuse.count(session, member_id, given["of"], now=now)
    if counted.items == 0:
        message = f"In the last {counted.window_days} days we count no misuse of {counted.of} by this member."
        errors.append(("sanction.misuse.of", message))
        return None
    return {
        "of": counted.of,
        "items": counted.items,
        "total": counted.total,
        "window_days": counted.window_days,
        "gravity": given["gravity"],
        "intent": given["intent"],
    }


def _prior_warning(session: Session, member_id: int, about: Mapping[str, Any] | None, *, now: datetime) -> int | None:
    """The newest live warning; with a misuse, the newest about the same misuse."""
    rows = session.execute(
        select(Sanction.id, Sanction.misuse)
        .where(Sanction.member_id == member_id, Sanction.kind == SanctionKind.WARNING, is_live(now))
        .order_by(Sanction.id.desc())
    )
    return next((row.id for row in rows if about is None or (row.misuse or {}).get("of") == about["of"]), None)


def has_warning(session: Session, member_id: int, *, now: datetime) -> bool:
    """Whether a live warning came before, so that a suspension is possible at all."""
    return _prior_warning(session, member_id, None, now=now) is not None


def _require(session: Session, terms: Terms, spec: Mapping[str, Any], by: Actor) -> None:
    """Who may impose what on whom."""
    if by.id == terms.member_id:
        raise Forbidden("conflict-of-interest", "Nobody decides about themselves.")
    is_lead = policy.holds(by, Role.LEAD)
    if terms.kind in LEADS_ONLY and not is_lead:
        raise Forbidden("needs-lead", "Only leads suspend a member or end an account. Pass the case on to them.")
    if not is_lead and is_staff(session, terms.member_id):
        raise Forbidden(
            "staff-member", "This member belongs to the team. Only leads lay a sanction on one of the team."
        )
    if terms.board_id is not None:
        place = boards.find(session, str(spec["board"]))
        if not policy.moderates(by, boards.board_subject(session, place, by)):
            raise Forbidden("not-your-board", f"You do not moderate the board {place.name}.")
    elif terms.kind is SanctionKind.POSTING_LIMIT and not policy.moderates_everywhere(by):
        raise Forbidden(
            "not-your-board", "A limit that holds everywhere is for moderators of all boards. Name one of your boards."
        )


def is_staff(session: Session, member_id: int) -> bool:
    """Whether this member holds any role of the team."""
    stmt = select(RoleGrant.id).where(RoleGrant.member_id == member_id, RoleGrant.role.in_(STAFF_ROLES)).limit(1)
    return session.execute(stmt).first() is not None


# --- Imposing ----------------------------------------------------------------------------------------------------


def impose(
    session: Session,
    decision: Decision,
    spec: Mapping[str, Any],
    *,
    by: Actor,
    settings: Settings,
    now: datetime,
) -> Sanction:
    """Lay a sanction on the member of the decision's case, with its effect at once.

    Write the statement of reasons first: the restriction leads to it. `by` is who decided or, of a termination, who
    confirmed it. Tells the member. Raises as `check_spec` does; the second person must moderate everywhere.
    """
    case = session.get_one(Case, decision.case_id)
    assert case.author_id is not None  # posts have authors; a case about a member names them
    terms = read(session, spec, member_id=case.author_id, now=now)
    if by.id == decision.moderator_id:
        _require(session, terms, spec, by)
    elif not policy.moderates_everywhere(by):
        raise Forbidden("not-allowed", "The second person for this is a lead or moderates all boards.")
    reference = session.execute(select(Statement.reference).where(Statement.decision_id == decision.id)).scalar()
    restriction = _restrict(session, terms, reference, now=now)
    sanction = Sanction(
        member_id=terms.member_id,
        decision_id=decision.id,
        kind=terms.kind,
        board_id=terms.board_id if terms.kind is SanctionKind.BOARD_RESTRICTION else None,
        ladder_board_id=case.board_id if terms.board_id is None else terms.board_id,
        restriction_id=restriction.id if restriction else None,
        strikes=STRIKES[terms.kind],
        strikes_until=now + STRIKE_KEEP,
        prior_warning_id=terms.prior_warning_id,
        misuse=dict(terms.misuse or {}),
        imposed_at=now,
        until=terms.until,
    )
    session.add(sanction)
    session.flush()  # the audit row names it
    if terms.kind in LEADS_ONLY:
        members.end_sessions(session, terms.member_id, now=now)
    if terms.kind is SanctionKind.TERMINATION:
        tokens.revoke(session, terms.member_id, None, now=now)
    _tell(session, sanction, reference, now=now)
    _audit(session, sanction, by_id=by.id, action="sanction.impose", now=now)
    return sanction


def _restrict(session: Session, terms: Terms, reference: str | None, *, now: datetime) -> Restriction | None:
    kind = RESTRICTS.get(terms.kind)
    if kind is None:
        return None
    restriction = Restriction(
        member_id=terms.member_id,
        kind=kind,
        board_id=terms.board_id,
        since=now,
        until=terms.until,
        daily_limit=terms.daily_limit,
        reference=reference,
    )
    session.add(restriction)
    session.flush()  # the sanction names it
    return restriction


def _tell(session: Session, sanction: Sanction, reference: str | None, *, now: datetime) -> None:
    if session.execute(select(Member.closed_at).where(Member.id == sanction.member_id)).scalar() is None:
        link = f"/decisions/{reference}" if reference else "/me/standing"
        notify(session, sanction.member_id, NotificationKind.SANCTIONED, link=link, now=now)


def _audit(session: Session, sanction: Sanction, *, by_id: int | None, action: str, now: datetime) -> None:
    audit.record(
        session,
        actor_id=by_id,
        action=action,
        subject=("member", sanction.member_id),
        details={
            "sanction": sanction.id,
            "decision": sanction.decision_id,
            "kind": sanction.kind.value,
            "until": sanction.until.isoformat() if sanction.until else None,
            "strikes": sanction.strikes,
        },
        now=now,
    )


# --- Taking back, acknowledging, ending --------------------------------------------------------------------------


def void(
    session: Session, decision: Decision, *, by_decision: Decision | None, now: datetime, by_id: int | None = None
) -> Sanction | None:
    """Take back the sanction of a decision: its restriction ends now, its strikes count no more and never did.

    None where the decision had none, or it is void already. Sign-ins that were ended stay ended; tokens that a
    termination took back stay taken back. Without `by_decision` the decision itself stands, and the answer to an
    objection, given by `by_id`, is what takes the sanction back.
    """
    found = session.execute(
        update(Sanction)
        .where(Sanction.decision_id == decision.id, Sanction.voided_at.is_(None))
        .values(voided_at=now, voided_by_id=by_decision.id if by_decision else None)
        .returning(Sanction.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if found is None:
        return None
    sanction = session.get_one(Sanction, found, populate_existing=True)
    _lift(session, [sanction.restriction_id], now=now)
    by_whom = by_decision.moderator_id if by_decision else by_id
    _audit(session, sanction, by_id=by_whom, action="sanction.void", now=now)
    return sanction


def _lift(session: Session, restriction_ids: Sequence[int | None], *, now: datetime) -> None:
    session.execute(
        update(Restriction)
        .where(Restriction.id.in_([one for one in restriction_ids if one]), Restriction.lifted_at.is_(None))
        .values(lifted_at=now)
        .execution_options(synchronize_session=False)
    )


def acknowledge(session: Session, sanction_id: int, *, actor: Actor, now: datetime) -> Sanction:
    """The member has read a warning and may write again. Pressing twice changes nothing.

    Raises NotFound for anything but a warning of one's own.
    """
    sanction = session.execute(
        select(Sanction)
        .where(Sanction.id == sanction_id, Sanction.member_id == actor.id, Sanction.kind == SanctionKind.WARNING)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if sanction is None:
        raise NotFound()
    if sanction.acknowledged_at is not None or sanction.voided_at is not None:
        return sanction
    sanction.acknowledged_at = now
    _lift(session, [sanction.restriction_id], now=now)
    _audit(session, sanction, by_id=actor.id, action="sanction.acknowledge", now=now)
    session.flush()
    return sanction


def finish_ended(session: Session, *, now: datetime) -> int:
    """Housekeeping: mark what has run out as ended, and tell its members; returns how many.

    It bound nobody since its end already: every request compares the time.
    """
    ended = session.execute(
        update(Restriction)
        .where(Restriction.until <= now, Restriction.lifted_at.is_(None))
        .values(lifted_at=Restriction.until)
        .returning(Restriction.id, Restriction.member_id)
        .execution_options(synchronize_session=False)
    ).all()
    gone = set(
        session.execute(
            select(Member.id).where(Member.id.in_([row.member_id for row in ended]), Member.closed_at.is_not(None))
        ).scalars()
    )
    for row in ended:
        audit.record(
            session,
            actor_id=None,
            action="restriction.end",
            subject=("member", row.member_id),
            details={"restriction": row.id},
            now=now,
        )
        if row.member_id not in gone:
            notify(session, row.member_id, NotificationKind.SANCTION_ENDED, link="/me/standing", now=now)
    return len(ended)


# --- Strikes -----------------------------------------------------------------------------------------------------


def is_live(now: datetime) -> Any:
    """SQL: it counts: not taken back, and its strikes have not fallen away."""
    return (Sanction.voided_at.is_(None)) & (Sanction.strikes_until > now)


def live_strikes(session: Session, member_id: int, *, board_id: int | None, now: datetime) -> int:
    """How many strikes count on this board's ladder: those given there, and those that count everywhere.

    `board_id` None: all there are.
    """
    stmt = select(func.coalesce(func.sum(Sanction.strikes), 0)).where(Sanction.member_id == member_id, is_live(now))
    if board_id is not None:
        stmt = stmt.where(or_(Sanction.ladder_board_id.is_(None), Sanction.ladder_board_id == board_id))
    return int(session.execute(stmt).scalar_one())


# --- What the statement of reasons says --------------------------------------------------------------------------

_DONE = {
    SanctionKind.REMINDER: "We remind you of a rule. Nothing is taken from you, and it counts for nothing later.",
    SanctionKind.WARNING: (
        "We warn you. You can write again as soon as you have confirmed that you read this. It counts as one strike."
    ),
    SanctionKind.POSTING_LIMIT: "You can write at most {limit} posts in 24 hours{where}. It counts as one strike.",
    SanctionKind.BOARD_RESTRICTION: "You cannot write on the board {board}. You can still read it. It counts as one "
    "strike.",
    SanctionKind.SUSPENSION: (
        "Your account is suspended. You can still sign in to read our decisions, to object to them, and to close the "
        "account; everything else is as for a visitor. It counts as one strike."
    ),
    SanctionKind.TERMINATION: (
        "We end your membership: you cannot write here any more. You can still sign in to read our decisions, to "
        "object to them, and to close the account; everything else is as for a visitor."
    ),
}
_OPTIONS = {
    SanctionKind.REMINDER: "Nothing needs to be done. Please keep the rule in mind when you write.",
    SanctionKind.WARNING: "Read the rule, then confirm on the page My standing that you have read the warning.",
    SanctionKind.POSTING_LIMIT: "Nothing needs to be done. The limit ends by itself.",
    SanctionKind.BOARD_RESTRICTION: "Nothing needs to be done. It ends by itself, and every other board stays open.",
    SanctionKind.SUSPENSION: "Nothing needs to be done. It ends by itself; then you can use the account as before.",
    SanctionKind.TERMINATION: "You can keep a copy of what you wrote, and close the account yourself if you like.",
}
_MISUSE = {
    misuse.POSTS: "posts were refused, hidden or removed",
    misuse.REPORTS: "reports turned out to be unfounded",
    misuse.APPEALS: "objections turned out to be unfounded",
}
_GRAVITY = {"low": "slight", "medium": "serious", "high": "very serious"}
_INTENT = {"mistake": "a mistake", "careless": "carelessness", "on_purpose": "intent"}


def sentences(terms: Terms) -> dict[str, str]:
    """Ready sentences for the statement of reasons: restriction, scope, duration, facts (misuse only), options."""
    where = f" on the board {terms.board_name}" if terms.board_name else ""
    found = {
        "restriction": _DONE[terms.kind].format(limit=terms.daily_limit, where=where, board=terms.board_name),
        "scope": f"This holds on the board {terms.board_name}."
        if terms.board_name
        else "This holds on the whole site.",
        "duration": _duration(terms),
        "options": _OPTIONS[terms.kind],
    }
    if terms.misuse:
        found["facts"] = misuse_sentence(terms.misuse)
    return found


def misuse_sentence(about: Mapping[str, Any]) -> str:
    """The numbers of a misuse and how they were judged. Source: DSA Art. 23(3)."""
    return (
        f"In the last {about['window_days']} days {about['items']} of your {about['total']} {_MISUSE[about['of']]}. "
        f"We looked at how many they are, at their share, at how grave they are "
        f"({_GRAVITY[about['gravity']]}), and at what seems to lie behind them ({_INTENT[about['intent']]})."
    )


def _duration(terms: Terms) -> str:
    if terms.until is not None:
        return f"It ends by itself on {terms.until:%-d %B %Y, %H:%M} UTC."
    if terms.kind is SanctionKind.WARNING:
        return "It lasts until you confirm that you have read it. Its strike falls away after 180 days."
    if terms.kind is SanctionKind.REMINDER:
        return "It has no duration, because it takes nothing from you."
    return "It has no end date. It changes only if we take the decision back."
