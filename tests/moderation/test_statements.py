"""The statement of reasons holds every field of DSA Art. 17(3), in order, kindly, and without anybody else's data."""

from datetime import UTC, datetime, timedelta

import pytest

from core.text import flesch_kincaid
from core.vocabulary import Verdict
from moderation import statements
from moderation.models import Finding
from tests.moderation.stage import Stage
from tests.moderation.test_screen import CRISIS


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
