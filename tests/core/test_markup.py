"""Markup: what people write becomes safe HTML, and what they read is what they wrote."""

import json
import re
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nh3
import pytest
from markdown_it import MarkdownIt

from core import markup
from core.flattened import render_plain_lists
from core.markup import Segment, mark_spans, plain_text, reference_html, render, sanitise
from tests.support import xss
from tests.support.shared import shared_file

BODY_CHARS = 20_000  # the site's default limit for a post
PROFILES = ("post", "article", "imported")
RAW_HTML = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
DASHES_AND_SPACE = re.compile(r"[\s\-‐-―−•]+")


# --- Markdown -----------------------------------------------------------------------------------------------------


def test_markdown_becomes_paragraphs_lists_tables_and_emphasis() -> None:
    html = render("Some **strong** ~~old~~\nnext line\n\n- one\n- two\n\n|a|b|\n|-|-|\n|1|2|", "post").html
    for part in ("<strong>strong</strong>", "<s>old</s><br>", "<li>one</li>", "<th>a</th>", "<td>2</td>"):
        assert part in html


def test_raw_html_in_markdown_is_shown_as_text() -> None:
    rendered = render('<b onclick="x()">hi</b> & <script>alert(1)</script>', "post")
    assert rendered.text == '<b onclick="x()">hi</b> & <script>alert(1)</script>'
    assert "<b" not in rendered.html
    assert "<script" not in rendered.html


def test_text_is_escaped_once_only() -> None:
    source = "3 < 4 & 5 > 2, AT&T, \"quoted\", 'so', naïve — 90 %, &lt;tag&gt; stays"
    rendered = render(source, "post")
    assert "&amp;amp;" not in rendered.html
    assert "&amp;lt;" not in rendered.html
    assert rendered.text == source.replace("&lt;tag&gt;", "<tag>")


@pytest.mark.parametrize(("profile", "levels"), [("post", [3, 4, 5, 6, 6, 6]), ("article", [3, 3, 3, 4, 5, 6])])
def test_headings_never_reach_the_levels_of_the_page(profile: str, levels: list[int]) -> None:
    source = "\n\n".join(f"{'#' * level} Level {level}" for level in range(1, 7))
    assert [int(level) for level in re.findall(r"<h(\d)>", render(source, profile).html)] == levels


def test_images_are_not_loaded_from_anywhere() -> None:
    for profile in PROFILES:
        assert "<img" not in render("![x](https://example.org/x.png) <img src=https://example.org/y.png>", profile).html


def test_a_member_s_links_carry_ugc_and_ours_do_not() -> None:
    source = "[a](https://example.org/a) and https://example.org/b"
    assert render(source, "post").html.count('rel="ugc nofollow noopener"') == 2
    assert render(source, "article").html.count('rel="noopener"') == 2


def test_bare_addresses_become_links_and_file_names_and_mail_do_not() -> None:
    html = render(
        "See https://example.org/?a=1&b=2 or www.example.org, README.md, take.it, a@example.org.", "post"
    ).html
    assert re.findall('href="([^"]+)"', html) == ["https://example.org/?a=1&amp;b=2", "http://www.example.org"]
    assert "README.md, take.it, a@example.org." in html


def test_addresses_in_code_stay_text() -> None:
    assert "<a" not in render("`https://example.org`\n\n    https://example.org", "post").html


@pytest.mark.parametrize(
    "address", ["/rules", "#end", "https://example.org", "http://example.org", "mailto:a@example.org"]
)
def test_good_addresses_are_kept(address: str) -> None:
    assert f'href="{address}"' in render(f"[x]({address})", "post").html


BAD_ADDRESSES = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java&#10;script:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "//example.org",
    "\\\\example.org",
    "other/page",
    "?q=1",
    "file:///etc/passwd",
    "ftp://example.org",
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
@pytest.mark.parametrize("profile", ["post", "article"])
def test_other_addresses_are_dropped_and_their_words_stay(address: str, profile: str) -> None:
    rendered = render(f"[words]({address})", profile)
    assert "href" not in rendered.html
    assert "words" in rendered.text


