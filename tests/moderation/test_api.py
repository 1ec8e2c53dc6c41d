"""Moderation through the JSON API, as a program sees it."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.vocabulary import Verdict
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS
from tests.support.cast import bearer

API = "/api/v1"


class Caller:
    """A program with the token of one member."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    def __call__(self, method: str, path: str, status: int, **sent: Any) -> Any:
        answer = self.client.open(
            API + path, method=method, headers=self.headers, json=sent.pop("json", None), query_string=sent
        )
        assert answer.status_code == status, answer.get_data(as_text=True)
        if not answer.data:
            return None
        if status >= 400:
            assert answer.content_type == "application/problem+json"
        return json.loads(answer.data)


@pytest.fixture
def call(app: Flask, stage: Stage):
    def as_(name: str | None, scopes: str = "read,write,moderate") -> Caller:
        headers = bearer(stage.members[name], scopes) if name else {}
        return Caller(app.test_client(), headers)

    stage.session.commit()
    return as_


def test_the_chain_from_report_to_statement_to_undo(stage: Stage, call) -> None:
    post = stage.ask().post
    ben, mo, ann = call("ben"), call("mo"), call("ann")
    made = ben("POST", f"/posts/{post.id}/reports", 201, json={"rule": "R9-no-ads", "note": "<b>An ad</b>"})
    assert (made["status"], len(made["reference"])) == ("open", 32)
    listed = mo("GET", "/moderation/cases", 200)["items"]
    assert [(row["post_id"], row["priority"], row["reports"]) for row in listed] == [
        (post.id, "P3", [{"rule": "R9-no-ads"}])
    ]
    case_id = listed[0]["id"]
    claimed = mo("POST", f"/moderation/cases/{case_id}/claim", 200)
    assert claimed["claimed_by"] == "mo" and claimed["claimed_until"]
    taken = call("mia")("POST", f"/moderation/cases/{case_id}/claim", 409)
    assert (taken["code"], taken["claimed_by"]) == ("claim-taken", "mo") and taken["claimed_until"]
    full = mo("GET", f"/moderation/cases/{case_id}", 200)
    assert full["reports"][0]["note"] == "<b>An ad</b>"
    assert full["reports"][0]["reporter"]["handle"] == "ben"
    assert set(full["allowed_verdicts"]) == {"dismiss", "redact", "label", "shield", "hide", "remove", "escalate"}
    assert full["author"]["approved_count"] == 4 and full["claimed_by"] == "mo"
    sent = {"version": full["version"], "verdict": "remove", "rule": "R9-no-ads", "reason": "It sells something."}
    done = mo("POST", f"/moderation/cases/{case_id}/decisions", 201, json=sent)
    assert (done["decision"]["verdict"], done["decision"]["state_after"]) == ("remove", "removed")
    reference = done["statement"]["reference"]
    read = call(None)("GET", f"/decisions/{reference}", 200)
    assert read["statement"]["facts"] == "It sells something." and read["is_undone"] is False
    assert call(None)("GET", f"/reports/{made['reference']}", 200)["status"] == "acted"
    assert [row["reference"] for row in ann("GET", "/me/decisions", 200)["items"]] == [reference]
    path = f"/moderation/decisions/{done['decision']['id']}/undo"
    assert mo("POST", path, 422, json={})["errors"][0]["field"] == "reason"
    undone = mo("POST", path, 201, json={"reason": "It was no advertisement."})
    assert (undone["decision"]["undoes"], undone["statement"]) == (done["decision"]["id"], None)
    assert call(None)("GET", f"/decisions/{reference}", 200)["is_undone"] is True
    assert call(None)("GET", f"/posts/{post.id}", 200)["state"] == "published"


def test_next_gives_the_most_urgent_case_with_its_spans_and_then_nothing(stage: Stage, call) -> None:
    stage.ask(body=CRISIS, title="Tonight")
    mo = call("mo")
    case = mo("POST", "/moderation/cases/next", 200)
    assert (case["priority"], case["state"], case["claimed_by"]) == ("P0", "claimed", "mo")
    words = [case["text"][span["start"] : span["end"]] for span in case["spans"]]
    assert "I am going to kill myself" in words
    assert {f["kind"] for f in case["findings"]} == {"crisis_plan"}
    assert mo("POST", "/moderation/cases/next", 204) is None
    assert mo("DELETE", f"/moderation/cases/{case['id']}/claim", 204) is None
    assert call("mia")("POST", "/moderation/cases/next", 200)["id"] == case["id"]


