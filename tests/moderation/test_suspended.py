"""A suspended member and a suspended moderator at every door of the house: a visitor, one of few exceptions, or 403."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from auth.models import Member, Restriction
from auth.policy import PUBLIC_ACTIONS, WHILE_SUSPENDED
from core.db import utc_now
from core.notifications import Notification, notify
from core.vocabulary import NotificationKind, PostState, RestrictionKind, Role
from forum import lifecycle
from forum.models import Post, Thread
from moderation import appeals
from tests.moderation.desk import Desk, html_of, text_of
from tests.support.cast import PASSWORD, bearer, code_for, csrf_of, make_member, sign_in
from tests.test_routes import FOREIGN, METHODS

# What a suspended member does as themselves: decisions about them, objections, their standing, closing the account.
# A link in a mail leads through /me/notifications/<number> to one of these; further it leads nobody.
KEPT = {
    "GET /decisions/<reference>",
    "GET /decisions/<reference>/appeals",
    "POST /decisions/<reference>/appeals",
    "GET /reports/<reference>/appeals",
    "POST /reports/<reference>/appeals",
    "GET /appeals/<reference>",
    "GET /me/decisions",
    "GET /me/standing",
    "GET /me/notifications/<int:number>",
    "GET /me/close",
    "POST /me/close",
    "POST /api/v1/decisions/<reference>/appeals",
    "POST /api/v1/reports/<reference>/appeals",
    "GET /api/v1/appeals/<reference>",
    "GET /api/v1/me/decisions",
    "GET /api/v1/me/standing",
}
# Composers that a visitor may open before signing in: there a suspended member is told why nothing can be sent.
COMPOSERS = re.compile(r"/(boards/<slug>/(ask|share)|threads/<int:thread_id>/(answer|comment))")
# What stands in the place of a composer.
NO_COMPOSER = {"You cannot write here at present", "You can still read everything."}
# Figures for the operator's own machine, which change with every request.
FIGURES = "/metrics"
# Signing in and out and what belongs to it is the same for everybody; the frame knows who is there.
SIGNING_IN = re.compile(r"/(login|logout|register|confirm|reset|email|mail/off|closed)\b")


@dataclass
class Doors:
    desk: Desk
    values: dict[str, object]
    references: dict[str, str]
    thread_slug: str

    def address(self, rule: Rule) -> str:
        """An address of this rule at which something stands."""
        values = dict(self.values)
        for part, reference in self.references.items():
            if f"/{part}/<" in rule.rule:
                values["reference"] = reference
        if rule.rule.startswith("/threads/"):
            values["slug"] = self.thread_slug
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values.get(found[1], 1)), rule.rule)


@pytest.fixture
def doors(app: Flask, session: Session, desk: Desk, ann: Member, ben: Member, mo: Member) -> Doors:
    post = desk.ask(ann)
    held = desk.ask(make_member(session, "cora"), title="A first question")
    refused = desk.report(ben, post)
    desk.decide(mo, post, "dismiss", "It keeps to the rules.")
    shielded = desk.ask(ann, title="Only for members")
    lifecycle.move(session, shielded.id, PostState.SHIELDED, expected_version=shielded.version, now=utc_now())
    references = {"decisions": desk.decide(mo, held, "reject"), "reports": refused}
    made = appeals.appeal(session, reference=refused, by=None, grounds="It is not kind.", now=utc_now())
    references["appeals"] = made.reference
    session.commit()
    values = {"slug": "backache", "handle": "ben", "reference": "", "token": "nothing", "part": "symptoms"}
    values |= {"post_id": post.id, "thread_id": post.thread_id}
    return Doors(desk, values, references, session.get_one(Thread, post.thread_id).slug)


def suspend(session: Session, member: Member, reference: str) -> Member:
    now = utc_now()
    session.add(Restriction(member_id=member.id, kind=RestrictionKind.SUSPENDED, since=now, reference=reference))
    session.commit()
    return member


def rules(app: Flask) -> Iterator[tuple[str, Rule, object]]:
    """(method, rule, mark) of every route but those of other libraries."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) & set(METHODS)):
            handler = getattr(getattr(view, "view_class", None), method.lower(), view)
            if rule.endpoint not in FOREIGN:
                yield method, rule, getattr(handler, "boardwell_access", None)


