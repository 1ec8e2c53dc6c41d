"""Accounts: who may have one, under which handle, with which roles; what is left when one is closed."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.models import ApiToken, Consent, Member, MemberSession, Restriction, RoleGrant
from auth.policy import ActiveRestriction, Actor
from core import audit, parked
from core.errors import Conflict, Invalid, NotFound, invalid
from core.notifications import Notification
from core.text import confusable_skeleton
from core.vocabulary import STAFF_ROLES, Role

HANDLE_CHARS = (3, 24)
_HANDLE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
# Names that would pass for the house, for its staff, or for somebody who may give medical advice.
_RESERVED_WORDS = """
admin administrator mod mods moderator moderators lead editor editors staff team support help helpdesk system root
boardwell official security abuse postmaster webmaster hostmaster noreply no-reply info contact privacy legal
anonymous former-member deleted erased unknown everyone nobody null none undefined me you api login logout register
doctor dr nurse gp pharmacist physician surgeon therapist nhs emergency crisis samaritans hospital clinic
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
# Refused as a part between hyphens too: "mod-ann", "dr_ben".
_TITLES = frozenset({"admin", "administrator", "moderator", "staff", "boardwell", "official", "doctor", "dr", "nhs"})

PASSWORD_CHARS = (10, 200)
# What people and their attackers try first, without the digits and signs that `_plain_forms` takes off.
_COMMON_WORDS = """
password passwort motdepasse contrasena letmein welcome iloveyou qwerty qwertyuiop qwertzuiop azertyuiop asdfghjkl
zxcvbnm zxcvbnmasdf abcdefghij administrator changeme trustno superman batman football baseball basketball dragon
monkey sunshine princess shadow master michael jennifer charlie liverpool chelsea arsenal pokemon starwars computer
internet whatever secret login hello helloworld test testtest guest default boardwell health doctor mypassword
thisismypassword newpassword passwordpassword correcthorsebatterystaple summer winter spring autumn
"""
_COMMON_PASSWORDS = frozenset(_COMMON_WORDS.split())

# An account that nobody confirmed within this time is forgotten, and its handle is free again.
UNCONFIRMED_KEEP = timedelta(days=14)
# A sign-in ends after this time even if "keep me signed in" was ticked.
SESSION_KEEP = timedelta(days=90)
ENDED_SESSION_KEEP = timedelta(days=30)

CONSENT_HEALTH = "consent-health"
FORMER_MEMBER = "Former member"


# --- Handles, ages, passwords ------------------------------------------------------------------------------------


@cache
def _skeletons(names: frozenset[str]) -> frozenset[str]:
    return frozenset(confusable_skeleton(name) for name in names)


def check_handle(session: Session, handle: str) -> str:
    """The handle if it may be taken; raises Invalid naming `handle`, with the reason.

    A look-alike of a reserved name or of another member's handle is refused, closed accounts included.
    """
    low, high = HANDLE_CHARS
    if not low <= len(handle) <= high:
        raise invalid("handle", f"A handle has {low} to {high} characters.", code="handle-length")
    if not set(handle) <= _HANDLE or not any(c.isalnum() for c in handle):
        raise invalid("handle", "Use letters from a to z, digits, - and _ only.", code="handle-characters")
    skeleton = confusable_skeleton(handle)
    parts = {confusable_skeleton(part) for part in handle.replace("_", "-").split("-")}
    if skeleton in _skeletons(_RESERVED) or parts & _skeletons(_TITLES):
        why = "This name is kept for the people who run the site, or reads like a title. Please choose another."
        raise invalid("handle", why, code="handle-reserved")
    taken = select(Member.id).where(Member.handle_skeleton.in_((skeleton, _of_closed(skeleton))))
    if session.execute(taken).first():
        why = "This handle is taken, or looks too much like one that is. Please choose another."
        raise invalid("handle", why, code="handle-taken")
    return handle


