"""No page is wider than a small phone, and axe finds nothing on any, whoever looks: on the demo of a first start."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from core.vocabulary import Role
from moderation.cli import load_demo
from tests.flows.scene import load_starter, sign_in_on
from tests.support.cast import make_member

pytestmark = pytest.mark.browser

EVERYBODY = ["/", "/boards/", "/boards/backache/", "/boards/backache/ask", "/boards/backache/share", "/search?q=back"]
EVERYBODY += ["/reference/backache/", "/reference/backache/questions-a-doctor-asks", "/rules", "/api/v1/docs"]
EVERYBODY += ["/threads/1/-", "/threads/2/-", "/posts/1/report", "/unanswered", "/help", "/members/heron", "/nothing"]
MEMBER = ["/me/", "/me/notifications", "/me/held", "/me/tokens", "/me/sessions", "/me/close", "/me/drafts"]
PAGES = {
    "cora": ((), EVERYBODY + MEMBER),
    "mo": ((Role.MODERATOR,), ["/moderation/", "/moderation/recent", "/moderation/cases/10", "/moderation/cases/12"]),
    "lea": ((Role.LEAD,), ["/moderation/", "/moderation/panic", "/moderation/cases/1"]),
    "ed": ((Role.EDITOR,), ["/reference/backache/edit"]),
    "ada": ((Role.ADMIN,), ["/admin/members"]),
}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("handle", PAGES)
def test_every_page_fits_320_pixels_and_axe_finds_nothing(app, session, live_server, new_page, handle):
    load_starter(app)
    load_demo(demo_wanted=True)
    roles, paths = PAGES[handle]
    member = make_member(session, handle, roles=roles)
    session.commit()
    page = new_page(width=320, scheme="dark" if roles else "light")
    sign_in_on(page, member)
    wrong = []
    for path in paths:
        answer = page.goto(path)
        assert answer.status == (404 if path == "/nothing" else 200), path
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong.append((path, "too wide"))
        wrong += [(path, v["id"], v["nodes"][0]["html"]) for v in Axe().run(page).response["violations"]]
    assert wrong == []
