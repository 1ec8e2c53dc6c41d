"""Gives imported plain text its paragraphs and lists back.

Reference archives often hold text whose markup was lost: lists stand on one line with " - " between their items, runs
of spaces stand where a paragraph ended, a table of symptoms is a row of words. The stored text is never changed; this
module builds HTML from it, escapes every character, and loses none but white space and the dashes that become bullets.
It is careful: where a dash may be punctuation ("the cerebellum - the part that …") it stays one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Literal

HEADING_CHARS = 80  # A longer line without a full stop is a sentence that lost it.
RUN_ON_CHARS = 400  # Among fragments, an item this long has swallowed the text after the list.

_GAP = re.compile(r"\s{3,}")
# Two spaces or a new line before the dash are what is left of list markup, so such a dash is a bullet.
_STRONG = re.compile(r"(?:^|\s{2,})[-•]\s+(?=\S)|(?:^|\s{3,})-(?=[A-Za-z])")
# With one space before it, a dash needs a witness: see _is_opened and _is_chained.
_WEAK = re.compile(r"(?<=\S)\s-\s+(?=\S)")
_ENUMERATES = re.compile(r"\b(?:includ(?:e|es|ed|ing)|such as|(?:the )?following)$", re.I)
_LEADS_IN = re.compile(
    r"\b(?:includ(?:e|es|ed|ing)|as|are|be|is|may|can|to|in|by|if|for|from|with|of|have|get|or|and|when|that|who)$",
    re.I,
)
# "well - known", "X - linked": a hyphen that gained spaces.
_HYPHEN_BEFORE = re.compile(r"(?:^|[\s(])(?:well|non|self|long|short|post|pre|co|re|anti|x|y)$", re.I)
_HYPHEN_AFTER = re.compile(r"(?:linked|related|known|like|type|term|based|year|day|week|month|or)\b", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)")

_SIGNS_HEAD = ("Signs and Symptoms", "Approximate number of patients (when available)")
_SIGNS_TABLE = re.compile(
    r"Signs and Symptoms\s+Approximate number of patients \(when available\)\s+(?P<rows>.*?)\s*"
    r"(?=The Human Phenotype Ontology \(HPO\) has collected|$)",
    re.S,
)
_SIGNS_ROW = re.compile(r"\s*(?P<sign>\S.*?)\s+(?P<share>\d+(?:\.\d+)?%|\d+/\d+|-)(?=\s|$)", re.S)


@dataclass
class _Block:
    kind: Literal["text", "item", "table"]
    text: str


def render_plain_lists(text: str) -> str:
    """HTML of paragraphs, headings, lists and tables for imported plain text. Everything in it is escaped."""
    blocks = list(_blocks(text))
    contents = _table_of_contents(blocks)
    out: list[str] = []
    open_list = False
    for number, block in enumerate(blocks):
        if (block.kind == "item") != open_list:
            open_list = not open_list
            out.append("<ul>" if open_list else "</ul>")
        if block.kind == "item":
            out.append(f"<li>{_squeeze(block.text)}</li>")
        elif block.kind == "table":
            out.append(_table(block.text))
        elif _plain(block.text) in contents or _is_heading(blocks, number):
            out.append(f"<h3>{_squeeze(block.text)}</h3>")
        else:
            out.append(_paragraph(block.text, first=number == 0))
    if open_list:
        out.append("</ul>")
    return "\n".join(out)


def _blocks(text: str) -> Iterator[_Block]:
    """Cut the text into paragraphs, list items and tables, in order."""
    at = 0
    for table in _SIGNS_TABLE.finditer(text):
        if not _rows(table["rows"]):
            continue
        yield from _lines(text[at : table.start()])
        yield _Block("table", table["rows"])
        at = table.end()
    yield from _lines(text[at:])


def _lines(text: str) -> Iterator[_Block]:
    bullet = False
    for line in text.splitlines():
        line = line.strip()
        if line == "-":  # a bullet whose words stand on the next line
            bullet = True
        elif line:
            yield from _line("- " + line if bullet else line)
            bullet = False
    if bullet:
        yield _Block("text", "-")


def _line(line: str) -> Iterator[_Block]:
    """One line of the source: prose, or a list with prose before and after it."""
    bullets = _bullets(line)
    if not bullets:
        yield from _prose(line)
        return
    yield from _prose(line[: bullets[0].start()])
    items = [
        line[bullet.end() : end]
        for bullet, end in zip(bullets, [*(after.start() for after in bullets[1:]), len(line)], strict=True)
    ]
    group: list[str] = []
    for number, item in enumerate(items):
        head, rest = _cut(item, _end_of_item(item, group, last=number + 1 == len(items)))
        yield _Block("item", head)
        yield from _prose(rest)
        group = [] if rest else [*group, head.strip()]


def _bullets(line: str) -> list[re.Match[str]]:
    """The dashes of the line that begin a list item."""
    strong = [m for m in _STRONG.finditer(line) if not _is_range(line, m)]
    at_start = bool(strong) and strong[0].start() == 0
    taken = {m.end() for m in strong}
    weak = [m for m in _WEAK.finditer(line) if m.end() not in taken and not _is_hyphen(line, m)]
    every: list[re.Match[str]] = sorted([*strong, *weak], key=lambda m: m.start())
    opened = [m for m, after in zip_longest(every, every[1:]) if m not in strong and _is_opened(line, m, after, strong)]
    chosen: list[re.Match[str]] = sorted([*strong, *opened], key=lambda m: m.start())
    if not chosen:
        return []
    if len(chosen) == 1:
        rest = [m for m in weak if m.start() > chosen[0].start()]
        if _is_chained(line, rest):
            return [*chosen, *rest]
    before = line[: chosen[0].start()].rstrip()
    introduced = before.endswith(":") or bool(_ENUMERATES.search(before))
    return chosen if len(chosen) > 1 or at_start or introduced else []


def _is_opened(line: str, dash: re.Match[str], after: re.Match[str] | None, strong: list[re.Match[str]]) -> bool:
    """Whether the words before a lone dash say that an item begins here."""
    before = line[: dash.start()].rstrip()
    if before.endswith((".", ".)", ":", ";", "?", "!", "--")):
        return True
    if after is None:
        return False
    if _ENUMERATES.search(before):
        return True
    item = line[dash.end() : after.start()]
    # The first item after "may include" often lost its extra space; the ones after it kept theirs.
    return after in strong and _gap(after) < 4 and len(item) < 160 and not _SENTENCE_END.search(item)


def _gap(dash: re.Match[str]) -> int:
    """White space before a dash."""
    return len(dash[0]) - len(dash[0].lstrip())


def _is_chained(line: str, dashes: list[re.Match[str]]) -> bool:
    """Whether a list that has begun goes on: two more dashes, or one after a comma, semicolon or full stop."""
    return len(dashes) > 1 or any(re.search(r"[,;.]$|[,;] and$", line[: m.start()].rstrip()) for m in dashes)


def _is_range(line: str, dash: re.Match[str]) -> bool:
    return dash.start() > 0 and line[dash.start() - 1].isdigit() and line[dash.end()].isdigit()


def _is_hyphen(line: str, dash: re.Match[str]) -> bool:
    before, after = line[: dash.start()], line[dash.end() :]
    return _is_range(line, dash) or bool(_HYPHEN_BEFORE.search(before[-12:]) or _HYPHEN_AFTER.match(after))


def _prose(text: str) -> Iterator[_Block]:
    rest = text
    while rest:
        head, rest = _cut(rest, _paragraph_gap(rest))
        if head.strip():
            yield _Block("text", head.strip())


def _paragraph_gap(text: str) -> int:
    """Where a run of three or more spaces ends a paragraph; -1 when none does."""
    for gap in _GAP.finditer(text):
        before, after = text[: gap.start()], text[gap.end() :]
        if before and after and (before[-1] in '.:?!)"”' or not after[0].islower()):
            return gap.start()
    return -1


def _end_of_item(item: str, before: list[str], *, last: bool) -> int:
    """Where an item ends within the text up to the next bullet; -1 when all of it belongs. `before`: its list so far.

    Some sources say each list twice, the second time without dashes: there an item ends where the first begins again.
    Otherwise only the last item can run on into prose, or one far longer than the fragments before it.
    """
    if before and len(before[0]) > 3:
        again = _said_again(item, before[0])
        if again >= 0:
            return again
    gap = _paragraph_gap(item)
    fragments = bool(before) and not any(_SENTENCE_END.search(other) for other in before)
    if not last and not (fragments and len(item) > RUN_ON_CHARS):
        return gap
    for end in _SENTENCE_END.finditer(item):
        if 0 <= gap < end.start():
            break
        if fragments or end.end() - end.start() > 1:
            return end.start()
    return gap


def _said_again(item: str, first: str) -> int:
    """Where white space stands before the words `first` inside the item; -1 when they do not come again."""
    at = item.find(first)
    while at >= 0:
        head = item[:at].rstrip()
        after = item[at + len(first) : at + len(first) + 1]
        if head and len(head) < at and not (after.isalnum() or after == "_"):
            return len(head)
        at = item.find(first, at + 1)
    return -1


def _cut(text: str, at: int) -> tuple[str, str]:
    return (text, "") if at < 0 else (text[:at], text[at:].lstrip())


def _is_heading(blocks: list[_Block], number: int) -> bool:
    """A short line without a full stop, with text under it and no sentence left open above it."""
    if number + 1 >= len(blocks) or not _looks_like_title(blocks[number]):
        return False
    if number and (_looks_like_title(blocks[number - 1]) or blocks[number - 1].text.endswith((":", ","))):
        return False
    return not _looks_like_title(blocks[number + 1])


def _looks_like_title(block: _Block) -> bool:
    text = block.text.strip()
    return (
        block.kind == "text"
        and len(text) <= HEADING_CHARS
        and text[:1].isupper()
        and text[-1] not in '.:;,!)"”'
        and not _SENTENCE_END.search(text)
        and not _LEADS_IN.search(text)
    )


def _table_of_contents(blocks: list[_Block]) -> frozenset[str]:
    """The items under "Key Points": the same lines are the headings further down."""
    titles: set[str] = set()
    listing = False
    for block in blocks:
        if block.kind == "item" and listing:
            titles.add(_plain(block.text))
        else:
            listing = _plain(block.text) == "key points"
    return frozenset(titles)


def _rows(text: str) -> list[tuple[str, str]]:
    """Rows of a flattened table of signs, or none when any of it does not fit."""
    rows: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        row = _SIGNS_ROW.match(text, at)
        if row is None:
            return []
        rows.append((row["sign"], row["share"]))
        at = row.end()
    return rows


def _table(text: str) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in _SIGNS_HEAD)
    rows = "\n".join(
        f"<tr><td>{_squeeze(sign)}</td><td>{'–' if share == '-' else escape(share)}</td></tr>"
        for sign, share in _rows(text)
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"


def _paragraph(text: str, *, first: bool) -> str:
    summary = re.match(r"Summary\s*:\s*", text) if first else None
    if summary:
        return f"<p><strong>Summary:</strong> {_squeeze(text[summary.end() :])}</p>"
    return f"<p>{_squeeze(text)}</p>"


def _squeeze(text: str) -> str:
    return escape(" ".join(text.split()), quote=False)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
