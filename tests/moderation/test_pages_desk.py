"""The desk as pages and for programs: one press and on, undo, skips, notes, assignment, views, and care."""

import re

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.db import utc_now
from core.vocabulary import CaseState, PostState
from moderation import canned
from moderation.models import Case, CaseNote, CaseSkip, CaseView, Decision
from tests.moderation.desk import Desk, html_of, text_of
from tests.moderation.test_pages_queue import CASE_LINK
from tests.moderation.test_screen import CRISIS
from tests.support.cast import bearer

MAIL = "Please write to ann.smith@gmail.com about it."


def count(session: Session, kind: type) -> int:
    return session.execute(select(func.count()).select_from(kind)).scalar_one()


# --- One press, and undo -----------------------------------------------------------------------------------------


def test_the_likeliest_reason_stands_first_and_decides_in_one_press(
    desk: Desk, session: Session, ann: Member, cora: Member, mo: Member
) -> None:
    canned.load_starter(session)
    first, second = desk.ask(ann, MAIL), desk.ask(cora)
    html = html_of(desk.get(mo, desk.case_url(first)))
    likeliest = re.search(r'name="ready" value="(\d+)" data-digit="1"[^>]*>.*?<b>(R\d+)</b>', html)
    assert likeliest and likeliest[2] == "R7"
    url, version = f"{desk.case_url(first)}/decide", desk.case_of(first).version
    sent = {"version": version, "verdict": "reject", "ready": likeliest[1], "then": "next"}
    assert desk.post(mo, url, **sent).location == desk.case_url(second)
    decision = session.execute(select(Decision)).scalar_one()
    assert decision.rule_code == "R7-privacy-own"
    assert "Anyone on the internet could use it" in decision.reason
    assert desk.state(first) is PostState.REJECTED


def test_the_banner_takes_the_decision_back_and_gives_the_case_again(
    desk: Desk, session: Session, cora: Member, mo: Member
) -> None:
    post, other = desk.ask(cora), desk.ask(cora)
    url, version = desk.case_url(post), desk.case_of(post).version
    onward = desk.post(mo, f"{url}/decide", version=version, verdict="approve", then="next").location
    assert onward == desk.case_url(other)
    html = html_of(desk.get(mo, onward))
    form = re.search(r'action="(/moderation/decisions/\d+/undo)".*?name="reason" value="([^"]+)"', html, re.DOTALL)
    assert form and 'data-key="u"' in html
    # Shown once: what was not taken back at once is taken back on its case.
    assert form[1] not in html_of(desk.get(mo, onward))
    back = desk.post(mo, form[1], reason=form[2])
    assert (back.status_code, back.location) == (303, url)
    assert desk.state(post) is PostState.HELD
    assert (desk.case_of(post).state, desk.case_of(post).claimed_by) == (CaseState.CLAIMED, mo.id)


# --- Skips, notes, assignment ------------------------------------------------------------------------------------


def test_skipping_goes_on_with_the_next_case(desk: Desk, session: Session, cora: Member, mo: Member) -> None:
    first, second = desk.ask(cora), desk.ask(cora)
    assert desk.post(mo, "/moderation/next").location == desk.case_url(first)
    assert desk.post(mo, f"{desk.case_url(first)}/skip", reason="Not my field").location == desk.case_url(second)
    assert desk.case_of(first).state is CaseState.OPEN
    last = desk.post(mo, f"{desk.case_url(second)}/skip", reason="Not my field", own="I know her mother.")
    assert last.location == "/moderation/"
    reasons = session.execute(select(CaseSkip.reason).order_by(CaseSkip.id)).scalars().all()
    assert reasons == ["Not my field", "I know her mother."]


def test_a_skip_without_a_reason_comes_back(desk: Desk, session: Session, cora: Member, mo: Member) -> None:
    post = desk.ask(cora)
    answer = desk.post(mo, f"{desk.case_url(post)}/skip", reason=" ", own="x" * 501)
    assert answer.status_code == 422
    assert "x" * 501 in html_of(answer)
    assert 'href="#reason-own"' in html_of(answer)
    assert count(session, CaseSkip) == 0


