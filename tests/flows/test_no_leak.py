"""Every state of a post x every reader x every surface: a text is read exactly where the table of the policy says.

Every post carries words that stand nowhere else; a surface that shows one of them has shown the post.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from core.db import utc_now
from core.outbox import OutboxMessage
from core.vocabulary import PostState, Role
from forum import boards, lifecycle
from forum.models import Post
from moderation.models import Appeal, Case
from tests.flows.scene import deliver, load_starter
from tests.support.cast import bearer, csrf_of, make_member, sign_in

API = "/api/v1"
COMMON = "umbrellafern"  # Stands in every text: what is searched for.
RULE = "R9-no-ads"
READERS = ("anonymous", "member", "author", "reporter", "moderator", "other_moderator", "lead", "editor", "admin")
STAFF = {"author", "moderator", "lead"}  # Who reads a text that is not public: its author and the board's moderators.
EVERYBODY = set(READERS)
# The roles that differ in nothing here but their names are asked on one database only, but for the long proofs.
FEWER = ("anonymous", "member", "author", "moderator", "other_moderator")
FULL, TOMBSTONE, NONE = "full", "tombstone", "none"


@dataclass
class Item:
    """One post in one state: its words, and what readers without a special part in it see."""

    name: str
    marks: tuple[str, ...]
    readers: set[str]  # who sees the text
    others: str  # what the rest sees: TOMBSTONE or NONE
    is_listed: bool = False  # public: lists, search and counts hold it
    is_past: bool = False  # stands in the history alone
    id: int = 0
    thread_id: int = 0
    case_id: int | None = None

    def sight(self, reader: str) -> str:
        return FULL if reader in self.readers else self.others


@dataclass
class Stage:
    app: Flask
    session: Session
    people: dict[str, Member]
    readers: tuple[str, ...] = READERS
    clients: dict[str, FlaskClient] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    hand: dict[str, str] = field(default_factory=dict)  # the header of the moderator who does the deciding
    pen: dict[str, dict[str, str]] = field(default_factory=dict)  # headers of who writes
    host_thread: int = 0
    references: list[str] = field(default_factory=list)

    # --- arranging, through the API

    def send(self, headers: dict[str, str], method: str, path: str, body: Any = None) -> Any:
        answer = self.app.test_client().open(API + path, method=method, json=body, headers=headers)
        assert answer.status_code < 300, f"{method} {path}: {answer.get_data(as_text=True)}"
        return answer.json if answer.data else None

    def write(self, item: Item, kind: str, who: str) -> None:
        body = f"{item.marks[0]} grows beside the {COMMON}, said the {item.name} {kind}."
        if kind == "question":
            sent = {"kind": kind, "title": f"{item.marks[1]} and the {COMMON}", "body": body}
            made = self.send(self.pen[who], "POST", "/boards/backache/threads", sent)
            item.thread_id = made["thread"]["id"]
        else:
            made = self.send(self.pen[who], "POST", f"/threads/{self.host_thread}/posts", {"kind": kind, "body": body})
            item.thread_id = self.host_thread
        item.id = made["post"]["id"]
        self.items.append(item)

    def decide(self, item: Item, verdict: str) -> None:
        row = self.session.execute(
            select(Case.id, Case.version).where(Case.post_id == item.id).order_by(Case.id.desc()).limit(1)
        ).one()
        item.case_id = row.id
        sent = {"version": row.version, "verdict": verdict}
        if verdict != "approve":
            sent |= {"rule": RULE, "reason": "It breaks this rule."}
        done = self.send(self.hand, "POST", f"/moderation/cases/{row.id}/decisions", sent)
        self.session.expire_all()
        if done["statement"]:
            self.references.append(done["statement"]["reference"])

    def move(self, item: Item, to: PostState) -> None:
        """What no door does yet."""
        post = self.session.get_one(Post, item.id, populate_existing=True)
        lifecycle.move(self.session, item.id, to, expected_version=post.version, now=utc_now())
        self.session.commit()

    # --- reading

    def follow(self, reader: str, path: str) -> tuple[int, str]:
        """The last status, and everything that was sent on the way: addresses tell titles too."""
        client, seen = self.clients[reader], []
        for _ in range(5):
            answer = client.get(path)
            seen += [answer.headers.get("Location", ""), answer.get_data(as_text=True)]
            if answer.status_code not in (301, 302, 303):
                break
            path = re.sub("^https?://[^/]+", "", answer.headers["Location"]).split("#")[0]
        return answer.status_code, "\n".join(seen)

    def api(self, reader: str, path: str) -> tuple[int, str]:
        answer = self.app.test_client().get(API + path, headers=self.headers[reader])
        return answer.status_code, answer.get_data(as_text=True)


def marks(name: str, kind: str) -> tuple[str, ...]:
    word = re.sub("[^a-z]", "", f"{name}{kind}")
    return (f"zq{word}body", f"zq{word}title") if kind == "question" else (f"zq{word}body",)


# State and how it came about -> who reads the text, and what the others see.
SITUATIONS: dict[str, tuple[set[str], str]] = {
    "held": (STAFF, NONE),
    "changes_requested": (STAFF, NONE),
    "rejected": (STAFF, NONE),
    "withdrawn unseen": (STAFF, NONE),
    "published": (EVERYBODY, NONE),
    "kept": (EVERYBODY, NONE),
    "shielded": (EVERYBODY - {"anonymous"}, NONE),
    "hidden": (STAFF, TOMBSTONE),
    "removed": (STAFF, TOMBSTONE),
    "withdrawn seen": (STAFF, TOMBSTONE),
}


@pytest.fixture
def readers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return tuple(request.param)


@pytest.fixture
def stage(app: Flask, session: Session, now: datetime, readers: tuple[str, ...]) -> Stage:
    load_starter(app)
    board = boards.ensure(session, "backache", now)
    other = boards.ensure(session, "gout", now)
    session.flush()
    people = {
        "member": make_member(session, "ben", approved=20),
        "author": make_member(session, "cora"),
        "reporter": make_member(session, "rex", approved=20),
        "moderator": make_member(session, "mo", roles=[Role.MODERATOR], board_id=board.id),
        "other_moderator": make_member(session, "mia", roles=[Role.MODERATOR], board_id=other.id),
        "lead": make_member(session, "lea", roles=[Role.LEAD]),
        "editor": make_member(session, "ed", roles=[Role.EDITOR]),
        "admin": make_member(session, "ada", roles=[Role.ADMIN]),
    }
    hosts = make_member(session, "ann", approved=20)
    hand = make_member(session, "quin", roles=[Role.MODERATOR])
    session.commit()
    made = Stage(app, session, people, readers)
    made.hand = bearer(hand, ["read", "moderate"])
    made.pen = {"author": bearer(people["author"], ["write"]), "host": bearer(hosts, ["write"])}
    reports = bearer(people["reporter"], ["write"])
    opened = made.send(
        made.pen["host"],
        "POST",
        "/boards/backache/threads",
        {"kind": "question", "title": f"What grows with the {COMMON}?", "body": f"I have one {COMMON} at home."},
    )
    made.host_thread = opened["thread"]["id"]
    arrange(made, reports)
    for reader in READERS:
        client = app.test_client()
        made.clients[reader] = sign_in(client, people[reader]) if reader in people else client
        made.headers[reader] = bearer(people[reader], ["read", "write", "moderate"]) if reader in people else {}
    session.commit()
    return made


def arrange(stage: Stage, reports: dict[str, str]) -> None:
    """A question and an answer in each situation; all by a member who is new at first, so that each waits at first."""
    made: dict[str, list[Item]] = {}
    for name, (readers, others) in SITUATIONS.items():
        for kind in ("question", "answer"):
            item = Item(f"{name} {kind}", marks(name, kind), readers, others, is_listed=name in ("published", "kept"))
            stage.write(item, kind, "author")
            made.setdefault(name, []).append(item)
    for item in made["changes_requested"]:
        stage.decide(item, "request_changes")
    for item in made["rejected"]:
        stage.decide(item, "reject")
    for item in made["withdrawn unseen"]:
        stage.send(stage.pen["author"], "DELETE", f"/posts/{item.id}")
    for name in ("published", "kept", "hidden", "removed", "withdrawn seen", "shielded"):
        for item in made[name]:
            stage.decide(item, "approve")
    for name, verdict in (("hidden", "hide"), ("removed", "remove")):
        for item in made[name]:
            sent = {"rule": RULE, "note": "Look at this."}
            stage.references.append(stage.send(reports, "POST", f"/posts/{item.id}/reports", sent)["reference"])
            stage.decide(item, verdict)
    for item in made["withdrawn seen"]:
        stage.send(stage.pen["author"], "DELETE", f"/posts/{item.id}")
    for item in made["shielded"]:
        stage.decide(item, "shield")
    hold_an_edit(stage, made["published"], "edit")
    for item in hold_an_edit(stage, made["kept"], "refused edit"):
        stage.decide(item, "reject")
        item.is_past = True


def hold_an_edit(stage: Stage, published: list[Item], name: str) -> list[Item]:
    """An edit with a telephone number waits beside the approved text: only author and moderators see it."""
    made = []
    for item in published:
        post = stage.session.get_one(Post, item.id, populate_existing=True)
        kind = "question" if len(item.marks) > 1 else "answer"
        words = marks(name, kind)
        sent = {"version": post.version, "body": f"{words[0]} {COMMON}: call me on +44 20 7946 0958."}
        sent |= {"title": f"{words[1]} and the {COMMON}"} if kind == "question" else {}
        stage.session.commit()
        answer = stage.send(stage.pen["author"], "PATCH", f"/posts/{item.id}", sent)
        assert answer["held"], answer
        made.append(Item(f"{name} of a {kind}", words, STAFF, "public text", id=item.id, thread_id=item.thread_id))
    stage.items += made
    return made


def leaks(where: str, text: str, item: Item, reader: str, found: list[str]) -> None:
    for mark in item.marks:
        if mark in text:
            found.append(f"{reader} sees {mark} ({item.name}) on {where}")


def address_problems(stage: Stage, item: Item, reader: str) -> Iterator[str]:
    """What is wrong with what this reader gets at the addresses of this post."""
    sight = item.sight(reader)
    is_opening = len(item.marks) > 1
    addresses = [("page", f"/posts/{item.id}"), ("page", f"/posts/{item.id}/history"), ("api", f"/posts/{item.id}")]
    addresses += [("api", f"/posts/{item.id}/revisions")]
    if is_opening or "edit" in item.name:
        addresses += [("page", f"/threads/{item.thread_id}"), ("api", f"/threads/{item.thread_id}")]
    for kind, path in addresses:
        status, text = stage.follow(reader, path) if kind == "page" else stage.api(reader, path)
        where = f"{kind} {path}"
        history = path.endswith(("/history", "/revisions"))
        if sight == FULL and item.is_past and not history:
            continue
        if sight == FULL:
            # The title of an answer's thread stands beside it, so the first word is the one that counts.
            if status != 200 or item.marks[0] not in text:
                yield f"{reader} does not see {item.marks[0]} ({item.name}) on {where}: {status}"
            continue
        for mark in item.marks:
            if mark in text:
                yield f"{reader} sees {mark} ({item.name}) on {where}"
        allowed = {NONE: {404}, TOMBSTONE: {404} if history else {200}, "public text": {200}}[sight]
        # The page around a reply is public, though the reply is not; its own address is what must not exist.
        if status not in allowed:
            yield f"{reader} gets {status} for {where} ({item.name}), not {allowed}"


def check_addresses(stage: Stage) -> None:
    problems = []
    for item in stage.items:
        for reader in stage.readers:
            problems += address_problems(stage, item, reader)
    assert problems == []


LISTS = (
    "/",
    "/boards/",
    "/boards/backache/",
    "/boards/backache/?sort=new",
    "/boards/backache/?sort=unanswered&kind=question",
    "/boards/backache/?sort=helpful",
    "/boards/gout/",
    "/unanswered",
    "/members/cora",
    "/members/cora?show=replies",
    "/reference/backache/",
    "/site-map",
    f"/search?q={COMMON}",
    f"/search?q={COMMON}&kind=post",
    f"/search?q={COMMON}&board=backache",
)
API_LISTS = (
    "/boards/backache",
    "/boards/backache/threads?limit=100",
    "/boards/backache/threads?limit=100&sort=unanswered",
    "/boards/backache/threads?limit=100&sort=helpful&kind=question",
    f"/search?q={COMMON}&limit=100",
    "/conditions/backache",
)
OWN = ("/me/", "/me/notifications", "/me/held", "/me/decisions", "/me/drafts", "/me/posts")
OWN += ("/me/standing", "/me/reports")
OWN_API = ("/me", "/me/notifications", "/me/held", "/me/decisions", "/me/standing", "/me/reports?limit=100")
DESK = ("/moderation/", "/moderation/?state=decided", "/moderation/?state=awaiting_author", "/moderation/recent")
DESK += ("/moderation/members/", "/moderation/members/cora", "/moderation/members/rex")
DESK_API = ("/moderation/cases?limit=100", "/moderation/cases?state=decided&limit=100", "/moderation/members/cora")


def check_lists(stage: Stage) -> None:
    pages: dict[tuple[str, str], str] = {}
    for reader in stage.readers:
        own = OWN if reader != "anonymous" else ()
        for path in (*LISTS, *own, *DESK):
            pages[reader, path] = stage.follow(reader, path)[1]
        for path in (*API_LISTS, *OWN_API, *DESK_API):
            pages[reader, API + path] = stage.api(reader, path)[1]
        for reference in stage.references:
            if reader != "author":
                pages[reader, f"/reports/{reference}"] = stage.follow(reader, f"/reports/{reference}")[1]
                pages[reader, f"{API}/reports/{reference}"] = stage.api(reader, f"/reports/{reference}")[1]
    problems: list[str] = []
    for (reader, where), text in pages.items():
        for item in stage.items:
            # Search is for what is public, whoever asks; lists may show authors and moderators what waits for them.
            public_only = "search" in where or "site-map" in where
            if (public_only and not item.is_listed) or item.sight(reader) != FULL:
                leaks(where, text, item, reader, problems)
    assert problems == []
    expect_public_ones(stage, pages)


def expect_public_ones(stage: Stage, pages: dict[tuple[str, str], str]) -> None:
    """The quiet above means something: the same surfaces do show what is public."""
    question, answer = (item for item in stage.items if item.name.startswith("published"))
    for reader in stage.readers:
        for where in (LISTS[2], "/unanswered", "/members/cora", f"{API}{API_LISTS[1]}", f"{API}{API_LISTS[4]}"):
            assert question.marks[1] in pages[reader, where], f"{reader} {where}"
        for where in ("/members/cora?show=replies", f"/search?q={COMMON}&kind=post"):
            assert answer.marks[0] in pages[reader, where], f"{reader} {where}"
    held = next(item for item in stage.items if item.name == "held question")
    for key in (("author", "/me/held"), ("moderator", "/moderation/"), ("moderator", f"{API}{DESK_API[0]}")):
        assert held.marks[1] in pages[key], key


def check_mail(stage: Stage, instance: Path) -> None:
    """No mail holds a word of any post, nor the name of a condition."""
    waiting = stage.session.execute(select(OutboxMessage.payload)).scalars().all()
    stage.session.commit()
    assert waiting
    deliver(stage.app)
    mails = [path.read_text() for path in (instance / "mail").glob("*.eml")]
    assert len(mails) > 10
    for text in (*mails, *map(str, waiting)):
        assert "zq" not in text and COMMON not in text and "ackache" not in text


def check_other_doors(stage: Stage) -> None:
    """Composers, the forms about a post, the pages of its case, and the first answer of somebody else's key."""
    problems: list[str] = []
    for reader in ("anonymous", "member", "other_moderator"):
        client = stage.clients[reader]
        token = csrf_of(client, "/boards/backache/ask")
        preview = {"title": f"The {COMMON}", "body": f"My {COMMON} grows.", "intent": "preview", "csrf_token": token}
        texts = {"preview": client.post("/boards/backache/ask", data=preview).get_data(as_text=True)}
        assert COMMON in texts["preview"]
        for item in stage.items:
            doors = [f"/posts/{item.id}/{door}" for door in ("report", "edit", "withdraw")]
            doors += [f"/threads/{item.thread_id}/comment?parent={item.id}"]
            case = stage.session.execute(select(Case.id).where(Case.post_id == item.id)).scalars().first()
            doors += [f"/moderation/cases/{case}"] if case else []
            texts |= {door: stage.follow(reader, door)[1] for door in doors}
            if case:
                texts[f"{API}/moderation/cases/{case}"] = stage.api(reader, f"/moderation/cases/{case}")[1]
            stage.session.commit()
        for where, text in texts.items():
            for item in stage.items:
                if item.sight(reader) != FULL:
                    leaks(where, text, item, reader, problems)
    assert problems == []