def _of_closed(skeleton: str) -> str:
    """What stays of a closed account's skeleton: enough to refuse the handle, too little to read it."""
    return hashlib.sha256(skeleton.encode()).hexdigest()


@dataclass(frozen=True)
class Age:
    """Whether somebody may join: `too_young`, or `must_confirm` that this year's birthday has passed."""

    too_young: bool
    must_confirm: bool


def check_age(birth_year: int, *, birthday_passed: bool, min_age: int, today: date) -> Age:
    """Only the year is asked for, so in one year of a life the person says whether the birthday has passed."""
    years = today.year - birth_year
    if years == min_age:
        return Age(too_young=False, must_confirm=not birthday_passed)
    return Age(too_young=years < min_age, must_confirm=False)


def check_birth_year(text: str, *, today: date) -> int:
    """The year as a number; raises Invalid for what cannot be a year of birth."""
    typed = text.strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) == 4):
        raise invalid("birth_year", "Type the year in four digits, for example 1980.")
    if not today.year - 120 <= int(typed) <= today.year:
        raise invalid("birth_year", "This cannot be the year you were born in. Please look at it again.")
    return int(typed)


def check_password(password: str, *, about: tuple[str, ...] = ()) -> None:
    """Raises Invalid with what to do better. `about` are words of the account that a password must not be made of."""
    low, high = PASSWORD_CHARS
    if len(password) < low:
        why = f"Use at least {low} characters. Three or four words together are good."
        raise invalid("password", why, code="password-short")
    if len(password) > high:
        raise invalid("password", f"Use at most {high} characters.", code="password-long")
    own = {"".join(c for c in word.casefold() if c.isalpha()) for word in about}
    if len(set(password)) < 5 or _plain_forms(password) & (_COMMON_PASSWORDS | own) or _is_run(password):
        why = (
            "This is easy to guess. Three or four words that do not belong together are hard to guess and easy to keep."
        )
        raise invalid("password", why, code="password-easy")


def _plain_forms(password: str) -> set[str]:
    """What is left without decoration: "P4ssw0rd2024!" gives "password"."""
    folded = password.casefold()
    core = folded.strip("0123456789!?.,-_*#+&%()$@ ").translate(str.maketrans("401$5@3!7", "aoissaeit"))
    return {"".join(c for c in form if c.isalpha()) for form in (folded, core)}


def _is_run(password: str) -> bool:
    """Each character one step from the one before, as in 1234567890, abcdefghij or 9876543210."""
    folded = password.casefold().replace("90", "9:").replace("09", ":9")
    return len({ord(b) - ord(a) for a, b in pairwise(folded)}) == 1


def fold_email(email: str) -> str:
    """The form under which an address is stored and looked up: no space around it, no case."""
    return email.strip().casefold()


# --- Making and finding ------------------------------------------------------------------------------------------


def create_member(
    session: Session,
    *,
    handle: str,
    email: str,
    password_hash: str | None,
    birth_year: int | None,
    now: datetime,
    confirmed_at: datetime | None = None,
    country: str | None = None,
    is_demo: bool = False,
) -> Member:
    """A new account; raises Invalid for its handle and Conflict("email-known") for an address that has an account."""
    check_handle(session, handle)
    folded = fold_email(email)
    if find_by_email(session, folded) is not None:
        raise Conflict("email-known", "There is already an account with this e-mail address.")
    member = Member(
        handle=handle,
        handle_skeleton=confusable_skeleton(handle),
        email=folded,
        password=password_hash,
        fs_uniquifier=uuid.uuid4().hex,
        confirmed_at=confirmed_at,
        birth_year=birth_year,
        age_ok_at=now if birth_year else None,
        country=country,
        created_at=now,
        is_demo=is_demo,
    )
    session.add(member)
    try:
        # The caller needs the id, and two people may choose one handle at the same moment.
        session.flush()
    except IntegrityError as error:
        raise invalid("handle", "This handle was taken a moment ago.", code="handle-taken") from error
    return member


