"""Accounts at work: Flask-Security set up as our engine for passwords, sign-in, links in mail and second factors.

Flask-Security's own pages are not used: each of our pages writes in one `unit_of_work()`, needs a press (a POST) for
every change, and leaves its mail in the outbox. What it gives us: the hashing and its upgrades, Flask-Login's session,
signed links that die with the password or address they were made for, TOTP secrets and recovery codes kept encrypted.
"""

import base64
import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from flask import Flask, current_app, g, request, session
from flask_security import Security, SQLAlchemyUserDatastore
from flask_security import login_user as fs_login_user
from flask_security import logout_user as fs_logout_user
from flask_security.confirmable import confirm_email_token_status, generate_confirmation_token
from flask_security.recoverable import generate_reset_password_token, reset_password_token_status
from flask_security.totp import Totp
from flask_security.utils import hash_data, verify_hash
from flask_security.utils import hash_password as fs_hash_password
from itsdangerous import BadSignature, SignatureExpired
from limits import parse
from sqlalchemy.orm import Session

from auth import members
from auth.models import Member, RoleGrant
from core.config import Settings
from core.db import db, utc_now
from core.errors import NotFound, TooMany
from core.web import limiter, settings

CONFIRM_WITHIN = timedelta(days=7)
RESET_WITHIN = timedelta(hours=2)
CHANGE_EMAIL_WITHIN = timedelta(days=1)
# How long the password stays proven while the code of the second step is fetched.
SECOND_STEP_WITHIN = timedelta(minutes=10)
RECOVERY_CODES = 8
# A code is good for its own half minute and the one before and after: clocks differ.
TOTP_WINDOW = 30


NOBODY = "boardwell.hash_of_nobody"


class Accounts(SQLAlchemyUserDatastore):
    """Flask-Security's way to our rows. The door's unit of work commits, never the library."""

    def commit(self) -> None:
        self.db.session.flush()


class OneTimeTotp(Totp):
    """A code that was accepted once is refused the second time."""

    def get_last_counter(self, user: Any) -> int | None:
        return user.tf_last_counter

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        user.tf_last_counter = tmatch.counter


def init_app(app: Flask, given: Settings) -> None:
    """Set up Flask-Security for one app. A new SECRET_KEY voids second factors and links, but no password."""
    cheap = {"argon2__memory_cost": 64, "argon2__time_cost": 1, "argon2__parallelism": 1}
    app.config.update(
        PERMANENT_SESSION_LIFETIME=members.SESSION_KEEP,
        SECURITY_PASSWORD_HASH="argon2",
        # Without a second, keyed hash: a changed SECRET_KEY must not lock everybody out.
        SECURITY_PASSWORD_SINGLE_HASH=True,
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        # The defaults of argon2-cffi are right for a server and a burden for a test run.
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=cheap if given.testing else {},
        SECURITY_DATETIME_FACTORY=utc_now,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TOTP_SECRETS={"1": _derived(given, "totp").decode()},
        SECURITY_TOTP_ISSUER="Boardwell",
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_N=RECOVERY_CODES,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS=[_derived(given, "recovery-codes")],
        SECURITY_CONFIRM_EMAIL_WITHIN=CONFIRM_WITHIN,
        SECURITY_RESET_PASSWORD_WITHIN=RESET_WITHIN,
        SECURITY_CHANGE_EMAIL_WITHIN=CHANGE_EMAIL_WITHIN,
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_CLI_USERS_NAME=None,
        SECURITY_CLI_ROLES_NAME=None,
    )
    accounts = Accounts(db, Member, RoleGrant)  # type: ignore[arg-type]
    security = Security(app, accounts, register_blueprint=False, totp_cls=OneTimeTotp)
    security.login_manager.user_loader(_load_signed_in)
    # Bearer tokens are ours (auth.tokens); Flask-Security's would be a second kind.
    security.login_manager.request_loader(lambda _request: None)
    # Nothing asks Flask-Principal; without its loader a request for a picture costs no query.
    security.principal.identity_loaders.clear()


