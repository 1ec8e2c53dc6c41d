"""From a report to a decision taken back, in real browsers, with real mail: by pages alone, and by people alone.

Once with scripts and once without, on both databases.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from auth.models import Member
from core.vocabulary import Role
from tests.flows.scene import deliver, json_at, link_in, load_starter, seen_at, sign_in_on, text_of
from tests.support import browser as browsers
from tests.support.cast import bearer, make_member
from tests.support.server import Port, live_server
from tests.support.smtp import MailSink

pytestmark = pytest.mark.browser

TITLE = "Which dose did you start with?"
MARK = "bogmyrtle"  # A word that stands in the question alone.
BODY = f"My doctor named an amount of {MARK} drops to me. How did you begin with yours?"
REASON = "You ask others for an amount of a medicine. Please ask your doctor for that."
GROUNDS = "I asked how others began. I named no amount, and I asked nobody for one."
ANSWER = "You are right: your question names no amount and asks for none. We are sorry."
CRISIS = "I am going to kill myself tonight. I have the pills next to me."


@dataclass
class House:
    """The site with its real mail, and the people in their browsers."""

    app: Flask
    sink: MailSink
    pages: browsers.Pages
    scripts: bool

    def visitor(self, width: int = 1280) -> Page:
        return self.pages(width=width, scripts=self.scripts)

    def of(self, member: Member, width: int = 1280) -> Page:
        """A browser in which this member has signed in."""
        page = self.visitor(width)
        sign_in_on(page, member)
        return page


@pytest.fixture
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def house(scripts: bool, site: Any, port: Port, smtp_sink: MailSink, browser: Any) -> Iterator[House]:
    app = site.build(mail_url=smtp_sink.url)
    load_starter(app)
    with live_server(app, port) as url, browsers.pages(browser, url) as pages:
        yield House(app, smtp_sink, pages, scripts)
    site.disconnect(app)


# Each proof runs on both databases, with scripts on one and without on the other; the soak turns the pairs round.
PAIRS = pytest.mark.parametrize(
    ("backend", "scripts"),
    [
        pytest.param("sqlite", False, id="sqlite-without-scripts"),
        pytest.param("postgresql", True, id="postgresql-with-scripts"),
        pytest.param("sqlite", True, id="sqlite-with-scripts", marks=pytest.mark.soak),
        pytest.param("postgresql", False, id="postgresql-without-scripts", marks=pytest.mark.soak),
    ],
    indirect=True,
)


def main_of(page: Page) -> Any:
    return page.get_by_role("main")


def number_in(page: Page, pattern: str) -> int:
    """The number that stands in the address of this page."""
    found = re.search(pattern, urlsplit(page.url).path)
    assert found, page.url
    return int(found[1])


def ask(page: Page, title: str, body: str) -> int:
    """Write a question and send it; returns the thread's id."""
    page.goto("/boards/backache/ask")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Your question").fill(body)
    page.get_by_role("button", name="Send question").last.click()
    return number_in(page, r"/threads/(\d+)/")


def answer(page: Page, thread_id: int, text: str) -> None:
    page.goto(f"/threads/{thread_id}")
    page.get_by_label("Your answer").fill(text)
    page.get_by_role("button", name="Send answer").click()


def report(page: Page, thread_id: int, author: str, note: str = "It asks for an amount.") -> str:
    """Report the question; returns the address where its outcome will stand."""
    page.goto(f"/threads/{thread_id}")
    page.get_by_role("link", name=re.compile(f"^Report.*by {author}")).first.click()
    page.locator("input[name=rule][value=R3-no-doses]").check()
    page.get_by_label("Would you like to tell us more?").fill(note)
    page.get_by_role("button", name="Send the report").click()
    expect(page).to_have_url(re.compile("/reports/[0-9a-f]{32}"))
    return urlsplit(page.url).path


def open_panel(page: Page, summary: str) -> None:
    """Unfold a part of the page, which needs no scripts."""
    panel = page.locator("details").filter(has=page.locator("summary", has_text=summary))
    if panel.get_attribute("open") is None:
        panel.locator("summary").first.click()