def reserve_handle(session: Session, handle: str, *, now: datetime) -> None:
    """Hold a handle as an unconfirmed account would.

    Somebody registered with an address that has an account: the next visitor must find this handle taken, or the
    difference would tell that the address was known. It is forgotten with the unconfirmed accounts.
    """
    member = create_member(
        session,
        handle=handle,
        email=f"{secrets.token_hex(12)}@reserved.invalid",
        password_hash=None,
        birth_year=None,
        now=now,
    )
    member.active = False


def find_by_email(session: Session, email: str) -> Member | None:
    stmt = select(Member).where(Member.email == fold_email(email))
    return session.execute(stmt).scalar_one_or_none()


def find_by_uniquifier(session: Session, uniquifier: str) -> Member | None:
    """The open account that a half-finished sign-in belongs to; a changed password makes it nobody's."""
    return session.execute(select(Member).where(Member.fs_uniquifier == uniquifier, Member.active)).scalar_one_or_none()


def find_by_handle(session: Session, handle: str) -> Member:
    """The live, confirmed account of this handle in any case; raises NotFound."""
    stmt = select(Member).where(
        func.lower(Member.handle) == handle.lower(), Member.closed_at.is_(None), Member.confirmed_at.is_not(None)
    )
    member = session.execute(stmt).scalar_one_or_none()
    if member is None:
        raise NotFound("no-such-member", "There is no member of this name.")
    return member


def display_name(member: Member) -> str | None:
    """The handle; None for a closed account, which pages show as "Former member"."""
    return None if member.closed_at else member.handle


def give_consent(session: Session, member_id: int, *, purpose: str, version: int, text: str, now: datetime) -> None:
    """Keep that the member agreed, with the words that they saw."""
    session.add(Consent(member_id=member_id, purpose=purpose, text_version=version, text=text, given_at=now))


# --- The actor of a request --------------------------------------------------------------------------------------


def actor_of_member(session: Session, member: Member, *, now: datetime, scopes: frozenset[str] | None = None) -> Actor:
    """The actor that this member is. Cost: two short reads.

    A token without the scope `moderate` acts as a plain member. A token made for staff counts as a second factor,
    because nobody gets one without it.
    """
    grants = session.execute(
        select(RoleGrant.role, RoleGrant.board_id, RoleGrant.category_id).where(RoleGrant.member_id == member.id)
    ).all()
    limits = session.execute(
        select(
            Restriction.kind, Restriction.board_id, Restriction.until, Restriction.daily_limit, Restriction.reference
        )
        .where(
            Restriction.member_id == member.id,
            Restriction.lifted_at.is_(None),
            Restriction.since <= now,
            or_(Restriction.until.is_(None), Restriction.until > now),
        )
        .order_by(Restriction.id)
    ).all()
    if scopes is not None and "moderate" not in scopes:
        grants = []
    moderator = [g for g in grants if g.role is Role.MODERATOR]
    return Actor(
        id=member.id,
        handle=member.handle,
        roles=frozenset(g.role for g in grants) | {Role.MEMBER},
        all_boards=any(g.board_id is None and g.category_id is None for g in moderator),
        board_ids=frozenset(g.board_id for g in moderator if g.board_id is not None),
        category_ids=frozenset(g.category_id for g in moderator if g.category_id is not None),
        approved_count=member.approved_count,
        restrictions=tuple(ActiveRestriction(**r._mapping) for r in limits),
        scopes=scopes,
        country=member.country,
        has_second_factor=scopes is not None or member.tf_totp_secret is not None,
    )


# --- Roles -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GrantRow:
    """One trust as a list shows it."""

    id: int
    member_id: int
    handle: str
    role: Role
    board_id: int | None
    category_id: int | None
    granted_at: datetime
    has_second_factor: bool