def _derived(given: Settings, use: str) -> bytes:
    """A key for one use; 32 bytes in the form that Fernet wants."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"{use}:{given.secret_key}".encode()).digest())


def _load_signed_in(uniquifier: str) -> Member | None:
    """Flask-Login asks who this browser's session belongs to; an ended session belongs to nobody."""
    return members.find_signed_in(db.session(), str(uniquifier), session.get("sid", ""), now=utc_now())


def security() -> Security:
    return current_app.extensions["security"]


# --- Passwords ---------------------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """Costs tens of milliseconds by design."""
    return fs_hash_password(security().password_util.normalize(password))


def is_password(member: Member | None, password: str) -> bool:
    """Whether this is the member's password. Takes as long for nobody as for somebody. May renew the stored hash."""
    typed = security().password_util.normalize(password[: members.PASSWORD_CHARS[1]])
    if member is None or member.password is None:
        security().pwd_context.verify(typed, _hash_of_nobody())
        return False
    return member.verify_and_update_password(typed)


def _hash_of_nobody() -> str:
    """Made once per process; no password fits it."""
    if NOBODY not in current_app.extensions:
        current_app.extensions[NOBODY] = fs_hash_password(uuid.uuid4().hex)
    return current_app.extensions[NOBODY]


def set_password(member: Member, password: str) -> None:
    """The new password ends every session: Flask-Login knows members by the uniquifier, which changes."""
    member.password = hash_password(password)
    member.fs_uniquifier = uuid.uuid4().hex


# --- Sign-in and sign-out ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HalfSignedIn:
    """The password was right and the code of the second step is still missing."""

    uniquifier: str
    keep: bool
    next: str


def begin_second_step(member: Member, *, keep: bool, next_path: str) -> None:
    session["second_step"] = [member.fs_uniquifier, keep, next_path, time.time()]


def second_step() -> HalfSignedIn | None:
    """Who is between the two steps of signing in, unless it took too long."""
    kept = session.get("second_step")
    if not kept or time.time() - kept[3] > SECOND_STEP_WITHIN.total_seconds():
        session.pop("second_step", None)
        return None
    return HalfSignedIn(uniquifier=kept[0], keep=kept[1], next=kept[2])


def sign_in(s: Session, member: Member, *, keep: bool) -> None:
    """Begin a session in this browser, in the caller's transaction. `keep` outlives the browser's own end."""
    for name in [name for name in session if name not in ("parked", "_flashes")]:
        session.pop(name)
    g.pop("csrf_token", None)
    session["sid"] = members.open_session(s, member.id, user_agent=request.headers.get("User-Agent", ""), now=utc_now())
    session.permanent = keep
    fs_login_user(member, remember=False, authn_via=["password"])
    g.pop("actor", None)


def sign_out(s: Session, member_id: int) -> None:
    """End this browser's session, in the caller's transaction."""
    members.end_sessions(s, member_id, only=session.get("sid", ""), now=utc_now())
    fs_logout_user()
    session.clear()
    g.pop("actor", None)


# --- Links in mail -----------------------------------------------------------------------------------------------


def confirm_token(member: Member) -> str:
    return generate_confirmation_token(member)


def member_to_confirm(token: str) -> Member:
    """Whom this link confirms; raises NotFound when it is too old, broken, or for another address."""
    expired, bad, member = confirm_email_token_status(token)
    if expired or bad or member is None or not member.active:
        raise NotFound("link-too-old", "This link is too old or not whole.")
    return member


def reset_token(member: Member) -> str:
    return generate_reset_password_token(member)


def member_to_reset(token: str) -> Member:
    """Whose password this link resets; raises NotFound when it is too old, broken or used (the password changed)."""
    expired, bad, member = reset_password_token_status(token)
    if expired or bad or member is None or not member.active:
        raise NotFound("link-too-old", "This link is too old, was used already, or is not whole.")
    return member