@pytest.mark.parametrize("address", [*BAD_ADDRESSES, "/\\example.org"])
def test_imported_html_loses_the_same_addresses(address: str) -> None:
    assert render(f'<p><a href="{address}">words</a></p>', "imported").html == "<p><a>words</a></p>"


def test_an_article_may_give_a_number_to_call_and_a_post_may_not() -> None:
    assert 'href="tel:112"' in render("[112](tel:112)", "article").html
    assert "href" not in render("[112](tel:112)", "post").html


def test_an_ampersand_before_what_looks_like_an_entity_is_shown_as_it_was_written() -> None:
    rendered = render("Write `&lt;` or \\&ouml; or &amp;copy; for a sign; see https://example.org/?a=1&lt=2", "post")
    assert rendered.text == "Write &lt; or &ouml; or &copy; for a sign; see https://example.org/?a=1&lt=2"
    assert render("<p>&amp;lt;b&amp;gt;</p>", "imported").html == "<p>&amp;lt;b&amp;gt;</p>"


def test_noncharacters_from_outside_cannot_stand_for_something_else() -> None:
    assert render("a\ufdd0b\ufdefc", "post").text == "a\ufffdb\ufffdc"


def test_control_characters_are_kept_and_not_turned_into_question_marks() -> None:
    assert render("a\x01b\x08c\x1bd", "post").text == "a\x01b\x08c\x1bd"


def test_imported_html_keeps_its_words_and_loses_its_dress() -> None:
    html = '<h1 id=a>Back pain</h1><div class=x><p style="color:red">Rest <font>well</font>.</p></div><img onerror=y()>'
    rendered = render(html, "imported")
    assert rendered.html.replace("\n", "") == "<h3>Back pain</h3><p>Rest well.</p>"
    assert rendered.text == "Back pain\nRest well."


def test_the_renderer_is_named_so_that_old_html_can_be_found() -> None:
    assert render("x", "post").renderer == markup.RENDERER


# --- Text and excerpt ---------------------------------------------------------------------------------------------


def test_text_is_what_a_reader_sees_line_by_line() -> None:
    rendered = render("# Title\n\nOne *two*\nthree\n\n- a\n- b\n\n|x|y|\n|-|-|\n|1|2|", "post")
    assert rendered.text == "Title\nOne two\nthree\na\nb\nx y\n1 2"


def test_an_excerpt_ends_between_words_within_two_hundred_characters() -> None:
    short = render("Short enough.", "post")
    assert short.excerpt == "Short enough."
    words = " ".join(f"word{n}" for n in range(100))
    cut = render(words, "post").excerpt
    assert len(cut) <= 200
    assert cut.endswith("…")
    assert words.startswith(cut[:-1] + " ")
    assert len(render("x" * 500, "post").excerpt) == 200


# --- Marked spans -------------------------------------------------------------------------------------------------


def test_marked_spans_cut_the_text_and_lose_nothing() -> None:
    text = "call 0123 or mail a@example.org <b>"
    segments = mark_spans(
        text, [(5, 9, "pii_phone"), (0, 9, "spam"), (18, 31, "pii_email"), (30, 99, "link"), (4, 4, "no")]
    )
    assert "".join(segment.text for segment in segments) == text
    assert Segment("0123", ("pii_phone", "spam")) in segments
    assert Segment("call ", ("spam",)) in segments
    assert Segment(" or mail ", ()) in segments
    assert segments[-1] == Segment(" <b>", ("link",))
    assert mark_spans("", [(0, 3, "x")]) == []


# --- Lists of imported text come back -----------------------------------------------------------------------------


def items(text: str) -> list[str]:
    return re.findall("<li>(.*?)</li>", render_plain_lists(text))


