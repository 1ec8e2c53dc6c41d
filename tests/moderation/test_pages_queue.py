"""The queue, the next case, the latest decisions and the panic switch, as pages."""

import re

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from core import switches
from core.audit import AuditEntry
from core.vocabulary import CaseState, PostState, Role
from forum.models import Board
from tests.forum.counting import counting
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.test_screen import CRISIS
from tests.support.cast import make_member

CASE_LINK = re.compile(r'href="(/moderation/cases/\d+)"')


def test_the_queue_shows_what_waits_with_the_most_urgent_first(
    desk: Desk, ann: Member, ben: Member, cora: Member, mo: Member
) -> None:
    waits = desk.ask(cora, title="A first question")
    reported = desk.ask(ann, title="A reported question")
    desk.report(ben, reported)
    urgent = desk.ask(ann, CRISIS, title="An urgent question")
    answer = desk.get(mo, "/moderation/")
    assert answer.status_code == 200
    assert CASE_LINK.findall(html_of(answer)) == [desk.case_url(p) for p in (urgent, waits, reported)]
    said = text_of(answer)
    assert "P0 Now" in said
    assert "Words of an acute crisis" in said
    assert "New member" in said
    assert "1 report" in said
    assert "Due in" in said
    assert "3 cases waiting" in said
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_queue_says_who_holds_a_case(desk: Desk, cora: Member, mo: Member, mia: Member) -> None:
    post = desk.ask(cora)
    desk.post(mia, f"{desk.case_url(post)}/claim")
    assert "Taken by mia until" in text_of(desk.get(mo, "/moderation/"))
    assert "Yours until" in text_of(desk.get(mia, "/moderation/"))


@pytest.mark.parametrize("chosen", ["priority=P0", "kind=crisis_plan", "priority=P0&board=backache&kind=crisis_plan"])
def test_the_queue_can_be_narrowed(desk: Desk, ann: Member, cora: Member, mo: Member, chosen: str) -> None:
    desk.ask(cora)
    urgent = desk.ask(ann, CRISIS)
    assert CASE_LINK.findall(html_of(desk.get(mo, f"/moderation/?{chosen}"))) == [desk.case_url(urgent)]


def test_a_narrowed_queue_without_a_match_offers_the_way_back(desk: Desk, cora: Member, mo: Member) -> None:
    desk.ask(cora)
    answer = desk.get(mo, "/moderation/?board=asthma")
    assert "No case fits what you chose." in text_of(answer)
    assert 'href="/moderation/"' in html_of(answer)


def test_values_that_do_not_exist_narrow_nothing(desk: Desk, cora: Member, mo: Member) -> None:
    desk.ask(cora)
    assert CASE_LINK.findall(html_of(desk.get(mo, "/moderation/?priority=P9&state=gone")))