def said_on(answer: TestResponse) -> set[str]:
    """Every address and every piece of text of a page beside its frame, but for the word about the suspension."""
    html = html_of(answer)
    html = html.partition("<main")[2].partition("</main>")[0] or html
    notice = r'<div class="notice notice--warning">(?:(?!</div></div>).)*is suspended.*?</div></div>'
    html = re.sub(notice, "", html, flags=re.DOTALL)
    # The number of an error, and how long a question has waited by now.
    html = re.sub(r"<code>[0-9a-f]{16}</code>|waiting for [^<]+", "", html)
    texts = {" ".join(text.split()) for text in re.split(r"<[^>]+>", html)}
    return texts | set(re.findall(r'(?:href|action)="([^"]*)"', html))


def is_refused(answer: TestResponse, reference: str) -> bool:
    if answer.status_code != 403:
        return False
    if answer.is_json:
        return (answer.json or {}).get("code") == "suspended" and answer.json["reference"] == reference
    return "Your account is suspended" in text_of(answer) and f'href="/decisions/{reference}"' in html_of(answer)


@pytest.mark.parametrize("roles", [(), (Role.MODERATOR,), (Role.LEAD, Role.ADMIN, Role.EDITOR)], ids=str)
def test_every_door_is_shut_or_shows_what_a_visitor_sees(
    app: Flask, session: Session, doors: Doors, roles: tuple[Role, ...]
) -> None:
    reference = doors.references["decisions"]
    sam = make_member(session, "sam", roles=roles, approved=9)
    client = sign_in(app.test_client(), sam)
    token = csrf_of(client, "/me/decisions")
    headers = bearer(sam, ["read", "write", "moderate"] if roles else ["read", "write"])
    suspend(session, sam, reference)
    visitor = app.test_client()
    visitor_token = csrf_of(visitor)
    wrong, counted = [], dict.fromkeys(("kept", "visitor", "shut"), 0)
    for method, rule, mark in rules(app):
        name, path = f"{method} {rule.rule}", doors.address(rule)
        is_api = path.startswith("/api/")
        if mark in WHILE_SUSPENDED:
            counted["kept"] += 1
            # Whoever asks with a token needs its scope; what the doors do is tested below.
            wrong += [name] if name not in KEPT else []
            continue
        if is_api:
            asked = {"json": {}} if method != "GET" else {}
            answer = app.test_client().open(path, method=method, headers=headers, **asked)
            same = app.test_client().open(path, method=method, **asked)
        else:
            sent = {"data": {"csrf_token": token}} if method != "GET" else {}
            if SIGNING_IN.match(rule.rule) or rule.rule == FIGURES:
                continue
            answer = client.open(path, method=method, **sent)
            sent = {"data": {"csrf_token": visitor_token}} if method != "GET" else {}
            same = visitor.open(path, method=method, **sent)
        if mark == "public" or mark in PUBLIC_ACTIONS:
            counted["visitor"] += 1
            bare = "threads" in rule.rule and method == "GET"
            if COMPOSERS.fullmatch(rule.rule) and not bare:
                fine = is_refused(answer, reference)
            else:
                fine = (answer.status_code, answer.location) == (same.status_code, same.location)
                # Less than a visitor, where a composer would be of no use; never more.
                fine = fine and said_on(answer) <= said_on(same) | NO_COMPOSER
        else:
            counted["shut"] += 1
            fine = is_refused(answer, reference)
        if not fine:
            wrong.append(f"{name}: {answer.status_code}, not {same.status_code}; {said_on(answer) - said_on(same)}")
    assert wrong == [], "\n".join(wrong)
    assert counted["kept"] >= 9 and counted["visitor"] > 30 and counted["shut"] > 50, counted


def test_the_frame_says_so_and_shows_only_ways_that_are_open(app: Flask, session: Session, doors: Doors) -> None:
    reference = doors.references["decisions"]
    sam = suspend(session, make_member(session, "sam", roles=[Role.MODERATOR], approved=9), reference)
    client = app.test_client()
    answer = signed_in(client, sam)
    assert answer.location == "/me/decisions"
    page = client.get("/")
    html = html_of(page)
    assert "Your account is suspended" in text_of(page) and f'href="/decisions/{reference}"' in html
    header = html[: html.index("<main")]
    links = set(re.findall(r'href="(/(?:me|moderation|members|admin)[^"]*)"', header))
    assert links == {"/me/decisions", "/me/standing", "/me/close"}
    assert 'action="/logout"' in header


