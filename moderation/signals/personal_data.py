"""E-mail addresses and phone numbers: their writers are asked to think again before everybody can use them."""

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers

from moderation.signals.contract import Draft, Finding, RuleFile

RULES = "personal_data"

_PLAIN_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[a-z]{2,24}(?![\w-])", re.IGNORECASE)
_ADDRESS_ON_THE_WEB = re.compile(r"(?:[a-z][a-z0-9+.-]{1,15}://|www\.)\S{1,500}", re.IGNORECASE)
# Numbers that belong to a service and not to a person.
_NOBODYS = frozenset(
    {
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.UAN,
    }
)


def personal_data(draft: Draft) -> Iterator[Finding]:
    """Kinds pii_email and pii_phone, each with its span. What the shown text says already is passed over."""
    yield from _emails(draft)
    yield from _phones(draft)


def _emails(draft: Draft) -> Iterator[Finding]:
    rules = draft.rules[RULES]
    why = rules.data["email_explanation"]
    if "@" in draft.text:
        for found in _PLAIN_MAIL.finditer(draft.text):
            if found[0] not in draft.shown_text:
                yield Finding("pii_email", 0.9, True, found.start(), found.end(), why, rules.version)
    for found in _disguised(rules).finditer(draft.text):
        if found[0] not in draft.shown_text:
            yield Finding("pii_email", 0.7, True, found.start(), found.end(), why, rules.version)


@cache
def _disguised(rules: RuleFile) -> re.Pattern[str]:
    """Such as name (at) gmail dot com. Plain words count only before a known mail host: people meet at places."""
    at = "|".join(rf"\s?{re.escape(word.strip())}\s?" for word in rules.data["at_words"] if not word[0].isspace())
    words = "|".join(rf"\s{re.escape(word.strip())}\s" for word in rules.data["at_words"] if word[0].isspace())
    dots = "|".join(rf"\s?{re.escape(word.strip())}\s?" for word in rules.data["dot_words"])
    hosts = "|".join(rules.data["mail_hosts"])
    pattern = rf"\b[\w.+-]{{1,64}}(?:(?:{at})[\w-]{{1,63}}|(?:{words})(?:{hosts}))(?:{dots}|\.)[a-z]{{2,24}}\b"
    return re.compile(pattern, re.IGNORECASE)


def _phones(draft: Draft) -> Iterator[Finding]:
    rules = draft.rules[RULES]
    if sum(char.isdigit() for char in draft.text) < rules.data["least_digits"]:
        return
    addresses = [found.span() for found in _ADDRESS_ON_THE_WEB.finditer(draft.text)]
    spans = [
        (match.start, match.end)
        for match in phonenumbers.PhoneNumberMatcher(draft.text, draft.country)
        if phonenumbers.number_type(match.number) not in _NOBODYS
    ]
    # What no numbering plan knows (new ranges, slips of the finger) counts where it is written like a phone number.
    spans += [found.span() for found in _telling(rules).finditer(draft.text) if not _is_nobodys(found[0], draft)]
    taken = 0
    for start, end in sorted(spans):
        if start < taken or draft.text[start:end] in draft.shown_text:
            continue
        if any(first <= start < last for first, last in addresses):
            continue
        taken = end
        yield Finding("pii_phone", 0.8, True, start, end, rules.data["phone_explanation"], rules.version)


def _is_nobodys(said: str, draft: Draft) -> bool:
    """Only a number with its prefix says which plan it belongs to."""
    if said[0] not in "+0(":
        return False
    try:
        number = phonenumbers.parse(said, draft.country)
    except phonenumbers.NumberParseException:
        return True
    return phonenumbers.number_type(number) in _NOBODYS


@cache
def _telling(rules: RuleFile) -> re.Pattern[str]:
    forms = "|".join(rules.data["phone_forms"])
    return re.compile(rf"(?<![\w+/.,:(-])(?:{forms})(?![\w/-])")