def change_email_token(member: Member, new_email: str) -> str:
    return security().change_email_serializer.dumps([member.fs_uniquifier, hash_data(member.email), new_email])


def email_to_change(token: str) -> tuple[Member, str]:
    """Whose address becomes which; raises NotFound when the link is too old, broken or used."""
    try:
        found = security().change_email_serializer.loads(token, max_age=int(CHANGE_EMAIL_WITHIN.total_seconds()))
        uniquifier, old_hash, new_email = found
    except (BadSignature, SignatureExpired, TypeError, ValueError):
        raise NotFound("link-too-old", "This link is too old or not whole.") from None
    member = cast(Member | None, security().datastore.find_user(fs_uniquifier=uniquifier))
    if member is None or not member.active or not verify_hash(old_hash, member.email):
        raise NotFound("link-too-old", "This link was used already, or the account has changed since.")
    return member, new_email


# --- The second step ---------------------------------------------------------------------------------------------


def new_totp_secret() -> str:
    """Encrypted: may be kept in the browser's signed session until it is proven."""
    return security().totp_factory.generate_totp_secret()


def totp_key(secret: str) -> str:
    """For typing into an app: groups of capital letters and digits."""
    return security().totp_factory.get_totp_pretty_key(
        secret,
    )


def totp_b32(secret: str) -> str:
    """For programs."""
    return security().totp_factory.get_totp_b32_key(secret)


def totp_picture(secret: str, handle: str) -> str:
    """The QR code for an app's camera, as the address of an image (`data:`)."""
    return security().totp_factory.generate_qrcode(handle, secret)


def is_totp(member: Member, secret: str, code: str) -> bool:
    """Whether this is the app's code of now; each code works once."""
    digits = "".join(c for c in code if c.isascii() and c.isdigit())
    return len(digits) == 6 and security().totp_factory.verify_totp(digits, secret, member, window=TOTP_WINDOW)


def turn_on_second_step(member: Member, secret: str) -> list[str]:
    """Set it up; returns the recovery codes, which are shown once."""
    security().datastore.tf_set(member, "authenticator", totp_secret=secret)
    return new_recovery_codes(member)


def turn_off_second_step(member: Member) -> None:
    member.tf_primary_method = member.tf_totp_secret = member.tf_last_counter = member.mf_recovery_codes = None


def new_recovery_codes(member: Member) -> list[str]:
    """The old ones stop working."""
    return security().mf_recovery_codes_util.create_recovery_codes(member)


def spend_recovery_code(member: Member, code: str) -> bool:
    """Whether it was one of the member's codes; it is then used up."""
    util = security().mf_recovery_codes_util
    typed = "".join(c for c in code.casefold() if c.isalnum())
    wanted = "-".join(typed[i : i + 4] for i in range(0, len(typed), 4))
    return util.check_recovery_code(member, wanted) and util.delete_recovery_code(member, wanted)


# --- Throttles ---------------------------------------------------------------------------------------------------

# Failed tries. A person who mistypes stays below; a list of guessed passwords does not.
BY_ACCOUNT = parse("10 per 15 minutes")
BY_ADDRESS = parse("50 per 15 minutes")
# Mails that strangers can cause.
MAILS_BY_ADDRESS = parse("20 per hour")
MAILS_TO_ONE = parse("4 per hour")


def throttle(limit: Any, *who: str) -> None:
    """Raises TooMany, with when to try again, once the limit is used up. Does not count."""
    if settings().limits and not limiter.limiter.test(limit, *who):
        seconds = max(1, int(limiter.limiter.get_window_stats(limit, *who).reset_time - time.time()) + 1)
        raise TooMany("too-many-tries", "Too many tries.", retry_after=seconds)


def count(limit: Any, *who: str) -> None:
    if settings().limits:
        limiter.limiter.hit(limit, *who)


def forgive(limit: Any, *who: str) -> None:
    if settings().limits:
        limiter.limiter.clear(limit, *who)
