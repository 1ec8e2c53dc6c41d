"""Text that somebody wrote becomes HTML here and nowhere else: Markdown → bleach → nh3, rendered once, at write.

Safety stands in three rows. markdown-it runs with raw HTML off; bleach cleans whatever comes and is safe without the
first row, because imported articles are HTML; nh3 repeats the cleaning with the same allow-list, because bleach gets no
more security releases. A strict Content-Security-Policy stands behind all three.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import nh3
from bleach.html5lib_shim import Filter  # type: ignore[attr-defined]
from bleach.linkifier import LinkifyFilter
from bleach.sanitizer import Cleaner
from markdown_it import MarkdownIt

from core.flattened import render_plain_lists

RENDERER = "1"  # Raise it when the HTML for the same source changes: a job then renders stored text again.
EXCERPT_CHARS = 200

INLINE_TAGS = frozenset({"a", "br", "code", "del", "em", "s", "strong", "sub", "sup"})
BLOCK_TAGS = frozenset(
    {"blockquote", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)
TAGS = INLINE_TAGS | BLOCK_TAGS
ATTRIBUTES = {"a": {"href", "rel", "title"}, "ol": {"start"}}


@dataclass(frozen=True)
class Rendered:
    """`text` is what a reader sees without markup, `excerpt` its first 200 characters at most, cut between words."""

    html: str
    text: str
    excerpt: str
    renderer: str = RENDERER


@dataclass(frozen=True)
class Segment:
    """A stretch of plain text and the kinds of finding that cover it (none for ordinary text). Never HTML."""

    text: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """What differs between the kinds of text. `headings` maps the level that was written to the level on the page."""

    rel: str
    schemes: frozenset[str]
    headings: tuple[int, int, int, int, int, int]
    strip: bool  # True drops a forbidden tag and keeps its words; False shows the tag as text.


PROFILES: Mapping[str, Profile] = {
    # Members' Markdown. The page owns h1 and h2, so that a post cannot break its outline.
    "post": Profile("ugc nofollow noopener", frozenset({"http", "https", "mailto"}), (3, 4, 5, 6, 6, 6), False),
    # Our own reference articles in Markdown.
    "article": Profile("noopener", frozenset({"http", "https", "mailto", "tel"}), (3, 3, 3, 4, 5, 6), False),
    # The house's own texts, which stand right under the h1 of their page.
    "house": Profile("noopener", frozenset({"http", "https", "mailto", "tel"}), (2, 2, 3, 4, 5, 6), False),
    # Reference text that arrives as HTML.
    "imported": Profile("noopener", frozenset({"http", "https", "mailto", "tel"}), (3, 3, 3, 4, 5, 6), True),
}

_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    .enable(["table", "strikethrough"])
    .disable("image")
)

# bleach writes a question mark for a control character, and turns a typed "&amp;lt;" into "<". Both pass through it as
# Unicode's noncharacters, which exist for such use inside one program; any that come from outside are replaced.
_CONTROLS = [c for c in range(1, 32) if chr(c) not in "\t\n\r"]
_HIDE = dict.fromkeys(range(0xFDD0, 0xFDF0), 0xFFFD) | {c: 0xFDD0 + i for i, c in enumerate(_CONTROLS)}
_SHOW: dict[int, int | str] = {0xFDD0 + i: c for i, c in enumerate(_CONTROLS)} | {0xFDEF: "&amp;"}
_AMBIGUOUS_AMPERSAND = re.compile("&amp;(?=#?[A-Za-z0-9]+;)")


def render(source: str, profile: str) -> Rendered:
    """Turn stored source into HTML and plain text.

    `profile` is "post", "article" or "house" (Markdown), or "imported" (HTML).
    About 10 ms for 2 kB, so it runs at write and never on a read. It does not limit the length: the caller does.
    """
    raw = source if profile == "imported" else _MARKDOWN.render(source)
    return _rendered(_second_pass(sanitise(raw, profile), profile))


def reference_html(source: str) -> str:
    """HTML of imported plain text with its lists restored, for importers that store the text as it came.

    About 0.3 ms for 2 kB. Every character is escaped before any tag is added, so only nh3 runs after it.
    """
    return _second_pass(render_plain_lists(source), "imported")


def sanitise(html: str, profile: str) -> str:
    """The bleach step alone: clean by allow-list, put headings and links right, turn bare addresses into links."""
    rules = PROFILES[profile]
    link: Any = partial(_link, rules=rules)
    # A Cleaner shared between threads mixes their texts, so each call builds its own (0.3 ms).
    cleaner = Cleaner(
        tags=TAGS | {"h1", "h2"},
        attributes={tag: sorted(names) for tag, names in ATTRIBUTES.items()},
        protocols=rules.schemes,
        strip=rules.strip,
        strip_comments=True,
        filters=[
            partial(_Tidy, rules=rules),
            partial(LinkifyFilter, callbacks=[link], skip_tags={"pre", "code"}),
        ],
    )
    hidden = _AMBIGUOUS_AMPERSAND.sub("\ufdef", html.translate(_HIDE))
    return cleaner.clean(hidden).translate(_SHOW)


def mark_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> list[Segment]:
    """Cut `text` where findings begin and end, for the case page. Spans are (start, end, kind) in characters.

    Spans may overlap and may reach outside of the text; joined together, the segments are the text.
    """
    kept = [(max(0, start), min(len(text), end), kind) for start, end, kind in spans]
    kept = [span for span in kept if span[0] < span[1]]
    edges = sorted({0, len(text), *(s for s, _, _ in kept), *(e for _, e, _ in kept)})
    return [
        Segment(text[a:b], tuple(dict.fromkeys(kind for s, e, kind in kept if s <= a and b <= e)))
        for a, b in pairwise(edges)
    ]


def plain_text(html: str) -> str:
    """What a reader sees of HTML: one line per block, white space as a browser collapses it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (re.sub(" +", " ", line).strip(" \t") for line in "".join(reader.parts).split("\n"))
    return "\n".join(line for line in lines if line)


