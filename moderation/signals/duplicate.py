"""The same text again: by the same member within a day, or by anybody in another place."""

from collections.abc import Iterator

from core.text import fold
from moderation.signals.contract import Draft, Finding

RULES = "duplicate"


def duplicate(draft: Draft) -> Iterator[Finding]:
    """The caller has looked the folded body up (`Copies`); here is decided whether that matters."""
    rules = draft.rules[RULES]
    if not (draft.copies.by_author_lately or draft.copies.elsewhere):
        return
    length = len(fold(draft.body))
    if draft.copies.by_author_lately and length >= rules.data["own_least"]:
        yield Finding("duplicate", 0.6, True, None, None, rules.data["own_explanation"], rules.version)
    elif draft.copies.elsewhere and length >= rules.data["elsewhere_least"]:
        yield Finding("duplicate", 0.6, True, None, None, rules.data["elsewhere_explanation"], rules.version)
