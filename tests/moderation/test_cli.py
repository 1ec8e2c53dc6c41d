"""The commands: triage of lines from standard input, and the proof of the audit chain."""

import json
from pathlib import Path

from flask import Flask
from sqlalchemy import delete, func, select, update

from core import audit
from core.audit import AuditEntry, AuditHead
from core.db import Base
from core.vocabulary import Verdict
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS


def run(app: Flask, stage: Stage, *args: str, stdin: str = ""):
    stage.session.commit()
    return app.test_cli_runner().invoke(args=["moderation", *args], input=stdin)


def triaged(app: Flask, stage: Stage, *lines: dict) -> list[dict]:
    done = run(app, stage, "triage", stdin="\n".join(json.dumps(line) for line in lines) + "\n")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_triage_answers_each_line(app: Flask, stage: Stage) -> None:
    found = triaged(
        app,
        stage,
        {"id": "a", "text": "Walking helps me."},
        {"id": 2, "text": CRISIS, "title": "Tonight"},
        {"id": "c", "text": "See https://example.org", "author_posts": 0},
        {"id": "d", "text": "I am numb between my legs"},
    )
    assert [(f["id"], f["state"], f["priority"]) for f in found] == [
        ("a", "published", None),
        (2, "held", "P0"),
        ("c", "held", "P3"),
        ("d", "published", None),
    ]
    signal = found[1]["signals"][0]
    assert set(signal) == {"kind", "score", "holds", "start", "end", "explanation"}
    assert f"Tonight\n\n{CRISIS}"[signal["start"] : signal["end"]] == "I am going to kill myself"
    note = found[1]["guidance"][0]
    assert note["kind"] == "crisis_plan" and note["resources"][0]["phone"] == "999"
    assert {s["kind"] for s in found[2]["signals"]} == {"link", "newcomer"}
    assert (found[3]["guidance"][0]["kind"], found[3]["guidance"][0]["urgency"]) == ("red_flag", "emergency_now")


def test_triage_writes_nothing(app: Flask, stage: Stage) -> None:
    stage.session.commit()

    def counts() -> dict[str, int]:
        tables = Base.metadata.sorted_tables
        return {t.name: stage.session.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}

    before = counts()
    triaged(app, stage, {"id": 1, "text": CRISIS})
    assert counts() == before


def test_triage_names_the_line_that_it_cannot_read(app: Flask, stage: Stage) -> None:
    for bad in ("no json", '["a list"]', '{"id": 1}', '{"text": "x", "author_posts": -1}', '{"text": "x", "title": 3}'):
        done = run(app, stage, "triage", stdin=f'{{"id":1,"text":"fine"}}\n{bad}\n')
        assert done.exit_code == 1 and "line 2" in done.stderr
        assert len(done.stdout.splitlines()) == 1


def test_a_board_is_marked_as_sensitive_and_back(app: Flask, stage: Stage) -> None:
    stage.held()
    assert run(app, stage, "sensitive", "backache").exit_code == 0
    _, case = stage.held()
    assert (case.due_at - case.opened_at).total_seconds() == 12 * 3600
    assert run(app, stage, "sensitive", "backache", "--off").exit_code == 0
    _, case = stage.held()
    assert (case.due_at - case.opened_at).total_seconds() == 24 * 3600
    assert run(app, stage, "sensitive", "nowhere").exit_code == 1


def test_verify_log_finds_the_first_changed_entry(app: Flask, stage: Stage) -> None:
    for _ in range(3):
        _, case = stage.held()
        stage.decide(case, Verdict.REJECT)
    done = run(app, stage, "verify-log")
    assert done.exit_code == 0 and "whole" in done.stdout
    last = stage.session.execute(select(func.max(AuditEntry.id))).scalar_one()
    stage.session.execute(update(AuditEntry).where(AuditEntry.id == last - 2).values(reason="something else"))
    done = run(app, stage, "verify-log", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["ok"], found["broken"]["entry"]) == (False, last - 2)
    assert run(app, stage, "verify-log").exit_code == 1


def test_verify_log_finds_with_a_kept_head_what_the_chain_alone_cannot_show(
    app: Flask, stage: Stage, tmp_path: Path
) -> None:
    for _ in range(3):
        stage.decide(stage.held()[1], Verdict.REJECT)
    with_head = audit.record_head(stage.session, now=stage.now)
    assert with_head is not None
    head = f"{with_head.count}:{with_head.hash}"
    kept = tmp_path / "mail.txt"
    kept.write_text(f"Please keep this mail.\n\n{head}\n")
    for given in (head, str(kept)):
        done = run(app, stage, "verify-log", "--against", given)
        assert (done.exit_code, "every head given (1)" in done.stdout) == (0, True), done.output
    stage.session.execute(delete(AuditHead))
    stage.session.execute(delete(AuditEntry).where(AuditEntry.id == with_head.entry_id))
    assert run(app, stage, "verify-log").exit_code == 0
    done = run(app, stage, "verify-log", "--against", str(kept))
    assert done.exit_code == 1 and "cut off" in done.stdout
    found = json.loads(run(app, stage, "verify-log", "--json", "--against", head).stdout)
    assert (found["ok"], found["heads"], found["entries"]) == (False, 1, with_head.count - 1)


def test_verify_log_refuses_what_is_no_head(app: Flask, stage: Stage, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.txt"
    nothing.write_bytes(b"\xff no head here")
    for given in ("12:abc", str(tmp_path / "missing"), str(nothing)):
        done = run(app, stage, "verify-log", "--against", given)
        assert done.exit_code == 2 and "neither a head" in done.stderr