def check_similar_cases(stage: Stage) -> None:
    """The case page shows how similar posts were decided: only those that this moderator may read."""
    sent = {"kind": "question", "title": "My toe", "body": "It is the toe, and nothing else."}
    made = stage.send(stage.pen["host"], "POST", "/boards/gout/threads", sent)
    reports = bearer(stage.people["reporter"], ["write"])
    stage.send(reports, "POST", f"/posts/{made['post']['id']}/reports", {"rule": RULE, "note": "See the other ones."})
    case = stage.session.execute(select(Case.id).where(Case.post_id == made["post"]["id"])).scalar_one()
    stage.session.commit()
    status, page = stage.follow("other_moderator", f"/moderation/cases/{case}")
    assert status == 200 and "See the other ones." in page
    status, answer = stage.api("other_moderator", f"/moderation/cases/{case}")
    assert status == 200
    problems: list[str] = []
    for item in stage.items:
        if item.sight("other_moderator") != FULL:
            leaks("the page", page, item, "other_moderator", problems)
            leaks("the API", answer, item, "other_moderator", problems)
    assert problems == []
    # A lead, who reads every board, does get them.
    assert "zqhidden" in stage.api("lead", f"/moderation/cases/{case}")[1]


def check_keys(stage: Stage) -> None:
    """The Idempotency-Key of another member does not give their answer."""
    sent = {"kind": "question", "title": "Do ferns help?", "body": "zqkeybody is what I wrote, and it has my words."}
    headers = {"Idempotency-Key": "one key for two people"}
    path = f"{API}/boards/gout/threads"
    first = stage.app.test_client().post(path, json=sent, headers=stage.headers["author"] | headers)
    second = stage.app.test_client().post(path, json=sent, headers=stage.headers["member"] | headers)
    nobody = stage.app.test_client().post(path, json=sent, headers=headers)
    assert (first.status_code, second.status_code, nobody.status_code) == (201, 201, 401)
    assert first.json["post"]["id"] != second.json["post"]["id"]
    assert "zqkeybody" not in nobody.get_data(as_text=True)


