"""What the end-to-end tests share: the starter content, the worker, and people who use a real browser."""

import re
import threading
from email.message import EmailMessage
from typing import Any

from flask import Flask
from playwright.sync_api import Locator, Page, expect

from auth.models import Member
from core.cli import work
from tests.support.cast import PASSWORD, code_for
from tests.support.shared import ROOT


def load_starter(app: Flask) -> None:
    """The content that ships with the product, by the command that `make run` uses."""
    result = app.test_cli_runner().invoke(args=["content", "import", "markdown", str(ROOT / "content" / "starter")])
    assert result.exit_code == 0, result.output


def deliver(app: Flask) -> int:
    """Let the worker send what is due; returns how many messages it handled."""
    return work(app, threading.Event(), once=True)


def text_of(message: EmailMessage) -> str:
    """The whole plain text of a mail."""
    part = message.get_body(("plain",))
    assert part is not None, "the mail has no plain text"
    return str(part.get_content())


def link_in(message: EmailMessage, path: str) -> str:
    """The address under `path` that stands in a mail."""
    found = re.search(rf"https?://[^\s/]+({re.escape(path)}\S+)", text_of(message))
    assert found, f"no link to {path} in the mail {message['Subject']!r}"
    return found[1]


def sign_in_on(page: Page, member: Member) -> None:
    """Sign in by the pages, second step included, as a person does it."""
    # Read first: the browser must not wait for a transaction of ours.
    email, needs_code = member.email, member.tf_totp_secret is not None
    page.goto("/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    if needs_code:
        expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
        page.get_by_label("Code").fill(code_for(member))
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.locator("form[action='/logout']").first).to_be_attached()


def tab_to(page: Page, locator: Locator) -> None:
    """Go on by Tab until this has the focus; a keyboard reaches it, or the test fails."""
    for _ in range(150):
        if locator.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reached {locator}")


def seen_at(page: Page, path: str) -> tuple[int, str]:
    """Status and text of an address, asked with the cookies of this page's visitor."""
    answer = page.context.request.get(path, max_redirects=5)
    return answer.status, answer.text()


def json_at(page: Page, path: str) -> tuple[int, Any]:
    """Status and JSON of an address of the API, asked with the cookies of this page's visitor."""
    answer = page.context.request.get(path)
    return answer.status, answer.json()