def test_notes_and_a_hand_over_stand_on_the_case(
    desk: Desk, session: Session, ann: Member, cora: Member, mo: Member, mia: Member
) -> None:
    post = desk.ask(cora)
    url = desk.case_url(post)
    desk.post(mo, f"{url}/claim")
    assert desk.post(mo, f"{url}/notes", text="I asked <Lea>.").location == f"{url}#notes"
    assert desk.post(mo, f"{url}/release", note="She answers tomorrow.").location == "/moderation/"
    html = html_of(desk.get(mia, url))
    assert "I asked &lt;Lea&gt;." in html and "She answers tomorrow." in html
    empty = desk.post(mia, f"{url}/notes", text=" ")
    assert empty.status_code == 422
    assert 'href="#note-text"' in html_of(empty)
    assert desk.post(ann, f"{url}/notes", text="Me too.").status_code == 403
    assert count(session, CaseNote) == 2


def test_a_lead_gives_a_case_to_a_moderator(desk: Desk, cora: Member, mo: Member, mia: Member, lea: Member) -> None:
    post = desk.ask(cora)
    url = desk.case_url(post)
    assert "Give it to somebody" in text_of(desk.get(lea, url))
    assert "Give it to somebody" not in text_of(desk.get(mo, url))
    assert desk.post(mo, f"{url}/assign", handle="mia").status_code == 403
    assert desk.post(lea, f"{url}/assign", handle="cora").status_code == 422
    assert desk.post(lea, f"{url}/assign", handle="mia").location == url
    assert "Given to mia" in text_of(desk.get(mo, "/moderation/"))
    assert desk.post(mo, "/moderation/next").location == "/moderation/"
    assert CASE_LINK.findall(html_of(desk.get(mia, "/moderation/?assigned=me"))) == [url]
    assert not CASE_LINK.findall(html_of(desk.get(mo, "/moderation/?assigned=me")))
    assert desk.post(mia, "/moderation/next").location == url


def test_programs_skip_note_and_assign(desk: Desk, cora: Member, mo: Member, lea: Member) -> None:
    post = desk.ask(cora)
    url = f"/api/v1/moderation/cases/{desk.case_of(post).id}"
    client, his, hers = desk.app.test_client(), bearer(mo, ["moderate"]), bearer(lea, ["moderate"])
    assert client.post(f"{url}/skips", json={}, headers=his).json["errors"][0]["field"] == "reason"
    skipped = client.post(f"{url}/skips", json={"reason": "I know her."}, headers=his)
    assert (skipped.status_code, skipped.json["case_version"], skipped.json["reason"]) == (201, 1, "I know her.")
    assert client.post("/api/v1/moderation/cases/next", headers=his).status_code == 204
    noted = client.post(f"{url}/notes", json={"text": "Ask Lea."}, headers=his)
    assert (noted.status_code, noted.json["items"][0]["text"]) == (201, "Ask Lea.")
    assert client.get(f"{url}/notes", headers=hers).json["items"][0]["author"] == "mo"
    assert client.post(f"{url}/assign", json={"handle": "mo"}, headers=his).status_code == 403
    given = client.post(f"{url}/assign", json={"handle": "mo"}, headers=hers)
    assert (given.status_code, given.json["assigned_to"]) == (200, "mo")
    assert client.post(f"{url}/skips", json={"reason": "x"}, headers=bearer(cora)).status_code == 403


# --- Views of the queue ------------------------------------------------------------------------------------------


def test_a_part_of_the_queue_is_kept_under_a_name(desk: Desk, ann: Member, cora: Member, mo: Member) -> None:
    desk.ask(cora)
    urgent = desk.ask(ann, CRISIS)
    kept = desk.post(mo, "/moderation/views", name="Urgent ones", priority="P0", late="")
    assert kept.location == "/moderation/?priority=P0"
    html = html_of(desk.get(mo, "/moderation/"))
    assert '<a href="/moderation/?priority=P0">Urgent ones</a>' in html
    assert CASE_LINK.findall(html_of(desk.get(mo, "/moderation/?priority=P0"))) == [desk.case_url(urgent)]
    delete = re.search(r'action="(/moderation/views/\d+/delete)"', html_of(desk.get(mo, "/moderation/desk")))
    assert delete
    desk.post(mo, delete[1])
    assert "Urgent ones" not in html_of(desk.get(mo, "/moderation/"))
    assert desk.post(mo, delete[1]).status_code == 404


def test_late_cases_can_be_listed_alone(desk: Desk, session: Session, cora: Member, mo: Member) -> None:
    late, _ = desk.ask(cora), desk.ask(cora)
    desk.case_of(late).due_at = utc_now().replace(year=2020)
    session.flush()
    assert CASE_LINK.findall(html_of(desk.get(mo, "/moderation/?late=1"))) == [desk.case_url(late)]


