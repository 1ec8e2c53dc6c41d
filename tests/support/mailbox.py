"""The mails that a site without MAIL_URL writes as files."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from flask import Flask

from core.cli import deliver_next


def deliver(app: Flask) -> None:
    """What the worker does, until nothing is left."""
    with app.app_context():
        while deliver_next():
            pass


def mails(app: Flask, to: str) -> list[EmailMessage]:
    """Every mail to this address, in the order of sending."""
    deliver(app)
    folder: Path = app.extensions["boardwell.settings"].instance / "mail"
    found = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in sorted(folder.glob("*.eml"))]
    return [m for m in found if isinstance(m, EmailMessage) and m["To"] == to]


def link_in(mail: EmailMessage, path: str) -> str:
    """The path of the first link to `path` in the mail."""
    found = re.search(rf"https?://[^/\s]+({path}/\S+)", mail.get_content())
    assert found, mail.get_content()
    return found[1]
