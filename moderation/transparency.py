"""The export form of a statement of reasons: the fields, words and lengths of the EU Transparency Database.

`payload` composes it from rule, kind and figures, never from what a moderator or a member wrote, so that nothing
personal can stand in it; `problems` says of any payload what the database would refuse. Source: the database's public
description of its statement of reasons; docs/moderation.md, export.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from core.vocabulary import SanctionKind, Verdict

# Restriction word -> (decision_visibility, what to write under "other").
VISIBILITY: dict[str, tuple[str, str | None]] = {
    "removed": ("DECISION_VISIBILITY_CONTENT_REMOVED", None),
    "rejected": ("DECISION_VISIBILITY_CONTENT_DISABLED", None),
    "edit_rejected": ("DECISION_VISIBILITY_OTHER", "A change of a text was not published; the earlier text stays."),
    "changes_requested": ("DECISION_VISIBILITY_CONTENT_DISABLED", None),
    "edit_changes_requested": ("DECISION_VISIBILITY_OTHER", "A change of a text waits until it is written anew."),
    "hidden": ("DECISION_VISIBILITY_CONTENT_DISABLED", None),
    "shielded": ("DECISION_VISIBILITY_OTHER", "Shown to signed-in members only; kept out of search engines."),
    "redacted": ("DECISION_VISIBILITY_OTHER", "Partial redaction: some words were taken out."),
    "labelled": ("DECISION_VISIBILITY_CONTENT_LABELLED", None),
    "locked": ("DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED", None),
    "held_again": ("DECISION_VISIBILITY_CONTENT_DISABLED", None),
    "edit_held_again": ("DECISION_VISIBILITY_OTHER", "A change of a text is read again; the earlier text stays."),
}
# Of a rule that names none.
NO_CATEGORY = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
WARNED = ("DECISION_VISIBILITY_OTHER", "A warning; writing is possible again once it was confirmed as read.")
REMINDED = ("DECISION_VISIBILITY_OTHER", "A reminder of a rule, without further effect.")
PROVISION = {
    SanctionKind.POSTING_LIMIT: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    SanctionKind.BOARD_RESTRICTION: "DECISION_PROVISION_PARTIAL_SUSPENSION",
}
ACCOUNT = {
    SanctionKind.SUSPENSION: "DECISION_ACCOUNT_SUSPENDED",
    SanctionKind.TERMINATION: "DECISION_ACCOUNT_TERMINATED",
}

# Every value that a field may have, as the database takes them.
VALUES: dict[str, frozenset[str]] = {
    "decision_visibility": frozenset(
        f"DECISION_VISIBILITY_{name}"
        for name in (
            "CONTENT_REMOVED",
            "CONTENT_DISABLED",
            "CONTENT_DEMOTED",
            "CONTENT_AGE_RESTRICTED",
            "CONTENT_INTERACTION_RESTRICTED",
            "CONTENT_LABELLED",
            "OTHER",
        )
    ),
    "decision_monetary": frozenset(f"DECISION_MONETARY_{name}" for name in ("SUSPENSION", "TERMINATION", "OTHER")),
    "decision_provision": frozenset(
        f"DECISION_PROVISION_{part}_{end}" for part in ("PARTIAL", "TOTAL") for end in ("SUSPENSION", "TERMINATION")
    ),
    "decision_account": frozenset({"DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED"}),
    "account_type": frozenset({"ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"}),
    "decision_ground": frozenset({"DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"}),
    "incompatible_content_illegal": frozenset({"Yes", "No"}),
    "category": frozenset(
        f"STATEMENT_CATEGORY_{name}"
        for name in (
            "ANIMAL_WELFARE",
            "CONSUMER_INFORMATION",
            "CYBER_VIOLENCE",
            "CYBER_VIOLENCE_AGAINST_WOMEN",
            "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
            "ILLEGAL_OR_HARMFUL_SPEECH",
            "INTELLECTUAL_PROPERTY_INFRINGEMENTS",
            "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
            "NOT_SPECIFIED_NOTICE",
            "OTHER_VIOLATION_TC",
            "PROTECTION_OF_MINORS",
            "RISK_FOR_PUBLIC_SECURITY",
            "SCAMS_AND_FRAUD",
            "SELF_HARM",
            "UNSAFE_AND_PROHIBITED_PRODUCTS",
            "VIOLENCE",
        )
    ),
    "category_specification": frozenset(
        f"KEYWORD_{name}"
        for name in (
            "SUICIDE",
            "SELF_MUTILATION",
            "CONTENT_PROMOTING_EATING_DISORDERS",
            "RISK_PUBLIC_HEALTH",
            "MISINFORMATION_DISINFORMATION",
            "PROHIBITED_PRODUCTS",
            "UNSAFE_PRODUCTS",
            "HIDDEN_ADVERTISEMENT",
            "MISLEADING_INFO_GOODS_SERVICES",
            "INAUTHENTIC_USER_REVIEWS",
            "IMPERSONATION_ACCOUNT_HIJACKING",
            "MISSING_PROCESSING_GROUND",
            "RIGHT_TO_BE_FORGOTTEN",
            "AGE_SPECIFIC_RESTRICTIONS_MINORS",
            "CYBER_HARASSMENT",
            "DEFAMATION",
            "OTHER",
        )
    ),
    "content_type": frozenset(
        f"CONTENT_TYPE_{name}"
        for name in ("APP", "AUDIO", "IMAGE", "PRODUCT", "SYNTHETIC_MEDIA", "TEXT", "VIDEO", "OTHER")
    ),
    "source_type": frozenset(
        {"SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER", "SOURCE_VOLUNTARY", "SOURCE_TYPE_OTHER_NOTIFICATION"}
    ),
    "automated_detection": frozenset({"Yes", "No"}),
    "automated_decision": frozenset(f"AUTOMATED_DECISION_{name}" for name in ("FULLY", "PARTIALLY", "NOT_AUTOMATED")),
    # Member states of the European Union and of the European Economic Area.
    "territorial_scope": frozenset(
        {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS"}
        | {"IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"}
    ),
}
LISTS = frozenset(
    {
        "decision_visibility",
        "category_addition",
        "category_specification",
        "content_type",
        "territorial_scope",
    }
)
REQUIRED = (
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
)
LENGTHS = {
    "puid": 500,
    "decision_visibility_other": 500,
    "decision_monetary_other": 500,
    "illegal_content_legal_ground": 500,
    "illegal_content_explanation": 2000,
    "incompatible_content_ground": 500,
    "incompatible_content_explanation": 2000,
    "decision_ground_reference_url": 500,
    "category_specification_other": 500,
    "content_type_other": 500,
    "decision_facts": 5000,
    "source_identity": 500,
}
DATES = frozenset(
    {
        "content_date",
        "application_date",
        "end_date_visibility_restriction",
        "end_date_monetary_restriction",
        "end_date_service_restriction",
        "end_date_account_restriction",
    }
)
KNOWN = frozenset(VALUES) | frozenset(LENGTHS) | DATES | {"category_addition", "content_language"}
# Beside an "other" there stands what it is.
OTHERS = {
    "decision_visibility": ("DECISION_VISIBILITY_OTHER", "decision_visibility_other"),
    "decision_monetary": ("DECISION_MONETARY_OTHER", "decision_monetary_other"),
    "category_specification": ("KEYWORD_OTHER", "category_specification_other"),
    "content_type": ("CONTENT_TYPE_OTHER", "content_type_other"),
}


@dataclass(frozen=True)
class Facts:
    """What an export is made of: nothing that anybody typed."""

    # A random word that says nothing; unique for good.
    puid: str
    verdict: Verdict
    # Of a decision about a post.
    restriction: str | None
    sanction: SanctionKind | None
    rule_code: str
    rule_version: int
    rule_title: str
    category: str
    keywords: Sequence[str]
    language: str
    content_on: date
    decided_at: datetime
    was_reported: bool
    was_detected: bool
    # A rule held the text before a person read it.
    was_held: bool
    # The site alone decided.
    by_system: bool
    two_people: bool
    until: datetime | None = None
    sanction_until: datetime | None = None
    rules_url: str | None = None
    # False where a publication was only taken back, to read the text again.
    is_breach: bool = True


def payload(facts: Facts) -> dict[str, Any]:
    """The statement as the database takes it; fields without a value are left out."""
    made: dict[str, Any] = {
        "puid": facts.puid,
        **_measures(facts),
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": _rule(facts)[:500],
        "incompatible_content_explanation": _explanation(facts),
        "incompatible_content_illegal": "No",
        "decision_ground_reference_url": facts.rules_url,
        "category": facts.category,
        **_specification(facts),
        "content_type": ["CONTENT_TYPE_TEXT"],
        "content_language": facts.language.upper()[:2],
        "content_date": facts.content_on.isoformat(),
        "application_date": facts.decided_at.date().isoformat(),
        "decision_facts": _facts(facts),
        "source_type": _source(facts),
        "automated_detection": "Yes" if facts.was_detected else "No",
        "automated_decision": _automation(facts),
    }
    return {name: value for name, value in made.items() if value not in (None, [], "")}


def _measures(facts: Facts) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if facts.restriction in VISIBILITY:
        value, other = VISIBILITY[facts.restriction]
        made |= {"decision_visibility": [value], "decision_visibility_other": other}
        made["end_date_visibility_restriction"] = _day(facts.until)
    if facts.sanction in (SanctionKind.WARNING, SanctionKind.REMINDER) and "decision_visibility" not in made:
        value, other = WARNED if facts.sanction is SanctionKind.WARNING else REMINDED
        made |= {"decision_visibility": [value], "decision_visibility_other": other}
    if facts.sanction in PROVISION:
        made["decision_provision"] = PROVISION[facts.sanction]
        made["end_date_service_restriction"] = _day(facts.sanction_until)
    if facts.sanction in ACCOUNT:
        made |= {"decision_account": ACCOUNT[facts.sanction], "account_type": "ACCOUNT_TYPE_PRIVATE"}
        made["end_date_account_restriction"] = _day(facts.sanction_until)
    return made


def _specification(facts: Facts) -> dict[str, Any]:
    known = [word for word in facts.keywords if word in VALUES["category_specification"]]
    other = f"Rule {facts.rule_code}: {facts.rule_title}"[:500] if "KEYWORD_OTHER" in known else None
    return {"category_specification": known, "category_specification_other": other}


def _day(end: datetime | None) -> str | None:
    return end.date().isoformat() if end is not None else None


def _rule(facts: Facts) -> str:
    if not facts.is_breach:
        return "No breach of a rule is stated: texts may be read before they are shown."
    return f"Rule {facts.rule_code}, version {facts.rule_version}: {facts.rule_title}"


def _explanation(facts: Facts) -> str:
    if not facts.is_breach:
        return "The text is read again before it is shown; whether it keeps to the rules is decided then."
    about = "The text" if facts.restriction else "What this member wrote or did"
    return (
        f"{about} does not keep to rule {facts.rule_code} ({facts.rule_title}) of this community, in the version "
        f"{facts.rule_version} that was in force. The member was given the reasons in full, with the words concerned."
    )[:2000]


MEANING = {
    "removed": "The text was removed.",
    "rejected": "The text was not published.",
    "edit_rejected": "A change of a public text was not published.",
    "changes_requested": "The author was asked to change the text before it is published.",
    "edit_changes_requested": "The author was asked to look again at a change of a public text.",
    "hidden": "The text was hidden.",
    "shielded": "The text was limited to signed-in members.",
    "redacted": "Words were taken out of the text; the rest stays public.",
    "labelled": "A note of caution with a reference was put beside the text, which stays public.",
    "locked": "The thread was closed to new posts; what was written stays public.",
    "held_again": "The publication of the text was taken back until a person has read it again.",
    "edit_held_again": "The publication of a change was taken back until a person has read it again.",
}
SANCTION_MEANING = {
    SanctionKind.REMINDER: "The member was reminded of the rule.",
    SanctionKind.WARNING: "The member was warned.",
    SanctionKind.POSTING_LIMIT: "The number of posts of the member was limited for a time.",
    SanctionKind.BOARD_RESTRICTION: "The member may not write on one board for a time.",
    SanctionKind.SUSPENSION: "The account was suspended for a time, after a warning.",
    SanctionKind.TERMINATION: "The account was ended.",
}


def _facts(facts: Facts) -> str:
    said = [MEANING[facts.restriction]] if facts.restriction in MEANING else []
    if facts.sanction is not None:
        said.append(SANCTION_MEANING[facts.sanction])
    said.append("A member had reported it." if facts.was_reported else "It was found by the community itself.")
    if facts.by_system:
        said.append("A rule of the site decided so until a person has read it.")
    elif facts.was_held:
        said.append("A rule of the site had held the text back; a person read it and decided.")
    elif facts.two_people:
        said.append("Two persons read it and agreed.")
    else:
        said.append("A person read it and decided.")
    return " ".join(said)


def _source(facts: Facts) -> str:
    return "SOURCE_TYPE_OTHER_NOTIFICATION" if facts.was_reported else "SOURCE_VOLUNTARY"


def _automation(facts: Facts) -> str:
    if facts.by_system:
        return "AUTOMATED_DECISION_FULLY"
    return "AUTOMATED_DECISION_PARTIALLY" if facts.was_held else "AUTOMATED_DECISION_NOT_AUTOMATED"


# --- Checking ----------------------------------------------------------------------------------------------------

_PUID = re.compile(r"[a-zA-Z0-9_-]+")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PHONE = re.compile(r"(?<![\w-])\+?\(?\d(?:[\s().\-/]{0,2}\d){6,}(?![\w-])")
_PROFILE = re.compile(r"/(?:members|users?|profiles?|u)/[\w.-]+|(?<![\w.])@\w{2,}", re.IGNORECASE)


def problems(made: Mapping[str, Any], *, handles: Collection[str] = ()) -> list[str]:
    """What the database would refuse, and what is personal; empty for a good statement. `handles`: names of members
    who must not stand in it."""
    found = [f"{name}: missing" for name in REQUIRED if not made.get(name)]
    found += [f"{name}: unknown field" for name in made if name not in KNOWN]
    measures = ("decision_visibility", "decision_monetary", "decision_provision", "decision_account")
    if not any(made.get(name) for name in measures):
        found.append("decision_visibility: at least one measure")
    for name, value in made.items():
        found += _wrong(name, value)
    for name, (other, beside) in OTHERS.items():
        if other in _many(made.get(name)) and not made.get(beside):
            found.append(f"{beside}: missing beside {other}")
    found += _ground(made)
    for name, value in made.items():
        for text in (v for v in _many(value) if isinstance(v, str)):
            found += [
                f"{name}: {why}" for why in personal(text, handles=handles, is_plain=name in LENGTHS and name != "puid")
            ]
    return found


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] if value is not None else []


def _wrong(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if name in LISTS and not isinstance(value, list):
        return [f"{name}: a list"]
    if name not in LISTS and not isinstance(value, str):
        return [f"{name}: a text"]
    found = []
    choices = VALUES["category"] if name == "category_addition" else VALUES.get(name)
    if choices is not None:
        found += [f"{name}: unknown value {one}" for one in _many(value) if one not in choices]
    if name in LENGTHS and len(value) > LENGTHS[name]:
        found.append(f"{name}: at most {LENGTHS[name]} characters")
    if name == "puid" and not _PUID.fullmatch(value):
        found.append("puid: letters, digits, - and _ only")
    if name == "content_language" and not re.fullmatch("[A-Z]{2}", value):
        found.append("content_language: two capital letters")
    if name in DATES and not _is_day(value):
        found.append(f"{name}: YYYY-MM-DD")
    return found


def _is_day(value: str) -> bool:
    try:
        return re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _ground(made: Mapping[str, Any]) -> list[str]:
    needed = {
        "DECISION_GROUND_ILLEGAL_CONTENT": ("illegal_content_legal_ground", "illegal_content_explanation"),
        "DECISION_GROUND_INCOMPATIBLE_CONTENT": (
            "incompatible_content_ground",
            "incompatible_content_explanation",
        ),
    }.get(str(made.get("decision_ground")), ())
    return [f"{name}: missing for this ground" for name in needed if not made.get(name)]


def personal(text: str, *, handles: Collection[str] = (), is_plain: bool = True) -> list[str]:
    """What in a text could name a person: an address, a number, a profile, a member's name."""
    found = []
    if _EMAIL.search(text):
        found.append("an e-mail address")
    if is_plain and _PHONE.search(text):
        found.append("a phone number")
    if _PROFILE.search(text):
        found.append("the address of a profile")
    for handle in handles:
        if handle and re.search(rf"(?<!\w){re.escape(handle)}(?!\w)", text, re.IGNORECASE):
            found.append(f"the name {handle}")
    return found
