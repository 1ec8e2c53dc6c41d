"""Mail: left in the outbox by the pages, written and sent by the worker.

A row of the outbox holds whom and what, not the text: links are made when the mail goes out, so no link lies in the
database, and a mail to an address that has no account can say so without the page having known.
"""

import os
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import current_app
from flask_babel import force_locale
from sqlalchemy.orm import Session

from auth import flows, members, tokens
from auth.models import Member
from core import outbox
from core.config import Settings
from core.db import db, utc_now
from core.notifications import Notification
from core.web import local_url, settings

SMTP_TIMEOUT = 20  # Seconds; the outbox tries again later.


def put(
    session: Session,
    template: str,
    *,
    now: datetime,
    member_id: int | None = None,
    to: str | None = None,
    **more: str,
) -> None:
    """Leave one mail about an account, in the caller's transaction. Without `to` it goes to the member's address."""
    outbox.put(session, "mail", {"template": template, "member_id": member_id, "to": to} | more, now=now)


# --- What the worker calls ---------------------------------------------------------------------------------------


def send_mail(payload: Mapping[str, Any]) -> None:
    """Deliver one mail about an account."""
    name, to = payload["template"], payload["to"]
    member = db.session.get(Member, payload["member_id"]) if payload["member_id"] else None
    if name == "reset":
        # Only now is it looked up, so that the page took equally long for an unknown address.
        member = members.find_by_email(db.session(), to)
        name = "reset" if member is not None and member.active else "reset_unknown"
    elif payload["member_id"] and (member is None or (not member.active and not to)):
        return
    values: dict[str, Any] = {"member": member, "now": utc_now(), **payload}
    values |= {f"{kind}_link": link for kind, link in _links(name, member, payload)}
    deliver(_message(name, to or (member.email if member else ""), member, values))


def _links(name: str, member: Member | None, payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The signed links that a mail of this kind carries."""
    if member is None:
        return []
    if name == "confirm":
        return [("confirm", local_url(f"/confirm/{flows.confirm_token(member)}"))]
    if name == "reset":
        return [("reset", local_url(f"/reset/{flows.reset_token(member)}"))]
    if name == "change_email":
        return [("change", local_url(f"/email/{flows.change_email_token(member, payload['to'])}"))]
    return []


def send_notification(payload: Mapping[str, Any]) -> None:
    """Deliver one mail about something that happened; nothing for members who turned such mail off."""
    row = db.session.get(Notification, payload["notification_id"])
    member = db.session.get(Member, row.member_id) if row is not None else None
    if row is None or member is None or not member.active or not member.wants_mail:
        return
    # The address leads through our own page, so that no title of a post stands in the mail.
    link = local_url(f"/me/notifications/{row.id}")
    off = local_url(f"/mail/off/{tokens.unsubscribe_token(settings().secret_key, member.id)}")
    values = {"member": member, "kind": row.kind, "link": link, "off": off}
    message = _message("notification", member.email, member, values)
    message["List-Unsubscribe"] = f"<{off}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # Sent twice after a crash, it is the same mail.
    message.replace_header("Message-ID", f"<notification-{row.id}@{_host(settings())}>")
    deliver(message)


# --- Writing -----------------------------------------------------------------------------------------------------


def _message(name: str, to: str, member: Member | None, values: Mapping[str, Any]) -> EmailMessage:
    """Render a template of templates/mail/: its first line is the subject, the rest the text."""
    with force_locale(member.language if member else "en"):
        # Not render_template: there is no reader here, and no page frame.
        template = current_app.jinja_env.get_template(f"mail/{name}.txt")
        text = template.render(site_name="Boardwell", base_url=settings().base_url, **values)
    subject, _, body = text.strip().partition("\n")
    message = EmailMessage()
    message["From"] = f"Boardwell <{settings().mail_from}>"
    message["To"] = to
    message["Subject"] = subject.strip()
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = make_msgid(domain=_host(settings()))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body.strip() + "\n")
    return message


def _host(given: Settings) -> str:
    return urlsplit(given.base_url).hostname or "localhost"


# --- Sending -----------------------------------------------------------------------------------------------------


def deliver(message: EmailMessage) -> None:
    """By SMTP where MAIL_URL is set, else as a file under instance/mail/. Raises when it did not go out."""
    # Everything is read: a slow mail server must not hold a transaction open.
    db.session.rollback()
    url = settings().mail_url
    if url:
        _by_smtp(message, url)
    else:
        _to_file(message, settings().instance / "mail")


def _by_smtp(message: EmailMessage, url: str) -> None:
    """smtps:// is encrypted from the start; smtp:// with a user name must offer STARTTLS before it hears a password."""
    parts = urlsplit(url)
    host, user = parts.hostname or "localhost", unquote(parts.username or "")
    if parts.scheme == "smtps":
        context = ssl.create_default_context()
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SMTP_TIMEOUT, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=SMTP_TIMEOUT)
    with closing(server):
        if user:
            if parts.scheme == "smtp":
                server.starttls(context=ssl.create_default_context())
            server.login(user, unquote(parts.password or ""))
        server.send_message(message)
        server.quit()


def _to_file(message: EmailMessage, folder: Path) -> None:
    """One file per mail, whole or not at all; in the order of their names is the order of sending."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{utc_now():%Y%m%dT%H%M%S%f}-{message['Message-ID'].strip('<>').split('@')[0]}.eml"
    draft = folder / f".{name}"
    draft.write_bytes(bytes(message))
    os.replace(draft, folder / name)