TEAM = {"moderator", "other_moderator", "lead"}
# What the team says to and about the author -> who reads it.
SAID = {"zqtalksubject": TEAM | {"author"}, "zqtalkwords": TEAM | {"author"}, "zqanswerwords": TEAM | {"author"}}
SAID |= {"zqnotewords": TEAM, "quin": TEAM}


def check_team_words(stage: Stage) -> None:
    """Talk is for the team and its member, who learns no name; notes are for the team alone."""
    sent = {"member": "cora", "subject": "zqtalksubject", "text": "zqtalkwords, we said."}
    number = stage.send(stage.hand, "POST", "/moderation/talk", sent)["id"]
    answers = {"text": "zqanswerwords, she said."}
    stage.send(bearer(stage.people["author"], ["write"]), "POST", f"/me/talk/{number}/messages", answers)
    stage.send(stage.hand, "POST", "/moderation/members/cora/notes", {"text": "zqnotewords, we noted."})
    stage.session.commit()
    places = [f"/me/talk/{number}", "/me/talk/", f"/moderation/talk/{number}", "/moderation/talk/?list=awaiting"]
    places += ["/moderation/members/cora", "/moderation/members/cora/notes", "/members/cora", "/me/notifications"]
    places += ["/moderation/", "/search?q=zqtalkwords", "/search?q=zqnotewords", "/modlog", "/me/standing"]
    api = [f"/me/talk/{number}", "/me/talk", f"/moderation/talk/{number}", "/moderation/talk?list=awaiting"]
    api += ["/moderation/members/cora/notes", "/me/notifications", "/search?q=zqtalkwords", "/modlog"]
    problems, seen = [], set()
    for reader in stage.readers:
        texts = {path: stage.follow(reader, path)[1] for path in places}
        texts |= {API + path: stage.api(reader, path)[1] for path in api}
        for where, text in texts.items():
            for word in SAID:
                # What was searched for stands in the field of the search.
                if word in text and where != f"/search?q={word}":
                    seen.add((reader, word))
                    if reader not in SAID[word]:
                        problems.append(f"{reader} sees {word} on {where}")
    assert problems == []
    assert seen == {(reader, word) for word, who in SAID.items() for reader in who if reader in stage.readers}


