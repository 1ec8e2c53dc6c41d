"""Deciding through the JSON API: the fields of each verdict, the second person, several cases with one press."""

from typing import Any

import pytest
from sqlalchemy import func, select

from core.audit import AuditEntry
from core.notifications import Notification
from core.outbox import OutboxMessage
from core.vocabulary import CaseState, PostState, Verdict
from moderation.models import BulkDecision, Confirmation, Decision, Statement
from tests.moderation.stage import Stage, publish_article
from tests.moderation.test_api import call

__all__ = ["call"]

STORED = (Decision, Statement, Confirmation, BulkDecision, Notification, OutboxMessage, AuditEntry)


def counts(stage: Stage) -> dict[str, int]:
    """How many rows a decision could have left."""
    stage.session.expire_all()
    return {
        one.__tablename__: stage.session.execute(select(func.count()).select_from(one)).scalar_one() for one in STORED
    }


def proposed(stage: Stage, mo: Any) -> tuple[Any, Any, str]:
    """Ann's reported post, its case, and where the second person answers to Mo's removal."""
    post, case = stage.reported()
    stage.session.commit()
    sent = {
        "version": stage.case(case.id).version,
        "verdict": "remove",
        "rule": "R11-kind",
        "reason": "It threatens somebody.",
        "severe": True,
    }
    made = mo("POST", f"/moderation/cases/{case.id}/decisions", 201, json=sent)
    assert made["statement"] is None
    assert (made["decision"]["needs_second"], made["decision"]["has_effect"]) == (True, False)
    return post, case, f"/moderation/decisions/{made['decision']['id']}/confirmations"


# --- The second person -------------------------------------------------------------------------------------------


def test_a_second_person_confirms_and_only_then_it_takes_effect(stage: Stage, call) -> None:
    mo = call("mo")
    post, case, path = proposed(stage, mo)
    assert call(None)("GET", f"/posts/{post.id}", 200)["state"] == "published"
    before = counts(stage)
    first = mo("POST", path, 403, json={"agrees": True})
    assert first["code"] == "first-decider"
    call("ann")("POST", path, 403, json={})
    call(None)("POST", path, 401, json={})
    assert call("ben")("POST", path, 403, json={})["status"] == 403
    assert call("mia")("POST", path, 422, json={"agrees": "perhaps"})["errors"][0]["field"] == "agrees"
    assert counts(stage) == before
    done = call("mia")("POST", path, 201, json={"agrees": True})
    assert (done["decision"]["state_after"], done["decision"]["has_effect"]) == ("removed", True)
    assert done["decision"]["second"]["handle"] == "mia"
    assert (
        done["statement"]["restriction"] == "removed" and "Two persons" in done["statement"]["statement"]["automation"]
    )
    assert stage.post(post.id).state is PostState.REMOVED
    assert stage.case(case.id).state is CaseState.DECIDED
    after = counts(stage)
    again = call("lea")("POST", path, 409, json={"agrees": True})
    assert again["code"] == "decision-lapsed" and counts(stage) == after
    call("mia")("POST", "/moderation/decisions/999999/confirmations", 404, json={})
    stage.sound()


def test_a_second_person_who_disagrees_says_why_and_the_case_is_open_again(stage: Stage, call) -> None:
    post, case, path = proposed(stage, call("mo"))
    mia, before = call("mia"), counts(stage)
    assert mia("POST", path, 422, json={"agrees": False})["errors"][0]["field"] == "reason"
    assert counts(stage) == before
    said = mia("POST", path, 201, json={"agrees": False, "reason": "It is harsh, but no threat."})
    assert (said["statement"], said["decision"]["has_effect"]) == (None, False)
    assert said["decision"]["second"]["handle"] == "mia"
    assert stage.case(case.id).state is CaseState.OPEN
    assert stage.post(post.id).state is PostState.PUBLISHED and stage.statements() == []
    assert call("lea")("POST", path, 409, json={"agrees": True})["code"] == "decision-lapsed"
    stage.sound()


def test_a_report_meanwhile_lets_the_decision_lapse(stage: Stage, call) -> None:
    post, case, path = proposed(stage, call("mo"))
    call("dan")("POST", f"/posts/{post.id}/reports", 201, json={"rule": "R9-no-ads"})
    before = counts(stage)
    lapsed = call("mia")("POST", path, 409, json={"agrees": True})
    assert (lapsed["code"], lapsed["version"]) == ("decision-lapsed", stage.case(case.id).version)
    assert counts(stage) == before and stage.post(post.id).state is PostState.PUBLISHED
    stage.sound()


def test_a_decision_that_needs_no_second_person_is_not_confirmed(stage: Stage, call) -> None:
    decided = stage.decide(stage.reported()[1], Verdict.HIDE)
    stage.session.commit()
    path = f"/moderation/decisions/{decided.decision.id}/confirmations"
    assert call("mia")("POST", path, 409, json={})["code"] == "decision-lapsed"


# --- Several cases -----------------------------------------------------------------------------------------------


