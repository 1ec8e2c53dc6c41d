"""Signing in and out, the second step, devices, and the throttle."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth import flows
from auth.models import Member, MemberSession
from core.outbox import OutboxMessage
from core.vocabulary import Role
from tests.support.cast import PASSWORD, code_for, csrf_of, make_member, sign_in

WRONG = "a password of somebody else"


def try_login(client: FlaskClient, email: str, password: str) -> Any:
    return client.post("/login", data={"csrf_token": csrf_of(client), "email": email, "password": password})


def test_a_member_signs_in_and_out(client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    page = client.get("/me/")
    assert page.status_code == 200
    assert "ann@example.org" in page.get_data(as_text=True)
    token = csrf_of(client, "/me/")
    answer = client.post("/logout", data={"csrf_token": token})
    assert answer.status_code == 303
    assert client.get("/me/").status_code == 302


def test_signing_out_needs_the_token_and_a_press(client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").status_code == 400
    assert client.get("/me/").status_code == 200


def test_a_copied_cookie_dies_with_the_sign_out(app: Flask, client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    thief = app.test_client()
    stolen = client.get_cookie("boardwell")
    assert stolen is not None
    thief.set_cookie("boardwell", stolen.value)
    assert thief.get("/me/").status_code == 200
    client.post("/logout", data={"csrf_token": csrf_of(client, "/me/")})
    assert thief.get("/me/").status_code == 302


def test_case_and_space_of_the_address_do_not_matter(client: FlaskClient, ann: Member) -> None:
    assert try_login(client, "  ANN@Example.ORG ", PASSWORD).status_code == 303


def test_a_wrong_password_and_an_unknown_address_get_one_answer(client: FlaskClient, ann: Member) -> None:
    wrong, unknown = try_login(client, "ann@example.org", WRONG), try_login(client, "nobody@example.org", WRONG)
    assert wrong.status_code == unknown.status_code == 422
    pages = [a.get_data(as_text=True).replace("nobody@", "ann@") for a in (wrong, unknown)]
    # The page differs in its token alone.
    assert _without_token(pages[0]) == _without_token(pages[1])
    assert "ann@example.org" in pages[0]
    assert WRONG not in pages[0]


def _without_token(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if "csrf_token" not in line)


def test_an_unconfirmed_member_is_told_only_after_the_right_password(client: FlaskClient, session: Session) -> None:
    make_member(session, "ines", confirmed=False)
    assert "/confirm" not in try_login(client, "ines@example.org", WRONG).get_data(as_text=True)
    told = try_login(client, "ines@example.org", PASSWORD)
    assert told.status_code == 422
    assert 'href="/confirm"' in told.get_data(as_text=True)
    assert client.get("/me/").status_code == 302


def test_a_closed_account_does_not_sign_in(client: FlaskClient, ann: Member, session: Session) -> None:
    ann.active = False
    assert try_login(client, "ann@example.org", PASSWORD).status_code == 422


@pytest.mark.parametrize(
    "wanted, led",
    [
        ("/boards/", "/boards/"),
        ("/search?q=back", "/search?q=back"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_after_sign_in_nobody_is_led_to_another_site(client: FlaskClient, ann: Member, wanted: str, led: str) -> None:
    sent = {"csrf_token": csrf_of(client), "email": ann.email, "password": PASSWORD, "next": wanted}
    assert client.post("/login", data=sent).headers["Location"] == led


def test_the_token_of_the_visitor_changes_with_the_sign_in(client: FlaskClient, ann: Member) -> None:
    before = csrf_of(client)
    sign_in(client, ann)
    assert client.post("/logout", data={"csrf_token": before}).status_code == 400


def test_a_new_secret_key_leaves_the_passwords_as_they_are(site: Any, session: Session, ann: Member) -> None:
    session.commit()
    app = site.build(secret_key="another-secret-key-" * 3)
    assert try_login(app.test_client(), ann.email, PASSWORD).status_code == 303
    site.disconnect(app)


# --- The second step ---------------------------------------------------------------------------------------------


def test_a_moderator_needs_the_code_too(client: FlaskClient, mo: Member) -> None:
    assert try_login(client, mo.email, PASSWORD).headers["Location"] == "/login/code"
    assert client.get("/me/").status_code == 302
    sent = {"csrf_token": csrf_of(client, "/login/code"), "code": code_for(mo)}
    assert client.post("/login/code", data=sent).status_code == 303
    assert client.get("/me/").status_code == 200


def test_a_code_works_once(app: Flask, client: FlaskClient, mo: Member) -> None:
    code = code_for(mo)
    for visitor, status in ((client, 303), (app.test_client(), 422)):
        try_login(visitor, mo.email, PASSWORD)
        sent = {"csrf_token": csrf_of(visitor, "/login/code"), "code": code}
        assert visitor.post("/login/code", data=sent).status_code == status


@pytest.mark.parametrize("code", ["", "000000", "12345", "abcdef", "1234567", "١٢٣٤٥٦"])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_wrong_code_is_refused(client: FlaskClient, mo: Member, code: str) -> None:
    try_login(client, mo.email, PASSWORD)
    sent = {"csrf_token": csrf_of(client, "/login/code"), "code": code}
    assert client.post("/login/code", data=sent).status_code == 422
    assert client.get("/me/").status_code == 302


def test_a_recovery_code_works_once_in_place_of_the_app(app: Flask, client: FlaskClient, mo: Member) -> None:
    codes = flows.new_recovery_codes(mo)
    assert len(codes) == len(set(codes)) == flows.RECOVERY_CODES
    assert not set(codes) & set(mo.mf_recovery_codes or []), "kept in the clear"
    typed = codes[3].upper().replace("-", " ")
    for visitor, status in ((client, 303), (app.test_client(), 422)):
        try_login(visitor, mo.email, PASSWORD)
        sent = {"csrf_token": csrf_of(visitor, "/login/code"), "code": typed}
        assert visitor.post("/login/code", data=sent).status_code == status
    assert len(mo.mf_recovery_codes or []) == flows.RECOVERY_CODES - 1


def test_the_second_step_alone_opens_nothing(client: FlaskClient, mo: Member) -> None:
    token = csrf_of(client)
    answer = client.post("/login/code", data={"csrf_token": token, "code": code_for(mo)})
    assert answer.headers["Location"] == "/login"
    assert client.get("/login/code").status_code == 302


def test_a_changed_password_voids_a_half_finished_sign_in(client: FlaskClient, mo: Member) -> None:
    try_login(client, mo.email, PASSWORD)
    flows.set_password(mo, "another long password")
    sent = {"csrf_token": csrf_of(client, "/login/code"), "code": code_for(mo)}
    assert client.post("/login/code", data=sent).headers["Location"] == "/login"
    assert client.get("/me/").status_code == 302


def test_staff_without_a_second_step_are_led_to_set_it_up(client: FlaskClient, session: Session) -> None:
    new = make_member(session, "nils", roles=[Role.MODERATOR], two_step=False)
    sent = {"csrf_token": csrf_of(client), "email": new.email, "password": PASSWORD}
    assert client.post("/login", data=sent).headers["Location"] == "/me/two-step"


def test_setting_up_the_second_step(app: Flask, client: FlaskClient, ann: Member) -> None:
    from passlib.totp import TOTP

    sign_in(client, ann)
    page = client.get("/me/two-step").get_data(as_text=True)
    key = page.split("<code>")[1].split("</code>")[0]
    assert 'src="data:image/svg+xml;base64,' in page
    code = TOTP(key=key).generate().token
    token = csrf_of(client, "/me/two-step")
    wrong = client.post("/me/two-step", data={"csrf_token": token, "code": "000000", "current_password": PASSWORD})
    assert wrong.status_code == 422
    assert key in wrong.get_data(as_text=True), "a slip must not cost the person a new key"
    no_password = client.post("/me/two-step", data={"csrf_token": token, "code": code, "current_password": WRONG})
    assert no_password.status_code == 422
    done = client.post("/me/two-step", data={"csrf_token": token, "code": code, "current_password": PASSWORD})
    assert done.status_code == 200
    codes = [part.split("</code>")[0] for part in done.get_data(as_text=True).split("<code>")[1:]]
    assert len(codes) == flows.RECOVERY_CODES
    assert done.headers["Cache-Control"] == "no-store"

    other = app.test_client()
    assert try_login(other, ann.email, PASSWORD).headers["Location"] == "/login/code"
    sent = {"csrf_token": csrf_of(other, "/login/code"), "code": codes[0]}
    assert other.post("/login/code", data=sent).status_code == 303


def test_turning_the_second_step_off_needs_the_password(client: FlaskClient, mo: Member) -> None:
    sign_in(client, mo)
    token = csrf_of(client, "/me/two-step")
    assert client.post("/me/two-step/off", data={"csrf_token": token, "current_password": WRONG}).status_code == 422
    assert mo.tf_totp_secret is not None
    sent = {"csrf_token": token, "current_password": PASSWORD}
    assert client.post("/me/two-step/off", data=sent).status_code == 303
    assert mo.tf_totp_secret is None
    assert not mo.mf_recovery_codes


def test_new_recovery_codes_void_the_old_ones(client: FlaskClient, mo: Member) -> None:
    old = flows.new_recovery_codes(mo)
    sign_in(client, mo)
    sent = {"csrf_token": csrf_of(client, "/me/two-step"), "current_password": PASSWORD}
    page = client.post("/me/two-step/codes", data=sent).get_data(as_text=True)
    assert page.count("<code>") == flows.RECOVERY_CODES
    assert not any(code in page for code in old)
    assert not flows.spend_recovery_code(mo, old[0])


# --- Devices -----------------------------------------------------------------------------------------------------


def test_devices_are_listed_and_ended(app: Flask, client: FlaskClient, ann: Member, session: Session) -> None:
    phone = app.test_client()
    phone.environ_base["HTTP_USER_AGENT"] = "A phone <script>"
    sign_in(client, ann)
    sign_in(phone, ann)
    page = client.get("/me/sessions").get_data(as_text=True)
    assert "A phone &lt;script&gt;" in page
    row = session.execute(select(MemberSession).where(MemberSession.user_agent.startswith("A phone"))).scalar_one()
    client.post("/me/sessions", data={"csrf_token": csrf_of(client, "/me/sessions"), "session": str(row.id)})
    assert phone.get("/me/").status_code == 302
    assert client.get("/me/").status_code == 200


def test_nobody_ends_the_session_of_another(
    app: Flask, client: FlaskClient, ann: Member, ben: Member, session: Session
) -> None:
    other = sign_in(app.test_client(), ben)
    sign_in(client, ann)
    row = session.execute(select(MemberSession).where(MemberSession.member_id == ben.id)).scalar_one()
    client.post("/me/sessions", data={"csrf_token": csrf_of(client, "/me/"), "session": str(row.id)})
    assert other.get("/me/").status_code == 200


def test_all_other_devices_are_ended_at_once(app: Flask, client: FlaskClient, ann: Member) -> None:
    others = [sign_in(app.test_client(), ann) for _ in range(2)]
    sign_in(client, ann)
    client.post("/me/sessions", data={"csrf_token": csrf_of(client, "/me/sessions")})
    assert [o.get("/me/").status_code for o in others] == [302, 302]
    assert client.get("/me/").status_code == 200


def test_a_changed_password_ends_the_other_devices(app: Flask, client: FlaskClient, ann: Member) -> None:
    other = sign_in(app.test_client(), ann)
    sign_in(client, ann)
    sent = {
        "csrf_token": csrf_of(client, "/me/password"),
        "current_password": PASSWORD,
        "password": "four new brown hens",
    }
    assert client.post("/me/password", data=sent).status_code == 303
    assert client.get("/me/").status_code == 200
    assert other.get("/me/").status_code == 302
    assert try_login(app.test_client(), ann.email, PASSWORD).status_code == 422
    assert try_login(app.test_client(), ann.email, "four new brown hens").status_code == 303


@pytest.mark.parametrize(
    "current, new", [(WRONG, "four new brown hens"), (PASSWORD, "short"), (PASSWORD, "ann1234567")]
)
def test_a_bad_change_of_password_changes_nothing(client: FlaskClient, ann: Member, current: str, new: str) -> None:
    sign_in(client, ann)
    before = ann.password
    sent = {"csrf_token": csrf_of(client, "/me/password"), "current_password": current, "password": new}
    assert client.post("/me/password", data=sent).status_code == 422
    assert ann.password == before


# --- Throttle ----------------------------------------------------------------------------------------------------


@pytest.fixture
def limited(site: Any) -> Any:
    """The same site with its limits on."""
    app = site.build(limits=True)
    yield app
    site.disconnect(app)


def test_guessing_one_account_is_stopped_and_says_until_when(limited: Flask, ann: Member, session: Session) -> None:
    session.commit()
    client = limited.test_client()
    for number in range(flows.BY_ACCOUNT.amount):
        assert try_login(client, ann.email, f"{WRONG} {number}").status_code == 422
    stopped = try_login(client, ann.email, PASSWORD)
    assert stopped.status_code == 429
    assert "Try again in 15 minutes" in stopped.get_data(as_text=True)
    assert ann.email in stopped.get_data(as_text=True)


def test_an_unknown_account_is_stopped_alike(limited: Flask) -> None:
    client = limited.test_client()
    for _ in range(flows.BY_ACCOUNT.amount):
        assert try_login(client, "nobody@example.org", WRONG).status_code == 422
    assert try_login(client, "nobody@example.org", WRONG).status_code == 429


def test_guessing_many_accounts_from_one_place_is_stopped(limited: Flask, ann: Member, session: Session) -> None:
    session.commit()
    client = limited.test_client()
    token = csrf_of(client)
    for number in range(flows.BY_ADDRESS.amount):
        sent = {"csrf_token": token, "email": f"someone{number}@example.org", "password": WRONG}
        assert client.post("/login", data=sent).status_code == 422
    assert try_login(client, ann.email, PASSWORD).status_code == 429
    elsewhere = limited.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert try_login(elsewhere, ann.email, PASSWORD).status_code == 303


def test_a_right_password_forgives_the_slips_before(limited: Flask, ann: Member, session: Session) -> None:
    session.commit()
    for _ in range(2):
        for _number in range(flows.BY_ACCOUNT.amount - 1):
            assert try_login(limited.test_client(), ann.email, WRONG).status_code == 422
        assert try_login(limited.test_client(), ann.email, PASSWORD).status_code == 303


def test_guessing_codes_is_stopped(limited: Flask, mo: Member, session: Session) -> None:
    session.commit()
    client = limited.test_client()
    try_login(client, mo.email, PASSWORD)
    token = csrf_of(client, "/login/code")
    for _ in range(flows.BY_ACCOUNT.amount):
        assert client.post("/login/code", data={"csrf_token": token, "code": "000000"}).status_code == 422
    assert client.post("/login/code", data={"csrf_token": token, "code": code_for(mo)}).status_code == 429


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_with_limits_off_nobody_is_stopped(client: FlaskClient, ann: Member) -> None:
    token = csrf_of(client)
    for _ in range(flows.BY_ACCOUNT.amount + 2):
        sent = {"csrf_token": token, "email": ann.email, "password": WRONG}
        assert client.post("/login", data=sent).status_code == 422
    assert try_login(client, ann.email, PASSWORD).status_code == 303


def test_nobody_is_flooded_with_mail_by_strangers(limited: Flask, ann: Member, session: Session) -> None:
    session.commit()
    client = limited.test_client()
    token = csrf_of(client, "/reset")
    amount = flows.MAILS_BY_ADDRESS.amount
    answers = [client.post("/reset", data={"csrf_token": token, "email": ann.email}) for _ in range(amount)]
    assert {answer.status_code for answer in answers} == {303}
    assert {answer.get_data() for answer in answers} == {answers[0].get_data()}
    assert session.execute(select(func.count(OutboxMessage.id))).scalar_one() == flows.MAILS_TO_ONE.amount
    stopped = client.post("/reset", data={"csrf_token": token, "email": "another@example.org"})
    assert stopped.status_code == 429
    assert "Try again in" in stopped.get_data(as_text=True)


def test_accounts_are_not_made_by_the_dozen_from_one_place(limited: Flask, session: Session) -> None:
    client = limited.test_client()
    form = {"csrf_token": csrf_of(client, "/register"), "password": "brown kettle dances", "birth_year": "1980"}
    form["consent"] = "y"
    for number in range(flows.MAILS_BY_ADDRESS.amount):
        sent = {**form, "handle": f"robot{number}x", "email": f"robot{number}@example.org"}
        assert client.post("/register", data=sent).status_code == 303
    answer = client.post("/register", data={**form, "handle": "robotlast", "email": "last@example.org"})
    assert answer.status_code == 429
    assert "last@example.org" in answer.get_data(as_text=True)
