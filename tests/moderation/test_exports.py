"""Every export, for every way to restrict somebody, read by a validator that knows the field rules by itself.

The texts, titles, reasons, notes and names of the scenes are full of personal data; none of it may come out.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import yaml
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from core.vocabulary import PostState, SanctionKind, Verdict
from forum.models import Post, Thread
from moderation import bulk, decisions, statements, transparency
from moderation.models import Case, Statement
from tests.moderation.stage import STARTER, Stage, publish_article
from tests.moderation.test_sanctions import impose
from tests.moderation.test_second import confirm, shielded

V = Verdict

# --- The field rules, from the description of the database, not from our code ------------------------------------

CHOICES = {
    "decision_visibility": """DECISION_VISIBILITY_CONTENT_REMOVED DECISION_VISIBILITY_CONTENT_DISABLED
        DECISION_VISIBILITY_CONTENT_DEMOTED DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED
        DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED DECISION_VISIBILITY_CONTENT_LABELLED
        DECISION_VISIBILITY_OTHER""",
    "decision_monetary": "DECISION_MONETARY_SUSPENSION DECISION_MONETARY_TERMINATION DECISION_MONETARY_OTHER",
    "decision_provision": """DECISION_PROVISION_PARTIAL_SUSPENSION DECISION_PROVISION_PARTIAL_TERMINATION
        DECISION_PROVISION_TOTAL_SUSPENSION DECISION_PROVISION_TOTAL_TERMINATION""",
    "decision_account": "DECISION_ACCOUNT_SUSPENDED DECISION_ACCOUNT_TERMINATED",
    "account_type": "ACCOUNT_TYPE_BUSINESS ACCOUNT_TYPE_PRIVATE",
    "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "incompatible_content_illegal": "Yes No",
    "category": """STATEMENT_CATEGORY_ANIMAL_WELFARE STATEMENT_CATEGORY_CONSUMER_INFORMATION
        STATEMENT_CATEGORY_CYBER_VIOLENCE STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN
        STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH
        STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS
        STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE
        STATEMENT_CATEGORY_OTHER_VIOLATION_TC STATEMENT_CATEGORY_PROTECTION_OF_MINORS
        STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY STATEMENT_CATEGORY_SCAMS_AND_FRAUD STATEMENT_CATEGORY_SELF_HARM
        STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS STATEMENT_CATEGORY_VIOLENCE""",
    "category_specification": """KEYWORD_SUICIDE KEYWORD_SELF_MUTILATION KEYWORD_CONTENT_PROMOTING_EATING_DISORDERS
        KEYWORD_RISK_PUBLIC_HEALTH KEYWORD_MISINFORMATION_DISINFORMATION KEYWORD_PROHIBITED_PRODUCTS
        KEYWORD_UNSAFE_PRODUCTS KEYWORD_HIDDEN_ADVERTISEMENT KEYWORD_MISLEADING_INFO_GOODS_SERVICES
        KEYWORD_INAUTHENTIC_USER_REVIEWS KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING KEYWORD_MISSING_PROCESSING_GROUND
        KEYWORD_RIGHT_TO_BE_FORGOTTEN KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS KEYWORD_CYBER_HARASSMENT
        KEYWORD_DEFAMATION KEYWORD_OTHER""",
    "content_type": """CONTENT_TYPE_APP CONTENT_TYPE_AUDIO CONTENT_TYPE_IMAGE CONTENT_TYPE_PRODUCT
        CONTENT_TYPE_SYNTHETIC_MEDIA CONTENT_TYPE_TEXT CONTENT_TYPE_VIDEO CONTENT_TYPE_OTHER""",
    "source_type": "SOURCE_ARTICLE_16 SOURCE_TRUSTED_FLAGGER SOURCE_VOLUNTARY SOURCE_TYPE_OTHER_NOTIFICATION",
    "automated_detection": "Yes No",
    "automated_decision": """AUTOMATED_DECISION_FULLY AUTOMATED_DECISION_PARTIALLY
        AUTOMATED_DECISION_NOT_AUTOMATED""",
}
CHOICES["category_addition"] = CHOICES["category"]
MANY = {"decision_visibility", "category_addition", "category_specification", "content_type", "territorial_scope"}
LONGEST = {
    "puid": 500,
    "decision_visibility_other": 500,
    "decision_monetary_other": 500,
    "illegal_content_legal_ground": 500,
    "illegal_content_explanation": 2000,
    "incompatible_content_ground": 500,
    "incompatible_content_explanation": 2000,
    "decision_ground_reference_url": 500,
    "category_specification_other": 500,
    "decision_facts": 5000,
    "source_identity": 500,
}
ALWAYS = {
    "puid",
    "decision_ground",
    "category",
    "content_type",
    "content_date",
    "application_date",
    "decision_facts",
    "source_type",
    "automated_detection",
    "automated_decision",
}
ENDS = {f"end_date_{of}_restriction": of for of in ("visibility", "monetary", "service", "account")}
# What an end date ends.
ENDED = {
    "visibility": "decision_visibility",
    "monetary": "decision_monetary",
    "service": "decision_provision",
    "account": "decision_account",
}
BESIDE = {
    "decision_visibility_other": ("decision_visibility", "DECISION_VISIBILITY_OTHER"),
    "decision_monetary_other": ("decision_monetary", "DECISION_MONETARY_OTHER"),
    "category_specification_other": ("category_specification", "KEYWORD_OTHER"),
}
GROUNDS = {
    "DECISION_GROUND_ILLEGAL_CONTENT": ("illegal_content_legal_ground", "illegal_content_explanation"),
    "DECISION_GROUND_INCOMPATIBLE_CONTENT": ("incompatible_content_ground", "incompatible_content_explanation"),
}


def validate(made: dict[str, Any]) -> None:
    """Asserts every field rule."""
    names = set(CHOICES) | set(LONGEST) | set(ENDS)
    names |= {"content_language", "content_date", "application_date", "territorial_scope"}
    assert set(made) <= names, set(made) - names
    assert set(made) >= ALWAYS, ALWAYS - set(made)
    assert set(made) & {"decision_visibility", "decision_monetary", "decision_provision", "decision_account"}
    for name, value in made.items():
        assert isinstance(value, list if name in MANY else str) and value, (name, value)
        if name in CHOICES:
            assert set(value if name in MANY else [value]) <= set(CHOICES[name].split()), (name, value)
        assert len(value) <= LONGEST.get(name, 10_000), name
        if name in ENDS or name in ("content_date", "application_date"):
            assert date.fromisoformat(value).strftime("%Y-%m-%d") == value, (name, value)
    assert re.fullmatch(r"[a-zA-Z0-9\-_]+", made["puid"])
    assert re.fullmatch("[A-Z]{2}", made.get("content_language", "EN"))
    assert made["content_date"] <= made["application_date"]
    for name, of in ENDS.items():
        assert name not in made or (ENDED[of] in made and made[name] >= made["application_date"]), name
    for other, (field, word) in BESIDE.items():
        assert (other in made) == (word in made.get(field, [])), other
    for ground, fields in GROUNDS.items():
        assert {field in made for field in fields} == {made["decision_ground"] == ground}, ground
    assert "account_type" not in made or "decision_account" in made


# --- Every way to restrict somebody ------------------------------------------------------------------------------

PERSONAL = "ann.smith@example.org, +44 20 7946 0958, https://example.org/members/ann, @ben"
SECRETS = ("ann.smith", "example.org", "7946", "0958", "members/", "@ben", "Elm Street")
REASON = f"You wrote {PERSONAL}; Dan and Cora of Elm Street told us, and mo agrees."


def poisoned(stage: Stage) -> tuple[Post, Case]:
    """Ann's public question, full of what names people, reported with a note that does so too."""
    post = stage.ask(body=f"{PERSONAL} {stage.text()} Elm Street.", title=f"Why? {PERSONAL}").post
    if post.state is PostState.HELD:
        stage.decide(stage.case_of(post), V.APPROVE, stage.lea, rule=None, reason=None)
    stage.report(post, stage.ben, note=REASON)
    return post, stage.case_of(post)