def test_several_cases_each_have_their_own_result_and_what_is_refused_leaves_nothing(stage: Stage, call) -> None:
    good, other = stage.reported(), stage.reported()
    stale, taken = stage.reported(), stage.reported()
    own_post = stage.ask(stage.mo).post
    own = stage.case_of(own_post)
    removed = stage.reported()
    stage.decide(removed[1], Verdict.REMOVE, stage.mia)
    stage.session.commit()
    call("mia")("POST", f"/moderation/cases/{taken[1].id}/claim", 200)
    cases = [good[1], stale[1], own, taken[1], removed[1], other[1]]
    items = [{"id": case.id, "version": stage.case(case.id).version} for case in cases]
    items[1]["version"] += 3
    items.append({"id": 999_999, "version": 1})
    sent = {"cases": items, "verdict": "hide", "rule": "R11-kind", "reason": "All of them insult the same member."}
    before = {case.id: stage.case(case.id).version for case in cases}
    earlier = stage.session.execute(select(func.max(Decision.id))).scalar_one()
    made = call("mo")("POST", "/moderation/bulk-decisions", 201, json=sent)
    assert [row["case_id"] for row in made["results"]] == [item["id"] for item in items]
    assert [(row["error"] or {}).get("code") for row in made["results"]] == [
        None,
        "case-changed",
        "conflict-of-interest",
        "claim-taken",
        "verdict-not-allowed",
        None,
        "not-found",
    ]
    assert [(row["error"] or {}).get("status") for row in made["results"]] == [None, 409, 403, 409, 422, None, 404]
    fine = [row for row in made["results"] if row["ok"]]
    assert len(fine) == 2 and all(row["decision_id"] and row["statement_reference"] for row in fine)
    refused = [row for row in made["results"] if not row["ok"]]
    assert all(row["error"]["detail"] and not row["decision_id"] and not row["statement_reference"] for row in refused)
    stage.session.expire_all()
    parent = stage.session.get_one(BulkDecision, made["id"])
    assert (parent.moderator_id, parent.verdict, parent.rule_code) == (stage.mo.id, Verdict.HIDE, "R11-kind")
    assert (parent.case_count, parent.decided_count, parent.reason) == (7, 2, sent["reason"])
    new = stage.session.execute(select(Decision).where(Decision.id > earlier).order_by(Decision.id)).scalars().all()
    assert [(one.id, one.case_id, one.bulk_id) for one in new] == [
        (row["decision_id"], row["case_id"], made["id"]) for row in fine
    ]
    for row in refused[:-1]:
        assert stage.case(row["case_id"]).version == before[row["case_id"]]
    states = [stage.post(post.id).state.value for post in (good[0], stale[0], own_post, taken[0], removed[0], other[0])]
    assert states == ["hidden", "published", "held", "published", "removed", "hidden"]
    stage.sound()


@pytest.mark.parametrize(
    "change, field",
    [
        ({"cases": []}, "cases"),
        ({"cases": "all"}, "cases"),
        ({"cases": [{"version": 1}]}, "cases.0.id"),
        ({"cases": [{"id": 1, "version": 1}, {"id": 1, "version": 1}]}, "cases"),
        ({"cases": [{"id": number, "version": 1} for number in range(1, 52)]}, "cases"),
        ({"verdict": "redact"}, "verdict"),
        ({"verdict": None}, "verdict"),
        ({"rule": None}, "rule"),
        ({"rule": "R99-nothing"}, "rule"),
        ({"reason": " "}, "reason"),
    ],
)
def test_a_press_that_is_wrong_as_a_whole_decides_nothing(stage: Stage, call, change, field) -> None:
    _, case = stage.reported()
    stage.session.commit()
    before = counts(stage)
    sent = {"cases": [{"id": case.id, "version": 1}], "verdict": "hide", "rule": "R11-kind", "reason": "Unkind."}
    wrong = call("mo")("POST", "/moderation/bulk-decisions", 422, json=sent | change)
    assert field in [error["field"] for error in wrong["errors"]]
    assert counts(stage) == before


def test_several_cases_are_for_the_team_alone(stage: Stage, call) -> None:
    sent = {"cases": [{"id": 1, "version": 1}], "verdict": "approve"}
    call("ann")("POST", "/moderation/bulk-decisions", 403, json=sent)
    call("mo", "read,write")("POST", "/moderation/bulk-decisions", 403, json=sent)
    call(None)("POST", "/moderation/bulk-decisions", 401, json=sent)


# --- The fields of each verdict ----------------------------------------------------------------------------------

SPAN = {"start": 0, "end": 3}
RIGHT = {
    "redact": {"redactions": [SPAN]},
    "label": {"label": {"text": "See what is known.", "reference": "backache#treatments"}},
    "shield": {"until": "2100-01-01"},
    "hide": {"severe": False},
    "remove": {"severe": False},
}


