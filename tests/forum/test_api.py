"""The forum's routes of the API, driven as a program drives them: by token, over the whole application."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from auth.models import Member
from content.models import Condition
from core.db import utc_now
from core.vocabulary import PostState
from forum import lifecycle
from forum.checks import checks
from forum.models import Post, Revision, Thread
from tests.forum.stage import ask_intake, make_condition
from tests.support.cast import bearer

API = "/api/v1"
# What no database has a part in is tried on one.
on_one_database = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
QUESTION = {"kind": "question", "title": "Why does it hurt?", "body": "It **hurts**."}


class Caller:
    """One program with one member's token (or none), speaking JSON."""

    def __init__(self, client: FlaskClient, headers: dict[str, str] | None = None) -> None:
        self.client, self.headers = client, headers or {}

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        headers = self.headers | more.pop("headers", {})
        return self.client.open(API + path, method=method, json=body, headers=headers, **more)

    def ok(self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        answer = self(method, path, body, **more)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_json()

    def ask(self, **more: Any) -> Any:
        return self.ok("POST", "/boards/backache/threads", {**QUESTION, **more}, status=201)

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, set[str]]:
        answer = self(method, path, body, **more)
        assert answer.content_type == "application/problem+json", answer.get_data(as_text=True)
        problem = answer.get_json()
        assert {"type", "title", "status", "detail", "code"} <= problem.keys()
        assert problem["status"] == answer.status_code
        return answer.status_code, problem["code"], {error["field"] for error in problem.get("errors", [])}


@pytest.fixture
def condition(session: Session, now: datetime) -> Condition:
    return make_condition(session, now)


@pytest.fixture
def as_(client: FlaskClient, condition: Condition) -> Callable[..., Caller]:
    """`as_(ann)` calls with Ann's token, `as_()` with none."""

    def caller(member: Member | None = None, scopes: str = "read,write") -> Caller:
        return Caller(client, bearer(member, scopes) if member else None)

    return caller


As = Callable[..., Caller]


def test_the_whole_conversation(as_: As, ann: Member, ben: Member, session: Session) -> None:
    asker, helper, reader = as_(ann), as_(ben), as_()
    asked = asker.ask()
    thread, opening = asked["thread"], asked["post"]
    assert (asked["held"], asked["guidance"]) == (None, [])
    assert (thread["kind"], thread["title"], thread["slug"]) == ("question", QUESTION["title"], "why-does-it-hurt")
    assert (opening["state"], opening["version"], opening["body"]) == ("published", 1, QUESTION["body"])
    assert (opening["html"], opening["text"]) == ("<p>It <strong>hurts</strong>.</p>\n", "It hurts.")
    path = f"/threads/{thread['id']}"
    answer = helper.ok("POST", f"{path}/posts", {"kind": "answer", "body": "Walk."}, status=201)["post"]
    comment = {"kind": "comment", "body": "Far?", "parent_id": answer["id"]}
    asker.ok("POST", f"{path}/posts", comment, status=201)
    marked = asker.ok("PUT", f"/posts/{answer['id']}/helpful")
    assert marked == {"helpful_count": 1, "marked_helpful": True}
    read = reader.ok("GET", path)
    assert (read["thread"]["answer_count"], read["thread"]["comment_count"]) == (1, 1)
    assert [post["id"] for post in read["most_helpful"]] == [answer["id"]]
    assert [post["text"] for post in read["posts"]["items"]] == ["Walk.", "Far?"]
    assert read["opening_post"]["body"] is None
    assert read["sidebar"]["name"] == "Backache"
    assert asker.ok("DELETE", f"/posts/{answer['id']}/helpful")["helpful_count"] == 0
    listed = reader.ok("GET", "/boards/backache/threads")["items"]
    assert [(row["id"], row["author"]["handle"]) for row in listed] == [(thread["id"], "ann")]
    board = reader.ok("GET", "/boards/backache")
    assert (board["is_open"], board["thread_count"], board["post_count"]) == (True, 1, 3)
    # The cast's standing comes without the posts that would earn it.
    assert [line for line in checks(session) if "approved_count" not in line] == []


