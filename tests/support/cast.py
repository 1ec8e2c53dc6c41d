"""The cast: Ann asks, Ben answers, Cora is new, Mo and Mia moderate, Lea leads, Ada administers, Ed edits."""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from html import unescape

import pytest
from flask.testing import FlaskClient
from passlib.totp import TOTP
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auth import flows, members, tokens
from auth.models import Member, RoleGrant
from auth.policy import Actor
from core.db import db, utc_now
from core.text import confusable_skeleton
from core.vocabulary import STAFF_ROLES, Role

PASSWORD = "seven kind otters"
JOINED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
# By handle, for those who have a second factor: what a real app would hold.
_APPS: dict[str, str] = {}


def make_member(
    session: Session,
    handle: str,
    *,
    roles: Sequence[Role] = (),
    board_id: int | None = None,
    category_id: int | None = None,
    approved: int = 0,
    country: str | None = "GB",
    password: str = PASSWORD,
    confirmed: bool = True,
    two_step: bool | None = None,
) -> Member:
    """A member in the database, committed with the next request. Any handle goes, also one that `/register` refuses.

    Staff have two-step sign-in set up, unless `two_step=False`. `board_id` and `category_id` limit a moderator.
    """
    member = Member(
        handle=handle,
        handle_skeleton=confusable_skeleton(handle) or uuid.uuid4().hex,
        email=f"{handle.lower()}@example.org"
        if re.fullmatch(r"[\w-]+", handle, re.ASCII)
        else f"{uuid.uuid4().hex}@example.org",
        password=flows.hash_password(password),
        fs_uniquifier=uuid.uuid4().hex,
        confirmed_at=JOINED if confirmed else None,
        birth_year=1980,
        age_ok_at=JOINED,
        country=country,
        created_at=JOINED,
        approved_count=approved,
    )
    session.add(member)
    session.flush()
    for role in roles:
        scoped = role is Role.MODERATOR
        session.add(
            RoleGrant(
                member_id=member.id,
                role=role,
                board_id=board_id if scoped else None,
                category_id=category_id if scoped else None,
                granted_at=JOINED,
            )
        )
    if two_step if two_step is not None else set(roles) & STAFF_ROLES:
        secret = flows.new_totp_secret()
        flows.turn_on_second_step(member, secret)
        _APPS[handle] = flows.totp_b32(secret)
    session.flush()
    return member


def code_for(member: Member) -> str:
    """What the member's app shows. Each call after a sign-in gives the next code, because a code works once."""
    app = TOTP(key=_APPS[member.handle])
    last = db.session.execute(select(Member.tf_last_counter).where(Member.id == member.id)).scalar() or 0
    # Not the half minute before, which the server takes too: it may be over by the time that the code arrives.
    step = max(int(utc_now().timestamp()) // 30, last + 1)
    if step > int(utc_now().timestamp()) // 30 + 1:
        # So many sign-ins within one half minute that a person would have to wait for the next one.
        db.session.execute(update(Member).where(Member.id == member.id).values(tf_last_counter=None))
        db.session.commit()
        step = int(utc_now().timestamp()) // 30
    return app.generate(time=step * 30).token


def csrf_of(client: FlaskClient, path: str = "/login") -> str:
    """The token in the forms of this visitor's pages."""
    page = client.get(path).get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, f"no form with a token on {path}"
    return unescape(found[1])


def sign_in(client: FlaskClient, member: Member, password: str = PASSWORD) -> FlaskClient:
    """Sign in through the real pages, second step included."""
    sent = {"csrf_token": csrf_of(client), "email": member.email, "password": password}
    answer = client.post("/login", data=sent)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    if answer.headers["Location"] == "/login/code":
        answer = client.post(
            "/login/code", data={"csrf_token": csrf_of(client, "/login/code"), "code": code_for(member)}
        )
        assert answer.status_code == 303, answer.get_data(as_text=True)
    return client


def actor_of(member: Member) -> Actor:
    """The member as the policy sees them in a browser."""
    return members.actor_of_member(db.session(), member, now=utc_now())


def token_for(member: Member, scopes: str | Sequence[str] = ("read", "write")) -> str:
    """A bearer token; `scopes` as a list or as "read,write,moderate"."""
    wanted = scopes.split(",") if isinstance(scopes, str) else list(scopes)
    token = tokens.create(db.session(), member.id, name="test", scopes=wanted, now=utc_now())
    db.session.commit()
    return token


def bearer(member: Member, scopes: str | Sequence[str] = ("read", "write")) -> dict[str, str]:
    """The header that a program sends."""
    return {"Authorization": f"Bearer {token_for(member, scopes)}"}


@pytest.fixture
def ann(session: Session) -> Member:
    """Asks; her first posts are long approved."""
    return make_member(session, "ann", approved=5)


@pytest.fixture
def ben(session: Session) -> Member:
    """Answers; known here for a long time."""
    return make_member(session, "ben", approved=20)


@pytest.fixture
def cora(session: Session) -> Member:
    """New: nothing of hers was approved yet."""
    return make_member(session, "cora")


@pytest.fixture
def mo(session: Session) -> Member:
    """Moderates all boards."""
    return make_member(session, "mo", roles=[Role.MODERATOR], approved=10)


@pytest.fixture
def mia(session: Session) -> Member:
    """Moderates all boards, as Mo does."""
    return make_member(session, "mia", roles=[Role.MODERATOR], approved=10)


@pytest.fixture
def lea(session: Session) -> Member:
    """Leads."""
    return make_member(session, "lea", roles=[Role.LEAD], approved=10)


@pytest.fixture
def ada(session: Session) -> Member:
    """Administers: roles and settings, no cases."""
    return make_member(session, "ada", roles=[Role.ADMIN], approved=10)


@pytest.fixture
def ed(session: Session) -> Member:
    """Edits the reference."""
    return make_member(session, "ed", roles=[Role.EDITOR], approved=10)
