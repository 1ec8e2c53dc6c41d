"""Every known attack on the site's own pages: approved and shown as title, body, note of a report and handle.

A real browser with its own defences off opens the pages and provokes every element; nothing may run, and the words of
the attack must be there for people to read. A control shows the same attacks without the site: there they do run.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from bleach._vendor import html5lib
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor
from core.config import Settings
from core.db import utc_now
from core.errors import Invalid
from core.vocabulary import PostKind, PostState, ThreadKind
from forum import gate as gates
from forum import posting
from forum.models import Post
from moderation import decisions, reports
from moderation.models import Case
from tests.browser.test_xss import unescaped
from tests.flows.scene import load_starter
from tests.flows.test_soak_texts import fold, is_invisible, what_markdown_leaves, words_of
from tests.support import xss
from tests.support.cast import actor_of, sign_in
from tests.support.shared import shared_file

pytestmark = [
    pytest.mark.browser,
    pytest.mark.shared_data,
    # What a page makes of a text is the same on every database.
    pytest.mark.parametrize("backend", ["sqlite"], indirect=True),
]

TITLE_CHARS, NOTE_CHARS = 200, 2_000
NOTES_PER_CASE = 60
ON_A_PAGE = 20
COMMIT_EVERY = 50
RULE = "R9-no-ads"
# Attributes that hold a title or a handle on our pages; none of them may have grown out of its quotes.
HANDLERS = re.compile(r"^(on|style$|srcdoc$|formaction$)")

Record = Callable[[str], None]


@dataclass
class Wall:
    """Where every payload stands. Refusals are (place, payload)."""

    app: Flask
    session: Session
    settings: Settings
    author: Actor
    other: Actor
    moderator: Actor
    payloads: list[xss.Payload]
    thread_id: int = 0
    comments: dict[int, str] = field(default_factory=dict)  # post -> payload
    threads: dict[int, str] = field(default_factory=dict)  # thread -> payload, of those that stand as titles
    cases: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    handles: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    approved: int = 0

    def start(self, title: str, body: str) -> posting.Posted:
        return posting.start_thread(
            self.session,
            self.author,
            board_slug="unsorted",
            kind=ThreadKind.QUESTION,
            title=title,
            body=body,
            gate=gates.of(self.app),
            settings=self.settings,
            now=utc_now(),
        )

    def add(self, body: str) -> posting.Posted:
        return posting.add_post(
            self.session,
            self.other,
            thread_id=self.thread_id,
            kind=PostKind.COMMENT,
            body=body,
            gate=gates.of(self.app),
            settings=self.settings,
            now=utc_now(),
        )

    def approve(self) -> None:
        """Approve all that wait: some payloads hold an address, and each stands twice."""
        waiting = select(Case.id, Case.version).join(Post, Post.id == Case.post_id)
        for number, row in enumerate(self.session.execute(waiting.where(Post.state == PostState.HELD)).all()):
            decisions.decide(
                self.session,
                row.id,
                by=self.moderator,
                version=row.version,
                verdict="approve",
                settings=self.settings,
                now=utc_now(),
            )
            self.approved += 1
            if number % COMMIT_EVERY == 0:
                self.session.commit()
        self.session.commit()


def put_up(wall: Wall, now: datetime) -> None:
    """Store every payload in every place; what is refused must be refused for its length, or because it is empty."""
    session = wall.session
    first = wall.start("All bodies", "They stand below.")
    wall.thread_id = first.thread.id
    member_ids = make_members(session, len(wall.payloads), now)
    for number, payload in enumerate(wall.payloads):
        member_id = member_ids[number]
        post_as_body(wall, payload.text, member_id)
        post_as_title(wall, payload.text, member_id)
        if number % COMMIT_EVERY == 0:
            session.commit()
    session.commit()
    wall.approve()
    report_all(wall, member_ids)
    # No door takes such a handle: they are forced in.
    for member_id, payload in zip(member_ids, wall.payloads, strict=True):
        session.execute(
            text("UPDATE member SET handle = :handle WHERE id = :id"), {"handle": payload.text, "id": member_id}
        )
        wall.handles.append(payload.text)
    session.commit()


def make_members(session: Session, count: int, now: datetime) -> list[int]:
    rows = [
        {"handle": f"h{n}", "handle_skeleton": f"h{n}", "email": f"h{n}@example.org", "fs_uniquifier": f"h{n}"}
        | {"confirmed_at": now, "created_at": now, "approved_count": 5, "active": True, "language": "en"}
        for n in range(count)
    ]
    session.execute(insert(Member), rows)
    session.commit()
    ids = dict(session.execute(select(Member.handle, Member.id)).all())
    return [ids[f"h{n}"] for n in range(count)]


def post_as_body(wall: Wall, payload: str, member_id: int) -> None:
    try:
        with wall.session.begin_nested():
            posted = wall.add(payload)
    except Invalid as error:
        expect_reason("body", payload, error, 20_000)
        wall.refused.append(("body", payload))
        return
    wall.comments[posted.post.id] = payload
    give_to(wall.session, "post", posted.post.id, member_id)


def post_as_title(wall: Wall, payload: str, member_id: int) -> None:
    try:
        with wall.session.begin_nested():
            posted = wall.start(payload, payload)
    except Invalid as error:
        if ("body", payload) not in wall.refused:
            expect_reason("title", payload, error, TITLE_CHARS)
        wall.refused.append(("title", payload))
        return
    wall.threads[posted.thread.id] = payload
    give_to(wall.session, "post", posted.post.id, member_id)
    give_to(wall.session, "thread", posted.thread.id, member_id)


def give_to(session: Session, table: str, row_id: int, member_id: int) -> None:
    """The payload's own member wrote it, so that handle and text meet on the same pages."""
    session.execute(text(f"UPDATE {table} SET author_id = :member WHERE id = :id"), {"member": member_id, "id": row_id})