@pytest.mark.parametrize(
    "text",
    [
        "Signs may include:  - a sore back  - stiff legs  - poor sleep",
        "Signs may include - a sore back  - stiff legs  - poor sleep",
        "Signs are\n\n- a sore back\n- stiff legs\n- poor sleep",
        "Signs are\n          - a sore back    -  stiff legs    - poor sleep",
        "Signs are:\n- a sore back - stiff legs - poor sleep",
        "Signs include: - a sore back - stiff legs - poor sleep",
        "Signs may be     -a sore back     -stiff legs     -poor sleep",
        "Signs are\n-\na sore back\n-\nstiff legs\n-\npoor sleep",
    ],
)
def test_flattened_lists_become_lists_again(text: str) -> None:
    html = render_plain_lists(text)
    assert items(text) == ["a sore back", "stiff legs", "poor sleep"]
    assert html.count("<ul>") == 1
    assert html.startswith("<p>Signs ")


@pytest.mark.parametrize(
    "text",
    [
        "This well - known test takes 5 - 10 minutes.",
        "An X - linked trait and a Y - linked one were found in 3 - 4 of 20.",
        "The hip - the largest joint - carries the trunk.",
        "There are two kinds - acute and chronic. Acute pain is short.",
        "A tear of the disc - mostly at the waist - heals on its own. See page 3 - 5.",
        "It lasts 2  -  3 weeks  as a rule.",
    ],
)
def test_a_dash_that_is_punctuation_stays_one(text: str) -> None:
    assert items(text) == []
    assert " - " in plain_text(reference_html(text))


def test_what_follows_a_list_is_a_paragraph_again() -> None:
    html = render_plain_lists("You may feel  - hot  - cold  - tired   Call your doctor when it lasts.")
    assert items(html) == []
    assert html.endswith("<li>tired</li>\n</ul>\n<p>Call your doctor when it lasts.</p>")


def test_a_list_that_is_told_twice_ends_where_it_begins_again() -> None:
    html = render_plain_lists("You may feel - hot and dry  - cold  - tired hot and dry cold tired It will pass.")
    assert "<li>tired</li>" in html
    assert "<p>hot and dry cold tired It will pass.</p>" in html


def test_runs_of_spaces_and_lines_part_paragraphs() -> None:
    html = render_plain_lists("First part.    Second part,  still the second.\nThird part.\n\n\nFourth part.")
    assert re.findall("<p>(.*?)</p>", html) == [
        "First part.",
        "Second part, still the second.",
        "Third part.",
        "Fourth part.",
    ]


def test_a_short_line_above_a_text_is_its_heading() -> None:
    html = render_plain_lists(
        "Tests for the back\n\nYour doctor looks at how you move and where it hurts.\n\nSource: a clinic"
    )
    assert html.startswith("<h3>Tests for the back</h3>\n<p>")
    assert html.endswith("<p>Source: a clinic</p>")


def test_key_points_are_a_list_and_the_same_lines_are_headings_further_down() -> None:
    text = (
        "Key Points\n     - Backs heal.    - Walking helps.\n\n  Backs heal.\n  Most do.\n\n  Walking helps.\n  A bit."
    )
    html = render_plain_lists(text)
    assert html.startswith("<h3>Key Points</h3>\n<ul>\n<li>Backs heal.</li>\n<li>Walking helps.</li>\n</ul>")
    assert re.findall("<h3>(.*?)</h3>", html) == ["Key Points", "Backs heal.", "Walking helps."]


def test_a_summary_opening_is_set_off() -> None:
    assert render_plain_lists("Summary : Most backs heal.") == "<p><strong>Summary:</strong> Most backs heal.</p>"


def test_a_flattened_table_of_signs_becomes_a_table() -> None:
    text = (
        "Signs and Symptoms Approximate number of patients (when available) Sore back 90% Stiff neck, sudden 7.5% "
        "Cold feet 3/25 Short steps - Tiredness - The Human Phenotype Ontology (HPO) has collected them."
    )
    html = render_plain_lists(text)
    rows = re.findall("<tr><td>(.*?)</td><td>(.*?)</td></tr>", html)
    assert rows == [
        ("Sore back", "90%"),
        ("Stiff neck, sudden", "7.5%"),
        ("Cold feet", "3/25"),
        ("Short steps", "–"),
        ("Tiredness", "–"),
    ]
    assert html.endswith("<p>The Human Phenotype Ontology (HPO) has collected them.</p>")