def grants(session: Session) -> list[GrantRow]:
    """Every trust given, by role and handle."""
    stmt = (
        select(
            RoleGrant.id,
            Member.id,
            Member.handle,
            RoleGrant.role,
            RoleGrant.board_id,
            RoleGrant.category_id,
            RoleGrant.granted_at,
            Member.tf_totp_secret.is_not(None),
        )
        .join(Member, Member.id == RoleGrant.member_id)
        .order_by(RoleGrant.role, Member.handle, RoleGrant.id)
        .limit(1000)
    )
    return [GrantRow(*row) for row in session.execute(stmt)]


def grant_role(
    session: Session,
    member: Member,
    role: Role,
    *,
    by: int | None,
    now: datetime,
    board_id: int | None = None,
    category_id: int | None = None,
) -> bool:
    """Trust a member with a role; returns whether anything changed. Written into the audit chain.

    Only moderators have a scope: one board or one medical category; both None is everywhere.
    """
    if role not in STAFF_ROLES:
        raise Invalid("no-such-role", "Everybody is a member already. Take roles away to make somebody a plain member.")
    if role is not Role.MODERATOR and (board_id is not None or category_id is not None):
        raise Invalid("role-has-no-scope", "Only moderators can be limited to a board or a category.")
    if board_id is not None and category_id is not None:
        raise Invalid("one-scope", "Choose a board or a category, not both.")
    known = session.execute(
        select(RoleGrant.id).where(
            RoleGrant.member_id == member.id,
            RoleGrant.role == role,
            RoleGrant.board_id.is_(None) if board_id is None else RoleGrant.board_id == board_id,
            RoleGrant.category_id.is_(None) if category_id is None else RoleGrant.category_id == category_id,
        )
    ).first()
    if known:
        return False
    session.add(
        RoleGrant(
            member_id=member.id, role=role, board_id=board_id, category_id=category_id, granted_at=now, granted_by=by
        )
    )
    audit.record(
        session,
        actor_id=by,
        action="grant_role",
        subject=("member", member.id),
        details={"role": role, "board_id": board_id, "category_id": category_id},
        now=now,
    )
    return True


def revoke_grant(session: Session, grant_id: int, *, by: int | None, now: datetime) -> None:
    """Take one trust back. The last admin cannot be taken away, or nobody could give roles any more."""
    grant = session.get(RoleGrant, grant_id)
    if grant is None:
        raise NotFound("no-such-grant", "This role was already taken back.")
    if grant.role is Role.ADMIN:
        admins = session.execute(select(func.count(RoleGrant.id)).where(RoleGrant.role == Role.ADMIN)).scalar_one()
        if admins <= 1:
            raise Conflict("last-admin", "This is the last admin. Make another one first.")
    details = {"role": grant.role, "board_id": grant.board_id, "category_id": grant.category_id}
    member_id = grant.member_id
    session.delete(grant)
    audit.record(session, actor_id=by, action="revoke_role", subject=("member", member_id), details=details, now=now)


def revoke_all(session: Session, member: Member, *, by: int | None, now: datetime) -> None:
    """Make somebody a plain member again."""
    for grant_id in session.execute(select(RoleGrant.id).where(RoleGrant.member_id == member.id)).scalars().all():
        revoke_grant(session, grant_id, by=by, now=now)


# --- Sign-ins ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SessionRow:
    id: int
    user_agent: str
    created_at: datetime
    is_this: bool


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(session: Session, member_id: int, *, user_agent: str, now: datetime) -> str:
    """Note a sign-in; returns the secret that the browser keeps."""
    token = secrets.token_urlsafe(24)
    session.add(
        MemberSession(member_id=member_id, token_hash=_digest(token), user_agent=user_agent[:200], created_at=now)
    )
    return token


def find_signed_in(session: Session, uniquifier: str, token: str, *, now: datetime) -> Member | None:
    """Whose live sign-in this is: neither ended nor too old, and the account is open. One query."""
    stmt = (
        select(Member)
        .join(MemberSession, MemberSession.member_id == Member.id)
        .where(
            MemberSession.token_hash == _digest(token),
            MemberSession.ended_at.is_(None),
            MemberSession.created_at > now - SESSION_KEEP,
            Member.fs_uniquifier == uniquifier,
            Member.active,
        )
    )
    return session.execute(stmt).scalar_one_or_none()


