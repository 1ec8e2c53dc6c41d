"""Joining: the form, the confirmation, what is refused, and what nobody may learn from it."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth import members
from auth.models import Consent, Member
from core import switches
from core.db import Base, utc_now
from core.errors import Invalid
from core.outbox import OutboxMessage
from core.parked import ParkedForm
from tests.flows.scene import load_starter
from tests.support.cast import PASSWORD, csrf_of, make_member, sign_in
from tests.support.mailbox import link_in, mails

GOOD = {
    "handle": "ines",
    "email": "ines@example.org",
    "password": "brown kettle dances",
    "birth_year": "1980",
    "consent": "y",
}


def register(client: FlaskClient, **changes: str) -> Any:
    sent = {k: v for k, v in (GOOD | changes).items() if v is not None}
    return client.post("/register", data={"csrf_token": csrf_of(client, "/register"), **sent})


def rows(session: Session) -> dict[str, int]:
    """How many rows every table holds."""
    return {
        table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
    }


def test_a_visitor_registers_confirms_and_signs_in(app: Flask, client: FlaskClient, session: Session) -> None:
    answer = register(client, handle="Ines_7", email=" Ines@Example.org ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/register/sent")
    assert client.get("/register/sent").status_code == 200
    member = session.execute(select(Member)).scalar_one()
    assert (member.handle, member.email, member.birth_year) == ("Ines_7", "ines@example.org", 1980)
    assert member.confirmed_at is None
    assert member.password is not None and member.password.startswith("$argon2")

    (mail,) = mails(app, "ines@example.org")
    link = link_in(mail, "/confirm")
    assert client.get(link).status_code == 200
    session.expire_all()
    assert member.confirmed_at is None, "a GET must not confirm: mail scanners open links"
    pressed = client.post(link, data={"csrf_token": csrf_of(client, link)})
    assert (pressed.status_code, pressed.headers["Location"]) == (303, "/login")
    assert member.confirmed_at is not None
    sign_in(client, member, GOOD["password"])
    assert client.get("/me/").status_code == 200


def test_the_consent_is_kept_with_the_text_and_its_version(app: Flask, client: FlaskClient, session: Session) -> None:
    class Text:
        version, body, html = 4, "You agree to this.", "<p>You agree to this.</p>"

    app.extensions["boardwell.page_text"] = lambda _session, _code, _now: Text
    try:
        assert "<p>You agree to this.</p>" in client.get("/register").get_data(as_text=True)
        register(client)
    finally:
        del app.extensions["boardwell.page_text"]
    consent = session.execute(select(Consent)).scalar_one()
    assert (consent.purpose, consent.text_version, consent.text) == ("consent-health", 4, "You agree to this.")
    assert consent.withdrawn_at is None


@pytest.mark.parametrize(
    "field, value",
    [
        ("handle", "ab"),
        ("handle", "a" * 25),
        ("handle", "---"),
        ("handle", "ann smith"),
        ("handle", "аnn_cyrillic"),
        ("handle", "ann\u200b"),
        ("handle", "<b>ann</b>"),
        ("handle", "admin"),
        ("handle", "Adm1n"),
        ("handle", "M0derat0r"),
        ("handle", "dr_smith"),
        ("handle", "ann-staff"),
        ("handle", "Boardwell-team"),
        ("email", ""),
        ("email", "ines"),
        ("email", "ines@"),
        ("email", "ines@example.org\nBcc: all@example.org"),
        ("email", "ines@@example.org"),
        ("password", ""),
        ("password", "short pw"),
        ("password", "password123"),
        ("password", "P4ssw0rd2024!"),
        ("password", "qwertyuiop"),
        ("password", "1234567890"),
        ("password", "aaaaaaaaaaaa"),
        ("password", "ines1234567"),
        ("password", "x" * 201),
        ("birth_year", ""),
        ("birth_year", "80"),
        ("birth_year", "1800"),
        ("birth_year", "2999"),
        ("birth_year", "١٩٨٠"),
        ("consent", ""),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_bad_field_comes_back_filled_with_a_reason(
    client: FlaskClient, session: Session, field: str, value: str
) -> None:
    answer = register(client, **{field: value})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert f'href="#{field}"' in page
    assert f'id="{field}-error"' in page
    if field != "email":
        assert "ines@example.org" in page
    assert GOOD["password"] not in page
    assert session.execute(select(func.count(Member.id))).scalar_one() == 0


@pytest.mark.parametrize("other", ["Ann", "a-n-n", "Ann_", "ANN", "änn"])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_look_alike_of_a_member_is_refused(client: FlaskClient, ann: Member, other: str) -> None:
    assert register(client, handle=other).status_code == 422


def test_two_who_choose_one_handle_get_one_account(site: Any, session: Session, ann: Member) -> None:
    with pytest.raises(Invalid) as refused:
        members.create_member(
            session, handle="Ann", email="x@example.org", password_hash=None, birth_year=1980, now=utc_now()
        )
    assert refused.value.code == "handle-taken"


# --- Nobody learns who is here -----------------------------------------------------------------------------------


def test_a_known_address_gets_the_same_answer_and_another_mail(
    app: Flask, client: FlaskClient, session: Session, ann: Member
) -> None:
    known = register(client, handle="ines", email="ANN@example.org")
    unknown = register(app.test_client(), handle="otto", email="otto@example.org")
    assert known.status_code == unknown.status_code == 303
    assert known.headers["Location"] == unknown.headers["Location"]
    assert known.get_data() == unknown.get_data()
    (mail,) = mails(app, "ann@example.org")
    assert mail["Subject"] == "You have an account already"
    assert "/confirm/" not in mail.get_content()
    (mail,) = mails(app, "otto@example.org")
    assert "/confirm/" in mail.get_content()
    assert ann.handle == "ann"


def test_the_handle_is_taken_afterwards_whether_the_address_was_known_or_not(
    app: Flask, client: FlaskClient, session: Session, ann: Member
) -> None:
    register(client, handle="ines", email="ann@example.org")
    register(client, handle="otto", email="otto@example.org")
    for handle in ("ines", "otto"):
        again = register(app.test_client(), handle=handle, email=f"{handle}2@example.org")
        assert again.status_code == 422
        assert "taken" in again.get_data(as_text=True)


def test_registering_twice_before_confirming_keeps_the_first_password(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    register(client)
    register(app.test_client(), handle="thief", password="the words of a thief")
    first, second = mails(app, "ines@example.org")
    assert "ines" in first.get_content() and "ines" in second.get_content()
    client.post(link_in(second, "/confirm"), data={"csrf_token": csrf_of(client)})
    member = session.execute(select(Member).where(Member.email == "ines@example.org")).scalar_one()
    assert member.confirmed_at is not None
    sign_in(client, member, GOOD["password"])


def test_a_reset_is_answered_alike_and_the_mail_tells_the_truth(
    app: Flask, client: FlaskClient, session: Session, ann: Member
) -> None:
    answers = [
        client.post("/reset", data={"csrf_token": csrf_of(client, "/reset"), "email": email})
        for email in ("ann@example.org", "nobody@example.org")
    ]
    assert [a.status_code for a in answers] == [303, 303]
    assert answers[0].get_data() == answers[1].get_data()
    written = session.execute(select(OutboxMessage.kind, OutboxMessage.payload).order_by(OutboxMessage.id)).all()
    assert [{**payload, "to": ""} for _kind, payload in written] == [
        {"template": "reset", "member_id": None, "to": ""}
    ] * 2
    assert "/reset/" in mails(app, "ann@example.org")[0].get_content()
    (mail,) = mails(app, "nobody@example.org")
    assert "no account" in mail.get_content()
    assert "/reset/" not in mail.get_content()


def test_the_confirmation_is_sent_again_only_to_who_needs_it(app: Flask, client: FlaskClient, ann: Member) -> None:
    register(client)
    for email in ("ines@example.org", "ann@example.org", "nobody@example.org"):
        answer = client.post("/confirm", data={"csrf_token": csrf_of(client, "/confirm"), "email": email})
        assert answer.headers["Location"] == "/register/sent"
    assert len([m for m in mails(app, "ines@example.org") if "/confirm/" in m.get_content()]) == 2
    assert [m["Subject"] for m in mails(app, "ann@example.org")] == ["You have an account already"]
    assert mails(app, "nobody@example.org") == []


@pytest.mark.parametrize("change", ["x", "", "extra"])
@pytest.mark.parametrize("path", ["/confirm", "/reset", "/email"])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_broken_link_is_explained(client: FlaskClient, path: str, change: str) -> None:
    answer = client.get(f"{path}/abc.def.{change}")
    assert answer.status_code == 404
    assert "Get a new link" in answer.get_data(as_text=True)


# --- Too young ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "years, passed, status",
    [
        (15, None, 403),
        (15, "y", 403),
        (16, None, 422),
        (16, "n", 403),
        (16, "y", 303),
        (17, None, 303),
        (120, None, 303),
    ],
)
def test_the_rule_of_age(client: FlaskClient, years: int, passed: str | None, status: int) -> None:
    year = str(utc_now().year - years)
    changes = {"birth_year": year} | ({"birthday_passed": passed} if passed else {})
    assert register(client, **changes).status_code == status


def test_the_birthday_is_asked_for_only_when_it_decides(client: FlaskClient) -> None:
    assert 'name="birthday_passed"' not in client.get("/register").get_data(as_text=True)
    page = register(client, birth_year=str(utc_now().year - 16)).get_data(as_text=True)
    assert page.count('name="birthday_passed"') == 2


@pytest.mark.parametrize("bad", [{}, {"handle": "x"}, {"email": "nonsense"}, {"password": "short"}, {"consent": ""}])
def test_of_an_under_age_visitor_nothing_is_stored(
    app: Flask, client: FlaskClient, session: Session, bad: dict[str, str]
) -> None:
    before = rows(session)
    answer = register(client, birth_year=str(utc_now().year - 12), **bad)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 403
    assert "/help" in page
    assert "ines@" not in page and GOOD["password"] not in page
    assert rows(session) == before
    cookie = client.get_cookie("boardwell")
    assert cookie is None or len(cookie.value) < 200, "the cookie holds more than a token for forms"
    assert not list((app.extensions["boardwell.settings"].instance).rglob("*.eml"))


def test_a_text_kept_for_later_is_thrown_away_too(app: Flask, client: FlaskClient, session: Session) -> None:
    before = rows(session)
    app.view_functions["auth.set_country"]  # any form of members will do
    parked = client.post("/me/country", data={"csrf_token": csrf_of(client), "body": "My secret question"})
    assert parked.status_code == 303
    assert session.execute(select(func.count(ParkedForm.id))).scalar_one() == 1
    register(client, birth_year=str(utc_now().year - 12))
    assert rows(session) == before


def test_the_under_age_page_shows_the_help_lines_of_the_country(app: Flask, client: FlaskClient) -> None:
    class Line:
        name, phone, url, hours = "A line for young people", "0800 1111", "", "day and night"

    class Lines:
        emergency, resources = "999", [Line]

    app.extensions["boardwell.help_lines"] = lambda _session, _country, _today: Lines
    try:
        page = register(client, birth_year=str(utc_now().year - 12)).get_data(as_text=True)
    finally:
        del app.extensions["boardwell.help_lines"]
    assert "A line for young people" in page
    assert "0800 1111" in page


# --- The switch --------------------------------------------------------------------------------------------------


def test_in_a_panic_nobody_registers_and_members_still_sign_in(
    client: FlaskClient, session: Session, ann: Member
) -> None:
    token = csrf_of(client)
    switches.turn(session, switches.PANIC, on=True, by=None, now=utc_now())
    assert "no new members" in client.get("/register").get_data(as_text=True)
    assert client.post("/register", data={"csrf_token": token, **GOOD}).status_code == 403
    assert session.execute(select(func.count(Member.id))).scalar_one() == 1
    sign_in(client, ann)


# --- What stays and what goes ------------------------------------------------------------------------------------


def test_an_account_that_nobody_confirms_is_forgotten(session: Session, ann: Member) -> None:
    make_member(session, "ines", confirmed=False)
    members.reserve_handle(session, "otto", now=utc_now())
    members.forget_old(session, now=utc_now())
    assert set(session.execute(select(Member.handle)).scalars()) == {"ann", "otto"}
    members.forget_old(session, now=utc_now() + members.UNCONFIRMED_KEEP * 2)
    assert set(session.execute(select(Member.handle)).scalars()) == {"ann"}
    assert members.check_handle(session, "otto") == "otto"


def test_the_kept_text_belongs_to_the_new_account_on_any_device(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    client.post("/me/country", data={"csrf_token": csrf_of(client), "body": "A first\nquestion <b>", "country": "FR"})
    register(client)
    (mail,) = mails(app, "ines@example.org")
    phone = app.test_client()
    link = link_in(mail, "/confirm")
    phone.post(link, data={"csrf_token": csrf_of(phone, link)})
    sent = {"csrf_token": csrf_of(phone), "email": GOOD["email"], "password": GOOD["password"]}
    assert phone.post("/login", data=sent).headers["Location"] == "/resume"
    page = phone.get("/resume").get_data(as_text=True)
    assert "question &lt;b&gt;" in page
    assert 'action="/me/country"' in page
    phone.post("/resume/drop", data={"csrf_token": csrf_of(phone, "/resume")})
    assert session.execute(select(func.count(ParkedForm.id))).scalar_one() == 0
    assert phone.get("/resume").status_code == 302


@pytest.mark.parametrize(
    ("text", "met"), [("I took 60 tablets tonight and I want to die", True), ("My back hurts", False)]
)
def test_a_visitor_in_a_crisis_gets_the_help_lines_before_any_account(
    app: Flask, client: FlaskClient, session: Session, text: str, met: bool
) -> None:
    load_starter(app)
    sent = {"csrf_token": csrf_of(client), "title": "Tonight", "body": text}
    to = client.post("/boards/backache/ask", data=sent).headers["Location"]
    for path in (to, "/register", "/register/sent"):
        page = client.get(path).get_data(as_text=True)
        assert ("116 123" in page) is met, path
        assert ("Nobody here has read your text yet" in page) is met, path


def test_a_password_never_comes_back_on_a_page(client: FlaskClient) -> None:
    page = register(client, handle="x").get_data(as_text=True)
    assert GOOD["password"] not in page
    assert PASSWORD not in page
