"""Each signal by itself, on texts of its kind and on near misses; and triage, which must never let an error pass."""

import time

import pytest

from core.vocabulary import PostState, Priority
from moderation import triage
from moderation.signals import crisis, language, rulebook
from moderation.signals.contract import Copies, Draft, Finding, RedFlagRule
from moderation.signals.duplicate import duplicate
from moderation.signals.link import link
from moderation.signals.newcomer import newcomer
from moderation.signals.personal_data import personal_data
from moderation.signals.red_flags import red_flags


def draft(body: str, **facts) -> Draft:
    return Draft(body=body, rules=rulebook.shipped(), **{"author_posts": 9, **facts})


PLANS = [
    "I am going to kill myself tonight.",
    "I’m gonna end it all tomorrow",
    "I will not be sorry. I have decided to end my life.",
    "I want to end my life, I have the pills next to me",
    "I have a plan and a date. I want to die.",
    "im going to kil myself",
    "I've written my suicide note",
    "goodbye cruel world",
    "I took 65 paracetamol an hour ago",
    "I just took an overdose",
    "she swallowed a whole bottle of sleeping pills",
    "I took all my pills because I want it to stop",
    "how many tablets does it take to kill myself",
    "I am about to hang myself",
    "I have enough pills to do it",
]
THOUGHTS = [
    "I don't want to live anymore",
    "I feel suicidal",
    "I wish I was dead",
    "My family would be better off without me",
    "I can't stop thinking about killing myself",
    "There is no reason to live",
    "I have suicidal thoughts",
]
HARMLESS = [
    "This pain would kill me without my tablets",
    "My back is killing me",
    "I'm not suicidal, just tired",
    "I am not going to kill myself, do not worry",
    "I would never kill myself",
    "I don't want to die",
    "I took 2 tablets of ibuprofen",
    "I took 20 mg of citalopram for 10 weeks",
    "I took 10 tablets over two weeks as prescribed",
    "I tried to kill myself ten years ago and I am glad to be here",
    "I was suicidal in 2010",
    "the pharmacist refused because of the risk of overdose",
    "I'm dying to know whether it gets better",
    "Suicide prevention week is here",
    "I took all my medication to the pharmacy",
    "I am going to end it with my boyfriend tonight",
    "can I overdose on vitamin C?",
    "My grandmother wants to die at home",
    "He takes two tablets tonight and goodbye pain",
]


@pytest.mark.parametrize("text", PLANS)
def test_an_acute_crisis_is_met(text: str) -> None:
    found = triage.run(draft(text))
    assert (found.state, found.priority) == (PostState.HELD, Priority.P0)
    assert {f.kind for f in found.findings} == {"crisis_plan"}
    assert [advice.urgency for advice in found.advice] == ["emergency_now"]
    assert all(text[f.start : f.end].strip() for f in found.findings)


@pytest.mark.parametrize("text", THOUGHTS)
def test_thoughts_of_dying_come_an_hour_later(text: str) -> None:
    found = triage.run(draft(text))
    assert (found.state, found.priority) == (PostState.HELD, Priority.P1)
    assert [advice.kind for advice in found.advice] == ["crisis_thoughts"]


@pytest.mark.parametrize("text", HARMLESS)
def test_idiom_negation_and_the_past_are_no_crisis(text: str) -> None:
    assert list(crisis.crisis(draft(text))) == []


@pytest.mark.parametrize(
    "text, negated",
    [
        ("I have no X", True),
        ("I don't really have X", True),
        ("it is not X", True),
        ("I am not sure, X", False),
        ("No. X", False),
        ("not here but X", False),
        ("I can't stop X", False),
        ("without any X", True),
    ],
)
def test_a_not_counts_within_its_clause(text: str, negated: bool) -> None:
    assert language.is_negated(text, text.index("X")) is negated


FLAG = RedFlagRule("saddle", "emergency_now", "Call {emergency}.", ("numb between my legs",), "associated", ("saddle",))


@pytest.mark.parametrize(
    "text, met",
    [
        ("I am numb between my legs", True),
        ("NUMB between  my legs!", True),
        ("numb right between my legs", True),
        ("I am not numb between my legs", False),
        ("no pain, numb between my legs", True),
        ("thumb between my legs", False),
        ("numb between my fingers", False),
    ],
)
def test_a_red_flag_is_met_as_people_write_it(text: str, met: bool) -> None:
    found = list(red_flags(draft(text, red_flags=(FLAG,))))
    assert bool(found) is met
    assert not any(f.holds for f in found)


def test_a_red_flag_is_met_by_an_intake_answer() -> None:
    found = triage.run(draft("It hurts.", red_flags=(FLAG,), intake={"associated": ["fever", "saddle"]}))
    assert (found.state, found.advice[0].message) == (PostState.PUBLISHED, "Call {emergency}.")
    assert triage.run(draft("It hurts.", red_flags=(FLAG,), intake={"associated": ["fever"]})).advice == ()