def test_a_new_members_post_waits_and_only_they_read_why(as_: As, cora: Member, ben: Member, mo: Member) -> None:
    asked = as_(cora).ask(title="Zebra title", body="Zebra body")
    post, thread = asked["post"], asked["thread"]
    assert post["state"] == "held"
    assert asked["held"]["position"] == 1
    assert asked["held"]["expected_wait_minutes"] is None
    assert asked["held"]["reasons"][0]["explanation"]
    assert as_(cora).ok("GET", f"/posts/{post['id']}")["held"] == asked["held"]
    for other in (as_(), as_(ben)):
        for path in (f"/posts/{post['id']}", f"/posts/{post['id']}/revisions", f"/threads/{thread['id']}"):
            assert other.refused("GET", path)[:2] == (404, "not-found")
        for path in ("/boards/backache", "/boards/backache/threads", "/search?q=zebra"):
            assert "ebra" not in str(other.ok("GET", path))
    for method, path, body in (
        ("POST", f"/threads/{thread['id']}/posts", {"kind": "answer", "body": "x"}),
        ("PATCH", f"/posts/{post['id']}", {"version": 1, "body": "x"}),
        ("DELETE", f"/posts/{post['id']}", None),
        ("PUT", f"/posts/{post['id']}/helpful", None),
    ):
        assert as_(ben).refused(method, path, body)[0] == 404
    judged = as_(mo, "read,moderate").ok("GET", f"/posts/{post['id']}")
    assert (judged["body"], judged["held"]) == ("Zebra body", None)


def test_an_edit_needs_the_current_version(as_: As, ann: Member) -> None:
    caller = as_(ann)
    path = f"/posts/{caller.ask()['post']['id']}"
    assert caller.refused("PATCH", path, {"body": "New."})[:2] == (428, "version-missing")
    edited = caller.ok("PATCH", path, {"version": 1, "body": "New.", "title": "New title"})
    assert (edited["post"]["body"], edited["post"]["version"], edited["held"]) == ("New.", 2, None)
    stale = caller("PATCH", path, {"version": 1, "body": "Other."})
    assert (stale.status_code, stale.get_json()["version"]) == (409, 2)
    assert caller.ok("GET", path)["thread"]["title"] == "New title"
    history = as_().ok("GET", f"{path}/revisions")["items"]
    assert [(r["number"], r["text"], r["body"]) for r in history] == [(1, "It hurts.", None), (2, "New.", None)]


def test_the_approved_text_stays_public_while_an_edit_is_held(as_: As, ann: Member) -> None:
    caller = as_(ann)
    post = caller.ask()["post"]
    path = f"/posts/{post['id']}"
    edited = caller.ok("PATCH", path, {"version": 1, "body": "Call me: 020 7946 0018"})
    assert edited["held"]["reasons"]
    assert (edited["post"]["state"], edited["post"]["text"]) == ("published", "It hurts.")
    assert edited["post"]["edit_waiting"]["body"] == "Call me: 020 7946 0018"
    seen = as_().ok("GET", path)
    assert (seen["text"], seen["edit_waiting"], seen["held"]) == ("It hurts.", None, None)
    assert len(as_().ok("GET", f"{path}/revisions")["items"]) == 1


def test_withdrawing_leaves_a_tombstone_and_no_words(as_: As, ann: Member, ben: Member) -> None:
    thread_id = as_(ann).ask()["thread"]["id"]
    answer = as_(ben).ok("POST", f"/threads/{thread_id}/posts", {"kind": "answer", "body": "Zebra words"}, status=201)[
        "post"
    ]
    gone = as_(ben)("DELETE", f"/posts/{answer['id']}")
    assert (gone.status_code, gone.data) == (204, b"")
    assert as_(ben)("DELETE", f"/posts/{answer['id']}").status_code == 204
    stone = as_().ok("GET", f"/posts/{answer['id']}")
    assert (stone["state"], stone["is_tombstone"], stone["html"], stone["text"]) == ("withdrawn", True, "", "")
    assert as_(ben).ok("GET", f"/posts/{answer['id']}")["body"] == "Zebra words"
    assert as_().ok("GET", "/search?q=zebra")["items"] == []


