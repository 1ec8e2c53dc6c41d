"""No page is wider than a small phone, and axe finds nothing on any, whoever looks: on the demo of a first start."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import current_app
from sqlalchemy import select

from auth.models import Restriction
from core.db import utc_now
from core.vocabulary import RestrictionKind, Role, ThreadKind
from forum import operations, posting
from moderation import announcement, decisions, notes, reports, talk
from moderation.cli import load_demo
from moderation.models import Case
from tests.flows.scene import load_starter, sign_in_on
from tests.moderation.stage import GATE
from tests.support.cast import actor_of, make_member

pytestmark = pytest.mark.browser

EVERYBODY = ["/", "/boards/", "/boards/backache/", "/boards/backache/ask", "/boards/backache/share", "/search?q=back"]
EVERYBODY += ["/reference/backache/", "/reference/backache/questions-a-doctor-asks", "/rules", "/api/v1/docs"]
EVERYBODY += ["/threads/1/-", "/threads/2/-", "/posts/1/report", "/unanswered", "/help", "/members/heron", "/nothing"]
MEMBER = ["/me/", "/me/notifications", "/me/held", "/me/tokens", "/me/sessions", "/me/close", "/me/drafts"]
MEMBER += ["/me/standing", "/me/reports", "/me/decisions"]
MEMBER += ["/me/talk/", "/me/talk/1"]
TEAM = ["/moderation/talk/", "/moderation/talk/1", "/moderation/talk/new", "/moderation/patrol"]
TEAM += ["/moderation/threads/1", "/boards/backache/notice", "/moderation/members/cora/notes", "/threads/2/-"]
MORE = ["/moderation/dashboard", "/moderation/bulk", "/moderation/?late=1", "/moderation/?state=awaiting_second"]
MORE += ["/moderation/?state=claimed", "/moderation/talk/?list=due", "/modlog"]
PAGES = {
    "cora": ((), EVERYBODY + MEMBER),
    "mo": (
        (Role.MODERATOR,),
        ["/moderation/", "/moderation/recent", "/moderation/cases/10", "/moderation/cases/12", "/moderation/desk"],
    ),
    "max": ((Role.MODERATOR,), TEAM),
    "lea": (
        (Role.LEAD,),
        ["/moderation/", "/moderation/panic", "/moderation/cases/1", "/moderation/ladder", "/moderation/appeals/"],
    ),
    "lou": ((Role.LEAD,), ["/moderation/announcement", "/boards/backache/", "/moderation/reasons"]),
    "meg": ((Role.MODERATOR,), MORE),
    "ed": ((Role.EDITOR,), ["/reference/backache/edit"]),
    "mia": ((Role.MODERATOR,), ["/moderation/members/", "/moderation/members/heron"]),
    "ada": ((Role.ADMIN,), ["/admin/members"]),
}


def talk_with(session, cora):
    """The team has written to Cora, keeps a note about her, has pinned a thread and announced something."""
    lea, now = actor_of(make_member(session, "leo", roles=[Role.LEAD])), utc_now()
    talk.open_talk(session, cora.id, by=lea, subject="Your question", text="May we *help*?", now=now)
    notes.add(session, cora.id, by=lea, text="Likes plain words.", now=now)
    announcement.announce(session, by=lea, text="We move on **Sunday**.", until=None, now=now)
    operations.set_pinned(session, 1, pinned=True, now=now)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("handle", PAGES)
def test_every_page_fits_320_pixels_and_axe_finds_nothing(app, session, live_server, new_page, handle):
    load_starter(app)
    load_demo(demo_wanted=True)
    roles, paths = PAGES[handle]
    member = make_member(session, handle, roles=roles)
    talk_with(session, member if handle == "cora" else make_member(session, "cora"))
    session.commit()
    page = new_page(width=320, scheme="dark" if roles else "light")
    sign_in_on(page, member)
    wrong = []
    for path in paths:
        answer = page.goto(path)
        assert answer.status == (404 if path == "/nothing" else 200), path
        wrong += [(path, one) for one in sound(page)]
    assert wrong == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_case_about_a_member_and_the_standing_after_it(app, session, live_server, new_page):
    """The same for the pages that a demo has not: a sanction is laid on somebody, by keyboard alone, and read."""
    load_starter(app)
    ann, mo = make_member(session, "ann", approved=5), make_member(session, "mo", roles=[Role.MODERATOR])
    session.commit()
    hers, his = new_page(width=320), new_page(width=320)
    sign_in_on(hers, ann)
    sign_in_on(his, mo)
    his.goto("/moderation/members/ann")
    his.get_by_label("What should somebody look at?").fill("Insults in three threads.")
    his.get_by_role("button", name="Open a case").press("Enter")
    his.wait_for_url("**/moderation/cases/*")
    assert sound(his) == []
    his.get_by_label("Warning", exact=True).press("Space")
    his.get_by_label("Which rule is it about?").select_option("R11-kind")
    his.get_by_label("Reason", exact=True).fill("You called others names.")
    his.get_by_role("button", name="Decide and go back to the queue").press("Enter")
    his.wait_for_url("**/moderation/")
    hers.goto("/me/standing")
    assert sound(hers) == []
    hers.get_by_role("button", name="I have read this warning").press("Enter")
    hers.get_by_text("You can write again.").wait_for()
    his.goto("/moderation/members/ann")
    assert sound(his) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripts", [True, False])
def test_an_objection_from_the_statement_to_its_answer(app, session, live_server, new_page, scripts):
    """Made by who holds the reference, answered by a lead, by keyboard alone; with scripts, and without."""
    load_starter(app)
    reference = statement_of(session)
    lea = make_member(session, "lea", roles=[Role.LEAD])
    session.commit()
    theirs, hers = new_page(width=320, scripts=scripts), new_page(width=320, scheme="dark", scripts=scripts)
    sign_in_on(hers, lea)
    wrong = []

    def look(page):
        if scripts:
            wrong.extend((page.url, one) for one in sound(page))

    theirs.goto(f"/decisions/{reference}")
    look(theirs)
    theirs.get_by_role("button", name="Send the objection").press("Enter")
    theirs.get_by_text("Say why you think that we are wrong.").first.wait_for()
    theirs.get_by_label("Why do you think that we are wrong?").fill("It was my own dose.")
    theirs.get_by_role("button", name="Send the objection").press("Enter")
    theirs.wait_for_url("**/appeals/*")
    look(theirs)
    hers.goto("/moderation/")
    hers.get_by_role("link", name="Objections").press("Enter")
    hers.wait_for_url("**/moderation/appeals/")
    look(hers)
    hers.get_by_role("link", name="Why does it hurt?").press("Enter")
    hers.wait_for_url("**/moderation/appeals/*")
    look(hers)
    hers.get_by_label("The decision is taken back").press("Space")
    hers.get_by_label("Why?").fill("You are right.")
    hers.get_by_role("button", name="Send the answer").press("Enter")
    hers.get_by_text("Answered. Who objected gets your reasons.").wait_for()
    hers.goto("/moderation/appeals/?state=decided")
    look(hers)
    theirs.reload()
    theirs.get_by_text("You were right.").wait_for()
    look(theirs)
    assert wrong == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_case_through_every_form_of_its_page(app, session, live_server, new_page):
    """Filled wrongly, taken by somebody else, waiting for the second person, decided: all on a small phone."""
    load_starter(app)
    ann, ben = make_member(session, "ann", approved=5), make_member(session, "ben", approved=5)
    mo, mia = (make_member(session, name, roles=[Role.MODERATOR]) for name in ("mo", "mia"))
    case_id = reported(session, ann, ben).id
    session.commit()
    his, hers = new_page(width=320), new_page(width=320, scheme="dark")
    sign_in_on(his, mo)
    sign_in_on(hers, mia)
    wrong = []

    def look(page, words):
        page.get_by_text(words).first.wait_for()
        wrong.extend((words, one) for one in sound(page))

    def send(page, verdict):
        page.evaluate(UNFOLD)
        page.locator(f"input[type=radio][name=verdict][value={verdict}]").check()
        page.get_by_role("button", name="Decide and go back to the queue").press("Enter")

    his.goto(f"/moderation/cases/{case_id}")
    look(his, "Which words should go?")
    for verdict in ("redact", "label", "remove"):
        send(his, verdict)
        look(his, "Please look at this again")
    his.get_by_role("button", name="Take this case").press("Enter")
    look(his, "You hold this case until")
    hers.goto(f"/moderation/cases/{case_id}")
    look(hers, "mo holds this case until")
    his.locator("select[name=rule]").select_option("R3-no-doses")
    his.get_by_label("Reason", exact=True).fill("It names an amount.")
    his.evaluate(UNFOLD)
    his.get_by_label("This is severe: a second person must agree").check()
    send(his, "remove")
    his.wait_for_url("**/moderation/")
    his.goto(f"/moderation/cases/{case_id}")
    look(his, "A second person is needed")
    hers.goto("/moderation/?state=awaiting_second")
    look(hers, "Why does it hurt?")
    hers.goto(f"/moderation/cases/{case_id}")
    look(hers, "A second person is needed")
    hers.get_by_role("button", name="I do not agree, open the case again").press("Enter")
    look(hers, "Please look at this again")
    hers.get_by_role("button", name="I agree, let it take effect").press("Enter")
    hers.wait_for_url("**/moderation/**")
    hers.goto(f"/moderation/cases/{case_id}")
    look(hers, "Decide again")
    hers.goto("/moderation/recent")
    look(hers, "Why does it hurt?")
    assert wrong == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_statement_for_a_member_in_crisis(app, session, live_server, new_page):
    """The answer to what was sent, the case, and the statement with its support and the form for the EU's database."""
    load_starter(app)
    ann, mo = make_member(session, "ann", approved=5), make_member(session, "mo", roles=[Role.MODERATOR])
    session.commit()
    hers, his = new_page(width=320, scheme="dark"), new_page(width=320)
    sign_in_on(hers, ann)
    sign_in_on(his, mo)
    hers.goto("/boards/backache/ask")
    hers.get_by_label("Title").fill("I cannot go on")
    hers.get_by_label("Your question").fill("I am going to kill myself tonight.")
    hers.get_by_role("button", name="Send question").last.press("Enter")
    hers.get_by_text("You can talk to someone now").first.wait_for()
    assert sound(hers) == []
    his.goto("/moderation/")
    assert sound(his) == []
    his.get_by_role("main").get_by_role("link", name="I cannot go on").press("Enter")
    his.wait_for_url("**/moderation/cases/*")
    assert sound(his) == []
    his.locator("input[type=radio][name=verdict][value=reject]").check()
    his.locator("select[name=rule]").select_option("R5-crisis")
    his.get_by_label("Reason", exact=True).fill("We worry about you.")
    his.get_by_role("button", name="Decide and go back to the queue").press("Enter")
    his.wait_for_url("**/moderation/")
    assert sound(his) == []
    for path in ("/me/notifications", "/me/decisions"):
        hers.goto(path)
        assert sound(hers) == []
    hers.goto("/me/notifications")
    hers.get_by_role("link", name="A moderator did not publish your post.").press("Enter")
    hers.get_by_text("You can talk to someone now").first.wait_for()
    assert sound(hers) == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_a_suspended_member_sees(app, session, live_server, new_page):
    load_starter(app)
    reference = statement_of(session)
    sam = make_member(session, "sam")
    session.commit()
    page = new_page(width=320)
    sign_in_on(page, sam)
    session.add(Restriction(member_id=sam.id, kind=RestrictionKind.SUSPENDED, since=utc_now(), reference=reference))
    session.commit()
    wrong = []
    for path in ("/", "/me/decisions", "/me/close", "/me/", f"/decisions/{reference}"):
        page.goto(path)
        page.get_by_text("Your account is suspended").first.wait_for()
        wrong += [(path, one) for one in sound(page)]
    assert wrong == []


