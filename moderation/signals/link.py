"""A link by a newcomer waits for a person: most advertising begins so."""

import re
from collections.abc import Iterator
from functools import cache

from moderation.signals.contract import Draft, Finding, RuleFile

RULES = "link"


def link(draft: Draft) -> Iterator[Finding]:
    """Every address with a scheme, with www., in Markdown, or as a bare domain with a known ending."""
    rules = draft.rules[RULES]
    if draft.author_posts >= rules.data["approved_posts"]:
        return
    skip = tuple(rules.data["not_before"])
    for found in _pattern(rules).finditer(draft.text):
        said = found[0]
        if said.casefold().startswith(skip) or said in draft.shown_text:
            continue
        yield Finding("link", 0.5, True, found.start(), found.end(), rules.data["explanation"], rules.version)


@cache
def _pattern(rules: RuleFile) -> re.Pattern[str]:
    endings = "|".join(sorted(rules.data["endings"], key=len, reverse=True))
    return re.compile(
        rf"""
        (?:[a-z][a-z0-9+.-]{{1,15}}://|www\.)[^\s<>()\[\]"']{{1,500}}      # a scheme, or www.
        | (?<=\]\()[^\s()]{{1,500}}(?=\))                                 # the address of a Markdown link
        | (?<![\w@.-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,4}}(?:{endings})(?![\w-]|\.\w)(?:/[^\s<>()]{{0,500}})?
        """,
        re.IGNORECASE | re.VERBOSE,
    )