def check_merged(stage: Stage) -> None:
    """A question that was put together with another is shown to the same readers as before, and only there."""
    gone = [
        item for item in stage.items if len(item.marks) > 1 and item.name.split()[0] in ("held", "hidden", "shielded")
    ]
    assert len(gone) == 3
    for item in gone:
        sent = {"operation": "merge", "into": stage.host_thread, "rule": "none", "reason": "The same."}
        stage.send(stage.hand, "POST", f"/moderation/threads/{item.thread_id}/operations", sent)
    stage.session.expire_all()
    stage.session.commit()
    problems: list[str] = []
    for reader in stage.readers:
        for item in gone:
            sight = item.sight(reader)
            texts = {f"/posts/{item.id}": stage.follow(reader, f"/posts/{item.id}")}
            texts[f"/threads/{item.thread_id}"] = stage.follow(reader, f"/threads/{item.thread_id}")
            texts["api"] = stage.api(reader, f"/posts/{item.id}")
            for where, (status, text) in texts.items():
                if sight != FULL:
                    leaks(where, text, item, reader, problems)
                elif where != f"/threads/{item.thread_id}" and item.marks[0] not in text:
                    problems.append(f"{reader} does not see {item.marks[0]} on {where}: {status}")
            assert texts["api"][0] == (404 if sight == NONE else 200), (reader, item.name)
            led = stage.app.test_client().get(f"{API}/threads/{item.thread_id}", headers=stage.headers[reader])
            assert (led.status_code, led.location) == (308, f"{API}/threads/{stage.host_thread}")
        for path in (*LISTS, f"{API}{API_LISTS[1]}", f"{API}{API_LISTS[4]}"):
            text = (
                stage.api(reader, path.removeprefix(API))[1] if path.startswith(API) else stage.follow(reader, path)[1]
            )
            for item in gone:
                assert f"/threads/{item.thread_id}/" not in text, (reader, path)
                if item.sight(reader) != FULL or "search" in path:
                    leaks(path, text, item, reader, problems)
    assert problems == []


