"""The public log: every decision is in it, and nobody and nothing that anybody wrote."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from auth.models import Member
from core import audit
from core.audit import AuditHead
from core.cli import tidy_up
from core.vocabulary import PostKind, Verdict
from forum.models import Board, Post, Revision, Thread
from moderation import cli, modlog
from moderation.models import Decision, Finding, Report, Statement
from tests.forum.counting import counting
from tests.moderation.desk import text_of
from tests.moderation.stage import Stage, make_condition
from tests.support.browser import Pages
from tests.support.mailbox import mails

PERSONAL = "Ring Zebulon Quux on 020 7946 0958 or zebulon.quux@gmail.com"
MOST_QUERIES = 12


def history(stage: Stage) -> None:
    """Held, reported, edited, taken back and answered posts; every free text carries somebody's details."""
    post, case = stage.held(title=f"Title {PERSONAL}", body=f"Body {PERSONAL}")
    stage.undo(stage.decide(case, Verdict.REJECT, reason=f"Reason {PERSONAL}"), reason=f"Undo {PERSONAL}")
    stage.decide(stage.case(case.id), Verdict.APPROVE)
    answer = stage.answer(stage.ask().thread.id).post
    stage.report(answer, stage.ann, note=f"Note {PERSONAL}")
    stage.decide(stage.case_of(answer), Verdict.REMOVE, rule="R9-no-ads", reason=f"Again {PERSONAL}")
    comment = stage.answer(post.thread_id, stage.ann, kind=PostKind.COMMENT, parent_id=post.id).post
    stage.report(comment, stage.ben)
    stage.decide(stage.case_of(comment), Verdict.DISMISS)
    _, case = stage.held_edit()
    stage.decide(case, Verdict.REQUEST_CHANGES, rule="R7-privacy-own", reason=f"Please, {PERSONAL}")
    stage.session.flush()


def grow(stage: Stage, threads: int = modlog.BOARD_THREADS) -> None:
    """The board has so many published threads."""
    stage.session.execute(update(Board).values(thread_count=threads))
    stage.session.commit()


def log(client: FlaskClient, status: int = 200, **query: Any) -> Any:
    answer = client.get("/api/v1/modlog", query_string=query)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return json.loads(answer.data)


def test_every_decision_stands_in_the_log_once_newest_first(stage: Stage, client: FlaskClient) -> None:
    history(stage)
    grow(stage)
    every = log(client, limit=100)["items"]
    rows = {d.id: d for d in stage.session.execute(select(Decision)).scalars()}
    assert [item["id"] for item in every] == sorted(rows, reverse=True)
    for item in every:
        row = rows[item["id"]]
        assert (item["verdict"], item["rule"], item["rule_version"]) == (
            row.verdict.value,
            row.rule_code,
            row.rule_version,
        )
        assert item["rule_title"] and item["day"] == row.at.date().isoformat()
        assert item["automated_detection"] is row.automated_detection and item["automated_decision"] is False
        assert item["board"] == {"slug": "backache", "name": "Backache"}
        assert item["takes_back"] == row.undoes_id
    undone = next(item for item in every if item["takes_back"])
    assert next(item for item in every if item["id"] == undone["takes_back"])["taken_back_by"] == undone["id"]
    assert {item["kind"] for item in every} == {"question", "answer", "comment"}
    assert {item["automated_detection"] for item in every} == {True, False}


def test_nobody_and_no_text_occurs_in_the_log(app: Flask, stage: Stage, client: FlaskClient) -> None:
    """Neither page, nor API, nor list of heads holds a handle, an address, a title, a text, a reason or a reference."""
    history(stage)
    grow(stage)
    audit.record_head(stage.session, now=stage.now)
    secret: set[str] = {"Zebulon", "020 7946", "gmail.com"}
    for column in (
        Member.handle,
        Member.email,
        Thread.title,
        Thread.slug,
        Post.source,
        Post.text,
        Post.excerpt,
        Revision.source,
        Revision.title,
        Decision.reason,
        Decision.text_judged,
        Report.note,
        Report.reference,
        Statement.reference,
        Finding.explanation,
    ):
        secret |= {value for value in stage.session.execute(select(column)).scalars() if value}
    assert len(secret) > 40
    shown = [client.get(path).get_data(as_text=True) for path in ("/modlog", "/modlog/heads.txt")]
    shown.append(client.get("/api/v1/modlog?limit=100").get_data(as_text=True))
    words = " ".join(shown)
    # Handles here are as short as "mo" and "ann": as words of their own, they must not occur.

    found = {
        value
        for value in secret
        if (re.search(rf"\b{re.escape(value)}\b", words) if len(value) < 5 else value in words)
    }
    assert found == set()
    # What is looked for can be found: the very texts stand on the pages of moderation.
    assert "Zebulon" in " ".join(stage.session.execute(select(Decision.reason)).scalars())


FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"rule": "R9-no-ads"}, lambda item: item["rule"] == "R9-no-ads"),
    ({"verdict": "reject"}, lambda item: item["verdict"] == "reject"),
    ({"board": "backache"}, lambda item: True),
    ({"month": "2026-03"}, lambda item: True),
    ({"month": "2026-02"}, lambda item: False),
    ({"board": "gout"}, lambda item: False),
    ({"rule": "R3-no-doses", "verdict": "restore"}, lambda item: item["takes_back"] is not None),
]


def test_the_log_is_filtered(stage: Stage, client: FlaskClient) -> None:
    history(stage)
    grow(stage)
    every = log(client, limit=100)["items"]
    for query, matches in FILTERS:
        expected = [item["id"] for item in every if matches(item)]
        assert [item["id"] for item in log(client, limit=100, **query)["items"]] == expected
        page = client.get("/modlog", query_string=query).get_data(as_text=True)
        for item in every:
            assert (f'id="decision-{item["id"]}"' in page) is (item["id"] in expected)
        assert ("No decision fits what you chose." in page) is (not expected)


def test_pages_join_without_gap_and_their_cursor_tells_no_time(stage: Stage, client: FlaskClient) -> None:
    history(stage)
    grow(stage)
    every = [item["id"] for item in log(client, limit=100)["items"]]
    seen, after = [], None
    while True:
        part = log(client, limit=2, verdict="approve", **({"after": after} if after else {}))
        seen += part["items"]
        after = part["next"]
        if not after:
            break
        assert len(after) < 12
    approved = [item["id"] for item in log(client, limit=100, verdict="approve")["items"]]
    assert [item["id"] for item in seen] == approved and set(approved) < set(every) and len(approved) > 2


def test_a_small_board_is_not_named_and_not_found_by_its_name(stage: Stage, client: FlaskClient) -> None:
    history(stage)
    for threads, named in ((modlog.BOARD_THREADS - 1, False), (modlog.BOARD_THREADS, True)):
        grow(stage, threads)
        item = log(client)["items"][0]
        assert (item["board"] is not None) is named
        assert bool(log(client, board="backache")["items"]) is named
        page = client.get("/modlog").get_data(as_text=True)
        assert ("Backache" in page) is named and ("backache" in page) is named
        assert ("A small board" in page) is not named


def test_a_wrong_filter_is_told_to_programs_and_ignored_on_the_page(stage: Stage, client: FlaskClient) -> None:
    history(stage)
    grow(stage)
    for month in ("2026-13", "soon", "0000-01", "2026-03\n"):
        assert log(client, 422, month=month)["errors"][0]["field"] == "month"
        assert "decision-" in client.get("/modlog", query_string={"month": month}).get_data(as_text=True)
    assert log(client, 422, verdict="praise")["code"] == "invalid-field"
    assert log(client, 422, after="nonsense!")["code"] == "bad-cursor"


def test_an_empty_log_says_so_and_anybody_may_read_it(client: FlaskClient) -> None:
    page = client.get("/modlog")
    assert page.status_code == 200 and "No decisions yet" in text_of(page)
    assert "The first line appears within a day" in text_of(page)
    assert log(client) == {"items": [], "next": None, "heads": []}
    assert client.get("/modlog/heads.txt").data == b""
    assert 'href="/modlog"' in client.get("/site-map").get_data(as_text=True)


def test_a_page_of_the_log_costs_the_same_however_many_decisions_there_are(stage: Stage, client: FlaskClient) -> None:
    history(stage)
    grow(stage)
    with counting(stage.session) as few:
        client.get("/modlog")
    for _ in range(6):
        stage.decide(stage.held()[1], Verdict.REJECT)
    stage.session.commit()
    with counting(stage.session) as many:
        client.get("/modlog")
    assert len(many) == len(few) <= MOST_QUERIES


