"""Objections on pages and through the API: made, refused with the text kept, read, answered."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from auth import members
from auth.models import Member
from core.db import utc_now
from core.vocabulary import PostState, Role
from forum.models import Post
from moderation.models import Appeal, Report, Statement
from tests.moderation.desk import Desk, html_of, text_of
from tests.support.cast import bearer, csrf_of, make_member

API = "/api/v1"
GROUNDS = "I asked about my own dose, as my doctor told me to."
REASONS = "You are right: it is about your own treatment."


@pytest.fixture
def liv(session: Session) -> Member:
    """A second lead."""
    return make_member(session, "liv", roles=[Role.LEAD], approved=10)


@pytest.fixture
def hidden(desk: Desk, ann: Member, ben: Member, mo: Member) -> tuple[Post, str]:
    """Ann's question, reported by Ben, hidden by Mo; and the reference of the statement."""
    post = desk.ask(ann, "How many tablets did the doctor say?")
    desk.report(ben, post)
    return post, desk.decide(mo, post, "hide")


@pytest.fixture
def refused(desk: Desk, session: Session, ann: Member, ben: Member, mo: Member) -> str:
    """The reference of Ben's report of Ann's question, on which Mo did not act."""
    post = desk.ask(ann, "Which mattress is best?")
    reference = desk.report(ben, post)
    desk.decide(mo, post, "dismiss", "It keeps to the rules.")
    session.commit()
    return reference


def send(client: FlaskClient, path: str, page: str, **fields: str) -> TestResponse:
    return client.post(path, data={"csrf_token": csrf_of(client, page), **fields})


def object_to(desk: Desk, reference: str, grounds: str = GROUNDS) -> TestResponse:
    """As somebody who is not signed in and holds the reference."""
    page = f"/decisions/{reference}"
    return send(desk.app.test_client(), f"{page}/appeals", page, grounds=grounds)


# --- Objecting ---------------------------------------------------------------------------------------------------


def test_the_statement_holds_a_form_and_leads_to_the_answer(
    desk: Desk, session: Session, hidden: tuple[Post, str]
) -> None:
    _, reference = hidden
    page = desk.app.test_client().get(f"/decisions/{reference}")
    assert f'action="/decisions/{reference}/appeals"' in html_of(page) and 'name="grounds"' in html_of(page)
    sent = object_to(desk, reference)
    assert sent.status_code == 303
    assert re.fullmatch(r"/appeals/[0-9a-f]{32}", sent.location)
    said = text_of(desk.app.test_client().get(sent.location))
    assert GROUNDS in said and "We aim to answer by" in said
    for way in ("out of court", "regulator", "a court."):
        assert way in said
    again = html_of(desk.app.test_client().get(f"/decisions/{reference}"))
    assert 'name="grounds"' not in again and sent.location in again


def test_a_report_that_was_refused_holds_the_form_too(desk: Desk, refused: str) -> None:
    page = f"/reports/{refused}"
    client = desk.app.test_client()
    assert f'action="{page}/appeals"' in html_of(client.get(page))
    sent = send(client, f"{page}/appeals", page, grounds=GROUNDS)
    assert sent.status_code == 303 and sent.location.startswith("/appeals/")
    said = html_of(client.get(sent.location))
    assert page in said and "/decisions/" not in said
    assert sent.location in html_of(client.get(page))


@pytest.mark.parametrize("grounds", ["", "x" * 4_001])
def test_what_cannot_be_taken_comes_back_filled(desk: Desk, hidden: tuple[Post, str], grounds: str) -> None:
    answer = object_to(desk, hidden[1], grounds)
    assert answer.status_code == 422
    html = html_of(answer)
    assert 'id="grounds"' in html and 'href="#grounds"' in html and grounds in html


def test_a_second_objection_gets_the_first_and_its_own_text_back(desk: Desk, hidden: tuple[Post, str]) -> None:
    _, reference = hidden
    page = f"/decisions/{reference}"
    client = desk.app.test_client()
    token, key = csrf_of(client, page), "k" * 16
    sent = {"csrf_token": token, "_key": key, "grounds": GROUNDS}
    first = client.post(f"{page}/appeals", data=sent)
    # The very same press again is the same objection.
    assert client.post(f"{page}/appeals", data=sent).location == first.location
    other = client.post(f"{page}/appeals", data={"csrf_token": token, "grounds": "And another thing."})
    assert other.status_code == 409
    assert "And another thing." in html_of(other) and first.location in html_of(other)


def test_too_late_says_since_when(desk: Desk, session: Session, hidden: tuple[Post, str]) -> None:
    _, reference = hidden
    session.execute(update(Statement).values(created_at=utc_now() - timedelta(days=190)))
    session.commit()
    page = desk.app.test_client().get(f"/decisions/{reference}")
    assert "The time for objecting ended on" in text_of(page) and 'name="grounds"' not in html_of(page)
    path = f"/decisions/{reference}/appeals"
    client = desk.app.test_client()
    late = client.post(path, data={"csrf_token": csrf_of(client), "grounds": GROUNDS})
    assert late.status_code == 409 and GROUNDS in html_of(late)