def check_appeals(stage: Stage) -> None:
    """What somebody says against a decision, and the text that it is about, is read by leads and nobody else."""
    made = {}
    for reference in stage.references:
        path = f"{API}/decisions/{reference}/appeals"
        answer = stage.app.test_client().post(path, json={"grounds": "zqgrounds, they said."})
        if answer.status_code == 201:
            made[reference] = answer.json["reference"]
    assert len(made) > 6
    ids = stage.session.execute(select(Appeal.id)).scalars().all()
    stage.session.commit()
    problems: list[str] = []
    seen = set()
    for reader in stage.readers:
        paths = ["/moderation/appeals/", "/modlog", "/me/notifications", "/me/decisions", "/moderation/"]
        paths += [f"/decisions/{reference}" for reference in made]
        paths += [f"/moderation/appeals/{number}" for number in ids]
        texts = {path: stage.follow(reader, path)[1] for path in paths}
        api = ["/moderation/appeals", "/modlog", *(f"/moderation/appeals/{number}" for number in ids)]
        texts |= {API + path: stage.api(reader, path)[1] for path in api}
        for where, text in texts.items():
            if "zqgrounds" in text:
                seen.add(reader)
            # Whoever holds the reference of a statement reads the words concerned; that is what it is for.
            for item in stage.items if not where.startswith("/decisions/") else ():
                if item.sight(reader) != FULL:
                    leaks(where, text, item, reader, problems)
            for secret in made.values():
                if secret in text and not where.startswith("/decisions/"):
                    problems.append(f"{reader} finds the reference of an objection on {where}")
    assert problems == []
    assert seen == {"lead"} & set(stage.readers)