def signed_in(client: FlaskClient, member: Member) -> TestResponse:
    """The last answer of signing in."""
    sent = {"csrf_token": csrf_of(client), "email": member.email, "password": PASSWORD}
    answer = client.post("/login", data=sent)
    if answer.location == "/login/code":
        code = {"csrf_token": csrf_of(client, "/login/code"), "code": code_for(member)}
        answer = client.post("/login/code", data=code)
    return answer


def test_signing_in_leads_to_the_decision_that_was_asked_for(app: Flask, session: Session, doors: Doors) -> None:
    sam = suspend(session, make_member(session, "sam"), doors.references["decisions"])
    path = f"/decisions/{doors.references['decisions']}"
    client = app.test_client()
    sent = {"csrf_token": csrf_of(client, f"/login?next={path}"), "email": sam.email, "password": PASSWORD}
    assert client.post("/login", data=sent | {"next": path}).location == path


def test_what_was_typed_comes_back_when_it_cannot_be_sent(app: Flask, session: Session, doors: Doors) -> None:
    sam = make_member(session, "sam", approved=9)
    client = sign_in(app.test_client(), sam)
    token = csrf_of(client, "/me/decisions")
    suspend(session, sam, doors.references["decisions"])
    sent = {"csrf_token": token, "title": "May I?", "body": "My long and careful question.", "intent": "send"}
    answer = client.post("/boards/backache/ask", data=sent)
    assert answer.status_code == 403
    assert "My long and careful question." in html_of(answer)


def test_a_link_in_a_mail_still_leads_to_its_decision(app: Flask, session: Session, doors: Doors) -> None:
    sam = make_member(session, "sam")
    link = f"/decisions/{doors.references['decisions']}"
    notify(session, sam.id, NotificationKind.SANCTIONED, link=link, now=utc_now())
    client = sign_in(app.test_client(), sam)
    suspend(session, sam, doors.references["decisions"])
    number = session.execute(select(Notification.id).where(Notification.member_id == sam.id)).scalar_one()
    answer = client.get(f"/me/notifications/{number}")
    assert (answer.status_code, answer.location) == (302, link)
    assert client.get(link).status_code == 200


def test_a_suspended_member_reads_their_decisions_and_closes_the_account(
    app: Flask, session: Session, doors: Doors
) -> None:
    sam = make_member(session, "sam", approved=9)
    own = doors.desk.ask(sam, "Buy my cream.")
    doors.desk.report(session.get_one(Member, 2), own)
    reference = doors.desk.decide(session.get_one(Member, 3), own, "remove")
    session.commit()
    client = sign_in(app.test_client(), sam)
    suspend(session, sam, reference)
    assert f"/decisions/{reference}" in html_of(client.get("/me/decisions"))
    assert client.get("/me/close").status_code == 200
    token = csrf_of(client, "/me/close")
    sent = {"csrf_token": token, "posts": "keep", "current_password": PASSWORD}
    assert client.post("/me/close", data=sent).location == "/closed"
    session.expire_all()
    assert session.get_one(Member, sam.id).closed_at is not None


def test_the_end_of_a_suspension_opens_every_door_again(app: Flask, session: Session, doors: Doors) -> None:
    sam = make_member(session, "sam", approved=9)
    client = sign_in(app.test_client(), sam)
    suspend(session, sam, doors.references["decisions"])
    assert client.get("/me/").status_code == 403
    session.execute(update(Restriction).values(until=utc_now()))
    session.commit()
    assert client.get("/me/").status_code == 200
    assert "suspended" not in text_of(client.get("/"))


def test_a_suspended_author_reads_no_hidden_text_of_their_own(app: Flask, session: Session, doors: Doors) -> None:
    sam = make_member(session, "sam", approved=9)
    own: Post = doors.desk.ask(sam, "My very own words.")
    doors.desk.report(session.get_one(Member, 2), own)
    doors.desk.decide(session.get_one(Member, 3), own, "hide")
    session.commit()
    client = sign_in(app.test_client(), sam)
    assert "My very own words." in html_of(client.get(f"/posts/{own.id}", follow_redirects=True))
    suspend(session, sam, doors.references["decisions"])
    assert "My very own words." not in html_of(client.get(f"/posts/{own.id}", follow_redirects=True))