@pytest.mark.parametrize(
    "text, kind, said",
    [
        ("mail ann.smith@gmail.com now", "pii_email", "ann.smith@gmail.com"),
        ("see somebody@example.org", "pii_email", "somebody@example.org"),
        ("ann (at) posteo (dot) de", "pii_email", "ann (at) posteo (dot) de"),
        ("ann smith at gmail dot com", "pii_email", "smith at gmail dot com"),
        ("call 020 7946 0958", "pii_phone", "020 7946 0958"),
        ("call +49 30 901820", "pii_phone", "+49 30 901820"),
        ("my mobile: 07911 123456.", "pii_phone", "07911 123456"),
        ("my mobile: 07700 900123.", "pii_phone", "07700 900123"),
        ("or +44 7700 900123", "pii_phone", "+44 7700 900123"),
        ("or (212) 555-0147", "pii_phone", "(212) 555-0147"),
        ("or 555-123-4567", "pii_phone", "555-123-4567"),
    ],
)
def test_contact_details_are_met_with_their_place(text: str, kind: str, said: str) -> None:
    found = list(personal_data(draft(text)))
    assert [(f.kind, text[f.start : f.end].strip()) for f in found] == [(kind, said)]


@pytest.mark.parametrize(
    "text",
    [
        "I was at work at 9.30",
        "from 12.03.2019 to 14.05.2020",
        "my score is 120/80 and 130/85",
        "we met at the clinic dot by dot",
        "call the free line 0800 1111",
        "https://example.org/02079460958",
        "take 10-20-30 as told",
        "my case number is 1234567890",
        "between 2015 and 2016 it was 115-120, then 101.8-100.8",
        "the order 10 20 30 40 50",
    ],
)
def test_what_looks_like_contact_details_and_is_none(text: str) -> None:
    assert list(personal_data(draft(text))) == []


def test_the_country_of_the_author_says_what_a_phone_number_is() -> None:
    text = "ring 2127365000"
    assert list(personal_data(draft(text, country="GB"))) == []
    assert [f.kind for f in personal_data(draft(text, country="US"))] == ["pii_phone"]


def test_newcomers_links_and_copies_count_by_their_rules() -> None:
    assert [f.holds for f in newcomer(draft("x", author_posts=2))] == [True]
    assert [f.holds for f in newcomer(draft("x", author_posts=2, newcomers_wait=False))] == [False]
    assert list(newcomer(draft("x", author_posts=3))) == []
    assert list(link(draft("https://example.org", author_posts=3))) == []
    assert [f.kind for f in link(draft("https://example.org", author_posts=0))] == ["link"]
    assert list(link(draft("e.g. this and i.e. that", author_posts=0))) == []
    assert list(duplicate(draft("word " * 20))) == []
    assert [f.kind for f in duplicate(draft("word " * 20, copies=Copies(elsewhere=True)))] == ["duplicate"]
    assert list(duplicate(draft("too short", copies=Copies(by_author_lately=True, elsewhere=True)))) == []


def test_an_edit_is_not_asked_about_what_readers_see_already() -> None:
    text = "See https://example.org or mail ann.smith@gmail.com or call 020 7946 0958"
    assert list(link(draft(text, author_posts=0, shown_text=text))) == []
    assert list(personal_data(draft(text, shown_text=text))) == []


def test_a_crisis_that_a_person_has_read_is_not_held_again_unless_it_grew() -> None:
    read = "I don't want to live anymore."
    assert list(crisis.crisis(draft(read + " Sorry for the typo.", shown_text=read))) == []
    grown = list(crisis.crisis(draft(read + " I have the pills next to me.", shown_text=read)))
    assert {finding.kind for finding in grown} == {"crisis_plan"}


def test_a_signal_that_raises_holds_the_post_and_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_draft: Draft):
        yield Finding("link", 0.1, False, 0, 1, "x", "x/1")
        raise RuntimeError("no rules")

    found = triage.run(draft("It hurts."), signals=(broken, personal_data))
    assert (found.state, found.priority) == (PostState.HELD, Priority.P2)
    assert [(f.kind, f.holds) for f in found.findings] == [("unchecked", True)]
    said = capsys.readouterr()
    assert "signal failed" in said.out + said.err and "broken" in said.out + said.err


def test_every_kind_has_a_priority_and_every_rule_file_a_version() -> None:
    text = " ".join(PLANS + THOUGHTS) + " ann@gmail.com 020 7946 0958 https://example.org numb between my legs"
    found = triage.run(
        draft(text, author_posts=0, copies=Copies(True, True), red_flags=(FLAG,)),
        house=[triage.house_hold(kind) for kind in triage.HOUSE],
    )
    assert {f.kind for f in found.findings} <= set(triage.PRIORITIES)
    assert all(f.rule_version and len(f.rule_version) <= 32 and len(f.kind) <= 32 for f in found.findings)
    assert set(rulebook.shipped()) == {"crisis", "duplicate", "link", "newcomer", "personal_data"}


def test_nobody_is_told_the_same_twice() -> None:
    found = triage.run(draft(" ".join(PLANS + THOUGHTS)))
    assert [advice.kind for advice in found.advice] == ["crisis_plan"]


@pytest.mark.parametrize(
    "text",
    [
        "i " * 10_000,
        "I want to " * 2_000,
        "took " * 4_000,
        "a." * 10_000,
        "a@" * 10_000,
        "a@a." * 5_000,
        "1 " * 10_000,
        "+1 " * 6_000,
        "020 7946 0958 " * 1_400,
        "not " * 5_000,
        "goodbye " * 2_500,
        "https://" * 2_500,
        "x" * 20_000,
        "\n" * 20_000,
        "I have saved up the a b c d " * 700,
        "www." * 5_000,
        "I took the a 20 b c d e " * 800,
    ],
)
def test_no_text_at_the_length_limit_takes_long(text: str) -> None:
    began = time.process_time()
    triage.run(draft(text[:20_000], author_posts=0, red_flags=(FLAG,)))
    # Far above what was measured, far below what a reader would notice.
    assert time.process_time() - began < 2.0
