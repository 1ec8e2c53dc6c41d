"""A program of an outsider: goes through the whole API, knowing only its written contract and /api/v1/openapi.json.

It imports nothing of the site. Standard input: {"base": URL, "board": SLUG, "tokens": {"asker", "helper", "reporter",
"moderator", "second", "lead"}}; asker, helper and reporter are new members with the scopes read and write, the others
are two moderators and a lead with the scope moderate too. Standard output: one JSON line per failed check, then a line
with the figures. Exit 1 if any check failed. Every answer is held against the schema that the OpenAPI document promises
for it.
"""

import http.client
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

API = "/api/v1"
ROUTES = """
GET /conditions|GET /conditions/{slug}|GET /boards/{slug}|GET /boards/{slug}/threads|POST /boards/{slug}/threads
GET /threads/{id}|POST /threads/{id}/posts|GET /posts/{id}|PATCH /posts/{id}|DELETE /posts/{id}
GET /posts/{id}/revisions|PUT /posts/{id}/helpful|DELETE /posts/{id}/helpful|POST /posts/{id}/reports
GET /reports/{reference}|GET /search|GET /me|GET /me/notifications|GET /me/held|GET /me/decisions
GET /moderation/cases|POST /moderation/cases/next|GET /moderation/cases/{id}|POST /moderation/cases/{id}/claim
DELETE /moderation/cases/{id}/claim|POST /moderation/cases/{id}/decisions|POST /moderation/decisions/{id}/undo
GET /decisions/{reference}|POST /moderation/threads/{id}/operations
POST /decisions/{reference}/appeals|POST /reports/{reference}/appeals|GET /appeals/{reference}
POST /moderation/appeals/{id}/decisions|GET /moderation/metrics|GET /modlog
"""
POST_FIELDS = [
    "id",
    "thread_id",
    "kind",
    "parent_id",
    "position",
    "state",
    "version",
    "author",
    "body",
    "html",
    "text",
    "created_at",
    "edited_at",
    "helpful_count",
]
THREAD_FIELDS = ["id", "kind", "title", "slug", "state", "author", "created_at", "last_activity_at"]
CONDITION_FIELDS = ["aliases", "codes", "categories", "articles", "definitions", "related", "red_flags", "intake"]
ARTICLE_FIELDS = ["title", "version", "source", "last_reviewed", "next_review_due", "sections"]
SOURCE_FIELDS = ["name", "url", "file", "licence", "credit", "archived"]
CASE_FIELDS = ["id", "priority", "due_at", "findings", "reports", "claimed_by", "version"]
CASE_PAGE_FIELDS = ["id", "text", "findings", "reports", "author", "history", "allowed_verdicts", "version"]
STATES = [
    "draft",
    "held",
    "changes_requested",
    "published",
    "shielded",
    "hidden",
    "removed",
    "rejected",
    "withdrawn",
    "erased",
]
REFERENCE = re.compile("[0-9a-f]{32}|[A-Za-z0-9_-]{22}")
MIB = 1_048_576


class Answer:
    """One answer of the server."""

    def __init__(self, status: int, headers: Any, raw: bytes) -> None:
        self.status, self.headers, self.raw = status, headers, raw
        try:
            self.json: Any = json.loads(raw) if raw else None
        except ValueError:
            self.json = None

    def get(self, name: str, default: Any = None) -> Any:
        return self.json.get(name, default) if isinstance(self.json, dict) else default

    @property
    def fields(self) -> set[str]:
        """The fields that a problem names."""
        return {error.get("field") for error in self.get("errors") or ()}

    def __repr__(self) -> str:
        return f"{self.status} {self.raw[:400].decode('utf-8', 'replace')}"


class Mismatch(Exception):
    """The answer is not what the schema promises."""


class Document:
    """The OpenAPI document: finds the schema of an answer and compares."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations: dict[tuple[str, str], dict[str, Any]] = {}
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    self.operations[method.upper(), path.removeprefix(API)] = operation

    def shape(self, path: str) -> str:
        """A template with nameless parameters, so that {id} and {post_id} are the same."""
        return re.sub(r"\{[^}]*\}", "{}", path)

    def find(self, method: str, path: str) -> dict[str, Any]:
        """The operation of a concrete path; fixed words go before parameters."""
        fitting = [
            (template, operation)
            for (verb, template), operation in self.operations.items()
            if verb == method and re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)), path)
        ]
        if not fitting:
            raise Mismatch(f"{method} {path} is not described")
        return min(fitting, key=lambda found: found[0].count("{"))[1]

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Raise Mismatch unless the answer is described as it is."""
        responses = self.find(method, path)["responses"]
        described = responses.get(str(answer.status)) or responses.get("default")
        if described is None:
            raise Mismatch(f"{method} {path}: status {answer.status} is not described")
        if answer.status >= 400:
            self.check_problem(answer)
            return
        content = self.resolve(described).get("content")
        if not content:
            if answer.raw:
                raise Mismatch(f"{method} {path}: no content is described, but there is some")
            return
        self.compare(answer.json, content["application/json"]["schema"], f"{method} {path}")

    @staticmethod
    def check_problem(answer: Answer) -> None:
        kind = answer.headers.get("Content-Type", "")
        if not kind.startswith("application/problem+json"):
            raise Mismatch(f"an error came as {kind}: {answer}")
        for name in ("type", "title", "status", "detail", "code"):
            if name not in (answer.json or {}):
                raise Mismatch(f"a problem without {name}: {answer}")
        if answer.json["status"] != answer.status:
            raise Mismatch(f"a problem with another status: {answer}")
        for error in answer.json.get("errors", []):
            if not {"field", "message"} <= set(error):
                raise Mismatch(f"an error without field or message: {answer}")

    def resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            found: Any = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            part = found
        return part

    def compare(self, value: Any, schema: dict[str, Any], where: str) -> None:
        schema = self.resolve(schema)
        for part in schema.get("allOf", ()):
            self.compare(value, part, where)
        for choice in ("anyOf", "oneOf"):
            if choice in schema and not any(self.fits(value, part) for part in schema[choice]):
                raise Mismatch(f"{where}: {value!r} fits none of {schema[choice]}")
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_is(value, kind) for kind in kinds):
            raise Mismatch(f"{where}: {str(value)[:80]!r} is not {kinds}")
        if "enum" in schema and value not in schema["enum"]:
            raise Mismatch(f"{where}: {value!r} is none of {schema['enum']}")
        if isinstance(value, str):
            _check_format(value, schema.get("format"), where)
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                self.compare(item, schema["items"], f"{where}[{number}]")
        if isinstance(value, dict):
            self.compare_object(value, schema, where)

    def compare_object(self, value: dict[str, Any], schema: dict[str, Any], where: str) -> None:
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                raise Mismatch(f"{where}: {name} is missing")
        for name, inner in value.items():
            if name in known:
                self.compare(inner, known[name], f"{where}.{name}")
            elif known and schema.get("additionalProperties", False) is False:
                raise Mismatch(f"{where}: {name} is not described")

    def fits(self, value: Any, schema: dict[str, Any]) -> bool:
        try:
            self.compare(value, schema, "")
        except Mismatch:
            return False
        return True