@on_one_database
@pytest.mark.parametrize(
    "later", [{"audience": "members"}, {"pseudonymous": True}, {"audience": "x", "pseudonymous": True}]
)
def test_fields_of_a_later_part_are_refused_and_nothing_is_stored(
    as_: As, ann: Member, session: Session, later: dict[str, Any]
) -> None:
    caller = as_(ann)
    refused = caller.refused("POST", "/boards/backache/threads", {**QUESTION, **later})
    assert refused == (422, "not-available", set(later))
    assert session.execute(select(func.count(Thread.id))).scalar() == 0
    thread_id = caller.ask(audience="public", pseudonymous=False)["thread"]["id"]
    reply = {"kind": "comment", "body": "x", **later}
    assert caller.refused("POST", f"/threads/{thread_id}/posts", reply) == (422, "not-available", set(later))


@on_one_database
@pytest.mark.parametrize(
    "sent, fields",
    [
        ({"kind": "poll"}, {"kind"}),
        ({"title": "", "body": "\u200b"}, {"title", "body"}),
        ({"title": "x" * 201}, {"title"}),
        ({"body": "x" * 20_001}, {"body"}),
        ({"title": "nul\0", "body": "half \ud800"}, {"title", "body"}),
        ({"body": 7}, {"body"}),
        ({"intake": {"shoe": "9"}}, {"intake.shoe"}),
        ({"intake": {"site": {"x": {}}}}, {"intake.site"}),
        ({"intake": []}, {"intake"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
def test_bad_fields_are_named_all_at_once(
    as_: As, ann: Member, session: Session, sent: dict[str, Any], fields: set[str]
) -> None:
    refused = as_(ann).refused("POST", "/boards/backache/threads", {**QUESTION, **sent})
    assert (refused[0], refused[2]) == (422, fields)
    assert session.execute(select(func.count(Thread.id))).scalar() == 0


def test_intake_answers_come_in_every_shape_and_go_out_by_visibility(
    as_: As, ann: Member, ben: Member, mo: Member, condition: Condition, session: Session
) -> None:
    ask_intake(session, condition)
    sent = {
        "age_band": "25-34",
        "site": ["low", "neck"],
        "severity_0_10": {"values": [7], "visibility": "private"},
        "tried": {"value": "Heat"},
    }
    path = f"/threads/{as_(ann).ask(intake=sent)['thread']['id']}"

    def keys(caller: Caller) -> list[str]:
        return [answer["key"] for answer in caller.ok("GET", path)["intake"]]

    assert keys(as_()) == ["site"]
    assert keys(as_(ben)) == ["age_band", "site"]
    assert keys(as_(mo, "read,moderate")) == ["age_band", "site", "tried"]
    assert keys(as_(ann)) == ["age_band", "site", "severity_0_10", "tried"]
    exact = as_(ann).refused("POST", "/boards/backache/threads", {**QUESTION, "intake": {"age_band": "29"}})
    assert exact == (422, "invalid-field", {"intake.age_band"})


def test_text_comes_back_as_it_was_sent_but_for_its_normal_form(as_: As, ann: Member) -> None:
    typed = "  e\u0301 \r\n\tx\r y <b>&amp;</b>  "
    post = as_(ann).ask(body=typed)["post"]
    kept = as_(ann).ok("GET", f"/posts/{post['id']}")["body"]
    assert kept == "  \u00e9 \n\tx\r y <b>&amp;</b>  "


@on_one_database
@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/boards/backache/threads"),
        ("POST", "/threads/1/posts"),
        ("PATCH", "/posts/1"),
        ("DELETE", "/posts/1"),
        ("PUT", "/posts/1/helpful"),
        ("DELETE", "/posts/1/helpful"),
    ],
)
def test_writing_needs_a_token_that_may_write(as_: As, ann: Member, method: str, path: str) -> None:
    body = {} if method in ("POST", "PATCH") else None
    assert as_().refused(method, path, body)[:2] == (401, "sign-in-needed")
    assert as_(ann, "read").refused(method, path, body)[:2] == (403, "scope-missing")


@on_one_database
@pytest.mark.parametrize(
    "path",
    ["/boards/none", "/boards/none/threads", "/threads/1", "/posts/1", "/posts/1/revisions", "/posts/99999999999"],
)
def test_what_does_not_exist_is_404(as_: As, path: str) -> None:
    assert as_().refused("GET", path)[0] == 404


@on_one_database
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "after=zzz", "sort=random", "kind=poll", "sort=active&after=W10"]
)
def test_a_bad_query_is_refused_in_words(as_: As, query: str) -> None:
    assert as_().refused("GET", f"/boards/backache/threads?{query}")[0] == 422