def test_a_decision_is_refused_with_the_right_status(stage: Stage, call) -> None:
    _, case = stage.held()
    own = stage.case_of(stage.ask(stage.mo).post)
    mo, path = call("mo"), f"/moderation/cases/{case.id}/decisions"
    assert mo("POST", path, 428, json={"verdict": "approve"})["code"] == "version-missing"
    stale = mo("POST", path, 409, json={"verdict": "approve", "version": 7})
    assert (stale["code"], stale["version"]) == ("case-changed", 1)
    missing = mo("POST", path, 422, json={"verdict": "reject", "version": 1})
    assert {error["field"] for error in missing["errors"]} == {"rule", "reason"}
    wrong = mo("POST", path, 422, json={"verdict": "dismiss", "version": 1})
    assert (wrong["code"], "approve" in wrong["allowed_verdicts"]) == ("verdict-not-allowed", True)
    for name, value in {
        "redactions": [{"start": 0, "end": 1}],
        "label": {"text": "x"},
        "until": "2027-01-01T00:00:00Z",
        "sanction": {"kind": "warning"},
        "duplicate_of": 1,
    }.items():
        strange = mo("POST", path, 422, json={"verdict": "approve", "version": 1, name: value})
        assert (strange["code"], strange["errors"][0]["field"]) == ("invalid-field", name)
    half = mo("POST", path, 422, json={"verdict": "redact", "version": 1, "redactions": [{"start": 0}]})
    assert half["errors"][0]["field"].startswith("redactions")
    conflict = mo("POST", f"/moderation/cases/{own.id}/decisions", 403, json={"verdict": "approve", "version": 1})
    assert conflict["code"] == "conflict-of-interest"
    assert mo("POST", path, 422, json={"verdict": "approve", "version": "many"})["errors"][0]["field"] == "version"
    assert stage.case(case.id).version == 1
    done = mo("POST", path, 201, json={"verdict": "approve", "version": 1})
    assert (done["decision"]["rule"], done["statement"]) == ("none", None)
    assert call("mia")("POST", path, 409, json={"verdict": "approve", "version": 1})["code"] == "case-changed"


def test_a_refused_decision_keeps_the_claim_alive(stage: Stage, call) -> None:
    _, case = stage.held()
    mo = call("mo")
    mo("POST", f"/moderation/cases/{case.id}/claim", 200)
    before = stage.case(case.id).claimed_until
    mo("POST", f"/moderation/cases/{case.id}/decisions", 422, json={"verdict": "reject", "version": 1})
    assert stage.case(case.id).claimed_until > before


def test_the_queue_is_closed_to_others(stage: Stage, call) -> None:
    _, case = stage.held()
    for name, scopes, status in (("ann", "read,write,moderate", 403), ("mo", "read,write", 403), (None, "", 401)):
        caller = call(name, scopes)
        for method, path in (
            ("GET", "/moderation/cases"),
            ("POST", "/moderation/cases/next"),
            ("GET", f"/moderation/cases/{case.id}"),
            ("POST", f"/moderation/cases/{case.id}/claim"),
            ("DELETE", f"/moderation/cases/{case.id}/claim"),
            ("POST", f"/moderation/cases/{case.id}/decisions"),
            ("POST", "/moderation/decisions/1/undo"),
        ):
            caller(method, path, status, json={} if method == "POST" else None)
    call("mo")("GET", "/moderation/cases/999999", 404)
    call("mo")("POST", "/moderation/decisions/999999/undo", 404, json={"reason": "x"})


def test_the_queue_is_filtered_and_paged(stage: Stage, call) -> None:
    stage.held()
    stage.held()
    stage.ask(body="Write to ann.smith@gmail.com")
    mo = call("mo")
    first = mo("GET", "/moderation/cases", 200, limit=2)
    rest = mo("GET", "/moderation/cases", 200, limit=2, after=first["next"])
    assert [row["priority"] for row in first["items"] + rest["items"]] == ["P2", "P3", "P3"]
    assert rest["next"] is None
    assert len(mo("GET", "/moderation/cases", 200, kind="pii_email", priority="P2", board="backache")["items"]) == 1
    assert mo("GET", "/moderation/cases", 200, state="decided", board="unsorted")["items"] == []
    assert mo("GET", "/moderation/cases", 422, state="nonsense")["code"] == "invalid-field"
    assert mo("GET", "/moderation/cases", 422, after="nonsense")["code"] == "bad-cursor"


def test_members_read_their_own_waiting_posts(stage: Stage, call) -> None:
    post, case = stage.held()
    held = call("cora")("GET", "/me/held", 200)["items"]
    assert [(row["post_id"], row["state"], row["held"]["position"]) for row in held] == [(post.id, "held", 1)]
    assert held[0]["held"]["reasons"][0]["kind"] == "newcomer"
    assert held[0]["held"]["expected_wait_minutes"] is None  # nothing was decided in the last thirty days
    stage.decide(case, Verdict.APPROVE)
    assert call("cora")("GET", "/me/held", 200)["items"] == []
    call(None)("GET", "/me/held", 401)


def test_a_report_is_refused_with_the_right_status(stage: Stage, call) -> None:
    post = stage.ask().post
    held, _ = stage.held()
    ben = call("ben")
    assert ben("POST", f"/posts/{post.id}/reports", 422, json={})["errors"][0]["field"] == "rule"
    ben("POST", f"/posts/{held.id}/reports", 404, json={"rule": "R11-kind"})
    assert call("ann")("POST", f"/posts/{post.id}/reports", 403, json={"rule": "R11-kind"})["code"] == "own-post"
    call(None)("POST", f"/posts/{post.id}/reports", 401, json={"rule": "R11-kind"})
    first = ben("POST", f"/posts/{post.id}/reports", 201, json={"rule": "R11-kind"})
    again = ben("POST", f"/posts/{post.id}/reports", 409, json={"rule": "R11-kind"})
    assert (again["code"], again["reference"]) == ("already-reported", first["reference"])
    assert call(None)("GET", "/reports/" + "0" * 32, 404)["code"] == "not-found"


def test_a_repeated_request_decides_once(stage: Stage, call) -> None:
    _, case = stage.held()
    mo = call("mo")
    mo.headers["Idempotency-Key"] = "one-press"
    sent = {"verdict": "approve", "version": 1}
    first = mo("POST", f"/moderation/cases/{case.id}/decisions", 201, json=sent)
    assert mo("POST", f"/moderation/cases/{case.id}/decisions", 201, json=sent) == first
