"""Signs that need care soon, as the editors of the board's condition keep them. They never hold: the writer is told."""

from collections.abc import Iterator

from moderation.signals.contract import Draft, Finding, RedFlagRule
from moderation.signals.language import even, is_negated, phrase

KIND = "red_flag"
EXPLANATION = "This can be a sign that needs care soon. The writer was told at once."


def red_flags(draft: Draft) -> Iterator[Finding]:
    """One finding for each flag met, at its first phrase; none for a flag whose phrases are all negated."""
    text = even(draft.text)
    for flag in draft.red_flags:
        span = met(text, flag)
        if span is not None or _answered(draft, flag):
            start, end = span or (None, None)
            yield Finding(KIND, 0.7, False, start, end, EXPLANATION, version_of(flag))


def version_of(flag: RedFlagRule) -> str:
    """What a finding of this flag cites; codes are unique within a condition."""
    return f"red_flag/{flag.code}"[:32]


def met(text: str, flag: RedFlagRule) -> tuple[int, int] | None:
    """Where the first phrase of this flag stands without a "not" before it."""
    for words in flag.phrases:
        for found in phrase(words).finditer(text):
            if not is_negated(text, found.start()):
                return found.span()
    return None


def _answered(draft: Draft, flag: RedFlagRule) -> bool:
    if flag.intake_key is None:
        return False
    chosen = {str(value) for value in draft.intake.get(flag.intake_key, ())}
    return bool(chosen & set(flag.intake_values))