def test_lists_are_read_by_cursor(as_: As, ann: Member) -> None:
    ids = [as_(ann).ask(title=f"saddle {n}")["thread"]["id"] for n in range(3)]
    for path in ("/boards/backache/threads?sort=new&limit=2", "/search?q=saddle&limit=2"):
        first = as_().ok("GET", path)
        rest = as_().ok("GET", f"{path}&after={first['next']}")
        assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert [row["id"] for row in as_().ok("GET", "/boards/backache/threads?sort=new")["items"]] == ids[::-1]


def test_a_repeated_request_with_its_key_makes_one_thread(as_: As, ann: Member, session: Session) -> None:
    caller = as_(ann)
    sends = [caller("POST", "/boards/backache/threads", QUESTION, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert {answer.status_code for answer in sends} == {201}
    assert sends[0].get_json() == sends[1].get_json()
    assert session.execute(select(func.count(Thread.id))).scalar() == 1
    other = {**QUESTION, "title": "Another"}
    assert caller.refused("POST", "/boards/backache/threads", other, headers={"Idempotency-Key": "one"})[0] == 422


def test_an_experience_takes_no_answers(as_: As, ann: Member, ben: Member) -> None:
    thread = as_(ann).ask(kind="experience", was_misdiagnosed=True)["thread"]
    assert thread["was_misdiagnosed"]
    refused = as_(ben).refused("POST", f"/threads/{thread['id']}/posts", {"kind": "answer", "body": "x"})
    assert refused[:2] == (403, "no-answers-here")


def test_times_are_in_utc_with_their_zone(as_: As, ann: Member) -> None:
    at = datetime.fromisoformat(as_(ann).ask()["post"]["created_at"])
    assert at.utcoffset() == timedelta(0)
    assert abs(at - utc_now()) < timedelta(minutes=1)


@on_one_database
def test_the_description_of_the_api_names_every_route_of_the_forum(as_: As) -> None:
    paths = as_().ok("GET", "/openapi.json")["paths"]
    named = {(method, path.removeprefix(API)) for path, ways in paths.items() for method in ways}
    assert {
        ("get", "/boards/{slug}"),
        ("get", "/boards/{slug}/threads"),
        ("post", "/boards/{slug}/threads"),
        ("get", "/threads/{thread_id}"),
        ("post", "/threads/{thread_id}/posts"),
        ("get", "/posts/{post_id}"),
        ("patch", "/posts/{post_id}"),
        ("delete", "/posts/{post_id}"),
        ("get", "/posts/{post_id}/revisions"),
        ("put", "/posts/{post_id}/helpful"),
        ("delete", "/posts/{post_id}/helpful"),
        ("get", "/search"),
    } <= named


# How the surfaces of the API show one post of Ann's that once was, or never was, public: by state and reader.
FULL, STONE, NOTHING = "full", "tombstone", "nothing"
OTHERS = {
    PostState.HELD: NOTHING,
    PostState.CHANGES_REQUESTED: NOTHING,
    PostState.PUBLISHED: FULL,
    PostState.HIDDEN: STONE,
    PostState.REMOVED: STONE,
    PostState.REJECTED: NOTHING,
    PostState.WITHDRAWN: STONE,
}
FROM_HELD = {PostState.HELD, PostState.CHANGES_REQUESTED, PostState.REJECTED}


def in_state(session: Session, post_id: int, state: PostState) -> None:
    """Bring a published post there; one that never was public is made to have been held from the start."""
    post = session.get_one(Post, post_id, populate_existing=True)
    if state is PostState.PUBLISHED:
        return
    if state not in FROM_HELD:
        lifecycle.move(session, post_id, state, expected_version=post.version, now=utc_now())
        return
    post = lifecycle.move(session, post_id, PostState.HELD, expected_version=post.version, now=utc_now())
    post.was_visible = False
    if state is not PostState.HELD:
        lifecycle.move(session, post_id, state, expected_version=post.version, now=utc_now())


@pytest.mark.parametrize("state", list(OTHERS))
def test_every_surface_shows_an_answer_as_the_table_says(
    as_: As, ann: Member, ben: Member, cora: Member, mo: Member, session: Session, state: PostState
) -> None:
    thread_id = as_(ben).ask()["thread"]["id"]
    post_id = as_(ann).ok("POST", f"/threads/{thread_id}/posts", {"kind": "answer", "body": "Zebra words"}, status=201)[
        "post"
    ]["id"]
    in_state(session, post_id, state)
    session.commit()
    readers = {
        "anonymous": (as_(), OTHERS[state]),
        "member": (as_(cora), OTHERS[state]),
        "asker": (as_(ben), OTHERS[state]),
        "author": (as_(ann), FULL),
        "moderator": (as_(mo, "read,moderate"), FULL),
    }
    for name, (caller, expected) in readers.items():
        alone = caller("GET", f"/posts/{post_id}")
        assert alone.status_code == (404 if expected == NOTHING else 200), name
        shown = caller.ok("GET", f"/threads/{thread_id}")["posts"]["items"]
        assert [p["is_tombstone"] for p in shown] == {FULL: [False], STONE: [True], NOTHING: []}[expected], name
        assert ("Zebra" in str(shown)) == (expected == FULL), name
        assert ("Zebra" in alone.get_data(as_text=True)) == (expected == FULL), name
        assert caller("GET", f"/posts/{post_id}/revisions").status_code == (200 if expected == FULL else 404), name
        found = caller.ok("GET", "/search?q=zebra")["items"]
        assert len(found) == (1 if state is PostState.PUBLISHED else 0), name


@pytest.mark.parametrize("state", list(OTHERS))
def test_every_surface_shows_a_question_as_the_table_says(
    as_: As, ann: Member, ben: Member, mo: Member, session: Session, state: PostState
) -> None:
    asked = as_(ann).ask(title="Zebra title", body="Zebra words")
    in_state(session, asked["post"]["id"], state)
    session.commit()
    path = f"/threads/{asked['thread']['id']}"
    readers = {
        "anonymous": (as_(), OTHERS[state]),
        "member": (as_(ben), OTHERS[state]),
        "author": (as_(ann), FULL),
        "moderator": (as_(mo, "read,moderate"), FULL),
    }
    for name, (caller, expected) in readers.items():
        page = caller("GET", path)
        assert page.status_code == (404 if expected == NOTHING else 200), name
        assert ("ebra" in page.get_data(as_text=True)) == (expected == FULL), name
        listed = caller.ok("GET", "/boards/backache/threads")["items"]
        assert len(listed) == (1 if state is PostState.PUBLISHED else 0), name
        assert len(caller.ok("GET", "/search?q=zebra")["items"]) == len(listed), name
        assert caller.ok("GET", "/boards/backache")["thread_count"] == len(listed), name


@pytest.mark.parametrize(
    "path, most",
    [("/boards/backache", 12), ("/boards/backache/threads", 8), ("/threads/{thread}", 21), ("/search?q=hurt", 6)],
)
def test_the_queries_of_a_whole_request_are_bounded(
    as_: As, ann: Member, ben: Member, session: Session, path: str, most: int
) -> None:
    caller = as_(ann)
    thread_id = caller.ask()["thread"]["id"]
    reader = as_(ben)
    first = {"kind": "answer", "body": "The first answer"}
    reader.ok("POST", f"/threads/{thread_id}/posts", first, status=201)
    counts = []
    for _ in range(2):
        sent: list[str] = []
        engine = session.get_bind()

        def note(_c: Any, _k: Any, statement: str, *_rest: Any, sent: list[str] = sent) -> None:
            if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
                sent.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        reader.ok("GET", path.format(thread=thread_id))
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len(sent))
        for n in range(6):
            caller.ask(title=f"Another hurt {n}", body=f"Text {n}")
            reader.ok("POST", f"/threads/{thread_id}/posts", {"kind": "answer", "body": f"Answer {n}"}, status=201)
    assert counts[0] == counts[1] <= most, counts


def test_a_revision_that_was_never_public_stays_with_its_author(as_: As, cora: Member, session: Session) -> None:
    post = as_(cora).ask()["post"]
    as_(cora).ok("PATCH", f"/posts/{post['id']}", {"version": post["version"], "body": "Second"})
    own = as_(cora).ok("GET", f"/posts/{post['id']}/revisions")["items"]
    assert [(r["body"], r["state"]) for r in own] == [(QUESTION["body"], "superseded"), ("Second", "held")]
    assert session.execute(select(func.count(Revision.id))).scalar() == 2
