"""Bearer tokens for programs, and the signed tokens that stand in mail."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from auth.models import ApiToken, Member
from auth.policy import SCOPES
from core.errors import Invalid, NotFound, invalid

# Recognisable, so that a token left in a public place can be found by those who search for such.
PREFIX = "bw_"
MAX_TOKENS = 20
NAME_CHARS = 64


@dataclass(frozen=True)
class TokenRow:
    """One live token as its owner sees it; the token itself is shown once only, when it is made."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def check_scopes(scopes: list[str]) -> tuple[str, ...]:
    """The scopes in their order, each once; raises Invalid for an unknown one or for none."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise invalid("scopes", f"Choose from: {', '.join(SCOPES)}.", code="unknown-scope")
    return tuple(scope for scope in SCOPES if scope in scopes)


def create(
    session: Session,
    member_id: int,
    *,
    name: str,
    scopes: list[str],
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Make a token and return it; nobody can see it again. Raises Invalid for name or scopes."""
    wanted = check_scopes(scopes)
    if not 1 <= len(name.strip()) <= NAME_CHARS:
        raise invalid("name", f"Give it a name of 1 to {NAME_CHARS} characters, so that you know it again.")
    if len(rows(session, member_id, now=now)) >= MAX_TOKENS:
        raise Invalid("too-many-tokens", f"You have {MAX_TOKENS} tokens. Take one back first.")
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            member_id=member_id,
            name=name.strip(),
            token_hash=_digest(token),
            scopes=",".join(wanted),
            created_at=now,
            expires_at=expires_at,
        )
    )
    return token


def find(session: Session, token: str, *, now: datetime) -> tuple[Member, frozenset[str]] | None:
    """Whose live token this is and what it may do; None for any other string."""
    stmt = (
        select(Member, ApiToken.scopes)
        .join(ApiToken, ApiToken.member_id == Member.id)
        .where(
            ApiToken.token_hash == _digest(token),
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
            Member.active,
        )
    )
    row = session.execute(stmt).one_or_none()
    return (row[0], frozenset(row[1].split(","))) if row else None


def rows(session: Session, member_id: int, *, now: datetime) -> list[TokenRow]:
    """A member's live tokens, newest first."""
    stmt = (
        select(ApiToken)
        .where(
            ApiToken.member_id == member_id,
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
        )
        .order_by(ApiToken.id.desc())
    )
    return [
        TokenRow(
            id=t.id, name=t.name, scopes=tuple(t.scopes.split(",")), created_at=t.created_at, expires_at=t.expires_at
        )
        for t in session.execute(stmt).scalars()
    ]


def revoke(session: Session, member_id: int, token_id: int | None, *, now: datetime) -> None:
    """Take one token back, or all of them (None). Raises NotFound for somebody else's."""
    stmt = update(ApiToken).where(ApiToken.member_id == member_id, ApiToken.revoked_at.is_(None))
    if token_id is not None:
        stmt = stmt.where(ApiToken.id == token_id)
    done = session.execute(stmt.values(revoked_at=now).execution_options(synchronize_session=False))
    if token_id is not None and done.rowcount != 1:  # type: ignore[attr-defined]
        raise NotFound("no-such-token", "There is no such token any more.")


# --- Unsubscribing -----------------------------------------------------------------------------------------------


def unsubscribe_token(secret_key: str, member_id: int) -> str:
    """What stands in every mail: turns this member's mail off without signing in, and can do nothing else."""
    return URLSafeSerializer(secret_key, salt="unsubscribe").dumps(member_id)


def unsubscribe_member(secret_key: str, token: str) -> int:
    """Whose mail this token turns off; raises NotFound for any other string."""
    try:
        return int(URLSafeSerializer(secret_key, salt="unsubscribe").loads(token))
    except (BadSignature, TypeError, ValueError) as error:
        raise NotFound("bad-link", "This link is not whole. Copy it from the mail once more.") from error
