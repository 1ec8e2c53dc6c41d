"""The form for the Transparency Database: right for every restriction, refused for every mistake, nobody in it."""

import json
from datetime import timedelta

import pytest

from core.vocabulary import Verdict
from moderation import transparency
from tests.moderation.stage import Stage, publish_article

V = Verdict
PERSONAL = "ann.smith@example.org, 020 7946 0958, /members/ann, @ann"


def exports_of(stage: Stage) -> list[dict]:
    """One statement of every kind, each with a reason full of personal data."""
    publish_article(stage.session, stage.condition, stage.now)
    reason = f"You wrote {PERSONAL}; Ben reported it."
    for verdict in (V.REJECT, V.REQUEST_CHANGES):
        stage.decide(stage.held(title=PERSONAL)[1], verdict, reason=reason)
    extras = {
        V.REDACT: {"words": ["sore"]},
        V.LABEL: {"label": {"text": "See.", "reference": "backache"}},
        V.SHIELD: {"until": stage.now + timedelta(days=3)},
        V.HIDE: {"sanction": {"kind": "warning"}},
        V.REMOVE: {"sanction": {"kind": "posting_limit", "days": 7}},
    }
    for verdict, more in extras.items():
        stage.decide(stage.reported()[1], verdict, reason=reason, **more)
    stage.decide(stage.held_edit()[1], V.REJECT, reason=reason)
    return [statement.export for statement in stage.statements()]


def test_every_export_fits_the_field_rules_and_names_nobody(stage: Stage) -> None:
    made = exports_of(stage)
    assert len(made) == 8
    for export in made:
        assert transparency.problems(export, handles=list(stage.members)) == [], export
        written = json.dumps(export)
        assert not any(word in written for word in ("ann.smith", "7946", "/members/", "@ann", "sore"))
    assert len({export["puid"] for export in made}) == len(made)
    assert not {export["puid"] for export in made} & {s.reference for s in stage.statements()}


@pytest.mark.parametrize(
    "change, wrong",
    [
        ({"puid": "has a space"}, "puid"),
        ({"puid": None}, "puid"),
        ({"category": "STATEMENT_CATEGORY_PORNOGRAPHY_OR_SEXUALIZED_CONTENT"}, "category"),
        ({"decision_visibility": ["DECISION_VISIBILITY_OTHER"]}, "decision_visibility_other"),
        ({"decision_visibility": None}, "decision_visibility"),
        ({"content_date": "1.2.2026"}, "content_date"),
        ({"content_date": "2026-02-30"}, "content_date"),
        ({"content_type": "CONTENT_TYPE_TEXT"}, "content_type"),
        ({"decision_facts": "x" * 5001}, "decision_facts"),
        ({"incompatible_content_explanation": None}, "incompatible_content_explanation"),
        ({"decision_facts": "Write to ann@example.org."}, "decision_facts"),
        ({"decision_facts": "Ring 020 7946 0958."}, "decision_facts"),
        ({"decision_facts": "See /members/somebody."}, "decision_facts"),
        ({"decision_facts": "It was ben."}, "decision_facts"),
        ({"automated_detection": "Maybe"}, "automated_detection"),
        ({"source_type": "SOURCE_GUESS"}, "source_type"),
        ({"territorial_scope": ["XX"]}, "territorial_scope"),
        ({"content_language": "en"}, "content_language"),
        ({"note": "x"}, "note"),
    ],
)
def test_a_wrong_export_is_found_out(stage: Stage, change, wrong) -> None:
    decided = stage.decide(stage.reported()[1], V.HIDE)
    assert decided.statement is not None
    found = transparency.problems(decided.statement.export | change, handles=["ben"])
    assert any(problem.startswith(f"{wrong}:") for problem in found), found
