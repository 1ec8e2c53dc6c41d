"""`ops check` finds what is broken by hand in what surrounds a decision: words, labels, second persons, locks, talk."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.vocabulary import Verdict
from moderation import appeals, bulk, checks, notes, operations, patrol, talk
from tests.moderation.stage import Stage, publish_article
from tests.moderation.test_second import confirm, shielded

V = Verdict


@pytest.fixture
def scene(stage: Stage) -> dict[str, Any]:
    """One of everything, and sound."""
    publish_article(stage.session, stage.condition, stage.now)
    redacted, labelled, hidden = stage.reported(), stage.reported(), stage.reported()
    cut = stage.decide(redacted[1], V.REDACT, words=["sore"])
    label = stage.decide(labelled[1], V.LABEL, label={"text": "See.", "reference": "backache"})
    stage.decide(hidden[1], V.HIDE)
    shield = shielded(stage)
    two = stage.decide(stage.reported()[1], V.REMOVE, severe=True)
    confirm(stage, two)
    waits = stage.decide(stage.reported()[1], V.REMOVE, severe=True)
    undone = stage.undo(stage.decide(stage.reported()[1], V.HIDE))
    several = stage.reported()[1]
    pressed = bulk.decide_all(
        stage.session,
        [(several.id, several.version)],
        by=stage.mo,
        verdict="hide",
        rule="R9-no-ads",
        reason="It sells.",
        settings=stage.settings,
        now=stage.now,
    )
    locked = stage.ask().post.thread_id
    operations.operate(
        stage.session,
        locked,
        by=stage.mo,
        operation="lock",
        rule="R11-kind",
        reason="A quarrel.",
        settings=stage.settings,
        now=stage.now,
    )
    spoken = talk.open_talk(
        stage.session,
        stage.ann.id,
        by=stage.mo,
        subject="A word",
        text="How are you?",
        now=stage.now,
    )
    fined = stage.decide(stage.reported()[1], V.HIDE, sanction={"kind": "warning"})
    assert fined.statement is not None
    appeals.appeal(stage.session, reference=fined.statement.reference, by=stage.ann, grounds="No.", now=stage.now)
    note = notes.add(stage.session, stage.ann.id or 0, by=stage.mo, text="Writes at night.", now=stage.now)
    seen = stage.ask().post
    patrol.see(stage.session, stage.mia, [seen.id], now=stage.now)
    stage.sound()
    return {
        "cut": cut.decision.id,
        "label": label.decision.id,
        "hidden": hidden[0].id,
        "shielded": shield.id,
        "two": two.decision.id,
        "waits": waits.decision.case_id,
        "undone": undone.decision.id,
        "bulk": pressed.id,
        "locked": locked,
        "talk": spoken.id,
        "fined": fined.decision.id,
        "lea": stage.lea.id,
        "note": note.id,
        "seen": seen.id,
        "ann": stage.ann.id,
        "ben": stage.ben.id,
        "now": stage.now + timedelta(days=1),
    }


TAKE_BACK = "UPDATE decision SET undoes_id = :{} WHERE id = :undone"
BREACHES = [
    ("words still taken out by a decision that was taken back", TAKE_BACK.format("cut")),
    ("words taken out whose replacement is not where", "UPDATE redaction SET start = start + 1"),
    ("labels of a decision that was taken back", TAKE_BACK.format("label")),
    ("restricted posts without decision and statement", "UPDATE post SET state = 'removed' WHERE id = :shielded"),
    ("restricted posts without decision and statement", "UPDATE post SET state = 'shielded' WHERE id = :hidden"),
    ("decisions with effect that no second person", "UPDATE confirmation SET agrees = false WHERE decision_id = :two"),
    ("await a second person without a decision", 'UPDATE "case" SET round = round + 1 WHERE id = :waits'),
    ("decisions that take back one of another case", TAKE_BACK.format("two")),
    ("bulk decisions that count other than they", "UPDATE bulk_decision SET decided_count = 2 WHERE id = :bulk"),
    ("statements to somebody who did not write", "UPDATE statement SET member_id = :ben WHERE decision_id = :cut"),
    ("the export of statement", 'UPDATE statement SET export = \'{"puid": "x"}\' WHERE decision_id = :label'),
    ("sanctions on somebody whom their decision", "UPDATE sanction SET member_id = :ben WHERE decision_id = :fined"),
    ("sanctions of decisions that were taken back", TAKE_BACK.format("fined")),
    ("objections made after their time", "UPDATE appeal SET opened_at = deadline_at WHERE decision_id = :fined"),
    (
        "objections that were right in part",
        "UPDATE appeal SET outcome = 'partly', reasons = 'So.', decided_at = opened_at, decided_by = :lea",
    ),
    ("threads closed without a decision", "UPDATE thread_operation SET kind = 'unlock' WHERE thread_id = :locked"),
    ("operations with a decision where none belongs", "UPDATE thread_operation SET decision_id = NULL"),
    ("operations with a decision where none belongs", "UPDATE thread_operation SET kind = 'pin'"),
    ("conversations whose next word", "UPDATE talk SET awaits_team = true WHERE id = :talk"),
    ("conversations whose last_message_at", "UPDATE talk SET last_message_at = :now WHERE id = :talk"),
    ("messages under the wrong name", "UPDATE talk_message SET author_id = :ann WHERE talk_id = :talk"),
    ("notes about oneself", "UPDATE member_note SET author_id = member_id WHERE id = :note"),
    ("posts that their own author marked", "UPDATE patrol_mark SET seen_by = :ann WHERE post_id = :seen"),
]


def test_each_breach_is_named_and_gone_when_it_is_mended(stage: Stage, scene: dict[str, Any]) -> None:
    for words, broken in BREACHES:
        with stage.session.begin_nested() as savepoint:
            wanted = {name: value for name, value in scene.items() if f":{name}" in broken}
            assert stage.session.execute(text(broken), wanted).rowcount, broken
            stage.session.expire_all()
            assert any(words in line for line in checks.checks(stage.session)), (words, checks.checks(stage.session))
            savepoint.rollback()
        stage.session.expire_all()
    stage.sound()