def remove_with_a_warning(page: Page) -> int:
    """From the queue: claim, remove, warn; returns the number of the case."""
    page.goto("/moderation/")
    main_of(page).get_by_role("link", name=TITLE).click()
    case_id = number_in(page, r"/moderation/cases/(\d+)")
    expect(main_of(page)).to_contain_text("It asks for an amount.")
    page.get_by_role("button", name="Take this case").click()
    expect(main_of(page)).to_contain_text("You hold this case until")
    page.get_by_role("radio", name="Remove").check()
    page.locator("select[name=rule]").select_option("R3-no-doses")
    page.get_by_label("Reason", exact=True).fill(REASON)
    open_panel(page, "A sanction on the author, too?")
    page.get_by_role("radio", name=re.compile("^Warning")).check()
    page.get_by_role("button", name="Decide and go back to the queue").click()
    expect(page).to_have_url(re.compile("/moderation/$"))
    expect(main_of(page)).to_contain_text("Removed. The author gets your reason.")
    return case_id


def read_mail(house: House, address: str, *subjects: str) -> list[Any]:
    """Deliver what is due; the mails with these subjects came, and none of them betrays what was written."""
    deliver(house.app)
    mails = house.sink.to(address)
    found = []
    for subject in subjects:
        mail = next((one for one in reversed(mails) if one["Subject"] == subject), None)
        assert mail is not None, (subject, [one["Subject"] for one in mails])
        for secret in (MARK, TITLE, REASON, GROUNDS, ANSWER):
            assert secret not in text_of(mail) and secret not in str(mail.items())
        found.append(mail)
    return found


def follow_notification(page: Page, words: str, address: str) -> str:
    """Open what a notification leads to; returns its path."""
    page.goto("/me/notifications")
    page.get_by_role("link", name=re.compile(words)).first.click()
    expect(page).to_have_url(re.compile(address))
    return urlsplit(page.url).path


def expect_gone(page: Page, thread_id: int) -> None:
    """A visitor finds no word of the question, neither in its thread, in lists, by search, nor by program."""
    for path in (f"/threads/{thread_id}", "/boards/backache/", "/unanswered", "/members/ann", f"/search?q={MARK}"):
        _, text = seen_at(page, path)
        assert TITLE not in text, path
        assert MARK not in text or "/search" in path, path
    assert json_at(page, f"/api/v1/search?q={MARK}")[1]["items"] == []


def expect_shown(page: Page, thread_id: int) -> None:
    """A visitor finds the question wherever questions stand, and it is counted."""
    page.goto(f"/threads/{thread_id}")
    expect(main_of(page)).to_contain_text(MARK)
    for path in ("/boards/backache/", "/unanswered", "/members/ann", f"/search?q={MARK}"):
        status, text = seen_at(page, path)
        assert status == 200 and TITLE in text, path
    _, thread = json_at(page, f"/api/v1/threads/{thread_id}")
    assert thread["opening_post"]["state"] == "published"
    _, board = json_at(page, "/api/v1/boards/backache")
    assert board["thread_count"] == 1


def statuses(page: Page, appeal_id: int, headers: dict[str, str]) -> dict[str, int]:
    """How the appeal answers who is signed in here, on every door: its page, its form, and both of the API."""
    place, program = f"/moderation/appeals/{appeal_id}", f"/api/v1/moderation/appeals/{appeal_id}"
    # A form of the same site, so that nothing but the policy can be the reason.
    page.goto("/moderation/")
    token = page.locator("form[action='/moderation/next'] input[name=csrf_token]").get_attribute("value")
    sent = {"outcome": "upheld", "reasons": "My decision was right."}
    ask_at = page.context.request
    return {
        "page": page.goto(place).status,  # type: ignore[union-attr]
        "form": ask_at.post(f"{place}/decide", form={"csrf_token": str(token), **sent}, max_redirects=0).status,
        "read": ask_at.get(program, headers=headers).status,
        "answer": ask_at.post(f"{program}/decisions", headers=headers, data=sent).status,
    }