def test_a_form_without_its_token_gives_the_text_back(desk: Desk, hidden: tuple[Post, str]) -> None:
    answer = desk.app.test_client().post(f"/decisions/{hidden[1]}/appeals", data={"grounds": GROUNDS})
    assert answer.status_code == 400 and GROUNDS in html_of(answer)


def test_an_ended_sign_in_is_no_obstacle(desk: Desk, session: Session, ann: Member, hidden: tuple[Post, str]) -> None:
    page = f"/decisions/{hidden[1]}"
    client = desk.client(ann)
    token = csrf_of(client, page)
    members.end_sessions(session, ann.id, now=utc_now())
    session.commit()
    answer = client.post(f"{page}/appeals", data={"csrf_token": token, "grounds": GROUNDS})
    assert answer.status_code == 303
    assert session.execute(select(Appeal.grounds)).scalar_one() == GROUNDS


def test_the_form_s_own_address_leads_to_its_page(desk: Desk, hidden: tuple[Post, str], refused: str) -> None:
    client = desk.app.test_client()
    assert client.get(f"/decisions/{hidden[1]}/appeals").location == f"/decisions/{hidden[1]}#appeal"
    assert client.get(f"/reports/{refused}/appeals").location == f"/reports/{refused}#appeal"
    assert client.get("/appeals/" + "0" * 32).status_code == 404


# --- Answering ---------------------------------------------------------------------------------------------------


def number(session: Session) -> int:
    session.commit()
    return session.execute(select(Appeal.id)).scalar_one()


def test_a_lead_reads_everything_and_answers(
    desk: Desk, session: Session, ann: Member, lea: Member, hidden: tuple[Post, str]
) -> None:
    post, reference = hidden
    made = object_to(desk, reference).location
    path = f"/moderation/appeals/{number(session)}"
    assert "Objections" in text_of(desk.get(lea, "/moderation/"))
    rows = html_of(desk.get(lea, "/moderation/appeals/"))
    assert path in rows
    page = desk.get(lea, path)
    assert page.status_code == 200
    for piece in (GROUNDS, "How many tablets did the doctor say?", "It names an amount.", "mo"):
        assert piece in text_of(page)
    wrong = desk.post(lea, f"{path}/decide", outcome="", reasons=REASONS)
    assert wrong.status_code == 422 and REASONS in html_of(wrong)
    done = desk.post(lea, f"{path}/decide", outcome="overturned", reasons=REASONS)
    assert (done.status_code, done.location) == (303, "/moderation/appeals/")
    assert desk.state(post) is PostState.PUBLISHED
    said = text_of(desk.app.test_client().get(made))
    assert "The decision is taken back" in said and REASONS in said
    assert "Taken back" in text_of(desk.app.test_client().get(f"/decisions/{reference}"))
    assert "We have looked at your objection." in text_of(desk.get(ann, "/me/notifications"))
    assert "Overturned after an objection" in text_of(desk.app.test_client().get("/modlog"))
    later = desk.post(lea, f"{path}/decide", outcome="upheld", reasons="Something else.")
    assert later.status_code == 409 and "Something else." in html_of(later)
    assert path in html_of(desk.get(lea, "/moderation/appeals/?state=decided&outcome=overturned&role=author"))
    assert path not in html_of(desk.get(lea, "/moderation/appeals/?state=decided&role=reporter"))


