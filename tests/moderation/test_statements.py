"""The statement of reasons holds every field of DSA Art. 17(3), in order, kindly, and without anybody else's data."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select

from content.models import RuleText
from core.text import flesch_kincaid
from core.vocabulary import Verdict
from moderation import statements
from moderation.models import Decision, Finding, Report
from tests.moderation.stage import Stage, publish_article
from tests.moderation.test_exports import restrict_in_every_way
from tests.moderation.test_screen import CRISIS
from tests.moderation.test_second import confirm, shielded

V = Verdict


def test_a_statement_says_everything_in_order(stage: Stage) -> None:
    _, case = stage.reported()
    content = stage.decide(case, Verdict.REMOVE, reason="The second sentence tells others how much to take.").statement
    assert content is not None
    texts = content.content
    own = ("support", "sanction", "label", "misuse")
    assert list(texts) == [part for part in statements.PARTS if part not in own]
    assert "removed your question" in texts["restriction"] and "Why does it hurt?" in texts["restriction"]
    assert texts["facts"] == "The second sentence tells others how much to take."
    assert "R3-no-doses, version 1" in texts["ground"]
    assert "reported" in texts["source"] and "ben" not in str(texts)
    assert "No automatic tool" in texts["automation"]
    assert content.reference in texts["redress"] and "2 September 2026" in texts["redress"]
    assert len(content.reference) == 32


def test_a_rule_that_held_a_text_is_named_as_automation(stage: Stage) -> None:
    _, case = stage.held()
    texts = stage.decide(case, Verdict.REJECT).statement.content
    assert "automatic rule held" in texts["automation"]
    assert "own check" in texts["source"]


def test_in_a_crisis_support_comes_first(stage: Stage) -> None:
    case = stage.case_of(stage.ask(body=CRISIS).post)
    texts = stage.decide(case, Verdict.REQUEST_CHANGES, rule="R5-crisis").statement.content
    assert next(iter(texts)) == "support"
    assert "999" in texts["support"] and "Samaritans" in texts["support"] and "{" not in texts["support"]


@pytest.mark.parametrize("verdict", [V.REQUEST_CHANGES, V.REJECT, V.SHIELD, V.REDACT, V.LABEL])
def test_whatever_is_decided_in_a_crisis_support_stands_first_also_on_the_page(
    app: Flask, stage: Stage, verdict: Verdict
) -> None:
    publish_article(stage.session, stage.condition, stage.now)
    more = {V.REDACT: {"words": ["my pills"]}, V.LABEL: {"label": {"text": "See.", "reference": "backache"}}}
    case = stage.case_of(stage.ask(body=CRISIS).post)
    statement = stage.decide(case, verdict, rule="R5-crisis", **more.get(verdict, {})).statement
    assert statement is not None and next(iter(statement.content)) == "support"
    stage.session.commit()
    read = app.test_client().get(f"/api/v1/decisions/{statement.reference}").json
    assert read["statement"]["support"] == statement.content["support"]
    page = unescape(app.test_client().get(f"/decisions/{statement.reference}").get_data(as_text=True))
    main = page[page.index("<main") :]
    assert -1 < main.index("Samaritans") < main.index(statement.content["restriction"])


def test_support_stands_first_when_two_people_remove_and_when_the_site_itself_shields(stage: Stage) -> None:
    case = stage.case_of(stage.ask(body=CRISIS).post)
    decided = stage.decide(case, V.HIDE, rule="R5-crisis")
    assert decided.statement is None, "nobody in acute danger loses their words to one press"
    done = confirm(stage, decided).statement
    shielded(stage)
    for statement in (done, stage.statements()[-1]):
        assert statement is not None and next(iter(statement.content)) == "support"


def test_every_restriction_states_each_field_of_the_law(stage: Stage) -> None:
    restrict_in_every_way(stage)
    rules = {rule.code: rule for rule in stage.session.execute(select(RuleText)).scalars()}
    until = statements.deadline(stage.now)
    assert (until.day, until.month) == (2, 9)
    for statement in stage.statements():
        said, decision = statement.content, stage.session.get_one(Decision, statement.decision_id)
        where = f"{statement.restriction} of decision {decision.id}: {said}"
        needed = {"restriction", "scope", "duration", "facts", "source", "automation", "ground", "options", "redress"}
        assert set(said) >= needed | {"other_routes"}, where
        assert all(text.strip() and "{" not in text for text in said.values()), where
        assert list(said) == [part for part in statements.PARTS if part in said], where
        # What, for how long, and the words concerned.
        if "until" in decision.terms:
            assert "ends by itself on 5 March 2026" in said["duration"], where
        if decision.revision_id is not None and decision.verdict is not V.LOCK:
            assert 0 < len(said["quote"]) <= 300, where
        # The facts, without words that were taken out.
        gone = ("ann.smith@example.org", "Elm Street") if decision.verdict is V.REDACT else ()
        assert not any(word in str(said) for word in gone), where
        # From a notice or on our own initiative.
        reported = stage.session.execute(select(Report.id).where(Report.case_id == decision.case_id)).first()
        assert said["source"].startswith("A member reported it" if reported else "It came up in our own check"), where
        # Automation in finding it and in deciding it.
        if decision.moderator_id is None:
            assert "by itself" in said["automation"], where
        elif decision.needs_second:
            assert "Two persons read it" in said["automation"], where
        else:
            assert "A person read it and decided." in said["automation"], where
        by_rule = stage.session.execute(
            select(Finding.id).where(Finding.case_id == decision.case_id, Finding.revision_id == decision.revision_id)
        ).first()
        assert by_rule or decision.moderator_id is None or "No automatic tool was used." in said["automation"], where
        # The ground: rule, version, and what it says; or that no breach is stated.
        if decision.rule_code == "none":
            assert statement.restriction in ("held_again", "edit_held_again"), where
            assert said["ground"] == statements.NO_BREACH, where
        else:
            rule = rules[decision.rule_code]
            assert f"rule {rule.code}, version {rule.version}: {rule.title}." in said["ground"], where
            assert rule.body.split("\n\n")[0] in said["ground"], where
        # Redress: where, until when, by whom, and the other ways.
        assert f"{stage.settings.base_url}/decisions/{statement.reference}" in said["redress"], where
        assert "until 2 September 2026" in said["redress"] and "costs nothing" in said["redress"], where
        assert "court" in said["other_routes"] and "regulator" in said["other_routes"], where


def test_what_is_taken_away_again_cites_the_rule_of_the_first_time(stage: Stage) -> None:
    _, case = stage.reported()
    stage.decide(case, V.HIDE, rule="R3-no-doses")
    shown = stage.decide(case, V.RESTORE, rule="none", reason="It names no amount after all.")
    again = stage.undo(shown)
    assert again.statement is not None and again.statement.restriction == "hidden"
    assert "R3-no-doses" in again.statement.content["ground"]
    assert "Rule R3-no-doses" in again.statement.export["incompatible_content_ground"]


FIXED = [
    *(text for kind in statements.KINDS.values() for text in (kind.done, kind.duration, kind.options)),
    statements.SCOPE,
    statements.OTHER_ROUTES,
    statements.NO_BREACH,
]
JARGON = re.compile(
    r"\b(pursuant|hereby|herein|aforementioned|terminat\w+|violat\w+|infring\w+|provision\w*|contractual|DSA|"
    r"Article \d|visibility|sanction\w*|verdict|lifecycle|escalat\w+|moderat\w+|null|None|enum)\b",
    re.IGNORECASE,
)


def test_no_sentence_of_a_statement_is_jargon(stage: Stage) -> None:
    restrict_in_every_way(stage)
    written = [text for s in stage.statements() for key, text in s.content.items() if key not in ("quote", "facts")]
    for text in {*FIXED, *written}:
        assert not JARGON.search(text.split(stage.settings.base_url)[0]), text


def test_the_quote_is_short_and_around_the_words_concerned() -> None:
    text = "a" * 1000 + "THE WORDS" + "b" * 1000
    finding = Finding(start=1000, end=1009)
    cut = statements.quote(text, [finding])
    assert len(cut) <= 300 and "THE WORDS" in cut and cut.startswith("…") and cut.endswith("…")
    assert statements.quote("short", [finding]) == "short"
    assert statements.quote("c" * 400, []).startswith("c")
    assert len(statements.quote(text, [Finding(start=5, end=1900)])) <= 300


@pytest.mark.parametrize(
    "day, until",
    [
        ((2026, 3, 2), (2026, 9, 2)),
        ((2026, 8, 31), (2027, 2, 28)),
        ((2027, 8, 31), (2028, 2, 29)),
        ((2026, 7, 1), (2027, 1, 1)),
    ],
)
def test_six_months_are_calendar_months(day, until) -> None:
    assert statements.deadline(datetime(*day, tzinfo=UTC)) == datetime(*until, tzinfo=UTC)


def test_every_sentence_can_be_read_by_a_twelve_year_old() -> None:
    for word, kind in statements.KINDS.items():
        for text in (kind.done, kind.duration, kind.options):
            assert flesch_kincaid(text.format(what="question", named="")) <= 8.5, (word, text)


def test_the_window_of_undo_and_of_objection_do_not_touch() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert statements.deadline(now) - now > timedelta(days=180)