def _is(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "null": value is None,
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": number and float(value).is_integer(),
        "number": number,
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[kind]


def _check_format(value: str, form: str | None, where: str) -> None:
    forms = {
        "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)",
        "date": r"\d{4}-\d\d-\d\d",
        "uuid": "[0-9a-f-]{36}",
    }
    if form in forms and not re.fullmatch(forms[form], value):
        raise Mismatch(f"{where}: {value!r} is no {form}")


class Driver:
    """Asks, keeps count, and goes on after a failed check."""

    def __init__(self, base: str, board: str, tokens: dict[str, str]) -> None:
        self.base, self.board, self.tokens = base.rstrip("/"), board, tokens
        self.requests = self.passed = 0
        self.failed: list[str] = []
        self.document: Document | None = None
        # The post that was refused, and the reference of the statement.
        self.rejected = (0, "")

    # --- asking

    def send(
        self,
        who: str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=dict(headers or {}))
        if data is not None and "Content-Type" not in request.headers:
            request.add_header("Content-Type", "application/json")
        if who is not None:
            request.add_header("Authorization", f"Bearer {self.tokens.get(who, who)}")
        self.requests += 1
        try:
            with urllib.request.urlopen(request, timeout=60) as found:
                return Answer(found.status, found.headers, found.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def ask(self, who: str | None, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """A request to the API; the answer must be as the document describes it."""
        answer = self.send(who, method, API + path, body, **more)
        assert self.document is not None
        try:
            self.document.check(method, urlsplit(path).path, answer)
            self.passed += 1
        except Mismatch as error:
            self.fail("described", str(error))
        return answer

    def get(self, who: str | None, path: str) -> Answer:
        return self.ask(who, "GET", path)

    def post(self, who: str | None, path: str, body: Any = None, **more: Any) -> Answer:
        return self.ask(who, "POST", path, {} if body is None else body, **more)

    # --- judging

    def fail(self, name: str, detail: object) -> None:
        self.failed.append(f"{name}: {str(detail)[:600]}")

    def check(self, name: str, holds: object, detail: object = "") -> bool:
        if holds:
            self.passed += 1
        else:
            self.fail(name, detail)
        return bool(holds)

    def expect(self, name: str, answer: Answer, status: int, code: str | None = None, *fields: str) -> Answer:
        """The status, for a problem its code, and the fields that it must name."""
        self.check(name, answer.status == status, answer)
        if code:
            self.check(f"{name}, code", answer.get("code") == code, answer)
        if fields:
            self.check(f"{name}, fields", set(fields) <= answer.fields, answer)
        return answer

    def has(self, name: str, value: Any, fields: list[str]) -> None:
        missing = [field for field in fields if not isinstance(value, dict) or field not in value]
        self.check(name, not missing, f"missing: {missing} in {str(value)[:300]}")

    def pages(self, who: str | None, path: str, limit: int) -> Iterator[Any]:
        """All items of a list, page by page."""
        after, seen = None, 0
        while True:
            query = urlencode({"limit": limit} | ({"after": after} if after else {}))
            answer = self.get(who, f"{path}{'&' if '?' in path else '?'}{query}")
            items = answer.get("items", [])
            self.check("a page is no longer than its limit", len(items) <= limit, answer)
            yield from items
            seen += len(items)
            after = answer.get("next")
            if not after or not items or seen > 5_000:
                return

    # --- the chain

    def run(self) -> None:
        self.describe()
        self.read_reference()
        self.be_refused()
        thread = self.ask_question()
        self.be_unseen(thread)
        self.edit_while_held(thread)
        self.withdraw_one()
        self.work_the_queue(thread)
        self.be_published(thread)
        answer = self.answer(thread)
        self.mark_helpful(thread, answer)
        self.report_and_hide(thread, answer)
        self.change_and_reject(thread)
        self.appeal(thread)
        self.grow_up(thread)
        self.operate_threads(thread)
        self.talk()
        self.patrol()
        self.meet_a_crisis()

    def describe(self) -> None:
        answer = self.send(None, "GET", f"{API}/openapi.json")
        self.document = Document(answer.json)
        self.check("OpenAPI 3.1", str(answer.get("openapi")).startswith("3.1"), answer.get("openapi"))
        described = {(method, self.document.shape(path)) for method, path in self.document.operations}
        for route in re.split(r"[|\n]", ROUTES.strip()):
            method, path = route.split()
            self.check(f"{route} is described", (method, self.document.shape(path)) in described)
        for path in ("/healthz", "/readyz", f"{API}/docs"):
            self.check(path, self.send(None, "GET", path).status == 200)

    def read_reference(self) -> None:
        slug = self.board
        everything = list(self.pages(None, "/conditions", 2))
        slugs = [row["slug"] for row in everything]
        self.check("conditions page by page", slug in slugs and len(set(slugs)) == len(slugs), slugs)
        self.has("a condition of the list", everything[0], ["slug", "name", "kind", "aliases"])
        name = next(row["name"] for row in everything if row["slug"] == slug)
        found = [row["slug"] for row in self.get(None, f"/conditions?q={quote(name)}").get("items", [])]
        self.check("found by name", slug in found, found)
        found = [row["slug"] for row in self.get(None, f"/conditions?letter={name[0]}").get("items", [])]
        self.check("found by letter", slug in found, found)
        page = self.expect("a condition", self.get(None, f"/conditions/{slug}"), 200).json
        self.has("a condition", page, CONDITION_FIELDS)
        self.has("an article", page["articles"][0], ARTICLE_FIELDS)
        self.has("a source", page["articles"][0]["source"], SOURCE_FIELDS)
        self.has("a section", page["articles"][0]["sections"][0], ["key", "heading", "html", "text"])
        self.has("a definition", page["definitions"][0], ["text", "source"])
        category = page["categories"][0]["slug"]
        found = [row["slug"] for row in self.get(None, f"/conditions?category={category}").get("items", [])]
        self.check("found by category", slug in found, found)
        board = self.expect("a board", self.get(None, f"/boards/{slug}"), 200).json
        self.has("a board", board, ["name", "mode", "sidebar"])
        self.check("the sidebar has sections", board["sidebar"]["sections"], board["sidebar"])
        for path in ("/conditions/no-such", "/boards/no-such", "/threads/2000000000", "/posts/2000000000"):
            self.expect(f"GET {path}", self.get(None, path), 404)

    def be_refused(self) -> None:
        """Whatever cannot be accepted is refused with a problem, and leaves nothing behind."""
        path = f"/boards/{self.board}/threads"
        good = {"kind": "question", "title": "A good title", "body": "A good body."}
        self.expect("no token", self.post(None, path, good), 401)
        self.expect("wrong token", self.post("bw_wrong", path, good), 401)
        self.expect("wrong token on a public page", self.get("bw_wrong", f"/boards/{self.board}"), 401)
        self.expect("members do not moderate", self.get("asker", "/moderation/cases"), 403)
        self.expect("nor do visitors", self.get(None, "/moderation/cases"), 401)
        refused = [
            ({"title": "t" * 201}, ["title"]),
            ({"body": "b" * 20_001}, ["body"]),
            ({"title": "t" * 201, "body": "b" * 20_001}, ["title", "body"]),
            ({"title": ""}, ["title"]),
            ({"body": " \n\t\u200b"}, ["body"]),
            ({"body": "a\0b"}, ["body"]),
            ({"title": "a\0b"}, ["title"]),
            ({"kind": "sermon"}, ["kind"]),
            ({"title": 7}, ["title"]),
            ({"body": None}, ["body"]),
        ]
        for change, fields in refused:
            name = f"refuse {str(change)[:40]}"
            self.expect(name, self.post("asker", path, good | change), 422, None, *fields)
        for change in ({"audience": "members"}, {"pseudonymous": True}):
            self.expect(f"refuse {change}", self.post("asker", path, good | change), 422, "not-available", *change)
        self.expect("an unknown intake question", self.post("asker", path, good | {"intake": {"no_such": "x"}}), 422)
        self.check("no JSON", self.ask("asker", "POST", path, raw=b"{]").status in (400, 422))
        self.check("a list for an object", self.post("asker", path, [good]).status == 422)
        big = json.dumps(good | {"body": "b" * MIB}).encode()
        self.expect("over 1 MiB", self.ask("asker", "POST", path, raw=big), 413)
        self.check("over 1 MiB in chunks", self.chunked("asker", path, big) == 413)
        chunked = self.chunked("asker", path, json.dumps(good | {"title": ""}).encode())
        self.check("a small body in chunks is read whole", chunked == 422, chunked)
        for limit in ("0", "101", "-1", "x"):
            answer = self.get(None, f"/conditions?limit={limit}")
            self.expect(f"limit={limit}", answer, 422, None, "limit")
        self.expect("limit=100", self.get(None, f"{path}?limit=100"), 200)
        self.check("a cursor of nobody", self.get(None, f"{path}?after=nonsense").status in (400, 422))
        self.expect("an unknown sort", self.get(None, f"{path}?sort=luck"), 422, None, "sort")
        self.expect("an unknown kind", self.get(None, f"{path}?kind=sermon"), 422, None, "kind")
        self.check("nothing was stored", self.get("asker", "/me/held").get("items") == [])

    def chunked(self, who: str, path: str, body: bytes) -> int:
        """The status of a request that does not say how long it is."""
        address = urlsplit(self.base)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json"}
        pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
        self.requests += 1
        try:
            connection.request("POST", f"{API}{path}", pieces, headers, encode_chunked=True)
            return connection.getresponse().status
        finally:
            connection.close()

    def ask_question(self) -> dict[str, Any]:
        path = f"/boards/{self.board}/threads"
        sent = {
            "kind": "question",
            "title": "Does a warm bath help in the evening?",
            "body": "Mine *aches* since Tuesday.\r\n\r\n  Two spaces, an e\u0301 and the word floccinaucine.  ",
        }
        key = {"Idempotency-Key": "the first question of this run"}
        first = self.expect("ask", self.post("asker", path, sent, headers=key), 201)
        self.has("asked", first.json, ["thread", "post", "held", "guidance"])
        self.has("the post", first.get("post"), POST_FIELDS)
        self.has("the thread", first.get("thread"), THREAD_FIELDS)
        post, held = first.json["post"], first.json["held"]
        self.check("it waits", post["state"] == "held" and held is not None, first)
        self.has("held", held, ["reasons", "position", "expected_wait_minutes"])
        self.check("why", [reason["kind"] for reason in held["reasons"]] == ["newcomer"], held)
        self.check("explained", held["reasons"][0]["explanation"], held)
        self.check("no wait without history", held["expected_wait_minutes"] is None, held)
        kept = sent["body"].replace("\r\n", "\n").replace("e\u0301", "\u00e9")
        self.check("the text is kept, not trimmed", post["body"] == kept, post["body"])
        again = self.expect("the same key and body", self.post("asker", path, sent, headers=key), 201)
        self.check("give the first answer", again.json == first.json, again)
        other = self.post("asker", path, sent | {"title": "Another"}, headers=key)
        self.expect("another body under the key", other, 422)
        held_posts = self.get("asker", "/me/held").get("items", [])
        self.check("asked once", [row["post_id"] for row in held_posts] == [post["id"]], held_posts)
        return {"id": first.json["thread"]["id"], "post": post["id"], "title": sent["title"], "body": kept}

    def be_unseen(self, thread: dict[str, Any]) -> None:
        for who in (None, "helper"):
            for path in (f"/threads/{thread['id']}", f"/posts/{thread['post']}", f"/posts/{thread['post']}/revisions"):
                self.expect(f"held, {path} for {who}", self.get(who, path), 404)
            self.check("held, not found", self.get(who, "/search?q=floccinaucine").get("items") == [])
            self.check("held, not listed", self.get(who, f"/boards/{self.board}/threads").get("items") == [])
            board = self.get(who, f"/boards/{self.board}").json
            self.check("held, the board is not open", not board["is_open"], board["is_open"])
            self.check("held, not counted", board["thread_count"] == board["post_count"] == 0, board)
        self.expect("held, no report", self.post("helper", f"/posts/{thread['post']}/reports", {"rule": "x"}), 404)
        answer = self.post("helper", f"/threads/{thread['id']}/posts", {"kind": "answer", "body": "Yes."})
        self.expect("held, no answer", answer, 404)
        self.expect("held, no mark", self.ask("helper", "PUT", f"/posts/{thread['post']}/helpful"), 404)
        self.expect("held, no withdrawing by others", self.ask("helper", "DELETE", f"/posts/{thread['post']}"), 404)
        own = self.expect("its author reads it", self.get("asker", f"/threads/{thread['id']}"), 200).json
        self.has("a thread page", own, ["thread", "opening_post", "most_helpful", "posts", "sidebar"])
        self.check("as typed", own["opening_post"]["body"] == thread["body"], own["opening_post"])

    def edit_while_held(self, thread: dict[str, Any]) -> None:
        path = f"/posts/{thread['post']}"
        version = self.get("asker", path).get("version")
        new = {"body": thread["body"] + "\n\nAnd it is worse at night."}
        self.expect("an edit without version", self.ask("asker", "PATCH", path, new), 428)
        stale = self.expect("a stale edit", self.ask("asker", "PATCH", path, new | {"version": version + 7}), 409)
        self.check("names the current version", stale.get("version") == version, stale)
        answer = self.ask("helper", "PATCH", path, new | {"version": version})
        self.expect("an edit by another", answer, 404)
        long = {"version": version, "body": "b" * 20_001, "title": "t" * 201}
        self.expect("an edit that is too long", self.ask("asker", "PATCH", path, long), 422, None, "body", "title")
        edited = self.expect("an edit", self.ask("asker", "PATCH", path, new | {"version": version}), 200)
        self.has("edited", edited.json, ["post", "held"])
        self.check("it still waits", edited.get("held") and edited.json["post"]["state"] == "held", edited)
        self.check("with the new text", edited.json["post"]["body"] == new["body"], edited)
        self.check("and a new version", edited.json["post"]["version"] != version, edited)
        history = self.get("asker", f"{path}/revisions").get("items", [])
        self.check("both texts are in the history", len(history) == 2, history)
        thread["body"] = new["body"]

    def withdraw_one(self) -> None:
        sent = {"kind": "experience", "title": "I take this back", "body": "Written in haste."}
        made = self.post("asker", f"/boards/{self.board}/threads", sent)
        post = made.json["post"]["id"]
        gone = self.expect("withdraw", self.ask("asker", "DELETE", f"/posts/{post}"), 204)
        self.check("without content", gone.raw == b"", gone)
        self.check("its author sees it", self.get("asker", f"/posts/{post}").get("state") == "withdrawn")
        self.expect("nobody else does", self.get(None, f"/posts/{post}"), 404)
        waiting = [row["post_id"] for row in self.get("asker", "/me/held").get("items", [])]
        self.check("it waits no more", post not in waiting, waiting)

    def work_the_queue(self, thread: dict[str, Any]) -> None:
        queue = list(self.pages("moderator", "/moderation/cases", 1))
        self.check("one case waits", len(queue) == 1, queue)
        self.has("a case of the queue", queue[0], CASE_FIELDS)
        for query, count in (
            ("priority=P0", 0),
            ("kind=newcomer", 1),
            (f"board={self.board}", 1),
            ("state=decided", 0),
        ):
            found = self.get("moderator", f"/moderation/cases?{query}").get("items", [])
            self.check(f"queue with {query}", len(found) == count, found)
        case = self.expect("the next case", self.post("moderator", "/moderation/cases/next"), 200).json
        self.has("a case", case, CASE_PAGE_FIELDS)
        self.check("its text", thread["body"] in case["text"] and thread["title"] in case["text"], case["text"])
        self.check("its verdicts", {"approve", "reject", "request_changes"} <= set(case["allowed_verdicts"]), case)
        holding = {finding["kind"] for finding in case["findings"] if finding["holds"]}
        self.check("why it waits", "newcomer" in holding, case["findings"])
        self.check("nothing else waits", self.post("second", "/moderation/cases/next").status == 204)
        path = f"/moderation/cases/{case['id']}"
        taken = self.expect("a claim by another", self.post("second", f"{path}/claim"), 409)
        self.check("names holder and time", taken.get("claimed_by") and taken.get("claimed_until"), taken)
        self.expect("a member on a case", self.get("asker", path), 403)
        own = self.expect("a claim renewed", self.post("moderator", f"{path}/claim"), 200)
        self.check("has an end", own.get("claimed_until"), own)
        approve = {"version": case["version"], "verdict": "approve"}
        self.expect("a decision by another", self.post("second", f"{path}/decisions", approve), 409)
        self.expect("without version", self.post("moderator", f"{path}/decisions", {"verdict": "approve"}), 428)
        stale = self.post("moderator", f"{path}/decisions", approve | {"version": case["version"] + 7})
        self.expect("a stale decision", stale, 409)
        self.check("names the version", stale.get("version") == case["version"], stale)
        also = {"redact", "label", "shield", "escalate"}
        self.check("the later verdicts too", also <= set(case["allowed_verdicts"]), case["allowed_verdicts"])
        strange = {"redactions": [{"start": 0, "end": 1}], "label": {"text": "x", "reference": "y"}}
        strange |= {"sanction": {"kind": "warning"}, "until": "2031-01-01T00:00:00Z", "duplicate_of": 1}
        for name, value in strange.items():
            answer = self.post("moderator", f"{path}/decisions", approve | {name: value})
            self.expect(f"{name} belongs to another verdict", answer, 422, "invalid-field", name)
        answer = self.post("moderator", f"{path}/decisions", approve | {"verdict": "reject"})
        self.expect("reject without rule and reason", answer, 422, None, "rule", "reason")
        self.expect("no verdict", self.post("moderator", f"{path}/decisions", approve | {"verdict": "sing"}), 422)
        thread["rule"] = next(rule["code"] for rule in case["rules"] if rule["code"] != "none")
        self.check("still unseen", self.get(None, f"/threads/{thread['id']}").status == 404)
        done = self.expect("approve", self.post("moderator", f"{path}/decisions", approve), 201)
        self.has("decided", done.json, ["decision", "statement"])
        self.check("no statement for an approval", done.get("statement") is None, done)
        self.check("the standing rule", done.json["decision"]["rule"] == "none", done)
        self.expect("approve again", self.post("second", f"{path}/decisions", approve), 409)
        back = self.expect("a claim of a decided case", self.post("second", f"{path}/claim"), 409)
        self.check("says why", back.get("detail"), back)

    def be_published(self, thread: dict[str, Any]) -> None:
        page = self.expect("published", self.get(None, f"/threads/{thread['id']}"), 200).json
        opening = page["opening_post"]
        self.check("for everybody", opening["state"] == "published", opening)
        self.check("the source is for those who may edit or judge", opening.get("body") is None, opening)
        self.check("html and text", "<em>aches</em>" in opening["html"] and "aches since" in opening["text"], opening)
        body = self.get("asker", f"/posts/{thread['post']}").get("body")
        self.check("its author gets the source", body == thread["body"], body)
        board = self.get(None, f"/boards/{self.board}").json
        self.check("the board is open", board["is_open"] and board["thread_count"] == 1, board)
        rows = list(self.pages(None, f"/boards/{self.board}/threads?sort=new&kind=question", 1))
        self.check("listed", [row["id"] for row in rows] == [thread["id"]], rows)
        self.has("a row", rows[0], THREAD_FIELDS)
        self.check("a known state", rows[0]["state"] in STATES, rows)
        found = self.get(None, "/search?q=floccinaucine").get("items", [])
        self.check(
            "found",
            [(row["type"], thread["title"]) for row in found] == [("thread", row["title"]) for row in found] and found,
            found,
        )
        self.has("a result", found[0] if found else None, ["type", "url", "title", "snippet"])
        self.check("not in other kinds", self.get(None, "/search?q=floccinaucine&kind=article").get("items") == [])
        kinds = [row["kind"] for row in self.get("asker", "/me/notifications").get("items", [])]
        self.check("the asker is told", kinds == ["published"], kinds)
        self.check("nothing waits", self.get("asker", "/me/held").get("items") == [])

    def approve(self, post: int, who: str = "moderator") -> None:
        """Approve whatever waits of this post."""
        rows = [row for row in self.pages(who, "/moderation/cases", 100) if row["post_id"] == post]
        if self.check("a case waits for the post", len(rows) == 1, rows):
            path = f"/moderation/cases/{rows[0]['id']}"
            claimed = self.expect("claim", self.post(who, f"{path}/claim"), 200)
            sent = {"version": claimed.get("version", rows[0]["version"]), "verdict": "approve"}
            self.expect("approve", self.post(who, f"{path}/decisions", sent), 201)

    def answer(self, thread: dict[str, Any]) -> int:
        path = f"/threads/{thread['id']}/posts"
        self.expect("no token", self.post(None, path, {"kind": "answer", "body": "Yes."}), 401)
        self.expect("an empty answer", self.post("helper", path, {"kind": "answer", "body": ""}), 422, None, "body")
        self.expect("an unknown kind", self.post("helper", path, {"kind": "poem", "body": "Oh"}), 422, None, "kind")
        wrong = {"kind": "comment", "body": "Where?", "parent_id": 2_000_000_000}
        self.check("a comment on nothing", self.post("helper", path, wrong).status in (404, 422))
        made = self.expect(
            "answer", self.post("helper", path, {"kind": "answer", "body": "A bath **helped** me."}), 201
        )
        self.has("answered", made.json, ["post", "held", "guidance"])
        post = made.json["post"]
        self.check("it waits too", post["state"] == "held" and made.json["held"], made)
        self.check("unseen by the asker", self.get("asker", f"/posts/{post['id']}").status == 404)
        count = self.get(None, f"/threads/{thread['id']}").json["thread"]["answer_count"]
        self.check("and uncounted", count == 0, count)
        self.approve(post["id"], "second")
        rows = self.get(None, f"/threads/{thread['id']}").json["posts"]["items"]
        self.check("published", [row["id"] for row in rows] == [post["id"]], rows)
        kinds = [row["kind"] for row in self.get("asker", "/me/notifications").get("items", [])]
        self.check("the asker is told, newest first", kinds == ["answered", "published"], kinds)
        return int(post["id"])

    def mark_helpful(self, thread: dict[str, Any], answer: int) -> None:
        path = f"/posts/{answer}/helpful"
        self.expect("no token", self.ask(None, "PUT", path), 401)
        self.expect("one's own", self.ask("helper", "PUT", path), 403)
        for _ in range(2):
            marked = self.expect("mark", self.ask("asker", "PUT", path), 200)
            self.check("counted once", marked.get("helpful_count") == 1, marked)
        most = self.get(None, f"/threads/{thread['id']}").json["most_helpful"]
        self.check("it opens the page", [row["id"] for row in most] == [answer], most)
        self.check("taken back", self.ask("asker", "DELETE", path).get("helpful_count") == 0)
        self.check("marked again", self.ask("asker", "PUT", path).get("helpful_count") == 1)
        rows = self.get(None, f"/boards/{self.board}/threads?sort=helpful").get("items", [])
        self.check("sorted by marks", rows and rows[0]["helpful_count"] == 1, rows)

    def report_and_hide(self, thread: dict[str, Any], answer: int) -> None:
        path = f"/posts/{answer}/reports"
        sent = {"rule": thread["rule"], "note": "It praises <b>one</b> bath."}
        self.expect("no token", self.post(None, path, sent), 401)
        self.expect("one's own post", self.post("helper", path, sent), 403)
        self.expect("an unknown rule", self.post("reporter", path, sent | {"rule": "R99"}), 422, None, "rule")
        made = self.expect("report", self.post("reporter", path, sent), 201)
        reference = made.get("reference", "")
        self.check("a secret of 128 bits", REFERENCE.fullmatch(reference), reference)
        self.expect("report again", self.post("reporter", path, sent), 409)
        status = self.expect("its status", self.get(None, f"/reports/{reference}"), 200)
        self.check("open", status.get("status") == "open", status)
        self.expect("no such report", self.get(None, f"/reports/{'0' * 32}"), 404)
        self.expect("a moderator reports too", self.post("second", path, sent), 201)
        (case,) = self.get("moderator", "/moderation/cases?kind=report").get("items", [])
        where = f"/moderation/cases/{case['id']}"
        page = self.get("moderator", where).json
        self.check("both reports, one case", len(page["reports"]) == 2, page["reports"])
        self.check("with their notes", page["reports"][0]["note"] == sent["note"], page["reports"])
        hide = {"version": page["version"], "verdict": "hide", "rule": thread["rule"], "reason": "It advertises."}
        conflict = self.post("second", f"{where}/decisions", hide)
        self.expect("who reported does not decide", conflict, 403, "conflict-of-interest")
        self.expect("nor claim", self.post("second", f"{where}/claim"), 403, "conflict-of-interest")
        done = self.expect("hide", self.post("moderator", f"{where}/decisions", hide), 201)
        statement = done.json["statement"]
        self.check("a statement", statement and REFERENCE.fullmatch(statement["reference"]), done)
        page = self.expect("the statement", self.get(None, f"/decisions/{statement['reference']}"), 200).json
        text = json.dumps(page)
        self.check("says reason and rule", "It advertises." in text and thread["rule"] in text, page)
        self.check("names no reporter", "reporter" not in page and sent["note"] not in text, page)
        rows = self.get("helper", "/me/decisions").get("items", [])
        self.check("its author finds it", [row["reference"] for row in rows] == [statement["reference"]], rows)
        self.check("the asker does not", self.get("asker", "/me/decisions").get("items") == [])
        self.check("the report has its outcome", self.get(None, f"/reports/{reference}").get("status") == "acted")
        tombstone = self.expect("a tombstone", self.get(None, f"/posts/{answer}"), 200).json
        self.check("without text", tombstone["state"] == "hidden" and not tombstone["text"], tombstone)
        self.check("nor html, nor source", not tombstone["html"] and tombstone.get("body") is None, tombstone)
        self.check("its author reads it", self.get("helper", f"/posts/{answer}").get("body") == "A bath **helped** me.")
        self.undo(answer, done.json["decision"]["id"], statement["reference"])

    def undo(self, post: int, decision: int, reference: str) -> None:
        path = f"/moderation/decisions/{decision}/undo"
        self.expect("undo without a reason", self.post("moderator", path, {}), 422, None, "reason")
        self.check("undo by a member", self.post("asker", path, {"reason": "No."}).status == 403)
        undone = self.expect("undo", self.post("moderator", path, {"reason": "I pressed the wrong button."}), 201)
        self.check("a decision that points back", undone.json["decision"]["undoes"] == decision, undone)
        self.expect("undo twice", self.post("moderator", path, {"reason": "Again."}), 409)
        self.check("published again", self.get(None, f"/posts/{post}").get("state") == "published")
        self.check("the statement says so", self.get(None, f"/decisions/{reference}").get("is_undone") is True)

    def change_and_reject(self, thread: dict[str, Any]) -> None:
        """Changes are asked for and made; another text is refused."""
        path = f"/threads/{thread['id']}/posts"
        post = self.post("asker", path, {"kind": "comment", "body": "Thank you, Mr Miller."}).json["post"]
        case = next(row for row in self.pages("moderator", "/moderation/cases", 50) if row["post_id"] == post["id"])
        where = f"/moderation/cases/{case['id']}"
        sent = {"version": case["version"], "verdict": "request_changes", "rule": thread["rule"], "reason": "No names."}
        done = self.expect("ask for changes", self.post("moderator", f"{where}/decisions", sent), 201)
        self.check("with a statement", done.get("statement"), done)
        own = self.get("asker", f"/posts/{post['id']}").json
        self.check("the author sees it", own["state"] == "changes_requested", own)
        self.expect("unseen", self.get(None, f"/posts/{post['id']}"), 404)
        changed = {"version": own["version"], "body": "Thank you!"}
        back = self.expect("change", self.ask("asker", "PATCH", f"/posts/{post['id']}", changed), 200)
        self.check("it waits again", back.json["post"]["state"] == "held", back)
        self.approve(post["id"])
        shown = self.get(None, f"/posts/{post['id']}").json
        self.check("published with the new text", shown["text"].strip() == "Thank you!", shown)

        post = self.post("reporter", path, {"kind": "answer", "body": "Buy my baths."}).json["post"]
        case = next(row for row in self.pages("moderator", "/moderation/cases", 50) if row["post_id"] == post["id"])
        sent = {"version": case["version"], "verdict": "reject", "rule": thread["rule"], "reason": "That is a shop."}
        where = f"/moderation/cases/{case['id']}"
        done = self.expect("reject", self.post("second", f"{where}/decisions", sent), 201)
        self.check("with a statement", done.get("statement"), done)
        self.rejected = (post["id"], done.json["statement"]["reference"])
        self.expect("never seen by others", self.get(None, f"/posts/{post['id']}"), 404)
        self.check("its author reads it", self.get("reporter", f"/posts/{post['id']}").get("state") == "rejected")
        experience = {"kind": "experience", "title": "How it went", "body": "It went well."}
        made = self.post("asker", f"/boards/{self.board}/threads", experience)
        self.approve(made.json["post"]["id"])
        story = made.json["thread"]["id"]
        refused = self.post("helper", f"/threads/{story}/posts", {"kind": "answer", "body": "Do this."})
        self.check("an experience takes no answers", refused.status in (403, 422), refused)

    def appeal(self, thread: dict[str, Any]) -> None:
        """An author objects and is right; a reporter objects and is not. Never the first decider answers."""
        post, reference = self.rejected
        path, sent = f"/decisions/{reference}/appeals", {"grounds": "It is no shop, it is my own bath."}
        self.expect("no grounds", self.post(None, path, {"grounds": " "}), 422, None, "grounds")
        self.expect("too long", self.post(None, path, {"grounds": "x" * 4_001}), 422, None, "grounds")
        self.expect("no such decision", self.post(None, f"/decisions/{'0' * 32}/appeals", sent), 404)
        made = self.expect("appeal", self.post("reporter", path, sent), 201)
        own = made.get("reference", "")
        self.check("a secret of 128 bits", REFERENCE.fullmatch(own) and own != reference, made)
        again = self.expect("appeal again", self.post(None, path, sent), 409)
        self.check("names the first", again.get("reference") == own, again)
        self.check("waits", self.get(None, f"/appeals/{own}").get("outcome", 0) is None)
        self.expect("no such appeal", self.get(None, f"/appeals/{'0' * 32}"), 404)
        (row,) = self.get("lead", "/moderation/appeals").get("items", [])
        where = f"/moderation/appeals/{row['id']}/decisions"
        answer = {"outcome": "overturned", "reasons": "You are right, it is no advertisement."}
        self.expect("the first decider", self.post("second", where, answer), 403, "first-decider")
        self.expect("no lead", self.post("moderator", where, answer), 403)
        self.expect("a member", self.post("reporter", where, answer), 403)
        self.expect("no token", self.post(None, where, answer), 401)
        self.expect("no reasons", self.post("lead", where, {"outcome": "overturned"}), 422, None, "reasons")
        self.expect("no such outcome", self.post("lead", where, answer | {"outcome": "won"}), 422, None, "outcome")
        self.expect("answer", self.post("lead", where, answer), 201)
        self.expect("answer again", self.post("lead", where, answer), 409)
        told = self.get(None, f"/appeals/{own}").json
        self.check("is told", (told["outcome"], told["reasons"]) == ("overturned", answer["reasons"]), told)
        self.check("published", self.get(None, f"/posts/{post}").get("state") == "published")
        self.check("the statement says so", self.get(None, f"/decisions/{reference}").get("is_undone") is True)

        sent = {"rule": thread["rule"], "note": "I still think that it sells."}
        report = self.expect("a report", self.post("helper", f"/posts/{post}/reports", sent), 201).json["reference"]
        path = f"/reports/{report}/appeals"
        self.expect("nothing refused yet", self.post(None, path, {"grounds": "Soon?"}), 409)
        case = next(row for row in self.pages("moderator", "/moderation/cases", 50) if row["post_id"] == post)
        dismiss = {"version": case["version"], "verdict": "dismiss"}
        self.expect("dismiss", self.post("moderator", f"/moderation/cases/{case['id']}/decisions", dismiss), 201)
        made = self.expect("a refused reporter", self.post(None, path, {"grounds": "Read it again."}), 201)
        (row,) = self.get("lead", "/moderation/appeals").get("items", [])
        sent = {"outcome": "upheld", "reasons": "It names nothing that can be bought."}
        self.expect("upheld", self.post("lead", f"/moderation/appeals/{row['id']}/decisions", sent), 201)
        told = self.get(None, f"/appeals/{made.get('reference')}")
        self.check("the decision stands", told.get("outcome") == "upheld", told)
        self.check("the report too", self.get(None, f"/reports/{report}").get("status") == "not_acted")
        rate = self.get("lead", "/moderation/metrics").get("overturn_rate")
        self.check("one of two", rate == 0.5, rate)
        log = self.get(None, "/modlog?limit=100").get("items", [])
        self.check("in the public log", {"overturned", "upheld"} <= {row["appeal"] for row in log}, log)

    def grow_up(self, thread: dict[str, Any]) -> None:
        """Three of the asker's posts were approved: the fourth appears at once; some edits wait nevertheless."""
        path = f"/threads/{thread['id']}/posts"
        made = self.expect(
            "the fourth post", self.post("asker", path, {"kind": "comment", "body": "I slept well."}), 201
        )
        post = made.json["post"]
        self.check("appears at once", post["state"] == "published" and made.json["held"] is None, made)
        edit = {"version": post["version"], "body": "I slept well. Write to me: nell.ashdown@gmail.com"}
        held = self.expect("an address in an edit", self.ask("asker", "PATCH", f"/posts/{post['id']}", edit), 200)
        self.check("waits", [r["kind"] for r in (held.get("held") or {}).get("reasons", [])] == ["pii_email"], held)
        shown = self.get(None, f"/posts/{post['id']}").json
        self.check("the approved text stays public", shown["text"].strip() == "I slept well.", shown)
        history = json.dumps(self.get(None, f"/posts/{post['id']}/revisions").json)
        self.check("also in the history", "ashdown" not in history, history)
        self.check("and in the search", self.get(None, "/search?q=ashdown").get("items") == [])
        self.approve(post["id"])
        shown = self.get(None, f"/posts/{post['id']}").json
        self.check("then the new one", "nell.ashdown@gmail.com" in shown["text"] and shown["edited_at"], shown)

    def operate_threads(self, thread: dict[str, Any]) -> None:
        """Two questions about the same: pinned, closed and opened, put together, and one answer taken out again."""
        path, made = f"/boards/{self.board}/threads", []
        for word in ("one", "two"):
            sent = {"kind": "question", "title": f"Warm or cold, number {word}?", "body": f"Which is better, {word}?"}
            made.append(self.post("asker", path, sent).json["thread"]["id"])
        keep, gone = made
        work = f"/moderation/threads/{keep}/operations"
        grounds = {"rule": "none", "reason": "Both ask the same."}
        self.expect("members do not operate", self.post("asker", work, {"operation": "pin"}), 403)
        self.expect("an unknown operation", self.post("moderator", work, {"operation": "sing"}), 422, None, "operation")
        missing = self.post("moderator", work, {"operation": "move", "board": self.board})
        self.expect("no rule, no reason", missing, 422, None, "rule", "reason")
        self.expect("pin", self.post("moderator", work, {"operation": "pin"}), 201)
        self.expect("pinned twice", self.post("second", work, {"operation": "pin"}), 409)
        rows = {row["id"]: row for row in self.get(None, f"{path}?limit=100").get("items", [])}
        self.check("a pin is told", rows[keep]["is_pinned"] and not rows[gone]["is_pinned"], rows[keep])
        closing = {"operation": "lock", "rule": thread["rule"], "reason": "It became a quarrel."}
        closed = self.expect("close", self.post("moderator", work, closing), 201)
        self.check("with a statement", (closed.get("statement") or {}).get("reference"), closed)
        answer = {"kind": "answer", "body": "Warm."}
        self.expect("no answer there", self.post("helper", f"/threads/{keep}/posts", answer), 403)
        self.expect("open", self.post("moderator", work, grounds | {"operation": "unlock"}), 201)
        merge = grounds | {"operation": "merge", "into": keep}
        stale = self.post("moderator", f"/moderation/threads/{gone}/operations", merge | {"last_operation": 4})
        self.expect("another operation was read", stale, 409)
        merged = self.expect("merge", self.post("moderator", f"/moderation/threads/{gone}/operations", merge), 201)
        self.check("where it went", merged.json["operation"]["into"] == keep, merged)
        led = self.get(None, f"/threads/{gone}")
        self.check("the old address leads on", led.status == 200 and led.json["thread"]["id"] == keep, led)
        self.check("its title is kept", "number two" in str(led.json["posts"]["items"][0]["former_title"]), led)
        listed = [row["id"] for row in self.get(None, f"{path}?limit=100").get("items", [])]
        self.check("and is listed no more", keep in listed and gone not in listed, listed)
        posts = [led.json["posts"]["items"][0]["id"]]
        split = grounds | {"operation": "split", "post_ids": posts, "title": "Cold alone"}
        out = self.expect("split", self.post("second", work, split), 201)
        alone = self.get(None, f"/threads/{out.json['operation']['into']}")
        self.check("a thread of its own", alone.json["thread"]["title"] == "Cold alone", alone)
        told = [row["kind"] for row in self.get("asker", "/me/notifications").get("items", [])]
        self.check("its author was told", "moved" in told and "locked" in told, told)

    def talk(self) -> None:
        """The team writes to a member, who answers without learning a name."""
        handle = self.get("asker", "/me").json["handle"]
        sent = {"member": handle, "subject": "Your questions", "text": "Thank you for *asking*."}
        self.expect("members do not begin", self.post("asker", "/moderation/talk", sent), 403)
        self.expect("nobody of this name", self.post("moderator", "/moderation/talk", sent | {"member": "x-x"}), 404)
        self.expect("no text", self.post("moderator", "/moderation/talk", sent | {"text": " "}), 422, None, "text")
        made = self.expect("write to a member", self.post("moderator", "/moderation/talk", sent), 201).json
        mine = f"/me/talk/{made['id']}"
        self.expect("others know nothing of it", self.get("helper", mine), 404)
        seen = self.expect("the member reads it", self.get("asker", mine), 200)
        self.check("from the team", "quinn" not in json.dumps(seen.json), seen)
        self.expect("and answers", self.post("asker", f"{mine}/messages", {"text": "You are welcome."}), 201)
        waits = [row["id"] for row in self.get("second", "/moderation/talk?list=awaiting").get("items", [])]
        self.check("the team owes an answer", waits == [made["id"]], waits)
        ours = f"/moderation/talk/{made['id']}"
        late = {"text": "Again.", "last_message": made["last_message"]}
        self.expect("past the answer", self.post("second", f"{ours}/messages", late), 409, "talk-changed")
        self.expect("answer", self.post("second", f"{ours}/messages", {"text": "Good night."}), 201)
        self.expect("end it", self.ask("second", "PATCH", ours, {"closed": True}), 200)
        self.expect("no more words", self.post("asker", f"{mine}/messages", {"text": "One more."}), 409)
        note = self.post("moderator", f"/moderation/members/{handle}/notes", {"text": "Asks well."})
        self.expect("a note", note, 201)
        self.expect("not for members", self.get("asker", f"/moderation/members/{handle}/notes"), 403)

    def patrol(self) -> None:
        """What appeared unread is read by somebody of the team, once."""
        self.expect("members do not patrol", self.get("asker", "/moderation/patrol"), 403)
        rows = list(self.pages("moderator", "/moderation/patrol", 2))
        self.check("something is unread", rows, rows)
        ids = [row["post_id"] for row in rows]
        seen = self.expect("seen", self.post("moderator", "/moderation/patrol/seen", {"post_ids": ids}), 200)
        self.check("all of it", seen.get("marked") == len(ids), seen)
        self.check("nothing is left", self.get("second", "/moderation/patrol").get("items") == [])

    def meet_a_crisis(self) -> None:
        sent = {
            "kind": "question",
            "title": "I cannot go on",
            "body": "The pain never stops. I have the pills here and I am going to kill myself tonight.",
        }
        made = self.expect("a crisis", self.post("asker", f"/boards/{self.board}/threads", sent), 201)
        kinds = [reason["kind"] for reason in (made.get("held") or {}).get("reasons", [])]
        self.check("waits, although its author is known", "crisis_plan" in kinds and "newcomer" not in kinds, kinds)
        notes = [note for note in made.get("guidance", []) if note["kind"] == "crisis_plan"]
        if self.check("help in the very answer", notes, made):
            self.has("help", notes[0], ["kind", "urgency", "message", "resources"])
            self.has("a line", (notes[0]["resources"] or [None])[0], ["name", "phone", "url", "hours"])
        first = self.expect("the next case", self.post("moderator", "/moderation/cases/next"), 200).json
        self.check("is this one", (first["post_id"], first["priority"]) == (made.json["post"]["id"], "P0"), first)
        path = f"/moderation/cases/{first['id']}/claim"
        self.expect("given back", self.ask("moderator", "DELETE", path), 204)
        self.expect("and taken by the other", self.post("second", path), 200)


def main() -> int:
    given = json.load(sys.stdin)
    driver = Driver(given["base"], given["board"], given["tokens"])
    try:
        driver.run()
    except Exception as error:  # What came before has been judged; this is one more finding.
        import traceback

        driver.fail("the driver cannot go on", "".join(traceback.format_exception(error)[-3:]))
    lines: list[dict[str, Any]] = [{"failed": line} for line in driver.failed]
    lines.append({"requests": driver.requests, "passed": driver.passed, "failed": len(driver.failed)})
    sys.stdout.write("".join(f"{json.dumps(line)}\n" for line in lines))
    return 1 if driver.failed else 0


if __name__ == "__main__":
    sys.exit(main())
