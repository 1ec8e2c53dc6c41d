"""My account: password, address, mail, tokens, roles, and its end."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth import flows, mailer, members, tokens
from auth.models import ApiToken, Consent, Member, MemberSession, RoleGrant
from core import audit, notifications
from core.cli import deliver_next
from core.db import unit_of_work, utc_now
from core.errors import Conflict, NotFound
from core.notifications import Notification, notify
from core.outbox import OutboxMessage
from core.vocabulary import NotificationKind, Role
from tests.support.cast import PASSWORD, actor_of, bearer, csrf_of, make_member, sign_in
from tests.support.mailbox import link_in, mails
from tests.support.smtp import MailSink

NEW = "four new brown hens"


def post(client: FlaskClient, path: str, page: str | None = None, **fields: Any) -> Any:
    return client.post(path, data={"csrf_token": csrf_of(client, page or path), **fields})


def login(client: FlaskClient, email: str, password: str) -> int:
    return int(post(client, "/login", email=email, password=password).status_code)


# --- A forgotten password ----------------------------------------------------------------------------------------


def test_a_forgotten_password_is_chosen_anew(app: Flask, client: FlaskClient, ann: Member, session: Session) -> None:
    other = sign_in(app.test_client(), ann)
    token = bearer(ann)
    post(client, "/reset", email=" Ann@example.org")
    link = link_in(mails(app, ann.email)[0], "/reset")
    assert post(client, link, password="short").status_code == 422
    assert post(client, link, password=NEW).headers["Location"] == "/login"
    assert other.get("/me/").status_code == 302
    assert client.get("/api/v1/me", headers=token).status_code == 401
    assert login(app.test_client(), ann.email, PASSWORD) == 422
    assert login(app.test_client(), ann.email, NEW) == 303
    assert mails(app, ann.email)[-1]["Subject"] == "Your password was changed"
    assert client.get(link).status_code == 404, "the link works once"
    assert client.post(link, data={"csrf_token": csrf_of(client), "password": PASSWORD}).status_code == 404


def test_a_reset_confirms_the_address_and_keeps_the_second_step(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    nils = make_member(session, "nils", confirmed=False, two_step=True)
    post(client, "/reset", email=nils.email)
    link = link_in(mails(app, nils.email)[0], "/reset")
    post(client, link, password=NEW)
    assert nils.confirmed_at is not None
    assert post(client, "/login", email=nils.email, password=NEW).headers["Location"] == "/login/code"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_link_for_confirming_does_not_reset(app: Flask, client: FlaskClient, ann: Member) -> None:
    token = flows.confirm_token(ann)
    assert client.get(f"/reset/{token}").status_code == 404
    assert client.get(f"/email/{token}").status_code == 404
    assert client.get(f"/mail/off/{token}").status_code == 404


# --- Another address ---------------------------------------------------------------------------------------------


def test_the_new_address_must_answer_and_the_old_one_is_told(app: Flask, client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    assert post(client, "/me/email", email="anna@example.org", current_password="wrong one").status_code == 422
    assert post(client, "/me/email", email="Anna@example.org", current_password=PASSWORD).status_code == 303
    assert ann.email == "ann@example.org"
    link = link_in(mails(app, "anna@example.org")[0], "/email")
    stranger = app.test_client()
    assert stranger.get(link).status_code == 200
    assert ann.email == "ann@example.org"
    assert post(stranger, link).status_code == 303
    assert ann.email == "anna@example.org"
    (told,) = mails(app, "ann@example.org")
    assert told["Subject"] == "Your e-mail address was changed"
    assert "anna@" not in told.get_content()
    assert stranger.get(link).status_code == 404


def test_an_address_of_another_account_gets_the_same_answer(
    app: Flask, client: FlaskClient, ann: Member, ben: Member
) -> None:
    sign_in(client, ann)
    answers = [
        post(client, "/me/email", email=email, current_password=PASSWORD)
        for email in ("ben@example.org", "free@example.org")
    ]
    assert [a.status_code for a in answers] == [303, 303]
    assert answers[0].get_data() == answers[1].get_data()
    (mail,) = mails(app, "ben@example.org")
    assert "/email/" not in mail.get_content()


def test_an_address_that_was_taken_meanwhile_is_refused(
    app: Flask, client: FlaskClient, session: Session, ann: Member
) -> None:
    sign_in(client, ann)
    post(client, "/me/email", email="free@example.org", current_password=PASSWORD)
    link = link_in(mails(app, "free@example.org")[0], "/email")
    otto = make_member(session, "otto")
    otto.email = "free@example.org"
    assert client.post(link, data={"csrf_token": csrf_of(client, "/me/")}).status_code == 404
    assert ann.email == "ann@example.org"


# --- Mail --------------------------------------------------------------------------------------------------------


def tell(session: Session, member: Member, kind: NotificationKind = NotificationKind.ANSWERED) -> Notification:
    with unit_of_work() as s:
        notify(s, member.id, kind, link="/threads/7/my-back-hurts#post-9", now=utc_now())
    return session.execute(select(Notification).order_by(Notification.id.desc())).scalars().first()  # type: ignore


@pytest.mark.parametrize("kind", list(NotificationKind))
def test_a_mail_says_what_happened_and_nothing_of_the_text(
    app: Flask, session: Session, ann: Member, kind: NotificationKind
) -> None:
    row = tell(session, ann, kind)
    (mail,) = mails(app, ann.email)
    assert "back" not in mail["Subject"].replace("is back", "").lower()
    assert "hurts" not in mail.get_content()
    assert "There is news" not in mail["Subject"], "every kind has a subject of its own"
    assert link_in(mail, "/me/notifications") == f"/me/notifications/{row.id}"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_one_press_in_the_mail_program_turns_mail_off(app: Flask, session: Session, ann: Member) -> None:
    tell(session, ann)
    (mail,) = mails(app, ann.email)
    link = link_in(mail, "/mail/off")
    assert mail["List-Unsubscribe"].strip("<>").endswith(link)
    stranger = app.test_client()
    assert stranger.get(link).status_code == 200
    assert ann.wants_mail
    # No session, no token of a form: the mail program sends exactly this.
    assert stranger.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not ann.wants_mail
    tell(session, ann)
    assert len(mails(app, ann.email)) == 1


def test_mail_about_the_account_is_always_sent(app: Flask, client: FlaskClient, ann: Member) -> None:
    ann.wants_mail = False
    sign_in(client, ann)
    post(client, "/me/password", current_password=PASSWORD, password=NEW)
    assert [m["Subject"] for m in mails(app, ann.email)] == ["Your password was changed"]


def test_mail_is_switched_off_and_on_in_one_press(client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    for wanted, is_on in (("n", False), ("y", True)):
        post(client, "/me/mail", wants_mail=wanted)
        assert ann.wants_mail is is_on


@pytest.mark.parametrize("token", ["x", "1", "MQ.x", "WzFd.abc"])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_forged_link_turns_nobodys_mail_off(client: FlaskClient, ann: Member, token: str) -> None:
    assert client.post(f"/mail/off/{token}").status_code == 404
    assert ann.wants_mail


def test_mail_goes_out_by_smtp_where_a_server_is_named(
    site: Any, session: Session, ann: Member, smtp_sink: MailSink
) -> None:
    tell(session, ann)
    app = site.build(mail_url=smtp_sink.url)
    with app.app_context():
        assert deliver_next()
        assert not deliver_next()
    (mail,) = smtp_sink.to("ann@example.org")
    assert mail["Subject"] == "Somebody answered you"
    assert mail["From"] == "Boardwell <no-reply@example.org>"
    site.disconnect(app)


def test_a_mail_that_did_not_go_out_is_tried_again(site: Any, session: Session, ann: Member) -> None:
    tell(session, ann)
    app = site.build(mail_url="smtp://127.0.0.1:1")
    with app.app_context():
        assert deliver_next()
    site.disconnect(app)
    session.rollback()
    row = session.execute(select(OutboxMessage)).scalar_one()
    assert row.sent_at is None and row.attempts == 1
    assert row.due_at > row.created_at
    assert "refused" in (row.last_error or "").lower()


def test_no_link_lies_in_the_outbox(app: Flask, client: FlaskClient, session: Session, ann: Member) -> None:
    post(client, "/reset", email=ann.email)
    payloads = session.execute(select(OutboxMessage.payload)).scalars().all()
    assert payloads
    assert "/reset/" not in json.dumps(payloads)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_mail_for_somebody_who_left_is_not_sent(app: Flask, session: Session, ann: Member) -> None:
    tell(session, ann)
    mailer.put(session, "confirm", member_id=ann.id, now=utc_now())
    address = ann.email
    members.close_account(session, ann, now=utc_now())
    session.commit()
    assert mails(app, address) == []


# --- Notifications -----------------------------------------------------------------------------------------------


def test_notifications_are_listed_opened_and_read(
    app: Flask, client: FlaskClient, session: Session, ann: Member, ben: Member
) -> None:
    first, second = tell(session, ann), tell(session, ann, NotificationKind.PUBLISHED)
    sign_in(client, ann)
    page = client.get("/me/notifications").get_data(as_text=True)
    assert page.index("Your post is public now.") < page.index("Somebody answered your question.")
    assert page.count(">New<") == 2
    opened = client.get(f"/me/notifications/{first.id}")
    assert opened.headers["Location"] == "/threads/7/my-back-hurts#post-9"
    assert client.get("/me/notifications").get_data(as_text=True).count(">New<") == 1
    post(client, "/me/notifications")
    assert notifications.unread_count(session, ann.id) == 0
    stranger = sign_in(app.test_client(), ben)
    assert stranger.get(f"/me/notifications/{second.id}").status_code == 404


def test_a_long_list_is_turned_page_by_page(client: FlaskClient, session: Session, ann: Member) -> None:
    for _ in range(45):
        notify(session, ann.id, NotificationKind.REPLIED, link="/posts/1", now=utc_now())
    sign_in(client, ann)
    path, seen = "/me/notifications", []
    while path:
        page = client.get(path).get_data(as_text=True)
        seen += [part.split('"')[0] for part in page.split('href="/me/notifications/')[1:]]
        rest = page.split('href="/me/notifications?after=')
        path = f"/me/notifications?after={rest[1].split(chr(34))[0]}" if len(rest) > 1 else ""
    assert len(seen) == len(set(seen)) == 45
    assert client.get("/me/notifications?after=nonsense").status_code == 422


# --- Tokens and the API ------------------------------------------------------------------------------------------


def test_a_token_is_made_shown_once_used_and_taken_back(client: FlaskClient, session: Session, ann: Member) -> None:
    sign_in(client, ann)
    assert post(client, "/me/tokens", name="notes", scopes="read", current_password="no").status_code == 422
    answer = post(client, "/me/tokens", name="notes <b>", scopes=["write", "read"], current_password=PASSWORD)
    made = answer.get_data(as_text=True).split("<code>")[1].split("</code>")[0]
    assert answer.headers["Cache-Control"] == "no-store"
    row = session.execute(select(ApiToken)).scalar_one()
    assert made not in row.token_hash
    assert row.scopes == "read,write"
    page = client.get("/me/tokens").get_data(as_text=True)
    assert made not in page
    assert "notes &lt;b&gt;" in page

    program = client.application.test_client()
    me = program.get("/api/v1/me", headers={"Authorization": f"Bearer {made}"})
    assert me.get_json()["handle"] == "ann"
    assert me.get_json()["scopes"] == ["read", "write"]
    assert "email" not in me.get_json()
    post(client, f"/me/tokens/{row.id}/revoke", page="/me/tokens")
    refused = program.get("/api/v1/me", headers={"Authorization": f"Bearer {made}"})
    assert refused.status_code == 401
    assert refused.get_json()["code"] == "bad-token"
    assert refused.content_type == "application/problem+json"


def test_a_plain_member_gets_no_token_that_moderates(client: FlaskClient, session: Session, ann: Member) -> None:
    sign_in(client, ann)
    answer = post(client, "/me/tokens", name="x", scopes=["read", "moderate"], current_password=PASSWORD)
    assert answer.status_code == 422
    assert session.execute(select(func.count(ApiToken.id))).scalar_one() == 0


def test_nobody_takes_back_the_token_of_another(
    client: FlaskClient, session: Session, ann: Member, ben: Member
) -> None:
    header = bearer(ben)
    row = session.execute(select(ApiToken)).scalar_one()
    sign_in(client, ann)
    assert post(client, f"/me/tokens/{row.id}/revoke", page="/me/").status_code == 404
    assert client.application.test_client().get("/api/v1/me", headers=header).status_code == 200


def test_a_token_opens_no_page(client: FlaskClient, ann: Member) -> None:
    assert client.get("/me/", headers=bearer(ann)).status_code == 302


def test_a_token_without_the_scope_read_does_not_read(client: FlaskClient, ann: Member) -> None:
    answer = client.get("/api/v1/me", headers=bearer(ann, ["write"]))
    assert (answer.status_code, answer.get_json()["code"]) == (403, "scope-missing")


@pytest.mark.parametrize("header", ["Bearer x", "Bearer", "Basic YTpi", "bw_x", "Bearer \x00", "Bearer " + "x" * 5000])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_strange_header_is_no_token(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/v1/me", headers={"Authorization": header.replace("\x00", "%00")})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "bad-token")


def test_the_session_serves_the_api_too(client: FlaskClient, session: Session, ann: Member) -> None:
    assert client.get("/api/v1/me").status_code == 401
    tell(session, ann)
    sign_in(client, ann)
    me = client.get("/api/v1/me").get_json()
    assert (me["handle"], me["roles"], me["scopes"], me["unread_count"]) == ("ann", ["member"], None, 1)
    found = client.get("/api/v1/me/notifications?limit=1").get_json()
    assert found["next"] is None
    assert found["items"][0]["kind"] == "answered"
    assert found["items"][0]["read_at"] is None
    assert client.get("/api/v1/me/notifications?limit=0").status_code == 422
    assert client.get("/api/v1/me/notifications?after=zzz").status_code == 422


def test_a_token_without_the_scope_moderate_is_a_plain_member(session: Session, mo: Member) -> None:
    for scopes, roles in ((["read", "write"], {Role.MEMBER}), (["moderate"], {Role.MEMBER, Role.MODERATOR})):
        actor = members.actor_of_member(session, mo, now=utc_now(), scopes=frozenset(scopes))
        assert actor.roles == roles


# --- Roles -------------------------------------------------------------------------------------------------------


def test_the_admin_gives_and_takes_roles(client: FlaskClient, session: Session, ada: Member, ann: Member) -> None:
    sign_in(client, ada)
    page = "/admin/members"
    assert post(client, page, handle="ANN", role="editor").status_code == 303
    assert Role.EDITOR in actor_of(ann).roles
    assert post(client, page, handle="ann", role="moderator", board="unsorted").status_code == 303
    assert len(actor_of(ann).board_ids) == 1 and not actor_of(ann).all_boards
    assert "Unsorted" in client.get(page).get_data(as_text=True)
    for bad in (
        {"handle": "nobody", "role": "editor"},
        {"handle": "ann", "role": "owner"},
        {"handle": "ann", "role": "lead", "board": "unsorted"},
        {"handle": "ann", "role": "moderator", "board": "no-such-board"},
        {"handle": "ann", "role": "moderator", "category": "no-such-category"},
    ):
        assert post(client, page, **bad).status_code == 422, bad
    grant = session.execute(select(RoleGrant.id).where(RoleGrant.role == Role.EDITOR)).scalar_one()
    assert post(client, f"/admin/grants/{grant}/revoke", page=page).status_code == 303
    assert Role.EDITOR not in actor_of(ann).roles
    assert post(client, f"/admin/grants/{grant}/revoke", page=page).status_code == 404
    actions = session.execute(select(audit.AuditEntry.action).order_by(audit.AuditEntry.id)).scalars().all()
    assert actions == ["grant_role", "grant_role", "revoke_role"]
    assert audit.verify(session)[1] is None


def test_the_last_admin_stays(session: Session, ada: Member) -> None:
    grant = session.execute(select(RoleGrant.id).where(RoleGrant.member_id == ada.id)).scalar_one()
    with pytest.raises(Conflict) as refused:
        members.revoke_grant(session, grant, by=ada.id, now=utc_now())
    assert refused.value.code == "last-admin"


def test_only_the_admin_opens_the_page_of_roles(
    app: Flask, client: FlaskClient, session: Session, mo: Member, lea: Member, ed: Member, ann: Member
) -> None:
    for member in (ann, mo, lea, ed):
        visitor = sign_in(app.test_client(), member)
        assert visitor.get("/admin/members").status_code == 403
        assert post(visitor, "/admin/members", page="/me/", handle="ann", role="admin").status_code == 403
    assert client.get("/admin/members").status_code == 302
    assert session.execute(select(func.count(RoleGrant.id)).where(RoleGrant.role == Role.ADMIN)).scalar_one() == 0


def test_an_admin_without_the_second_step_is_led_to_set_it_up(client: FlaskClient, session: Session) -> None:
    nora = make_member(session, "nora", roles=[Role.ADMIN], two_step=False)
    sign_in(client, nora)
    answer = client.get("/admin/members")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/me/two-step")
    assert "Needed for your role" in client.get("/me/two-step").get_data(as_text=True)


# --- The commands ------------------------------------------------------------------------------------------------


def run(app: Flask, *args: str, stdin: str = "") -> Any:
    return app.test_cli_runner().invoke(args=["members", *args], input=stdin)


def test_a_member_is_made_on_the_command_line(app: Flask, client: FlaskClient, session: Session) -> None:
    made = run(app, "create", "nora", "--email", "Nora@example.org", "--role", "moderator", stdin=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    secret = made.output.split("TOTP secret: ")[1].split()[0]
    from passlib.totp import TOTP

    assert post(client, "/login", email="nora@example.org", password=PASSWORD).headers["Location"] == "/login/code"
    code = TOTP(key=secret).generate().token
    assert post(client, "/login/code", code=code).status_code == 303
    nora = members.find_by_handle(session, "nora")
    assert actor_of(nora).all_boards
    assert nora.confirmed_at is not None

    token = run(app, "token", "nora", "--scope", "read,write,moderate").output.strip()
    me = app.test_client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).get_json()
    assert me["roles"] == ["member", "moderator"]
    assert me["scopes"] == ["moderate", "read", "write"]

    assert run(app, "role", "nora", "member").exit_code == 0
    session.expire_all()
    assert not actor_of(nora).is_staff


@pytest.mark.parametrize(
    "args, stdin, said",
    [
        (["create", "ann", "--email", "new@example.org"], PASSWORD, "taken"),
        (["create", "nora", "--email", "ann@example.org"], PASSWORD, "already an account"),
        (["create", "nora", "--email", "nonsense"], PASSWORD, "e-mail"),
        (["create", "nora", "--email", "nora@example.org"], "short", "10 characters"),
        (["create", "nora", "--email", "nora@example.org", "--role", "lead", "--board", "unsorted"], PASSWORD, "Only"),
        (["create", "nora", "--email", "nora@example.org", "--role", "king"], PASSWORD, "king"),
        (["role", "nobody", "editor"], "", "no member"),
        (["role", "ann", "moderator", "--board", "no-such"], "", "no condition"),
        (["token", "ann", "--scope", "everything"], "", "Choose from"),
        (["token", "ann", "--scope", ""], "", "Choose from"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_command_that_cannot_be_done_says_why_and_stores_nothing(
    app: Flask, session: Session, ann: Member, args: list[str], stdin: str, said: str
) -> None:
    session.commit()
    done = run(app, *args, stdin=f"{stdin}\n")
    assert done.exit_code != 0
    assert said in done.output
    assert session.execute(select(func.count(Member.id))).scalar_one() == 1
    assert session.execute(select(func.count(RoleGrant.id))).scalar_one() == 0


# --- The end -----------------------------------------------------------------------------------------------------


def test_closing_empties_everything_personal(app: Flask, client: FlaskClient, session: Session, ann: Member) -> None:
    members.give_consent(session, ann.id, purpose="consent-health", version=1, text="Yes.", now=utc_now())
    session.commit()
    tell(session, ann)
    header = bearer(ann)
    other = sign_in(app.test_client(), ann)
    sign_in(client, ann)
    assert post(client, "/me/close", current_password=PASSWORD).status_code == 422
    assert post(client, "/me/close", posts="keep", current_password="wrong").status_code == 422
    assert ann.closed_at is None
    assert post(client, "/me/close", posts="keep", current_password=PASSWORD).headers["Location"] == "/closed"
    assert client.get("/closed").status_code == 200
    session.expire_all()

    stored = json.dumps({c.name: str(getattr(ann, c.name)) for c in Member.__table__.columns})
    assert "example.org" not in stored and '"ann"' not in stored and "1980" not in stored
    assert ann.password is None and ann.country is None and ann.closed_at is not None
    assert members.display_name(ann) is None
    for table in (ApiToken, MemberSession, Notification):
        assert session.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert session.execute(select(Consent.withdrawn_at)).scalar_one() is not None
    assert client.get("/me/").status_code == other.get("/me/").status_code == 302
    assert app.test_client().get("/api/v1/me", headers=header).status_code == 401
    assert login(app.test_client(), "ann@example.org", PASSWORD) == 422
    assert mails(app, "ann@example.org")[-1]["Subject"] == "Your account is closed"

    # The address is free again; the name is not.
    form = {"email": "ann@example.org", "password": NEW, "birth_year": "1980", "consent": "y"}
    assert post(app.test_client(), "/register", handle="Ann_", **form).status_code == 422
    assert post(app.test_client(), "/register", handle="annika", **form).status_code == 303
    assert "/confirm/" in mails(app, "ann@example.org")[-1].get_content()


@pytest.mark.parametrize("choice", ["keep", "withdraw"])
def test_the_forum_hears_what_becomes_of_the_posts(app: Flask, client: FlaskClient, ann: Member, choice: str) -> None:
    heard: list[tuple[int, bool]] = []
    hooks = app.extensions["boardwell.close_hooks"]
    app.extensions["boardwell.close_hooks"] = (lambda s, m, *, withdraw, gate, now: heard.append((m, withdraw)),)
    try:
        sign_in(client, ann)
        post(client, "/me/close", posts=choice, current_password=PASSWORD)
    finally:
        app.extensions["boardwell.close_hooks"] = hooks
    assert heard == [(ann.id, choice == "withdraw")]


def test_staff_give_their_role_back_first(client: FlaskClient, mo: Member) -> None:
    sign_in(client, mo)
    answer = post(client, "/me/close", posts="keep", current_password=PASSWORD)
    assert answer.status_code == 409
    assert mo.closed_at is None
    assert mo.email == "mo@example.org"


# --- The rest of the account pages -------------------------------------------------------------------------------


def test_the_country_is_set_and_taken_back(client: FlaskClient, ann: Member) -> None:
    sign_in(client, ann)
    for code, kept in (("FR", "FR"), ("", None)):
        assert post(client, "/me/country", page="/me/", country=code).status_code == 303
        assert ann.country == kept
    assert post(client, "/me/country", page="/me/", country="XX9").status_code == 422


PAGES = ["/me/", "/me/password", "/me/email", "/me/two-step", "/me/sessions", "/me/notifications", "/me/mail"]
PAGES += ["/me/tokens", "/me/close"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_account_page_is_for_its_owner_and_for_no_cache(client: FlaskClient, ann: Member, path: str) -> None:
    assert client.get(path).headers["Location"].startswith("/login?next=")
    sign_in(client, ann)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<meta name="robots" content="noindex">' in answer.get_data(as_text=True)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_sign_in_reads_the_database_a_bounded_number_of_times(
    client: FlaskClient, session: Session, ann: Member
) -> None:
    from sqlalchemy import event

    from core.db import db

    sign_in(client, ann)
    for _ in range(3):
        sign_in(client.application.test_client(), ann)
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert client.get("/me/password").status_code == 200
    # The member with the sign-in, the roles, the restrictions, the unread count, the help line of the frame.
    assert len([s for s in statements if s.startswith("SELECT")]) <= 6, statements


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_old_sign_in_ends_by_itself(client: FlaskClient, session: Session, ann: Member) -> None:
    sign_in(client, ann)
    row = session.execute(select(MemberSession)).scalar_one()
    row.created_at = utc_now() - members.SESSION_KEEP
    assert client.get("/me/").status_code == 302


def test_unknown_scopes_and_links_are_refused_by_the_rules(session: Session, ann: Member) -> None:
    with pytest.raises(NotFound):
        tokens.unsubscribe_member("k" * 32, tokens.unsubscribe_token("other" * 8, ann.id))
    assert tokens.find(session, "bw_nonsense", now=utc_now()) is None