def test_everything_in_imported_text_is_escaped() -> None:
    text = "A <script>alert(1)</script> & <b>\n\n- <img src=x onerror=alert(1)>\n- \"q\" 'r'"
    html = render_plain_lists(text)
    assert xss.violations(html) == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in html
    assert "&lt;img" in html


@pytest.mark.shared_data
def test_no_character_of_any_imported_answer_is_lost() -> None:
    answers = medquad_answers(shared_file("medquad_shared.tar.gz"))
    assert len(answers) == 14_084
    lists = tables = 0
    for name, answer in answers:
        html = reference_html(answer)
        assert DASHES_AND_SPACE.sub("", plain_text(html)) == DASHES_AND_SPACE.sub("", answer), name
        lists += "<ul>" in html
        tables += "<table>" in html
    # About 15 % of the answers hold flattened lists, and most of one collection's symptoms are flattened tables.
    assert lists > 2_500
    assert tables > 1_800


def medquad_answers(path: Path) -> list[tuple[str, str]]:
    """Every answer with words in it, by file name, of both schemas."""
    answers = []
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.name.endswith(".xml"):
                continue
            content = archive.extractfile(member)
            assert content is not None
            root = ElementTree.parse(content).getroot()
            for answer in [*root.iter("Answer"), *root.iter("answer")]:
                if answer.text and answer.text.strip():
                    answers.append((member.name, answer.text))
    return answers


# --- Attacks ------------------------------------------------------------------------------------------------------


@pytest.mark.shared_data
@pytest.mark.parametrize("profile", PROFILES)
def test_bleach_alone_lets_no_payload_through_with_raw_html_on(profile: str) -> None:
    payloads = xss.payloads(shared_file("xss_shared.jsonl.gz"))
    assert len(payloads) == 3_713
    through = {}
    for payload in payloads:
        for raw in (payload.text, RAW_HTML.render(payload.text)):
            found = xss.violations(sanitise(raw, profile))
            if found:
                through[payload.id] = found
    assert through == {}


@pytest.mark.shared_data
def test_the_same_payloads_are_found_when_bleach_is_taken_out() -> None:
    payloads = xss.payloads(shared_file("xss_shared.jsonl.gz"))
    hits = sum(bool(xss.violations(RAW_HTML.render(payload.text))) for payload in payloads)
    assert hits > 2_500


@pytest.mark.shared_data
@pytest.mark.parametrize("profile", PROFILES)
def test_the_whole_chain_lets_no_payload_through_and_shows_its_text(profile: str) -> None:
    for payload in xss.payloads(shared_file("xss_shared.jsonl.gz")):
        rendered = render(payload.text, profile)
        assert xss.violations(rendered.html) == [], payload.id
        if profile == "post":
            assert visible(rendered.html) == visible(markup._MARKDOWN.render(payload.text)), payload.id


def visible(html: str) -> str:
    """The words of HTML as another parser reads them, white space aside."""
    return "".join("".join(xss.html5lib.parseFragment(html, namespaceHTMLElements=False).itertext()).split())


