"""The first posts of a new member wait for a person."""

from collections.abc import Iterator

from moderation.signals.contract import Draft, Finding

RULES = "newcomer"


def newcomer(draft: Draft) -> Iterator[Finding]:
    """One finding on the whole post while its author is new; it holds unless the board publishes first."""
    rules = draft.rules[RULES]
    limit = rules.data["approved_posts"]
    if draft.author_posts < limit:
        why = rules.data["explanation"].format(count=limit)
        yield Finding("newcomer", 0.3, draft.newcomers_wait, None, None, why, rules.version)