def held(stage: Stage) -> tuple[Post, Case]:
    return stage.held(stage.ann, body=f"{PERSONAL} {stage.text()}", title=f"Why? {PERSONAL}")


def restrict_in_every_way(stage: Stage) -> None:
    publish_article(stage.session, stage.condition, stage.now)
    later = stage.now + timedelta(days=3)
    for verdict in (V.REJECT, V.REQUEST_CHANGES):
        stage.decide(held(stage)[1], verdict, reason=REASON)
        stage.decide(stage.held_edit()[1], verdict, reason=REASON)
    for more in ({V.REDACT: {"words": ["ann.smith@example.org", "Elm Street"]}}, {V.HIDE: {"until": later}}):
        for verdict, terms in more.items():
            stage.decide(poisoned(stage)[1], verdict, reason=REASON, **terms)
    label = {"text": f"Ask {PERSONAL}.", "reference": "backache#treatments"}
    stage.decide(poisoned(stage)[1], V.LABEL, reason=REASON, label=label)
    stage.decide(poisoned(stage)[1], V.SHIELD, reason=REASON, until=later)
    stage.decide(poisoned(stage)[1], V.REMOVE, reason=REASON)
    confirm(stage, stage.decide(poisoned(stage)[1], V.REMOVE, reason=REASON, severe=True), reason=REASON)
    stage.decide(stage.held(stage.ann, body=f"{PERSONAL} {stage.text()}")[1], V.SHIELD, reason=REASON)
    take_back(stage)
    by_the_site(stage)
    post, _ = poisoned(stage)
    decisions.record_lock(
        stage.session,
        post.thread_id,
        by=stage.mo,
        rule="R11-kind",
        reason=REASON,
        settings=stage.settings,
        now=stage.now,
    )
    several = [poisoned(stage)[1] for _ in range(2)]
    bulk.decide_all(
        stage.session,
        [(case.id, stage.case(case.id).version) for case in several],
        by=stage.mo,
        verdict="hide",
        rule="R9-no-ads",
        reason=REASON,
        settings=stage.settings,
        now=stage.now,
    )
    lay_every_sanction(stage)