@pytest.mark.parametrize(
    ("backend", "readers"),
    [
        pytest.param("sqlite", READERS, id="sqlite"),
        pytest.param("postgresql", FEWER, id="postgresql"),
        pytest.param("postgresql", READERS, id="postgresql-every-reader", marks=pytest.mark.soak),
    ],
    indirect=True,
)
def test_every_surface_shows_a_post_to_whom_the_table_says(stage: Stage, site: Any) -> None:
    check_addresses(stage)
    check_lists(stage)
    check_mail(stage, site.instance)
    check_other_doors(stage)
    check_similar_cases(stage)
    check_keys(stage)
    check_appeals(stage)
    check_team_words(stage)
    check_merged(stage)


def test_a_shielded_post_of_a_new_author_is_for_author_and_moderators_alone(app: Flask, session: Session) -> None:
    load_starter(app)
    dora = make_member(session, "dora")
    people = {"member": make_member(session, "ben", approved=20), "author": dora}
    people["moderator"] = make_member(session, "mo", roles=[Role.MODERATOR])
    session.commit()
    stage = Stage(app, session, people)
    stage.pen = {"author": bearer(dora, ["write"])}
    item = Item("shielded new question", marks("shielded new", "question"), STAFF, NONE)
    stage.write(item, "question", "author")
    stage.move(item, PostState.SHIELDED)
    for reader in ("anonymous", "member", "author", "moderator"):
        client = app.test_client()
        stage.clients[reader] = sign_in(client, people[reader]) if reader in people else client
        stage.headers[reader] = bearer(people[reader], ["read", "moderate"]) if reader in people else {}
    problems = [problem for reader in stage.clients for problem in address_problems(stage, item, reader)]
    for reader in ("anonymous", "member"):
        for path in LISTS:
            leaks(path, stage.follow(reader, path)[1], item, reader, problems)
    assert problems == []


