"""No page is wider than a small phone, whoever looks."""

import pytest

from core.vocabulary import Role
from tests.flows.scene import load_starter, sign_in_on
from tests.support.cast import make_member

pytestmark = pytest.mark.browser

EVERYBODY = ["/", "/boards/", "/boards/backache/", "/boards/backache/ask", "/boards/backache/share", "/search?q=back"]
EVERYBODY += ["/reference/backache/", "/reference/backache/questions-a-doctor-asks", "/rules", "/api/v1/docs"]
MEMBER = ["/me/", "/me/notifications", "/me/held", "/me/tokens", "/me/sessions", "/me/close", "/me/drafts"]
PAGES = {
    "cora": ((), EVERYBODY + MEMBER),
    "mo": ((Role.MODERATOR,), ["/moderation/", "/moderation/recent"]),
    "lea": ((Role.LEAD,), ["/moderation/", "/moderation/panic"]),
    "ed": ((Role.EDITOR,), ["/reference/backache/edit"]),
    "ada": ((Role.ADMIN,), ["/admin/members"]),
}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("handle", PAGES)
def test_no_page_is_wider_than_320_pixels(app, session, live_server, new_page, handle):
    load_starter(app)
    roles, paths = PAGES[handle]
    member = make_member(session, handle, roles=roles)
    session.commit()
    page = new_page(width=320)
    sign_in_on(page, member)
    too_wide = []
    for path in paths:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            too_wide.append(path)
    assert too_wide == []