def take_back(stage: Stage) -> None:
    """What gives something back, taken back: that restricts again."""
    stage.undo(stage.decide(held(stage)[1], V.APPROVE), reason=REASON)
    stage.undo(stage.decide(stage.held_edit()[1], V.APPROVE), reason=REASON)
    for verdict in (V.HIDE, V.REMOVE, V.SHIELD):
        case = poisoned(stage)[1]
        stage.decide(case, verdict, reason=REASON)
        stage.undo(stage.decide(case, V.RESTORE, reason=REASON), reason=REASON)


def by_the_site(stage: Stage) -> None:
    shielded(stage)
    for verdict in (V.HIDE, V.SHIELD):
        decisions.provisional(
            stage.session,
            poisoned(stage)[0].id,
            verdict=verdict,
            rule="R11-kind",
            reason=REASON,
            revision_id=None,
            settings=stage.settings,
            now=stage.now,
        )


def lay_every_sanction(stage: Stage) -> None:
    """Each beside a text and in a case of its own; the warning is for misuse, and so is one suspension."""
    misuse = {"of": "posts", "gravity": "high", "intent": "on_purpose"}
    specs: list[dict[str, Any]] = [
        {"kind": "reminder"},
        {"kind": "warning", "misuse": misuse},
        {"kind": "posting_limit", "days": 7},
        {"kind": "posting_limit", "days": 7, "board": "backache"},
        {"kind": "board_restriction", "days": 7, "board": "backache"},
        {"kind": "suspension", "days": 30},
        {"kind": "suspension", "days": 30, "misuse": misuse},
        {"kind": "termination"},
    ]
    for spec in specs:
        alone = impose(stage, spec, reason=REASON)
        beside = stage.decide(poisoned(stage)[1], V.REMOVE, stage.lea, sanction=spec, reason=REASON)
        for decided in (alone, beside):
            if decided.decision.needs_second:
                confirm(stage, decided, stage.mo, reason=REASON)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value if isinstance(value, list) else ():
        yield from texts(one)