def sessions(session: Session, member_id: int, *, this: str, now: datetime) -> list[SessionRow]:
    """The live sign-ins of a member, newest first; `this` is the token of the one that asks."""
    stmt = (
        select(MemberSession)
        .where(
            MemberSession.member_id == member_id,
            MemberSession.ended_at.is_(None),
            MemberSession.created_at > now - SESSION_KEEP,
        )
        .order_by(MemberSession.created_at.desc(), MemberSession.id.desc())
        .limit(100)
    )
    mine = _digest(this)
    return [
        SessionRow(id=s.id, user_agent=s.user_agent, created_at=s.created_at, is_this=s.token_hash == mine)
        for s in session.execute(stmt).scalars()
    ]


def end_sessions(
    session: Session,
    member_id: int,
    *,
    now: datetime,
    session_id: int | None = None,
    but: str | None = None,
    only: str | None = None,
) -> int:
    """End all sign-ins of a member, or one by id or token, or all but one; returns how many ended."""
    stmt = update(MemberSession).where(MemberSession.member_id == member_id, MemberSession.ended_at.is_(None))
    if session_id is not None:
        stmt = stmt.where(MemberSession.id == session_id)
    if but is not None:
        stmt = stmt.where(MemberSession.token_hash != _digest(but))
    if only is not None:
        stmt = stmt.where(MemberSession.token_hash == _digest(only))
    done = session.execute(stmt.values(ended_at=now).execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]


# --- The end -----------------------------------------------------------------------------------------------------


def close_account(session: Session, member: Member, *, now: datetime) -> None:
    """Empty everything personal. The row stays for the posts that stay; its handle is kept only as a skeleton, so
    that nobody can pass for a former member; the e-mail address is free again.

    What happens to the posts is the forum's business: the door asks it before, in the same transaction.
    """
    if session.execute(select(RoleGrant.id).where(RoleGrant.member_id == member.id)).first():
        raise Conflict("staff-cannot-close", "You still have a role here. Ask an admin to take it back first.")
    gone = f"closed-{member.id}-{secrets.token_hex(4)}"
    member.handle = gone[:32]
    member.handle_skeleton = _of_closed(member.handle_skeleton)
    member.email = f"{gone}@closed.invalid"
    member.password = None
    member.active = False
    member.fs_uniquifier = uuid.uuid4().hex
    member.birth_year = None
    member.country = None
    member.wants_mail = False
    member.tf_primary_method = member.tf_totp_secret = member.mf_recovery_codes = None
    member.tf_last_counter = None
    member.closed_at = now
    end_sessions(session, member.id, now=now)
    for table in (ApiToken, MemberSession, Notification):
        session.execute(delete(table).where(table.member_id == member.id))
    session.execute(
        update(Consent).where(Consent.member_id == member.id, Consent.withdrawn_at.is_(None)).values(withdrawn_at=now)
    )
    parked.drop(session, member_id=member.id)
    audit.record(session, actor_id=member.id, action="close_account", subject=("member", member.id), now=now)


def forget_old(session: Session, *, now: datetime) -> None:
    """Housekeeping: accounts that nobody confirmed, and sign-ins that ended long ago."""
    session.execute(
        delete(Member)
        .where(Member.confirmed_at.is_(None), Member.closed_at.is_(None), Member.created_at < now - UNCONFIRMED_KEEP)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(MemberSession)
        .where(
            or_(
                MemberSession.ended_at < now - ENDED_SESSION_KEEP,
                MemberSession.created_at < now - SESSION_KEEP - ENDED_SESSION_KEEP,
            )
        )
        .execution_options(synchronize_session=False)
    )