@PAIRS
def test_a_report_leads_to_a_removal_and_an_objection_takes_it_back(house: House, session: Session) -> None:
    ann, ben = make_member(session, "ann", approved=5), make_member(session, "ben", approved=20)
    lea = make_member(session, "lea", roles=[Role.LEAD], approved=10)
    lou = make_member(session, "lou", roles=[Role.LEAD], approved=10)
    leas_program = bearer(lea, ["read", "moderate"])
    anns, bens, leas, visitor = house.of(ann, width=375), house.of(ben), house.of(lea), house.visitor()

    thread_id = ask(anns, TITLE, BODY)
    expect_shown(visitor, thread_id)
    outcome = report(bens, thread_id, "ann")
    remove_with_a_warning(leas)
    expect_gone(visitor, thread_id)
    bens.goto(outcome)
    expect(main_of(bens)).to_contain_text("We acted on it")

    # The author hears of it in three places, and each says the same.
    (mail,) = read_mail(house, "ann@example.org", "A post of yours was removed")
    statement = follow_notification(anns, "has removed one of your posts", "/decisions/[0-9a-f]{32}")
    anns.goto(link_in(mail, "/me/notifications"))
    expect(anns).to_have_url(re.compile(statement))
    for part in ("Your post was removed", REASON, "R3-no-doses", MARK, "A member reported it to us", "We warn you"):
        expect(main_of(anns)).to_contain_text(part)
    anns.goto("/me/standing")
    expect(main_of(anns)).to_contain_text("You have 1 strike.")
    expect(anns.get_by_role("button", name="I have read this warning")).to_be_visible()
    anns.goto("/boards/backache/ask")
    expect(main_of(anns)).to_contain_text("You cannot write on this board at present")

    anns.goto(statement)
    anns.get_by_label("Why do you think that we are wrong?").fill(GROUNDS)
    anns.get_by_role("button", name="Send the objection").click()
    expect(anns).to_have_url(re.compile("/appeals/[0-9a-f]{32}"))
    expect(main_of(anns)).to_contain_text("Somebody new will read it")
    objection = urlsplit(anns.url).path

    # Another lead is offered it; the first is told why not, on every door.
    lous = house.of(lou)
    lous.goto("/moderation/appeals/")
    main_of(lous).get_by_role("link", name=TITLE).click()
    appeal_id = number_in(lous, r"/moderation/appeals/(\d+)")
    expect(main_of(lous)).to_contain_text(GROUNDS)
    expect(main_of(lous)).to_contain_text(MARK)
    leas.goto("/moderation/appeals/")
    expect(main_of(leas)).to_contain_text("You have a part in this. Somebody else answers it.")
    expect(main_of(leas).get_by_role("link", name=TITLE)).to_have_count(0)
    assert statuses(leas, appeal_id, leas_program) == {"page": 403, "form": 403, "read": 403, "answer": 403}
    assert json_at(visitor, f"/api/v1{objection}")[1]["outcome"] is None
    expect_gone(visitor, thread_id)

    lous.get_by_role("radio", name=re.compile("^The decision is taken back")).check()
    lous.get_by_label("Why?").fill(ANSWER)
    lous.get_by_role("button", name="Send the answer").click()
    expect(main_of(lous)).to_contain_text("Answered. Who objected gets your reasons.")

    expect_shown(visitor, thread_id)
    anns.goto("/me/standing")
    expect(main_of(anns)).to_contain_text("You have no strikes.")
    expect(main_of(anns)).to_contain_text("Nothing limits you, and nothing counts against you.")
    expect(main_of(anns)).to_contain_text("Taken back")
    read_mail(house, "ann@example.org", "A post of yours is back", "Your objection was looked at")
    assert follow_notification(anns, "We have looked at your objection", "/appeals/") == objection
    for part in ("The decision is taken back", "You were right.", ANSWER):
        expect(main_of(anns)).to_contain_text(part)
    anns.goto(statement)
    expect(main_of(anns)).to_contain_text("We have taken this decision back.")
    # She may write again, and it is public at once.
    answer(anns, thread_id, "Thank you for reading it once more.")
    visitor.goto(f"/threads/{thread_id}")
    expect(main_of(visitor)).to_contain_text("Thank you for reading it once more.")