@pytest.mark.browser
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_log_reads_well_by_every_means(stage: Stage, live_server: str, new_page: Pages) -> None:
    """On a phone, without scripts, by keyboard; axe finds nothing to complain about in either scheme."""
    history(stage)
    audit.record_head(stage.session, now=stage.now)
    grow(stage)
    for scheme in ("light", "dark"):
        page = new_page(width=375, scheme=scheme)
        page.goto("/modlog?verdict=reject")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page = new_page(width=320, scripts=False)
    page.goto("/modlog")
    page.get_by_text("Show only some").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Decision").select_option("reject")
    page.get_by_role("button", name="Show").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/modlog?*verdict=reject*")
    assert page.locator("li.result").count() == 1
    assert page.get_by_role("link", name="No amounts of medicine").is_visible()


# --- The daily heads ---------------------------------------------------------------------------------------------


def test_the_worker_publishes_the_head_once_a_day_and_writes_to_the_operator(
    app: Flask, site: Any, stage: Stage, client: FlaskClient
) -> None:
    told = site.build(operator_mail="ops@example.org")
    stage.decide(stage.held()[1], Verdict.REJECT)
    stage.session.commit()
    for _ in range(2):
        with told.app_context():
            tidy_up()
    stage.session.expire_all()
    (head,) = stage.session.execute(select(AuditHead)).scalars()
    assert audit.verify(stage.session) == (head.count, None)
    line = f"{head.count}:{head.hash}"
    (mail,) = mails(told, "ops@example.org")
    site.disconnect(told)
    assert mail["Subject"] == f"Audit log of {head.day.isoformat()}"
    assert line in mail.get_content().splitlines()
    assert line in client.get("/modlog").get_data(as_text=True)
    assert client.get("/modlog/heads.txt").get_data(as_text=True) == f"{head.day.isoformat()} {line}\n"
    assert log(client)["heads"] == [
        {"day": head.day.isoformat(), "entries": head.count, "hash": head.hash, "head": line}
    ]


def test_without_an_operator_the_head_is_published_all_the_same(app: Flask, stage: Stage) -> None:
    stage.decide(stage.held()[1], Verdict.REJECT)
    stage.session.commit()
    tidy_up()
    assert len(audit.recorded_heads(stage.session)) == 1
    assert not [m for m in mails(app, "ops@example.org") if "Audit" in str(m["Subject"])]


def test_the_page_shows_the_latest_days_and_the_list_all(app: Flask, stage: Stage, client: FlaskClient) -> None:
    for day in range(modlog.SHOWN_HEADS + 3):
        cli.publish_head(stage.session, now=stage.now + timedelta(days=day))
    stage.session.commit()
    heads = [f"{h.count}:{h.hash}" for h in audit.recorded_heads(stage.session)]
    assert len(heads) == modlog.SHOWN_HEADS + 3
    assert len(log(client)["heads"]) == modlog.SHOWN_HEADS
    listed = client.get("/modlog/heads.txt")
    assert listed.mimetype == "text/plain"
    assert [str(head) for head in audit.read_heads(listed.get_data(as_text=True))] == heads


def test_boards_and_months_to_choose_from_are_those_with_decisions(stage: Stage, client: FlaskClient) -> None:
    make_condition(stage.session, stage.now, "Gout")
    history(stage)
    grow(stage)
    assert modlog.boards(stage.session) == [("backache", "Backache")]
    assert [m.isoformat() for m in modlog.months(stage.session)] == ["2026-03-01"]
    first = stage.session.execute(select(Decision.id).order_by(Decision.id).limit(1)).scalar_one()
    stage.session.execute(update(Decision).where(Decision.id == first).values(at=stage.now - timedelta(days=70)))
    assert [m.isoformat() for m in modlog.months(stage.session)] == [
        "2026-03-01",
        "2026-02-01",
        "2026-01-01",
        "2025-12-01",
    ]
    codes = [code for code, _ in modlog.rules(stage.session, now=stage.now)]
    assert (
        codes[0] == "R1-own-story" and codes[-1] == "none" and codes.index("R9-no-ads") < codes.index("R10-honest-role")
    )