def test_who_decided_first_meets_a_shut_door_on_page_and_api(
    desk: Desk, session: Session, ann: Member, ben: Member, lea: Member, liv: Member, mo: Member, ada: Member
) -> None:
    post = desk.ask(ann)
    desk.report(ben, post)
    object_to(desk, desk.decide(lea, post, "remove"))
    appeal_id = number(session)
    path = f"/moderation/appeals/{appeal_id}"
    for answer in (desk.get(lea, path), desk.post(lea, f"{path}/decide", outcome="upheld", reasons="No.")):
        assert answer.status_code == 403 and "You took part in the decision." in text_of(answer)
    assert path not in html_of(desk.get(lea, "/moderation/appeals/"))
    client, sent = desk.app.test_client(), {"outcome": "upheld", "reasons": "No."}
    for who, code in ((lea, "first-decider"), (mo, "not-allowed"), (ada, "not-allowed"), (ann, "not-allowed")):
        headers = bearer(who, ["read", "moderate"])
        answer = client.post(f"{API}/moderation/appeals/{appeal_id}/decisions", json=sent, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (403, code)
        assert client.get(f"{API}/moderation/appeals/{appeal_id}", headers=headers).status_code == 403
    visitor = desk.app.test_client()
    assert visitor.get(path).status_code == 302
    assert visitor.post(f"{API}/moderation/appeals/{appeal_id}/decisions", json=sent).status_code == 401
    headers = bearer(liv, ["read", "moderate"])
    answer = client.post(f"{API}/moderation/appeals/{appeal_id}/decisions", json=sent, headers=headers)
    assert answer.status_code == 201 and answer.json["outcome"] == "upheld"


def test_admins_are_told_when_nobody_may_answer(
    desk: Desk, session: Session, ann: Member, ben: Member, lea: Member, ada: Member
) -> None:
    hint = "has nobody who may answer it"
    assert hint not in text_of(desk.get(ada, "/admin/members"))
    post = desk.ask(ann)
    desk.report(ben, post)
    object_to(desk, desk.decide(lea, post, "remove"))
    session.commit()
    for who, path in ((ada, "/admin/members"), (ada, "/me/"), (lea, "/moderation/appeals/")):
        assert hint in text_of(desk.get(who, path))
    assert hint not in text_of(desk.get(ann, "/me/"))
    make_member(session, "liv", roles=[Role.LEAD])
    session.commit()
    assert hint not in text_of(desk.get(ada, "/admin/members"))


# --- The API -----------------------------------------------------------------------------------------------------


def test_programs_object_read_and_answer(
    desk: Desk, session: Session, lea: Member, hidden: tuple[Post, str], refused: str
) -> None:
    _, reference = hidden
    client = desk.app.test_client()

    def post(path: str, body: Any, **more: Any) -> TestResponse:
        return client.post(API + path, json=body, **more)

    wrong = post(f"/decisions/{reference}/appeals", {})
    assert (wrong.status_code, [e["field"] for e in wrong.json["errors"]]) == (422, ["grounds"])
    key = {"Idempotency-Key": "one"}
    made = post(f"/decisions/{reference}/appeals", {"grounds": GROUNDS}, headers=key)
    assert made.status_code == 201
    assert post(f"/decisions/{reference}/appeals", {"grounds": GROUNDS}, headers=key).json == made.json
    twice = post(f"/decisions/{reference}/appeals", {"grounds": GROUNDS})
    assert (twice.status_code, twice.json["code"]) == (409, "already-appealed")
    assert twice.json["reference"] == made.json["reference"]
    assert post(f"/decisions/{'0' * 32}/appeals", {"grounds": GROUNDS}).status_code == 404
    second = post(f"/reports/{refused}/appeals", {"grounds": "It is an advertisement."})
    assert (second.status_code, second.json["role"]) == (201, "reporter")
    told = client.get(f"{API}/appeals/{made.json['reference']}").json
    assert (told["outcome"], told["reasons"], told["decision_reference"]) == (None, "", reference)
    lead = bearer(lea, ["read", "moderate"])
    rows = client.get(f"{API}/moderation/appeals", headers=lead).json["items"]
    assert [row["role"] for row in rows] == ["author", "reporter"]
    path = f"/moderation/appeals/{rows[0]['id']}"
    judged = client.get(API + path, headers=lead).json
    assert judged["grounds"] == GROUNDS and "How many tablets" in judged["text"]
    assert judged["possible_outcomes"] == ["upheld", "overturned", "inadmissible"]
    assert "redress" in judged["statement"] and judged["decision"]["verdict"] == "hide"
    wrong = post(f"{path}/decisions", {"outcome": "maybe"}, headers=lead)
    assert {e["field"] for e in wrong.json["errors"]} == {"outcome", "reasons"}
    done = post(f"{path}/decisions", {"outcome": "overturned", "reasons": REASONS}, headers=lead)
    assert (done.status_code, done.json["outcome"], done.json["is_taken_back"]) == (201, "overturned", True)
    again = post(f"{path}/decisions", {"outcome": "overturned", "reasons": REASONS}, headers=lead)
    assert (again.status_code, again.json["code"]) == (409, "appeal-decided")
    told = client.get(f"{API}/appeals/{made.json['reference']}").json
    assert (told["outcome"], told["reasons"]) == ("overturned", REASONS)
    figures = client.get(f"{API}/moderation/metrics", headers=lead).json
    assert figures["overturn_rate"] == 1.0 and figures["appeals"]["waiting"] == 1


def test_a_token_needs_its_scope(desk: Desk, hidden: tuple[Post, str], lea: Member, ann: Member) -> None:
    client = desk.app.test_client()
    path = f"{API}/decisions/{hidden[1]}/appeals"
    assert client.post(path, json={"grounds": GROUNDS}, headers=bearer(ann, ["read"])).json["code"] == "scope-missing"
    answer = client.get(f"{API}/moderation/appeals", headers=bearer(lea, ["read"]))
    assert answer.status_code == 403


def test_a_report_is_open_again_when_its_sender_was_right(
    desk: Desk, session: Session, lea: Member, refused: str
) -> None:
    client = desk.app.test_client()
    made = send(client, f"/reports/{refused}/appeals", f"/reports/{refused}", grounds=GROUNDS).location
    desk.post(lea, f"/moderation/appeals/{number(session)}/decide", outcome="overturned", reasons=REASONS)
    assert "somebody else decides about it" in text_of(client.get(made))
    assert "A person will read it" in text_of(client.get(f"/reports/{refused}"))
    session.expire_all()
    assert session.execute(select(Report.status).where(Report.reference == refused)).scalar_one() == "open"