def reported(session, ann, ben):
    """The case about Ann's question, which Ben has reported."""
    settings, now = current_app.extensions["boardwell.settings"], utc_now()
    asked = {"board_slug": "backache", "kind": ThreadKind.QUESTION, "title": "Why does it hurt?", "body": "Two a day?"}
    post = posting.start_thread(session, actor_of(ann), **asked, gate=GATE, settings=settings, now=now).post
    reports.report(session, actor_of(ben), post.id, rule="R11-kind", note="", settings=settings, now=now)
    return session.execute(select(Case).where(Case.post_id == post.id)).scalar_one()


def statement_of(session):
    """Ann's question, reported by Ben and removed by Mo; the reference of the statement."""
    ann, ben = make_member(session, "ann", approved=5), make_member(session, "ben", approved=5)
    mo = actor_of(make_member(session, "mo", roles=[Role.MODERATOR]))
    settings, now = current_app.extensions["boardwell.settings"], utc_now()
    case = reported(session, ann, ben)
    decided = decisions.decide(
        session,
        case.id,
        by=mo,
        version=case.version,
        verdict="remove",
        rule="R3-no-doses",
        reason="It names an amount.",
        settings=settings,
        now=now,
    )
    return decided.statement.reference


UNFOLD = "document.querySelectorAll('main details').forEach(part => part.open = true)"


def sound(page):
    """What axe finds, and whether the page is wider than the window, with all of its parts unfolded."""
    page.evaluate(UNFOLD)
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    found = [(v["id"], v["nodes"][0]["html"]) for v in Axe().run(page).response["violations"]]
    return found + (["too wide"] if wide else [])