@PAIRS
def test_next_never_offers_a_case_to_who_has_a_part_in_it(house: House, session: Session) -> None:
    """Neither a moderator nor a lead is offered a thread in which they posted, what they reported, or their own."""
    ann, ben = make_member(session, "ann", approved=5), make_member(session, "ben", approved=20)
    mo, mia = (make_member(session, name, roles=[Role.MODERATOR], approved=10) for name in ("mo", "mia"))
    lea = make_member(session, "lea", roles=[Role.LEAD], approved=10)
    session.commit()
    pages = {one.handle: house.of(one) for one in (ann, ben, mo, mia, lea)}

    threads = {}
    for name, writer in (("posted", "ann"), ("reported", "ann"), ("mo", "mo"), ("lea", "lea"), ("free", "ann")):
        threads[name] = ask(pages[writer], f"A question about {name} things", f"What do you know about {name} pillows?")
    for handle in ("mo", "lea"):
        answer(pages[handle], threads["posted"], f"I, {handle}, sleep well on a flat one.")
        report(pages[handle], threads["reported"], "ann")
    for name, writer in (("posted", "ann"), ("mo", "mo"), ("lea", "lea"), ("free", "ann")):
        report(pages["ben"], threads[name], writer)

    def offered(handle: str) -> list[str]:
        """All that "next" gives until nothing is left, each given back at the end."""
        page, cases = pages[handle], []
        while True:
            page.goto("/moderation/")
            page.get_by_role("button", name="Take the next case").click()
            if "/cases/" not in page.url:
                break
            found = re.search(
                "A question about (.+) things", main_of(page).get_by_role("heading", level=1).inner_text()
            )
            assert found
            cases.append((page.url, found[1]))
        expect(main_of(page)).to_contain_text("Nothing waits that you may decide and that nobody has taken.")
        for address, _ in cases:
            page.goto(address)
            page.locator("form[action$='/release'] button").first.click()
            expect(main_of(page)).to_contain_text("You gave the case back")
        return sorted(name for _, name in cases)

    assert offered("mo") == ["free", "lea"]
    assert offered("lea") == ["free", "mo"]
    assert offered("mia") == ["free", "lea", "mo", "posted", "reported"]


@PAIRS
def test_a_member_in_crisis_hears_of_support_before_anything_else(house: House, session: Session) -> None:
    ann, mo = make_member(session, "ann", approved=5), make_member(session, "mo", roles=[Role.MODERATOR])
    session.commit()
    anns, mos = house.of(ann, width=375), house.of(mo)

    # On the very page that answers the sending.
    thread_id = ask(anns, "I cannot go on", CRISIS)
    read = main_of(anns).inner_text()
    support, waits = (read.find(words) for words in ("You can talk to someone now", "Waiting for a person to read it"))
    assert 0 <= support < waits, read
    assert read.find("999") > support and read.find("999") < waits
    assert seen_at(house.visitor(), f"/threads/{thread_id}")[0] == 404

    mos.goto("/moderation/")
    main_of(mos).get_by_role("link", name="I cannot go on").click()
    mos.get_by_role("button", name="Take this case").click()
    mos.get_by_role("radio", name=re.compile("^Do not publish")).check()
    mos.locator("select[name=rule]").select_option("R5-crisis")
    mos.get_by_label("Reason", exact=True).fill("We worry about you. A person has written to you.")
    mos.get_by_role("button", name="Decide and go back to the queue").click()
    expect(mos).to_have_url(re.compile("/moderation/$"))

    statement = follow_notification(anns, "did not publish your post", "/decisions/[0-9a-f]{32}")
    read = main_of(anns).inner_text()
    order = [read.find(words) for words in ("You can talk to someone now", "999", "Your post was not published")]
    order += [read.find(words) for words in ("What we did", "We worry about you.", "The rule")]
    assert -1 not in order and order == sorted(order), read
    _, told = json_at(anns, f"/api/v1{statement}")
    assert "999" in told["statement"]["support"]