@pytest.mark.parametrize(
    "attack",
    [
        "<img src=x onerror=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        '<a href="java\nscript:alert(1)">x</a>',
        '<a href="\x01javascript:alert(1)">x</a>',
        '<a href="javascript\u200b:alert(1)">x</a>',
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
        '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        '<p style="background:url(javascript:alert(1))" onmouseover=alert(1)>x</p>',
        '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
        '<base href="javascript:/"><a href="/x">x</a>',
    ],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_known_attacks_are_harmless_after_bleach_alone(attack: str, profile: str) -> None:
    assert xss.violations(attack)
    assert xss.violations(sanitise(attack, profile)) == []


def test_bleach_and_nh3_agree_on_what_is_left() -> None:
    source = (
        "# T\n\n**b** ~~s~~ `c` [l](https://example.org 't') https://example.org/x\n\n"
        "1. a\n\n3. b\n\n> q\n\n---\n\n|a|\n|-|\n|b|"
    )
    for profile in PROFILES[:2]:
        once = sanitise(markup._MARKDOWN.render(source), profile)
        again = nh3.clean(once, tags=set(markup.TAGS), attributes=markup.ATTRIBUTES, link_rel=None)
        assert visible(again) == visible(once)
        assert re.findall("<[a-z0-9]+", again) == re.findall("<[a-z0-9]+", once)
        assert render(source, profile).html == again


def test_posts_rendered_at_the_same_time_do_not_mix() -> None:
    wrong: list[str] = []
    start = threading.Barrier(6)

    def work(name: str) -> None:
        start.wait()
        for n in range(40):
            source = f"{name} wrote **{n}** and https://example.org/{name}/{n}"
            rendered = render(source, "post")
            expected = f"{name} wrote {n} and https://example.org/{name}/{n}"
            if rendered.text != expected or f'href="https://example.org/{name}/{n}"' not in rendered.html:
                wrong.append(rendered.html)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ann", "ben", "cora", "mo", "mia", "lea")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- Hostile and odd input ----------------------------------------------------------------------------------------


def strings(name: str) -> Any:
    with zipfile.ZipFile(shared_file("strings_shared.zip")) as archive:
        return json.loads(archive.read(name))


@pytest.mark.shared_data
@pytest.mark.parametrize("profile", PROFILES)
def test_naughty_strings_render_safely(profile: str) -> None:
    for string in strings("blns.json"):
        rendered = render(string, profile)
        assert xss.violations(rendered.html) == []
        assert len(rendered.excerpt) <= 200


@pytest.mark.shared_data
def test_a_naughty_string_shows_all_that_markdown_leaves_of_it() -> None:
    for string in strings("blns.json"):
        assert visible(render(string, "post").html) == visible(markup._MARKDOWN.render(string)), ascii(string)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["commonmark_spec.json", "gfm_spec.json", "gfm_extensions.json"])
def test_the_examples_of_the_markdown_standards_render_safely(name: str) -> None:
    examples = strings(name)
    assert len(examples) > 20
    for example in examples:
        rendered = render(example["markdown"], "post")
        assert xss.violations(rendered.html) == []
        assert visible(rendered.html) == visible(markup._MARKDOWN.render(example["markdown"])), example["markdown"]


def pathological(case: dict[str, Any], size: int) -> str:
    """Build the text of one parametric case, cut at `size` characters."""
    parts = case["parts"]
    if isinstance(parts, str):
        kind, unit = parts.split(":", 1)
        if kind == "growing":
            text = "".join(unit[0] + unit[1] * k for k in range(1, int((2 * size) ** 0.5)))
        else:
            text = "".join("  " * k + unit + "\n" for k in range(int(size**0.5)))
    else:
        once = sum(len(unit) for unit, repeated in parts if not repeated)
        times = max(1, (size - once) // max(1, sum(len(unit) for unit, repeated in parts if repeated)))
        text = "".join(unit * times if repeated else unit for unit, repeated in parts)
    return text[:size].replace("\0", "\ufffd")


@pytest.mark.shared_data
def test_pathological_markdown_of_a_post_s_length_ends_with_bounded_output() -> None:
    cases = strings("pathological.json")["cases"]
    assert len(cases) == 30
    for case in cases:
        source = pathological(case, BODY_CHARS)
        rendered = render(source, "post")
        assert xss.violations(rendered.html) == [], case["name"]
        # The dearest growth is a table cell or an escaped angle bracket: a few characters of markup for each typed.
        assert len(rendered.html) < 40 * BODY_CHARS, case["name"]
        assert len(rendered.text) <= len(source) + BODY_CHARS, case["name"]