TAKEN = "zqsecretfern@example.org"


def redacted(stage: Stage) -> Item:
    """A public question with an address in title, text and an older text; an answer quotes it; then it is taken out."""
    first = Item("redacted question", (TAKEN, TAKEN), {"moderator", "lead"}, "public text")
    stage.write(first, "question", "author")
    stage.items.remove(first)
    stage.decide(first, "approve")
    post = stage.session.get_one(Post, first.id, populate_existing=True)
    sent = {"version": post.version, "body": f"Write to {TAKEN} about my {COMMON}.", "title": f"{TAKEN} again"}
    stage.session.commit()
    stage.send(stage.pen["author"], "PATCH", f"/posts/{first.id}", sent)
    reply = {"kind": "answer", "body": f"> Write to {TAKEN} about my {COMMON}.\n\nPlease do not."}
    quoting = stage.send(stage.pen["host"], "POST", f"/threads/{first.thread_id}/posts", reply)
    answer = Item("quote of it", (TAKEN,), set(), "public text", id=quoting["post"]["id"])
    if quoting["held"]:
        stage.decide(answer, "approve")
    row = stage.session.execute(
        select(Case.id, Case.version).where(Case.post_id == first.id).order_by(Case.id.desc()).limit(1)
    ).one()
    first.case_id = row.id
    sent = {"version": row.version, "verdict": "redact", "words": [TAKEN], "rule": "R7-privacy-own", "reason": "Yours."}
    done = stage.send(stage.hand, "POST", f"/moderation/cases/{row.id}/decisions", sent)
    stage.references.append(done["statement"]["reference"])
    stage.session.expire_all()
    return first


@pytest.mark.parametrize(("backend", "readers"), [("sqlite", FEWER), ("postgresql", FEWER)], indirect=True)
def test_words_that_were_taken_out_stand_nowhere_any_more(stage: Stage, site: Any) -> None:
    item = redacted(stage)
    problems: list[str] = []
    places = [
        f"/threads/{item.thread_id}",
        f"/posts/{item.id}",
        f"/posts/{item.id}/history",
        f"/posts/{item.id}/edit",
        f"/search?q={COMMON}",
        "/search?q=zqsecretfern",
        "/members/cora",
        "/me/decisions",
        "/me/notifications",
        "/modlog",
        f"/decisions/{stage.references[-1]}",
        *LISTS,
    ]
    programs = [
        f"/threads/{item.thread_id}",
        f"/posts/{item.id}",
        f"/posts/{item.id}/revisions",
        "/boards/backache/threads",
        f"/search?q={COMMON}",
        f"/decisions/{stage.references[-1]}",
    ]
    for reader in stage.readers:
        for path in places:
            if reader == "author" or not path.endswith("/edit"):
                leaks(path, stage.follow(reader, path)[1], item, "nobody", problems)
        for path in programs:
            leaks(API + path, stage.api(reader, path)[1], item, "nobody", problems)
    assert problems == []
    # Moderators alone find the words, at the decision that took them out.
    assert TAKEN in stage.follow("moderator", f"/moderation/cases/{item.case_id}")[1]
    assert TAKEN not in stage.follow("member", f"/moderation/cases/{item.case_id}")[1]
    outgoing = stage.session.execute(select(OutboxMessage.payload)).scalars().all()
    assert all(TAKEN not in str(payload) for payload in outgoing)