def test_no_way_to_restrict_somebody_leads_to_a_wrong_export_or_names_anybody(stage: Stage) -> None:
    restrict_in_every_way(stage)
    written = stage.statements()
    assert {s.restriction for s in written} == set(statements.KINDS) | {kind.value for kind in SanctionKind}
    for statement in written:
        export = statement.export
        validate(export)
        assert transparency.problems(export, handles=list(stage.members)) == []
        said = [
            text for name, value in export.items() if name != "decision_ground_reference_url" for text in texts(value)
        ]
        for secret in SECRETS:
            assert not any(secret.lower() in text.lower() for text in said), (secret, export)
        for handle in stage.members:
            assert not any(re.search(rf"\b{handle}\b", text, re.IGNORECASE) for text in said), (handle, export)
    puids = {s.export["puid"] for s in written}
    assert len(puids) == len(written) and not puids & {s.reference for s in written}
    seen = {word for s in written for text in s.export.values() for word in texts(text)}
    assert seen >= {
        "SOURCE_VOLUNTARY",
        "SOURCE_TYPE_OTHER_NOTIFICATION",
        "AUTOMATED_DECISION_FULLY",
        "AUTOMATED_DECISION_PARTIALLY",
        "AUTOMATED_DECISION_NOT_AUTOMATED",
        "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
        "DECISION_PROVISION_PARTIAL_SUSPENSION",
        "DECISION_ACCOUNT_SUSPENDED",
        "DECISION_ACCOUNT_TERMINATED",
    }
    stage.sound()


# --- Any facts at all --------------------------------------------------------------------------------------------

RULES = yaml.safe_load((STARTER / "rules.yaml").read_text())
INSTANTS = st.integers(0, 60 * 366 * 86_400).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n))


@st.composite
def facts(draw: st.DrawFn) -> transparency.Facts:
    rule, at = draw(st.sampled_from(RULES)), draw(INSTANTS)
    sanction = draw(st.none() | st.sampled_from(SanctionKind))
    words = sorted(statements.KINDS)
    restriction = draw(st.sampled_from(words) if sanction is None else st.none() | st.sampled_from(words))
    ahead = st.none() | st.integers(0, 365).map(lambda days: at + timedelta(days=days))
    return transparency.Facts(
        puid=draw(st.text("0123456789abcdef", min_size=32, max_size=32)),
        verdict=draw(st.sampled_from(Verdict)),
        restriction=restriction,
        sanction=sanction,
        rule_code=rule["code"],
        rule_version=draw(st.integers(1, 99)),
        rule_title=rule["title"],
        category=rule["dsa_category"] or transparency.NO_CATEGORY,
        keywords=tuple(rule["dsa_keywords"]),
        language=draw(st.sampled_from(("en", "de", "pt-BR"))),
        content_on=(at - timedelta(days=draw(st.integers(0, 3000)))).date(),
        decided_at=at,
        was_reported=draw(st.booleans()),
        was_detected=draw(st.booleans()),
        was_held=draw(st.booleans()),
        by_system=draw(st.booleans()),
        two_people=draw(st.booleans()),
        until=draw(ahead),
        sanction_until=draw(ahead),
        rules_url="https://forum.example/rules",
    )


