"""Two moderators at the same case in two browsers: one wins, the other is told so, and nothing typed is lost."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from flask import Flask
from playwright.sync_api import Page, Response, Route, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import CaseState
from moderation.models import Case, Decision
from tests.flows.scene import load_starter, sign_in_on
from tests.support.browser import Pages
from tests.support.cast import bearer

pytestmark = pytest.mark.browser

REASONS = {"mo": "Mo read it twice and finds nothing.", "mia": "Mia read it too and is content."}


@dataclass
class Desk:
    """A case that waits, and both moderators in browsers of their own: Mo's runs scripts, Mia's does not."""

    case_id: int
    mo: Page
    mia: Page

    def open_both(self) -> None:
        for page in (self.mo, self.mia):
            page.goto(f"/moderation/cases/{self.case_id}")


@pytest.fixture
def desk(
    app: Flask,
    session: Session,
    cora: Member,
    mo: Member,
    mia: Member,
    new_page: Pages,
) -> Iterator[Desk]:
    load_starter(app)
    asked = app.test_client().post(
        "/api/v1/boards/backache/threads",
        json={"kind": "question", "title": "Which chair is best?", "body": "Mine creaks, and so do I."},
        headers=bearer(cora, ["write"]),
    )
    assert asked.status_code == 201, asked.json
    case_id = session.execute(select(Case.id)).scalar_one()
    session.commit()
    pages = {"mo": new_page(scripts=True), "mia": new_page(scripts=False)}
    for member in (mo, mia):
        handle = member.handle
        sign_in_on(pages[handle], member)
        session.commit()
    return Desk(case_id, pages["mo"], pages["mia"])


def press_together(pages: list[Page], button: str, path: str) -> list[int]:
    """Press the same button in several browsers; no request leaves before all are ready. Returns the statuses."""
    waiting: list[Route] = []
    statuses: dict[Page, int] = {}

    def note(page: Page, answer: Response) -> None:
        if answer.request.method == "POST":
            statuses[page] = answer.status

    for page in pages:
        page.route(path, lambda route: waiting.append(route))
        page.on("response", partial(note, page))
        page.get_by_role("button", name=button).click(no_wait_after=True)
    until(pages[0], lambda: len(waiting) == len(pages))
    for page, route in zip(pages, waiting, strict=True):
        route.continue_()
        page.unroute(path)
    until(pages[0], lambda: len(statuses) == len(pages))
    return [statuses[page] for page in pages]


def until(page: Page, is_done: Callable[[], bool]) -> None:
    """Let the browsers report what happens, which they do only while one of them is asked something."""
    deadline = time.monotonic() + 15
    while not is_done():
        assert time.monotonic() < deadline, "the browsers reported nothing"
        page.context.cookies()


def test_two_browsers_press_approve_at_once_and_one_gets_409(desk: Desk, session: Session) -> None:
    desk.open_both()
    for page, reason in ((desk.mo, REASONS["mo"]), (desk.mia, REASONS["mia"])):
        page.get_by_role("radio", name="Approve").check()
        page.get_by_label("Reason", exact=True).fill(reason)
    statuses = press_together([desk.mo, desk.mia], "Decide and go back to the queue", "**/decide")
    assert sorted(statuses) == [303, 409]
    loser, winner = (desk.mo, desk.mia) if statuses[0] == 409 else (desk.mia, desk.mo)
    name, kept = ("mo", REASONS["mo"]) if loser is desk.mo else ("mia", REASONS["mia"])
    expect(winner.get_by_role("status").first).to_contain_text("Readers can see it now")
    alert = loser.get_by_role("alert").first
    expect(alert).to_contain_text("Somebody was first")
    expect(alert).to_contain_text("mia" if name == "mo" else "mo")
    expect(loser.get_by_label("Reason", exact=True)).to_have_value(kept)
    session.rollback()
    assert session.execute(select(func.count(Decision.id))).scalar_one() == 1
    assert session.execute(select(Case.state)).scalar_one() is CaseState.DECIDED


def test_two_browsers_take_a_case_at_once_and_who_comes_second_cannot_decide_it(desk: Desk, session: Session) -> None:
    desk.open_both()
    statuses = press_together([desk.mo, desk.mia], "Take this case", "**/claim")
    assert sorted(statuses) == [303, 409]
    loser, winner = (desk.mo, desk.mia) if statuses[0] == 409 else (desk.mia, desk.mo)
    holder, other = ("mia", "mo") if loser is desk.mo else ("mo", "mia")
    expect(winner.get_by_role("main")).to_contain_text("You hold this case until")
    expect(loser.get_by_role("main")).to_contain_text(f"{holder} holds this case until")
    expect(loser.get_by_role("button", name="Decide and go back to the queue")).to_have_count(0)

    # The winner gives it back; the other opens the page, and while they type the first takes it once more.
    winner.get_by_role("button", name="Give it back").click()
    expect(winner.get_by_role("main")).to_contain_text("You gave the case back")
    loser.goto(f"/moderation/cases/{desk.case_id}")
    loser.get_by_role("radio", name="Approve").check()
    loser.get_by_label("Reason", exact=True).fill(REASONS[other])
    winner.goto(f"/moderation/cases/{desk.case_id}")
    winner.get_by_role("button", name="Take this case").click()
    expect(winner.get_by_role("main")).to_contain_text("You hold this case until")
    assert press_together([loser], "Decide and go back to the queue", "**/decide") == [409]
    expect(loser.get_by_role("alert").first).to_contain_text(f"taken by {holder} until")
    expect(loser.get_by_label("What you typed")).to_have_value(REASONS[other])

    winner.get_by_role("button", name="Approve and go back to the queue").click()
    expect(winner.get_by_role("main")).to_contain_text("Readers can see it now")
    session.rollback()
    decider = select(Member.handle).join(Decision, Decision.moderator_id == Member.id)
    assert session.execute(decider).scalars().all() == [holder]
