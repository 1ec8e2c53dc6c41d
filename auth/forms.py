"""What people type into the account pages, read and checked; each reader raises one Invalid that names every field."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from email_validator import EmailNotValidError, validate_email
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from auth import members
from core.errors import Invalid

# A path on this site: one slash, then anything but another slash or a backslash, which browsers read as one.
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")

Form = MultiDict[str, str]


@dataclass(frozen=True)
class Registration:
    handle: str
    email: str
    password: str
    birth_year: int


class Errors:
    """Collects what is wrong, field by field, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, field: str, message: str) -> None:
        self.found.append((field, message))

    def check(self, rule: Callable[[], object], field: str | None = None) -> None:
        """Run a rule; keep what it raises, under `field` if the form has another name for it."""
        try:
            rule()
        except Invalid as error:
            self.found += [(field or name, message) for name, message in error.errors] or [(field or "", error.detail)]

    def finish(self) -> None:
        if self.found:
            raise Invalid("invalid-fields", _("Some fields need another look."), errors=self.found)


def read_email(typed: str, field: str = "email") -> str:
    """The address in the form in which it is stored; raises Invalid. Asks no other machine."""
    try:
        found = validate_email(members.fold_email(typed), check_deliverability=False)
    except EmailNotValidError:
        message = _("This does not look like an e-mail address. It should be like name@example.org.")
        raise Invalid("invalid-email", message, errors=[(field, message)]) from None
    if len(found.normalized) > 255:
        message = _("This e-mail address is too long for us.")
        raise Invalid("invalid-email", message, errors=[(field, message)])
    return members.fold_email(found.normalized)


def read_birth_year(form: Form, *, today: date) -> int:
    return members.check_birth_year(form.get("birth_year", ""), today=today)


def read_registration(session: Session, form: Form, *, today: date) -> Registration:
    """Everything but the age rule, which the door asks first; raises Invalid."""
    errors = Errors()
    handle, email, password = form.get("handle", "").strip(), form.get("email", ""), form.get("password", "")
    errors.check(lambda: members.check_handle(session, handle))
    errors.check(lambda: read_email(email))
    errors.check(lambda: members.check_password(password, about=(handle, email.split("@")[0])))
    errors.check(lambda: read_birth_year(form, today=today))
    if form.get("consent") != "y":
        errors.add("consent", _("We can only publish what you write about your health if you agree to it."))
    errors.finish()
    return Registration(
        handle=handle, email=read_email(email), password=password, birth_year=read_birth_year(form, today=today)
    )


def read_new_password(form: Form, *, about: tuple[str, ...]) -> str:
    """The new password; raises Invalid."""
    password = form.get("password", "")
    members.check_password(password, about=about)
    return password


def local_path(typed: str | None) -> str | None:
    """A path on this site that may be gone to, or None: never another site."""
    return typed if typed and len(typed) <= 500 and _LOCAL.fullmatch(typed) else None


def by_field(error: Invalid) -> dict[str, str]:
    """The first message of each field, for the template."""
    found: dict[str, str] = {}
    for name, message in error.errors or [("", error.detail)]:
        found.setdefault(name, message)
    return found
