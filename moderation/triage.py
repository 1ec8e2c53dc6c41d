"""One text in, one answer out: may it appear, how soon must a person look, what is the writer told. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from core.vocabulary import PostState, Priority
from moderation.signals import crisis, red_flags
from moderation.signals.contract import Draft, Finding, Signal
from moderation.signals.duplicate import duplicate
from moderation.signals.link import link
from moderation.signals.newcomer import newcomer
from moderation.signals.personal_data import personal_data

log = structlog.get_logger("boardwell.triage")

# A new signal is one file, one line here, one test.
SIGNALS: tuple[Signal, ...] = (
    crisis.crisis,
    red_flags.red_flags,
    personal_data,
    link,
    duplicate,
    newcomer,
)

# How soon a person looks, by kind of finding. Source: docs/moderation.md, priorities.
PRIORITIES = {
    "crisis_plan": Priority.P0,
    "crisis_thoughts": Priority.P1,
    "red_flag": Priority.P2,
    "pii_email": Priority.P2,
    "pii_phone": Priority.P2,
    "duplicate": Priority.P3,
    "link": Priority.P3,
    "newcomer": Priority.P3,
    # Not a signal's: a signal broke, or the house reads everything at present.
    "unchecked": Priority.P2,
    "panic": Priority.P3,
    "board_mode": Priority.P3,
    "resubmitted": Priority.P3,
}

# At most so many findings of one kind are kept: nobody reads the two hundredth phone number.
MOST_OF_A_KIND = 20


@dataclass(frozen=True)
class Advice:
    """What the writer is told. `message` may hold "{emergency}"; `wants_lines`: help lines stand beside it."""

    kind: str
    urgency: str
    message: str
    wants_lines: bool = False


@dataclass(frozen=True)
class Triage:
    """`state` is PUBLISHED or HELD; `priority` is None where nobody has to look."""

    state: PostState
    priority: Priority | None
    findings: tuple[Finding, ...]
    advice: tuple[Advice, ...]


def run(draft: Draft, *, house: Sequence[Finding] = (), signals: Sequence[Signal] = SIGNALS) -> Triage:
    """Ask every signal. `house` are holds that no signal makes (panic, the board's mode).

    A signal that raises holds the post: what was not checked does not appear unread. The error is logged.
    """
    findings = list(house)
    for signal in signals:
        findings += _ask(signal, draft)
    holding = [finding for finding in findings if finding.holds]
    priority = min((PRIORITIES[finding.kind] for finding in holding), default=None)
    state = PostState.HELD if holding else PostState.PUBLISHED
    return Triage(state, priority, tuple(findings), tuple(_advice(draft, findings)))


def _ask(signal: Callable[[Draft], object], draft: Draft) -> list[Finding]:
    try:
        found: list[Finding] = list(signal(draft))  # type: ignore[call-overload]
    except Exception as error:  # Whatever a signal may raise, the post must wait for a person.
        log.error("signal failed", signal=getattr(signal, "__name__", str(signal)), error=type(error).__name__)
        return [house_hold("unchecked")]
    counts: dict[str, int] = {}
    kept = []
    for finding in found:
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
        if counts[finding.kind] <= MOST_OF_A_KIND:
            kept.append(finding)
    return kept


HOUSE = {
    "unchecked": "One of our checks could not run, so a person reads this before it appears.",
    "panic": "At present a person reads everything before it appears, on the whole site.",
    "board_mode": "On this board a person reads everything before it appears.",
    "resubmitted": "A person was asked to read this post already, so the new text waits in its place.",
}


def house_hold(kind: str) -> Finding:
    """A hold that no text causes."""
    return Finding(kind, 0.2, True, None, None, HOUSE[kind], "house/1")


def _advice(draft: Draft, findings: Sequence[Finding]) -> list[Advice]:
    """The most urgent word first: help in a crisis, then red flags; each only once."""
    kinds = {finding.kind for finding in findings}
    said = []
    for kind in (crisis.PLAN, crisis.THOUGHTS):
        if kind in kinds:
            rule = draft.rules[crisis.RULES].data["kinds"][kind]
            said.append(Advice(kind, rule["urgency"], rule["message"], wants_lines=True))
            break
    met = {finding.rule_version for finding in findings if finding.kind == red_flags.KIND}
    order = {"emergency_now": 0, "same_day": 1, "soon": 2}
    flags = [flag for flag in draft.red_flags if red_flags.version_of(flag) in met]
    for flag in sorted(flags, key=lambda flag: order.get(flag.urgency, 3)):
        said.append(Advice(red_flags.KIND, flag.urgency, flag.message))
    return said