def report_all(wall: Wall, member_ids: Sequence[int]) -> None:
    """Each payload is the note of one report; so many reports share a case that few pages show them all."""
    hosts: list[int] = []
    for number, payload in enumerate(wall.payloads):
        if number % NOTES_PER_CASE == 0:
            posted = wall.add(f"A post that {number} people do not like, which has no attack in it.")
            hosts.append(posted.post.id)
            wall.session.commit()
        actor = Actor(id=member_ids[number], handle=f"h{number}", approved_count=5)
        try:
            with wall.session.begin_nested():
                made = reports.report(
                    wall.session,
                    actor,
                    hosts[-1],
                    rule=RULE,
                    note=payload.text,
                    settings=wall.settings,
                    now=utc_now(),
                )
        except Invalid as error:
            expect_reason("note", payload.text, error, NOTE_CHARS)
            wall.refused.append(("note", payload.text))
            continue
        wall.notes.append(payload.text)
        if made.case_id not in wall.cases:
            wall.cases.append(made.case_id)
    wall.session.commit()


def expect_reason(place: str, payload: str, error: Invalid, most: int) -> None:
    """Refused for nothing but length, emptiness or NUL."""
    assert [name for name, _message in error.errors] == [place], (payload, error.errors)
    long = len(unicodedata.normalize("NFC", payload)) > most
    assert long or is_invisible(payload) or "\0" in payload, (place, payload, error.errors)


# --- What stands on the pages, read by a parser that follows the HTML standard ---------------------------------------


def listed_pages(client: FlaskClient) -> Iterator[tuple[str, str]]:
    """(address, HTML) of every page of the board."""
    path: str | None = "/boards/unsorted/?sort=new"
    while path:
        page = client.get(path)
        assert page.status_code == 200, path
        html = page.get_data(as_text=True)
        yield path, html
        found = re.search(r'href="(/boards/unsorted/\?[^"]*after=[^"]*)"', html)
        path = unescape(found[1]) if found else None


def read(html: str) -> Any:
    """The document; no element of it may have an attribute that runs something."""
    document = html5lib.parse(html, namespaceHTMLElements=False)
    for element in document.iter():
        if isinstance(element.tag, str):
            grown = [name for name in element.attrib if HANDLERS.match(name)]
            assert not grown, f"<{element.tag}> has {grown}"
    return document


