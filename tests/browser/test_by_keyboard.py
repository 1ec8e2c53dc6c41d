"""The whole chain by keyboard alone and without scripts: nothing is pointed at, nothing is focused but by Tab."""

import re
from typing import Any

import pytest
from flask import current_app
from playwright.sync_api import Locator, Page, expect
from sqlalchemy.orm import Session

from core.db import utc_now
from core.vocabulary import Role, ThreadKind
from forum import posting
from moderation import reports
from tests.flows.scene import load_starter, sign_in_on, tab_to
from tests.moderation.stage import GATE
from tests.support.browser import Pages
from tests.support.cast import actor_of, make_member

pytestmark = pytest.mark.browser

TITLE = "Does this knee need a brace?"
REASON = "You name an amount of a medicine. Please leave amounts out."
GROUNDS = "The amount is the size of the brace."
ANSWER = "You are right: it is the size of a brace."


def main_of(page: Page) -> Locator:
    return page.get_by_role("main")


def press(page: Page, locator: Locator, key: str = "Enter") -> None:
    tab_to(page, locator)
    page.keyboard.press(key)


def write(page: Page, label: str, text: str) -> None:
    tab_to(page, main_of(page).get_by_label(label, exact=True))
    page.keyboard.type(text)


def choose(page: Page, group: str, value: str) -> None:
    """One of several radio buttons: Tab leads to the first or to the chosen one, the arrows go on from there."""
    buttons = f"input[type='radio'][name='{group}']"
    wanted, chosen = page.locator(f"{buttons}[value='{value}']"), page.locator(f"{buttons}:checked")
    tab_to(page, chosen if chosen.count() else page.locator(buttons).first)
    page.keyboard.press("Space")
    for _ in range(20):
        if wanted.is_checked():
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError(f"the arrows never reached {value}")


def reported(session: Session, **people: Any) -> None:
    """Ann's question, which Ben has reported."""
    settings, now = current_app.extensions["boardwell.settings"], utc_now()
    asked = {"board_slug": "backache", "kind": ThreadKind.QUESTION, "title": TITLE, "body": "One of 20 or of 30?"}
    post = posting.start_thread(session, actor_of(people["ann"]), **asked, gate=GATE, settings=settings, now=now).post
    rule, note = "R3-no-doses", "It names an amount."
    reports.report(session, actor_of(people["ben"]), post.id, rule=rule, note=note, settings=settings, now=now)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_claim_remove_object_answer_and_talk(app: Any, session: Session, live_server: str, new_page: Pages) -> None:
    load_starter(app)
    people = {name: make_member(session, name, approved=5) for name in ("ann", "ben")}
    people["mo"] = make_member(session, "mo", roles=[Role.MODERATOR])
    people["lea"] = make_member(session, "lea", roles=[Role.LEAD])
    reported(session, **people)
    session.commit()
    pages = {name: new_page(scripts=False, width=375 if name == "ann" else 1280) for name in ("ann", "mo", "lea")}
    for name, page in pages.items():
        sign_in_on(page, people[name])
    ann, mo, lea = pages["ann"], pages["mo"], pages["lea"]

    # Claim, and remove for a reason.
    mo.goto("/moderation/")
    press(mo, main_of(mo).get_by_role("link", name=TITLE))
    press(mo, mo.get_by_role("button", name="Take this case"))
    expect(main_of(mo)).to_contain_text("You hold this case until")
    choose(mo, "verdict", "remove")
    tab_to(mo, mo.locator("select[name=rule]"))
    mo.keyboard.type("R3")
    expect(mo.locator("select[name=rule]")).to_have_value("R3-no-doses")
    write(mo, "Reason", REASON)
    press(mo, mo.get_by_role("button", name="Decide and go back to the queue"))
    expect(main_of(mo)).to_contain_text("Removed. The author gets your reason.")

    # Read it, and object.
    ann.goto("/")
    press(ann, ann.get_by_role("link", name=re.compile("new notification")))
    press(ann, ann.get_by_role("link", name=re.compile("has removed one of your posts")))
    expect(main_of(ann)).to_contain_text(REASON)
    write(ann, "Why do you think that we are wrong?", GROUNDS)
    press(ann, ann.get_by_role("button", name="Send the objection"))
    expect(main_of(ann)).to_contain_text("Somebody new will read it")

    # Answer it.
    lea.goto("/moderation/")
    press(lea, lea.get_by_role("link", name="Objections"))
    press(lea, main_of(lea).get_by_role("link", name=TITLE))
    expect(main_of(lea)).to_contain_text(GROUNDS)
    choose(lea, "outcome", "overturned")
    write(lea, "Why?", ANSWER)
    press(lea, lea.get_by_role("button", name="Send the answer"))
    expect(main_of(lea)).to_contain_text("Answered. Who objected gets your reasons.")
    ann.reload()
    expect(main_of(ann)).to_contain_text(ANSWER)

    # And talk about it.
    press(lea, main_of(lea).get_by_role("link", name="Talk", exact=True))
    press(lea, main_of(lea).get_by_role("link", name="Write to a member"))
    write(lea, "Member", "ann")
    write(lea, "What is it about?", "Your question")
    write(lea, "Text", "We are sorry. Is your knee better?")
    press(lea, main_of(lea).get_by_role("button", name="Send"))
    expect(main_of(lea)).to_contain_text("Is your knee better?")
    ann.goto("/me/notifications")
    press(ann, ann.get_by_role("link", name="The team wrote to you."))
    expect(main_of(ann)).to_contain_text("Is your knee better?")
    write(ann, "Your answer", "It is, thank you.")
    press(ann, main_of(ann).get_by_role("button", name="Send"))
    expect(main_of(ann)).to_contain_text("It is, thank you.")
    lea.reload()
    write(lea, "Write for the team", "Good. Take care.")
    press(lea, main_of(lea).get_by_role("button", name="Send"))
    expect(main_of(lea)).to_contain_text("Good. Take care.")
    press(lea, main_of(lea).get_by_role("button", name="End the conversation"))
    expect(main_of(lea)).to_contain_text("This conversation is ended.")