# --- Care --------------------------------------------------------------------------------------------------------


def test_what_one_opted_out_of_is_neither_offered_nor_counted(
    desk: Desk, ann: Member, cora: Member, mo: Member
) -> None:
    urgent, plain = desk.ask(ann, CRISIS), desk.ask(cora)
    kept = desk.post(mo, "/moderation/desk", opted_out=["crisis_plan"], blurs="y", break_after="3")
    assert (kept.status_code, kept.location) == (303, "/moderation/desk")
    assert re.search(r'value="crisis_plan"[^>]* checked', html_of(desk.get(mo, "/moderation/desk")))
    assert "1 case waiting" in text_of(desk.get(mo, "/me/decisions"))
    assert desk.post(mo, "/moderation/next").location == desk.case_url(plain)
    assert desk.post(mo, "/moderation/next").location == "/moderation/"
    # It still stands in the queue, and can be opened.
    assert desk.get(mo, desk.case_url(urgent)).status_code == 200


def test_settings_that_cannot_be_stored_come_back(desk: Desk, mo: Member) -> None:
    answer = desk.post(mo, "/moderation/desk", opted_out=["crisis_plan"], break_after="soon")
    assert answer.status_code == 422
    assert 'value="soon"' in html_of(answer)
    assert re.search(r'value="crisis_plan"[^>]* checked', html_of(answer))
    assert desk.post(mo, "/moderation/desk", opted_out=["newcomer"], break_after="3").status_code == 422


def test_a_hard_text_is_covered_and_counted(
    desk: Desk, session: Session, ann: Member, cora: Member, mo: Member
) -> None:
    hard, plain = desk.ask(ann, CRISIS), desk.ask(cora)
    assert 'class="disclosure blur"' in html_of(desk.get(mo, desk.case_url(hard)))
    assert 'class="disclosure blur"' not in html_of(desk.get(mo, desk.case_url(plain)))
    said = text_of(desk.get(mo, "/moderation/"))
    assert "1 hard text today" in said and "time for a break?" not in said
    desk.post(mo, "/moderation/desk", break_after="1")
    said = text_of(desk.get(mo, "/moderation/"))
    assert "time for a break?" in said
    # Nothing is covered any more: the box was not ticked.
    assert 'class="disclosure blur"' not in html_of(desk.get(mo, desk.case_url(hard)))
    assert count(session, CaseView) == 2


def test_another_moderator_is_told_who_reads_the_case(desk: Desk, cora: Member, mo: Member, mia: Member) -> None:
    post = desk.ask(cora)
    assert "opened this" not in text_of(desk.get(mia, desk.case_url(post)))
    assert "mia opened this" in text_of(desk.get(mo, desk.case_url(post)))
    assert "mo opened this" in text_of(desk.get(mia, desk.case_url(post)))


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose"])
def test_fetching_the_next_case_beforehand_opens_and_takes_nothing(
    desk: Desk, session: Session, cora: Member, mo: Member, header: str
) -> None:
    first, second = desk.ask(cora), desk.ask(cora)
    third = desk.ask(cora)
    onward = desk.post(mo, "/moderation/next").location
    html = html_of(desk.get(mo, onward))
    assert onward == desk.case_url(first)
    assert f'<link rel="prefetch" href="{desk.case_url(second)}">' in html
    url, version = f"{onward}/decide", desk.case_of(first).version
    desk.post(mo, url, version=version, verdict="approve", then="next")
    ahead = desk.client(mo).get(desk.case_url(third), headers={header: "prefetch"})
    assert ahead.status_code == 200
    assert 'rel="prefetch"' not in html_of(ahead)
    seen = session.execute(select(CaseView.case_id)).scalars().all()
    assert seen == [desk.case_of(first).id]
    assert session.get_one(Case, desk.case_of(third).id, populate_existing=True).state is CaseState.OPEN
    # The banner waited for the page that is really read.
    assert 'data-key="u"' not in html_of(ahead)
    assert 'data-key="u"' in html_of(desk.get(mo, desk.case_url(second)))


def test_the_desk_is_for_moderators(desk: Desk, ann: Member) -> None:
    assert desk.get(ann, "/moderation/desk").status_code == 403
    assert desk.post(ann, "/moderation/desk", break_after="3").status_code == 403
    assert desk.post(ann, "/moderation/views", name="Mine").status_code == 403