def texts(document: Any, tag: str, kind: str) -> list[str]:
    """The folded texts of all elements of this tag and class."""
    found = (element for element in document.iter(tag) if kind in (element.get("class") or "").split())
    return [fold("".join(element.itertext())) for element in found]


def plain(payload: str) -> str:
    """As a reader sees a title, a note or a handle."""
    return fold(unicodedata.normalize("NFC", payload))


def expect_readable(wall: Wall, client: FlaskClient) -> list[str]:
    """The words of every payload stand on the pages that people read; returns the addresses of those pages."""
    addresses = []
    titles: list[str] = []
    for path, html in listed_pages(client):
        addresses.append(path)
        titles += texts(read(html), "h2", "thread__title")
    missing = {plain(payload) for payload in wall.threads.values()} - set(titles)
    assert not missing, sorted(missing)[:5]
    bodies: dict[int, str] = {}
    authors: list[str] = []
    count = len(wall.comments) + len(wall.cases)
    for number in range(1, -(-count // ON_A_PAGE) + 1):
        path = f"/threads/{wall.thread_id}/all-bodies?page={number}"
        page = client.get(path)
        assert page.status_code == 200, path
        addresses.append(path)
        html = page.get_data(as_text=True)
        authors += texts(read(html), "a", "author")
        pattern = r'<article [^>]*id="post-(\d+)".*?<div class="prose">(.*?)</div>\s*<footer'
        bodies |= {int(found[1]): words_of(found[2]) for found in re.finditer(pattern, html, re.S)}
    for post_id, payload in wall.comments.items():
        assert bodies[post_id] == what_markdown_leaves(unicodedata.normalize("NFC", payload)), payload
    expect_handles(wall, authors)
    return addresses


def expect_handles(wall: Wall, authors: list[str]) -> None:
    written = {payload for payload in wall.handles if ("body", payload) not in wall.refused}
    missing = {fold(payload) for payload in written} - set(authors)
    assert not missing, sorted(missing)[:5]


def expect_notes(wall: Wall, client: FlaskClient) -> list[str]:
    """For the moderator: the notes of all reports. Returns the addresses of the case pages."""
    notes: list[str] = []
    addresses = [f"/moderation/cases/{case_id}" for case_id in wall.cases]
    for path in addresses:
        page = client.get(path)
        assert page.status_code == 200, path
        notes += texts(read(page.get_data(as_text=True)), "p", "pre")
    missing = {plain(payload) for payload in wall.notes} - set(notes)
    assert not missing, sorted(missing)[:5]
    return addresses


# --- The proof -------------------------------------------------------------------------------------------------------


def session_cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("boardwell", domain="127.0.0.1") or client.get_cookie("boardwell")
    assert cookie is not None
    return str(cookie.value)


def look(playwright: Any, base: str, paths: Sequence[str], cookie: str | None = None) -> list[str]:
    """Open every page without its content policy; returns what ran, and what went wrong with a page."""
    wrong = []

    def prepare(context: Any) -> None:
        if cookie:
            context.add_cookies([{"name": "boardwell", "value": cookie, "url": base}])

    with xss.Probe(playwright, prepare) as probe:
        for path in paths:
            visit = probe.visit(base + path)
            if visit.failed or visit.status != 200:
                wrong.append(f"{path}: {visit.status} {visit.failed}")
            wrong += [f"{path}: ran {what}" for ran in visit.executed.values() for what in ran]
            wrong += [f"{path}: asked {address}" for address in visit.requested]
    return wrong


def control(playwright: Any, payloads: Sequence[xss.Payload]) -> int:
    """How many of these payloads run when they stand unescaped in a page, seen by the same probe."""
    documents = unescaped(list(payloads))
    with xss.Stage(documents) as stage, xss.Probe(playwright) as probe:
        ran, _requested = xss.run(probe, stage, list(documents))
    return len({key.split("-")[0] for key in ran if key in documents})


def expect_watched(wall: Wall, playwright: Any, base: str) -> None:
    """The quiet of the site's pages means something: markup that got past our chain is noticed on the same pages."""
    post_id = next(iter(wall.comments))
    raw = "<p>x</p><img src=x onerror=alert(1)>"
    wall.session.execute(text("UPDATE post SET html = :raw WHERE id = :id"), {"raw": raw, "id": post_id})
    wall.session.commit()
    path = f"/threads/{wall.thread_id}/all-bodies"
    assert f"{path}: ran alert(1)" in look(playwright, base, [path])


def single_pages(wall: Wall, every: int) -> list[str]:
    """Pages that hold one payload alone: the thread's own page, the profile of its member, a search for it."""
    threads = list(wall.threads)[::every]
    handles = [handle for handle in wall.handles[::every] if "/" not in handle and "\\" not in handle]
    # A dot or two would be a way up and not a name.
    handles = [handle for handle in handles if handle.strip(". ")]
    return [
        *(f"/threads/{thread_id}" for thread_id in threads),
        *(f"/members/{quote(handle, safe='')}" for handle in handles[: len(threads) // 2]),
        *(f"/search?q={quote(wall.threads[thread_id], safe='')}" for thread_id in threads[::2]),
    ]


def prove(wall: Wall, now: datetime, playwright: Any, base: str, moderator: Member, record: Record, every: int) -> None:
    put_up(wall, now)
    visitor, at_work = wall.app.test_client(), sign_in(wall.app.test_client(), moderator)
    public = expect_readable(wall, visitor)
    inside = expect_notes(wall, at_work)
    alone = single_pages(wall, every)
    refused = [(place, len(payload)) for place, payload in wall.refused]
    record(
        f"{len(wall.payloads)} payloads: {len(wall.threads)} as title, {len(wall.comments)} as body, "
        f"{len(wall.notes)} as note, {len(wall.handles)} as handle; {wall.approved} were held and approved; "
        f"refused (place, characters): {refused}"
    )
    cookie = session_cookie(at_work)
    wall.session.commit()
    wrong = look(playwright, base, [*public, *alone]) + look(playwright, base, inside, cookie)
    record(f"{len(public) + len(alone) + len(inside)} pages opened without their content policy: {len(wrong)} findings")
    assert wrong == []
    expect_watched(wall, playwright, base)


@pytest.fixture
def payloads() -> list[xss.Payload]:
    return xss.payloads(shared_file("xss_shared.jsonl.gz"))


@pytest.fixture
def wall(app: Flask, session: Session, site: Any, ben: Member, ann: Member, mo: Member) -> Wall:
    load_starter(app)
    session.commit()
    return Wall(app, session, site.settings, actor_of(ben), actor_of(ann), actor_of(mo), [])


def test_a_sample_of_attacks_is_shown_as_text_and_does_not_run(
    wall: Wall, now: datetime, mo: Member, payloads: list[xss.Payload], live_server: str, playwright: Any
) -> None:
    known = [payload for payload in payloads if payload.executes_raw]
    wall.payloads = known[:: len(known) // 40] + payloads[:: len(payloads) // 8]
    wall.payloads = list({payload.text: payload for payload in wall.payloads}.values())
    assert control(playwright, known[:: len(known) // 20]) > 15
    prove(wall, now, playwright, live_server, mo, lambda _: None, every=16)


@pytest.mark.soak
def test_every_attack_is_shown_as_text_and_does_not_run(
    wall: Wall,
    now: datetime,
    mo: Member,
    payloads: list[xss.Payload],
    live_server: str,
    playwright: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def record(figures: str) -> None:
        with capsys.disabled():
            print(f"\n{figures}", end="")  # noqa: T201 - the figures are the proof that `make soak` is run for

    assert len(payloads) == 3_713
    wall.payloads = payloads
    ran = control(playwright, [payload for payload in payloads if payload.executes_raw])
    record(f"control: {ran} payloads run unescaped")
    assert ran > 900
    prove(wall, now, playwright, live_server, mo, record, every=60)