@given(facts())
def test_whatever_the_facts_the_export_fits(known: transparency.Facts) -> None:
    made = transparency.payload(known)
    validate(made)
    assert transparency.problems(made) == []
    assert json.loads(json.dumps(made)) == made


LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=9)
NAMING = st.one_of(
    st.builds("{}.{}@{}.org".format, LETTERS, LETTERS, LETTERS),
    st.from_regex(r"\+?[0-9]{2,4}[ -]?[0-9]{3,4}[ -]?[0-9]{3,4}", fullmatch=True),
    st.builds("https://forum.example/members/{}".format, LETTERS),
    st.builds("/u/{}".format, LETTERS),
    st.builds("@{}".format, LETTERS),
    st.just("Ben"),
)


@given(facts(), NAMING, st.sampled_from(("decision_facts", "incompatible_content_explanation")))
def test_whatever_names_somebody_is_found_in_any_text(known: transparency.Facts, word: str, name: str) -> None:
    made = transparency.payload(known)
    made[name] = f"{made[name][:100]} It was {word}, they say."
    assert [why for why in transparency.problems(made, handles=["ben"]) if why.startswith(f"{name}:")]


# --- The command -------------------------------------------------------------------------------------------------


def export(app: Flask, stage: Stage, *args: str) -> Any:
    stage.session.commit()
    return app.test_cli_runner().invoke(args=["moderation", "statements", *args])


def test_the_command_prints_the_exports_of_the_days_that_are_asked_for(app: Flask, stage: Stage) -> None:
    made = []
    first = stage.now.replace(hour=0, minute=0)
    for at in (first, first.replace(hour=23, minute=59), first + timedelta(days=1), first + timedelta(days=4)):
        stage.now = at
        made.append(stage.decide(stage.reported()[1], V.HIDE, reason=REASON).statement.export)

    def printed(*args: str) -> list[Any]:
        done = export(app, stage, *args)
        assert (done.exit_code, done.stderr) == (0, ""), done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    for line in printed():
        validate(line)
    assert printed() == made
    assert printed("--from", "2026-03-03") == made[2:]
    assert printed("--to", "2026-03-02") == made[:2]
    assert printed("--from", "2026-03-03", "--to", "2026-03-05") == [made[2]]
    assert printed("--from", "2027-01-01") == []
    for wrong in (("--from", "yesterday"), ("--to", "2026-02-30"), ("--since", "2026-01-01")):
        assert export(app, stage, *wrong).exit_code == 2


@pytest.mark.parametrize("wrong", [{"category": "STATEMENT_CATEGORY_VIBES"}, {"decision_facts": f"Ask {PERSONAL}."}])
def test_the_command_leaves_out_what_would_be_refused_and_says_so(app: Flask, stage: Stage, wrong) -> None:
    good = stage.decide(stage.reported()[1], V.HIDE).statement
    bad = stage.decide(stage.reported()[1], V.REMOVE).statement
    stage.session.execute(update(Statement).where(Statement.id == bad.id).values(export=bad.export | wrong))
    done = export(app, stage)
    assert done.exit_code == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [good.export]
    assert f"statement {bad.id} left out: {next(iter(wrong))}:" in done.stderr
    assert "ann.smith" not in done.stderr, "what is personal is not printed either"


def test_a_thread_title_full_of_names_stays_out_of_the_export_of_its_lock(stage: Stage) -> None:
    post, _ = poisoned(stage)
    assert "ann.smith" in stage.session.get_one(Thread, post.thread_id).title
    said = {"by": stage.mo, "rule": "R11-kind", "settings": stage.settings, "now": stage.now}
    locked = decisions.record_lock(stage.session, post.thread_id, reason=REASON, **said)
    assert locked.statement is not None and "ann.smith" in json.dumps(locked.statement.content)
    assert "ann" not in json.dumps(locked.statement.export)