@pytest.mark.parametrize(
    "verdict, change, field",
    [
        ("redact", {"redactions": None}, "redactions"),
        ("redact", {"redactions": "Why"}, "redactions"),
        ("redact", {"redactions": [{"start": 3, "end": 0}]}, "redactions"),
        ("redact", {"redactions": [{"start": 0, "end": 10**9}]}, "redactions"),
        ("redact", {"redactions": [{"start": -1, "end": 2}]}, "redactions"),
        ("redact", {"redactions": [{"start": "0", "end": 2}]}, "redactions.0.start"),
        ("redact", {"redactions": [{"end": 2}]}, "redactions.0.start"),
        ("redact", {"redactions": [{**SPAN, "by": "me"}]}, "redactions.0.by"),
        ("redact", {"words": ["nowhere"]}, "words"),
        ("redact", {"label": {"text": "x"}}, "label"),
        ("label", {"label": None}, "label.text"),
        ("label", {"label": {"text": "", "reference": "backache"}}, "label.text"),
        ("label", {"label": {"text": "x" * 301, "reference": "backache"}}, "label.text"),
        ("label", {"label": {"text": "See.", "reference": "gout#cures"}}, "label.reference"),
        ("label", {"label": "careful"}, "label._schema"),
        ("shield", {"until": "soon"}, "until"),
        ("shield", {"until": "2020-01-01T00:00:00Z"}, "until"),
        ("hide", {"until": 7}, "until"),
        ("remove", {"until": "2100-01-01"}, "until"),
        ("hide", {"severe": "very"}, "severe"),
        ("hide", {"sanction": "warning"}, "sanction"),
        ("hide", {"sanction": {"kind": "stocks"}}, "sanction.kind"),
        ("hide", {"sanction": {"kind": "warning", "days": 3}}, "sanction.days"),
        ("hide", {"sanction": {"kind": "posting_limit", "days": 0}}, "sanction.days"),
        ("hide", {"sanction": {"kind": "posting_limit", "days": 3, "daily_limit": 0}}, "sanction.daily_limit"),
        ("hide", {"sanction": {"kind": "board_restriction", "days": 3}}, "sanction.board"),
        ("hide", {"sanction": {"kind": "board_restriction", "days": 3, "board": "nowhere"}}, "sanction.board"),
        ("hide", {"sanction": {"kind": "warning", "misuse": {"of": "everything"}}}, "sanction.misuse.of"),
        ("dismiss", {"sanction": {"kind": "warning"}}, "sanction"),
        ("remove", {"duplicate_of": 10**9}, "duplicate_of"),
        ("remove", {"duplicate_of": "the other"}, "duplicate_of"),
        ("dismiss", {"duplicate_of": 1}, "duplicate_of"),
        ("remove", {"mood": "bad"}, "mood"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_decided(stage: Stage, call, verdict, change, field) -> None:
    publish_article(stage.session, stage.condition, stage.now)
    _, case = stage.reported()
    stage.session.commit()
    before = counts(stage)
    sent = {"version": case.version, "verdict": verdict, "rule": "R11-kind", "reason": "Unkind."}
    wrong = call("mo")(
        "POST", f"/moderation/cases/{case.id}/decisions", 422, json=sent | RIGHT.get(verdict, {}) | change
    )
    assert wrong["code"] == "invalid-field"
    assert field in [error["field"] for error in wrong["errors"]], wrong["errors"]
    assert counts(stage) == before


def test_a_suspension_without_a_warning_before_it_is_refused(stage: Stage, call) -> None:
    _, case = stage.reported()
    stage.session.commit()
    before = counts(stage)
    sent = {"version": case.version, "verdict": "hide", "rule": "R11-kind", "reason": "Unkind."}
    sent |= {"sanction": {"kind": "suspension", "days": 3}}
    wrong = call("lea")("POST", f"/moderation/cases/{case.id}/decisions", 422, json=sent)
    assert (wrong["code"], wrong["errors"][0]["field"]) == ("warning-missing", "sanction.kind")
    assert counts(stage) == before


def test_each_field_is_stored_and_answered(stage: Stage, call) -> None:
    publish_article(stage.session, stage.condition, stage.now)
    other = stage.ask(stage.dan).thread.id
    mo = call("mo")
    sent = [
        ("redact", {"redactions": [SPAN]}, "redacted"),
        ("redact", {"words": ["hurt"]}, "redacted"),
        ("label", RIGHT["label"], "labelled"),
        ("hide", {"sanction": {"kind": "reminder"}}, "hidden"),
        ("remove", {"duplicate_of": other}, "removed"),
    ]
    for verdict, more, restriction in sent:
        _, case = stage.reported()
        stage.session.commit()
        body = {"version": case.version, "verdict": verdict, "rule": "R2-source", "reason": "It names no source."}
        made = mo("POST", f"/moderation/cases/{case.id}/decisions", 201, json=body | more)
        assert made["statement"]["restriction"] == restriction
        terms = made["decision"]["terms"]
        assert terms[next(iter(more))] if "words" not in more else terms["redactions"]
    stage.sound()