def excerpt(text: str, limit: int = EXCERPT_CHARS) -> str:
    """The beginning of `text` on one line: at most `limit` characters, cut between words, ended by an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    if line[limit - 1] != " " and " " in cut:
        cut = cut.rsplit(" ", 1)[0]
    return cut.rstrip(" ,;:.–-") + "…"


def _second_pass(html: str, profile: str) -> str:
    return nh3.clean(
        html,
        tags=set(TAGS) | ({"h2"} if profile == "house" else set()),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        url_schemes=set(PROFILES[profile].schemes),
        link_rel=None,  # bleach has set it
    )


def _rendered(html: str) -> Rendered:
    text = plain_text(html)
    return Rendered(html=html, text=text, excerpt=excerpt(text))


class _Tidy(Filter):
    """Runs on the cleaned tokens: puts headings on the page's levels and settles each link's target and rel."""

    def __init__(self, source: Any, rules: Profile) -> None:
        super().__init__(source)
        self.rules = rules

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for token in super().__iter__():
            name = token.get("name") or ""
            if token["type"] in ("StartTag", "EndTag", "EmptyTag"):
                if re.fullmatch("h[1-6]", name):
                    token["name"] = f"h{self.rules.headings[int(name[1]) - 1]}"
                elif name == "a" and token["type"] != "EndTag":
                    _settle(token["data"], self.rules)
            yield token


def _settle(attrs: dict[Any, Any], rules: Profile) -> None:
    attrs.pop((None, "rel"), None)
    href = attrs.get((None, "href"))
    if href is None:
        return
    if re.match(r"#|/(?![/\\])", href):
        return
    if re.match(r"(?i)(https?|mailto|tel):", href):
        attrs[(None, "rel")] = rules.rel
        return
    # A path relative to the page would lead elsewhere from a feed, a mail or another page; `//` hides the scheme.
    del attrs[(None, "href")]


def _link(attrs: dict[Any, Any], new: bool, *, rules: Profile) -> dict[Any, Any] | None:
    if not new:
        return attrs
    # bleach would also link README.md and a forgotten space after a full stop ("take.it").
    if not re.match(r"(?i)https?://|www\.", attrs["_text"]):
        return None
    attrs[(None, "rel")] = rules.rel
    return attrs


class _Reader(HTMLParser):
    """Collects visible text; `parts` holds a newline wherever a block begins or ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.in_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._edge(tag)
        self.in_pre = self.in_pre or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._edge(tag)
        self.in_pre = self.in_pre and tag != "pre"

    def handle_data(self, data: str) -> None:
        self.parts.append(data if self.in_pre else re.sub("[ \t\n\r\f]+", " ", data))

    def _edge(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.parts.append(" ")
        elif tag == "br" or tag in BLOCK_TAGS:
            self.parts.append("\n")
