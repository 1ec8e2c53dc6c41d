"""Twenty mixed cases worked through by hand: by keys, by taps on a phone, and without scripts by Tab and Enter alone.

Counted is what a moderator presses from the moment that a case stands on the screen until the next one does.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.config import Settings
from core.db import utc_now
from core.vocabulary import CaseState, ThreadKind, Verdict
from forum import posting
from forum.models import Post
from moderation import canned, reports
from moderation.models import Case, CaseView, Decision
from tests.flows.scene import load_starter, sign_in_on, tab_to
from tests.moderation.stage import GATE
from tests.support.browser import Pages
from tests.support.cast import actor_of

pytestmark = pytest.mark.browser

MOST_KEYS = {Verdict.APPROVE: 2, Verdict.DISMISS: 2, Verdict.REJECT: 4, Verdict.REMOVE: 4, Verdict.HIDE: 4}
MOST_TAPS = 3
HARD = "I cannot go on like this and I do not want to live any more."


@dataclass
class Queue:
    """Cases of every kind, and what should become of each: case -> verdict."""

    session: Session
    settings: Settings
    plan: dict[int, Verdict] = field(default_factory=dict)
    _texts: int = 0

    def ask(self, member: Member, body: str = "") -> Post:
        self._texts += 1
        body = f"{body} It has been sore for {self._texts} days, and walking helps a little in the evening."
        return posting.start_thread(
            self.session,
            actor_of(member),
            board_slug="backache",
            kind=ThreadKind.QUESTION,
            title=f"Question number {self._texts}",
            body=body,
            gate=GATE,
            settings=self.settings,
            now=utc_now(),
        ).post

    def expect(self, post: Post, verdict: Verdict) -> None:
        case_id = self.session.execute(select(Case.id).where(Case.post_id == post.id)).scalar_one()
        self.plan[case_id] = verdict

    def newcomer(self, member: Member, verdict: Verdict) -> None:
        self.expect(self.ask(member), verdict)

    def contact(self, member: Member, verdict: Verdict) -> None:
        self.expect(self.ask(member, f"Write to some.body{self._texts}@gmail.com about it."), verdict)

    def hard(self, member: Member, verdict: Verdict) -> None:
        self.expect(self.ask(member, HARD), verdict)

    def reported(self, member: Member, reporter: Member, verdict: Verdict) -> None:
        post = self.ask(member)
        reports.report(
            self.session,
            actor_of(reporter),
            post.id,
            rule="R9-no-ads",
            note="It sells something.",
            settings=self.settings,
            now=utc_now(),
        )
        self.expect(post, verdict)

    def edit(self, member: Member, verdict: Verdict) -> None:
        post = self.ask(member)
        posting.edit_post(
            self.session,
            actor_of(member),
            post.id,
            version=post.version,
            title="Another question",
            body=f"Ring me on 020 7946 09{self._texts:02d} and I will tell you more about it.",
            gate=GATE,
            settings=self.settings,
            now=utc_now(),
        )
        self.expect(post, verdict)

    def sound(self) -> None:
        """Every case is decided once, as it was meant, and none was opened that nobody read."""
        self.session.rollback()
        rows = self.session.execute(select(Decision.case_id, Decision.verdict)).all()
        assert {row.case_id: row.verdict for row in rows} == self.plan
        assert len(rows) == len(self.plan)
        assert set(self.session.execute(select(Case.state)).scalars()) == {CaseState.DECIDED}
        views = self.session.execute(select(func.count(CaseView.id))).scalar_one()
        assert views == len(self.plan)


@pytest.fixture
def queue(app: Flask, session: Session, site, ann: Member, ben: Member, cora: Member, mo: Member) -> Queue:
    """Twenty cases: held newcomers, addresses, hard texts, reports, and edits of public texts."""
    load_starter(app)
    canned.load_starter(session)
    made = Queue(session, site.settings)
    for verdict in (Verdict.APPROVE, Verdict.APPROVE, Verdict.REJECT, Verdict.APPROVE, Verdict.APPROVE):
        made.newcomer(cora, verdict)
    for verdict in (Verdict.REJECT, Verdict.APPROVE, Verdict.REJECT, Verdict.REJECT):
        made.contact(ann, verdict)
    for verdict in (Verdict.APPROVE, Verdict.REJECT):
        made.hard(ben, verdict)
    for verdict in (Verdict.DISMISS, Verdict.REMOVE, Verdict.REMOVE, Verdict.HIDE, Verdict.DISMISS):
        made.reported(ann, ben, verdict)
    for verdict in (Verdict.APPROVE, Verdict.REJECT, Verdict.APPROVE, Verdict.REJECT):
        made.edit(ben, verdict)
    session.commit()
    assert len(made.plan) == 20
    return made


def case_on(page: Page) -> int:
    return int(page.url.partition("#")[0].rsplit("/", 1)[1])


def begin(page: Page, member: Member) -> None:
    sign_in_on(page, member)
    page.goto("/moderation/")


def work(page: Page, queue: Queue, decide) -> Counter[tuple[Verdict, int]]:
    """Decide until the queue is empty; how often each verdict took so many presses."""
    counted: Counter[tuple[Verdict, int]] = Counter()
    left = dict(queue.plan)
    while left:
        case_id = case_on(page)
        verdict = left.pop(case_id)
        presses = decide(page, verdict)
        counted[verdict, presses] += 1
        onward = "**/moderation/cases/*" if left else "**/moderation/"
        page.wait_for_url(lambda url, case_id=case_id: not url.endswith(f"/cases/{case_id}"))
        page.wait_for_url(onward)
    return counted


# --- By keys -----------------------------------------------------------------------------------------------------


def by_keys(page: Page, verdict: Verdict) -> int:
    keys = []
    if page.locator("details.blur").count():
        keys.append("v")
    if verdict in (Verdict.APPROVE, Verdict.DISMISS):
        keys.append("a")
    else:
        keys += ["h" if verdict is Verdict.HIDE else "r", "2" if verdict is Verdict.REMOVE else "Enter"]
    for place, key in enumerate(keys):
        if place == 1 and keys[0] == "v":
            expect(page.locator(".blur .casetext")).to_be_visible()
        page.keyboard.press(key)
    return len(keys)


def test_twenty_cases_by_keys(queue: Queue, mo: Member, new_page: Pages) -> None:
    page = new_page()
    begin(page, mo)
    page.keyboard.press("c")
    page.wait_for_url("**/moderation/cases/*")
    counted = work(page, queue, by_keys)
    too_many = {(verdict.value, keys) for verdict, keys in counted if keys > MOST_KEYS[verdict]}
    assert too_many == set(), counted
    expect(page.get_by_role("main")).to_contain_text("Nothing else waits for you.")
    queue.sound()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_keys_wait_while_somebody_types_and_can_be_switched_off(queue: Queue, mo: Member, new_page: Pages) -> None:
    page = new_page()
    begin(page, mo)
    page.keyboard.press("j")
    expect(page.locator("a[data-row]").first).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("a[data-row]").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("a[data-row]").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/moderation/cases/*")
    case_id = case_on(page)
    reason = page.get_by_label("Reason", exact=True)
    reason.focus()
    page.keyboard.type("a car had hit us")
    expect(reason).to_have_value("a car had hit us")
    assert case_on(page) == case_id
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_label("Use these keys on this device")).to_be_visible()
    page.get_by_label("Use these keys on this device").uncheck()
    page.locator("h1").click()
    page.keyboard.press("a")
    page.keyboard.press("r")
    expect(page.locator("details.quick__more[open]")).to_have_count(0)
    assert case_on(page) == case_id
    # The choice is kept for the next page.
    page.reload()
    page.keyboard.press("r")
    expect(page.locator("details.quick__more[open]")).to_have_count(0)
    queue.session.rollback()
    assert queue.session.execute(select(func.count(Decision.id))).scalar_one() == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_one_key_takes_the_last_decision_back(queue: Queue, mo: Member, new_page: Pages) -> None:
    page = new_page()
    begin(page, mo)
    page.keyboard.press("c")
    page.wait_for_url("**/moderation/cases/*")
    first = case_on(page)
    page.keyboard.press("a")
    page.wait_for_url(lambda url: not url.endswith(f"/cases/{first}"))
    second = case_on(page)
    page.keyboard.press("u")
    page.wait_for_url(f"**/moderation/cases/{first}")
    expect(page.get_by_role("main")).to_contain_text("You hold this case until")
    page.keyboard.press("s")
    page.keyboard.press("3")
    page.wait_for_url(lambda url: not url.endswith(f"/cases/{first}"))
    assert case_on(page) != second, "the case that is held already is not offered again"
    queue.session.rollback()
    verdicts = queue.session.execute(select(Decision.verdict).order_by(Decision.id)).scalars().all()
    assert verdicts[-1] is Verdict.RESTORE


# --- By taps at 375 pixels ---------------------------------------------------------------------------------------


def by_taps(page: Page, verdict: Verdict) -> int:
    taps = 0

    def tap(locator) -> None:
        nonlocal taps
        taps += 1
        box = locator.bounding_box()
        assert box and box["height"] >= 24 and box["x"] >= 0 and box["x"] + box["width"] <= 375, box
        locator.click(no_wait_after=True)

    if page.locator("details.blur").count():
        tap(page.locator("details.blur > summary"))
    if verdict in (Verdict.APPROVE, Verdict.DISMISS):
        tap(page.locator('[data-key="a"]'))
    else:
        folded = page.locator('details[data-key="h"]' if verdict is Verdict.HIDE else 'details[data-key="r"]')
        tap(folded.locator("summary"))
        tap(folded.locator('[data-digit="1"]'))
    return taps


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_twenty_cases_by_taps_on_a_phone(queue: Queue, mo: Member, new_page: Pages) -> None:
    page = new_page(width=375)
    begin(page, mo)
    page.get_by_role("button", name="Take the next case").click()
    page.wait_for_url("**/moderation/cases/*")
    counted = work(page, queue, by_taps)
    assert max(taps for _, taps in counted) <= MOST_TAPS, counted
    queue.sound()


# --- Without scripts, by Tab and Enter ---------------------------------------------------------------------------


def by_tab(page: Page, verdict: Verdict) -> int:
    if page.locator("details.blur").count():
        tab_to(page, page.locator("details.blur > summary"))
        page.keyboard.press("Enter")
    if verdict in (Verdict.APPROVE, Verdict.DISMISS):
        tab_to(page, page.locator('[data-key="a"]'))
    else:
        folded = page.locator('details[data-key="h"]' if verdict is Verdict.HIDE else 'details[data-key="r"]')
        tab_to(page, folded.locator("summary"))
        page.keyboard.press("Enter")
        tab_to(page, folded.locator('[data-digit="1"]'))
    page.keyboard.press("Enter")
    return 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_twenty_cases_without_scripts_by_tab_and_enter(queue: Queue, mo: Member, new_page: Pages) -> None:
    page = new_page(scripts=False)
    begin(page, mo)
    tab_to(page, page.locator('[data-key="c"]'))
    page.keyboard.press("Enter")
    page.wait_for_url("**/moderation/cases/*")
    work(page, queue, by_tab)
    queue.sound()
