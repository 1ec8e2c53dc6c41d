"""What typed text is worth as text: normal form, blankness, matching keys, look-alikes, reading grade."""

import re
import unicodedata

from core.errors import invalid

SLUG_CHARS = 80  # A slug is a courtesy in an address; the id or the whole name finds the page.

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
# Letters and symbols by category that nevertheless draw nothing: Hangul fillers and the empty Braille cell.
_DRAWS_NOTHING = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Format characters by category that do draw something: Arabic, Syriac and Kaithi number and verse signs.
_DRAWS_SOMETHING = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_APOSTROPHES = re.compile("['`\u00b4\u02bc\u2018\u2019\uff07]")
_ASCII_WORD = re.compile("[a-z0-9]+")
# Letters that Unicode does not take apart although readers do.
_LATIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n"}
)
# Letters of other alphabets, digits and signs that pass for a Latin letter at a glance, after case folding.
_LOOKS_LIKE = str.maketrans(
    {
        **dict(zip("авгеіјкмнопрстухѕһԁԛԝѵӏь", "abreljkmhonpctyxshdqwvlb", strict=True)),
        **dict(zip("αβγεζηικμνοπρστυχω", "abyeznlkuvonpotuxw", strict=True)),
        **dict(zip("01i|!$@", "ollllsa", strict=True)),
    }
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_VOWELS = re.compile("[aeiouyàáâäèéêëìíîïòóôöùúûü]+")


def normalise(typed: str, *, field: str = "body") -> str:
    """The form in which typed text is stored: Unicode NFC and LF for CRLF; nothing is trimmed and nothing else changes.

    Raises Invalid, naming `field`, for what no database or page can carry: NUL (code "nul-character") and half of a
    surrogate pair (code "broken-character").
    """
    if "\0" in typed:
        raise invalid(field, "There is an invisible character (NUL) in this text. Remove it.", code="nul-character")
    if _HALF_CHARACTER.search(typed):
        raise invalid(field, "One character in this text is cut in half. Type it again.", code="broken-character")
    return unicodedata.normalize("NFC", typed.replace("\r\n", "\n"))


def is_blank(text: str) -> bool:
    """Whether a reader would see nothing: only space, control, format and filler characters, or accents alone."""
    return not any(_is_visible(char) for char in text)


def _is_visible(char: str) -> bool:
    if char in _DRAWS_SOMETHING:
        return True
    category = unicodedata.category(char)
    return category[0] not in "ZM" and category not in ("Cc", "Cf", "Cn", "Cs") and char not in _DRAWS_NOTHING


def fold(name: str) -> str:
    """The key under which names of conditions meet: no case, accents, apostrophes or punctuation, single spaces.

    "Alzheimer's Disease" and "alzheimers disease" meet; letters that a source dropped need an alias.
    """
    if name.isascii():  # most names, and ten times as fast
        return " ".join(_ASCII_WORD.findall(_APOSTROPHES.sub("", name.lower())))
    bare = _APOSTROPHES.sub("", name.casefold().translate(_LATIN))
    letters = (c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in letters).casefold().split())


def slugify(name: str) -> str:
    """The name in an address: a-z, 0-9 and single hyphens, at most 80 characters, cut between words; never empty."""
    slug = re.sub("[^a-z0-9]+", "-", fold(name)).strip("-")
    if len(slug) > SLUG_CHARS:
        head = slug[: SLUG_CHARS + 1]
        slug = head.rsplit("-", 1)[0] if "-" in head else slug[:SLUG_CHARS]
    return slug or "untitled"


def confusable_skeleton(handle: str) -> str:
    """The key under which look-alike handles meet, so that nobody can pass for somebody else.

    Case, accents, dots, underscores and hyphens do not count; 0 is o; 1, i and l are one; rn is m; vv is w; Cyrillic
    and Greek letters count as the Latin ones that they resemble. A small map, not Unicode's whole table of confusables.
    """
    marked = unicodedata.normalize("NFKD", handle).casefold()
    bare = "".join(c for c in unicodedata.normalize("NFKD", marked) if not unicodedata.combining(c))
    joined = re.sub(r"[\s._\-\u200b-\u200f\u2060\ufeff]+", "", bare.translate(_LATIN).translate(_LOOKS_LIKE))
    return joined.replace("rn", "m").replace("vv", "w")


def flesch_kincaid(text: str) -> float:
    """US school grade needed to read English `text`, by Flesch and Kincaid; 0.0 for no words. Syllables are estimated.

    Source: Kincaid et al., Derivation of new readability formulas, 1975.
    """
    words = _WORD.findall(text)
    if not words:
        return 0.0
    sentences = sum(1 for part in re.split(r"[.!?]+(?=\s|$)|\n+", text) if _WORD.search(part))
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    lower = word.casefold()
    count = len(_VOWELS.findall(lower))
    silent_e = lower.endswith("e") and not re.search("(?:[^aeiouy]l|[aeiouy])e$", lower)
    silent_ed = re.search("[^aeiouydt]ed$", lower)
    return max(1, count - bool(silent_e) - bool(silent_ed))