def test_cases_that_wait_for_their_author_have_a_list_of_their_own(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    desk.decide(mo, post, "request_changes")
    assert not CASE_LINK.findall(html_of(desk.get(mo, "/moderation/")))
    assert CASE_LINK.findall(html_of(desk.get(mo, "/moderation/?state=awaiting_author"))) == [desk.case_url(post)]


def test_an_empty_queue_says_so(desk: Desk, mo: Member) -> None:
    assert "Nothing waits" in text_of(desk.get(mo, "/moderation/"))
    assert "No decisions yet" in text_of(desk.get(mo, "/moderation/recent"))


def test_a_long_queue_goes_on_on_the_next_page(desk: Desk, cora: Member, mo: Member) -> None:
    posts = [desk.ask(cora) for _ in range(22)]
    first = html_of(desk.get(mo, "/moderation/?kind=newcomer"))
    assert len(CASE_LINK.findall(first)) == 20
    onward = re.search(r'rel="next" href="([^"]+)"', first)
    assert onward, "no link to the next page"
    second = html_of(desk.get(mo, onward[1].replace("&amp;", "&")))
    assert "kind=newcomer" in onward[1]
    assert {*CASE_LINK.findall(first), *CASE_LINK.findall(second)} == {desk.case_url(post) for post in posts}
    assert 'rel="prev"' in second


def test_the_next_case_is_claimed_and_opened(desk: Desk, ann: Member, cora: Member, mo: Member, mia: Member) -> None:
    plain, urgent = desk.ask(cora), desk.ask(ann, CRISIS)
    first = desk.post(mo, "/moderation/next")
    assert (first.status_code, first.location) == (303, desk.case_url(urgent))
    assert desk.case_of(urgent).claimed_by == mo.id
    assert desk.post(mia, "/moderation/next").location == desk.case_url(plain)
    assert desk.post(mia, "/moderation/next").location == "/moderation/"
    assert "Nothing waits that you may decide" in text_of(desk.get(mia, "/moderation/"))


DOORS = ["/moderation/", "/moderation/recent", "/moderation/panic"]


@pytest.mark.parametrize("path", DOORS)
def test_a_visitor_is_asked_to_sign_in_and_a_member_is_refused(desk: Desk, ann: Member, path: str) -> None:
    visitor = desk.app.test_client().get(path)
    assert (visitor.status_code, visitor.location.split("?")[0]) == (302, "/login")
    assert desk.get(ann, path).status_code == 403


@pytest.mark.parametrize("path", ["/moderation/next", "/moderation/panic", "/moderation/cases/1/decide"])
def test_a_member_cannot_press_the_buttons_either(desk: Desk, ann: Member, path: str) -> None:
    assert desk.post(ann, path, turn="on").status_code == 403
    assert not switches.is_on(desk.session, switches.PANIC)


@pytest.mark.parametrize(
    "path",
    [
        "/moderation/next",
        "/moderation/cases/1/claim",
        "/moderation/cases/1/release",
        "/moderation/cases/1/decide",
        "/moderation/decisions/1/undo",
    ],
)
def test_what_changes_something_takes_no_get(desk: Desk, mo: Member, path: str) -> None:
    answer = desk.get(mo, path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_an_administrator_has_no_cases_but_the_panic_switch(desk: Desk, ada: Member) -> None:
    assert desk.get(ada, "/moderation/").status_code == 403
    assert desk.get(ada, "/moderation/panic").status_code == 200


def test_a_moderator_sets_up_the_second_step_first(desk: Desk, session: Session) -> None:
    una = make_member(session, "una", roles=[Role.MODERATOR], two_step=False)
    answer = desk.get(una, "/moderation/")
    assert (answer.status_code, answer.location) == (302, "/me/two-step")


def test_a_moderator_of_another_board_knows_nothing_of_the_case(desk: Desk, session: Session, cora: Member) -> None:
    post = desk.ask(cora)
    other = Board(slug="gout", name="Gout")
    session.add(other)
    session.flush()
    gus = make_member(session, "gus", roles=[Role.MODERATOR], board_id=other.id)
    assert not CASE_LINK.findall(html_of(desk.get(gus, "/moderation/")))
    assert desk.get(gus, desk.case_url(post)).status_code == 404
    assert desk.post(gus, f"{desk.case_url(post)}/claim").status_code == 404
    assert desk.case_of(post).state is CaseState.OPEN


def test_only_moderators_see_the_counter(desk: Desk, cora: Member, mo: Member) -> None:
    desk.ask(cora)
    assert "1 case waiting" in text_of(desk.get(mo, "/me/decisions"))
    assert "case waiting" not in text_of(desk.get(cora, "/me/decisions"))


def test_the_latest_decisions_are_listed_with_those_taken_back(desk: Desk, cora: Member, mo: Member) -> None:
    post = desk.ask(cora, title="A first question")
    reference = desk.decide(mo, post, "reject", "It names an amount of a medicine.")
    answer = desk.get(mo, "/moderation/recent")
    said = text_of(answer)
    assert "Not published" in said
    assert "It names an amount of a medicine." in said
    assert "A first question" in said
    assert f"/decisions/{reference}" in html_of(answer)
    found = re.search(r"#decision-(\d+)", html_of(answer))
    assert found
    desk.post(mo, f"/moderation/decisions/{found[1]}/undo", reason="The wrong button.")
    assert text_of(desk.get(mo, "/moderation/recent")).count("Taken back") == 2


def test_the_panic_switch_holds_everything_and_is_kept_in_the_log(
    desk: Desk, session: Session, ann: Member, mo: Member
) -> None:
    assert "It is off" in text_of(desk.get(mo, "/moderation/panic"))
    turned = desk.post(mo, "/moderation/panic", turn="on", reason="A flood of advertising.")
    assert (turned.status_code, turned.location) == (303, "/moderation/panic")
    said = text_of(desk.get(mo, "/moderation/panic"))
    assert "It is on" in said
    assert "by mo" in said
    assert "The panic switch is on" in text_of(desk.get(mo, "/moderation/"))
    assert desk.state(desk.ask(ann)) is PostState.HELD
    # Pressed again it stays on, and the log does not repeat itself.
    desk.post(mo, "/moderation/panic", turn="on")
    desk.post(mo, "/moderation/panic", turn="off")
    assert desk.state(desk.ask(ann)) is PostState.PUBLISHED
    rows = session.execute(
        select(AuditEntry.action, AuditEntry.reason, AuditEntry.actor_id)
        .where(AuditEntry.subject_kind == "switch")
        .order_by(AuditEntry.id)
    ).all()
    assert rows == [("panic.on", "A flood of advertising.", mo.id), ("panic.off", "", mo.id)]


def test_a_reason_too_long_for_the_log_comes_back(desk: Desk, mo: Member) -> None:
    reason = "So much spam. " * 200
    answer = desk.post(mo, "/moderation/panic", turn="on", reason=reason)
    assert answer.status_code == 422
    assert reason in html_of(answer)
    assert not switches.is_on(desk.session, switches.PANIC)


@pytest.mark.parametrize("path, most", [("/moderation/", 19), ("/moderation/recent", 9)])
def test_the_lists_cost_the_same_with_more_rows(
    desk: Desk, session: Session, cora: Member, mo: Member, path: str, most: int
) -> None:
    def fill(times: int) -> None:
        for _ in range(times):
            desk.ask(cora, "See https://example.org for it.")
            desk.decide(mo, desk.ask(cora), "reject")

    client = desk.client(mo)
    fill(2)
    client.get(path)
    with counting(session) as few:
        client.get(path)
    fill(7)
    session.commit()
    with counting(session) as many:
        assert client.get(path).status_code == 200
    assert len(few) == len(many) <= most, many
