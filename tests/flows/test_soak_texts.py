"""Real and hostile texts through the API and back: nothing is lost, cut, or escaped twice.

Every text is written as a body; it must come back as `body` from the API and in the form that edits it, and the page
must show what Markdown leaves of it. A sample runs every time, all of it with `make soak`.
"""

import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from bleach._vendor import html5lib
from flask import Flask
from flask.testing import FlaskClient
from markdown_it import MarkdownIt
from sqlalchemy.orm import Session

from auth.models import Member
from tests.flows.scene import load_starter
from tests.support.cast import bearer, sign_in
from tests.support.shared import shared_file

pytestmark = pytest.mark.shared_data

API = "/api/v1"
SAMPLE = 30
TITLE_CHARS = 200
# Format characters that draw something although Unicode files them with those that do not.
ARABIC_SIGNS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd"
MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
MARKDOWN.disable("image")

Record = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """One text that was accepted."""

    typed: str
    post_id: int
    thread_id: int

    @property
    def kept(self) -> str:
        return unicodedata.normalize("NFC", self.typed.replace("\r\n", "\n"))


@pytest.fixture
def record(capsys: pytest.CaptureFixture[str]) -> Record:
    def show(figures: str) -> None:
        with capsys.disabled():
            print(f"\n{figures}", end="")  # noqa: T201 - the figures are the proof that `make soak` is run for

    return show


def naughty_strings() -> list[str]:
    with zipfile.ZipFile(shared_file("strings_shared.zip")) as archive:
        return [str(text) for text in json.loads(archive.read("blns.json"))]


def real_questions() -> list[tuple[str, str]]:
    """(title, text) of every question that a person once asked on a health site."""
    with zipfile.ZipFile(shared_file("forum_qa_shared.zip")) as archive:
        lines = archive.read("health_posts_shared.jsonl").decode("utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    return [(row["title"], row["text"]) for row in rows if row["kind"] == "question"]


def is_invisible(text: str) -> bool:
    """Whether nobody would see anything of it, by Unicode's own categories."""
    return all(unicodedata.category(char)[0] in "ZC" and char not in ARABIC_SIGNS for char in text)


def fold(text: str) -> str:
    """As a browser shows it: runs of spaces and line breaks are one space."""
    return " ".join(re.split("[ \t\n\f\r]+", text)).strip()


def words_of(html: str) -> str:
    """The text of an HTML fragment, read by a parser that follows the HTML standard."""
    parts: list[str] = []

    def walk(element: Any) -> None:
        if isinstance(element.tag, str):
            parts.append(element.text or "")
            for child in element:
                if child.tag in ("br", "p", "li", "td", "th"):
                    parts.append(" ")
                walk(child)
                parts.append(child.tail or "")

    walk(html5lib.parseFragment(html, namespaceHTMLElements=False))
    return fold("".join(parts))


def what_markdown_leaves(source: str) -> str:
    """The words that a plain CommonMark renderer makes of it, with none of our cleaning."""
    return words_of(MARKDOWN.render(source))


def ask(client: FlaskClient, headers: dict[str, str], title: str, body: str) -> Any:
    sent = {"kind": "question", "title": title, "body": body}
    return client.post(f"{API}/boards/unsorted/threads", json=sent, headers=headers)


def write_all(
    client: FlaskClient, headers: dict[str, str], texts: Sequence[tuple[str, str]]
) -> tuple[list[Written], list[str]]:
    """Ask every (title, text); returns what was accepted and the texts that were refused with 422 for their body."""
    written, refused = [], []
    for title, body in texts:
        answer = ask(client, headers, title, body)
        if answer.status_code == 422:
            assert [error["field"] for error in answer.json["errors"]] == ["body"], (body, answer.json)
            refused.append(body)
            continue
        assert answer.status_code == 201, (body, answer.get_data(as_text=True))
        made = Written(body, answer.json["post"]["id"], answer.json["thread"]["id"])
        assert answer.json["post"]["body"] == made.kept
        written.append(made)
    return written, refused


def expect_back(client: FlaskClient, headers: dict[str, str], text: Written) -> Any:
    """The very text comes back from the API; its HTML shows what Markdown leaves, neither more nor escaped twice."""
    answer = client.get(f"{API}/posts/{text.post_id}", headers=headers)
    assert answer.status_code == 200
    assert answer.json["body"] == text.kept
    leaves = what_markdown_leaves(text.kept)
    assert words_of(answer.json["html"]) == leaves, text.typed
    return answer.json


def expect_in_form(client: FlaskClient, text: Written) -> None:
    page = client.get(f"/posts/{text.post_id}/edit")
    assert page.status_code == 200
    # Only this part is parsed, which is quicker. A text that ended its field too early would not be equal either.
    found = re.search('<textarea id="compose-body".*?</textarea>', page.get_data(as_text=True), re.S)
    assert found
    (area,) = html5lib.parseFragment(found[0], namespaceHTMLElements=False)
    assert (area.text or "") == text.kept, text.typed


def expect_on_page(client: FlaskClient, text: Written) -> None:
    page = client.get(f"/threads/{text.thread_id}", follow_redirects=True)
    assert page.status_code == 200
    found = re.search(
        rf'<article [^>]*id="post-{text.post_id}".*?<div class="prose">(.*?)</div>\s*<footer',
        page.get_data(as_text=True),
        re.S,
    )
    assert found
    assert words_of(found[1]) == what_markdown_leaves(text.kept), text.typed


def prove_strings(app: Flask, member: Member, strings: list[str], record: Record) -> None:
    client, headers = sign_in(app.test_client(), member), bearer(member)
    written, refused = write_all(client, headers, [("A title of my own", text) for text in strings])
    assert refused == [text for text in strings if is_invisible(text)]
    for text in written:
        expect_back(client, headers, text)
        expect_in_form(client, text)
        expect_on_page(client, text)
    record(f"{len(strings)} strings: {len(written)} came back, {len(refused)} with nothing visible: {refused!a:.300}")


def prove_questions(app: Flask, member: Member, questions: list[tuple[str, str]], record: Record) -> None:
    client, headers = sign_in(app.test_client(), member), bearer(member)
    long = [title for title, _text in questions if len(unicodedata.normalize("NFC", title)) > TITLE_CHARS]
    for title in long[:3]:
        answer = ask(client, headers, title, "A short text.")
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json["errors"]] == ["title"]
    shortened = [(unicodedata.normalize("NFC", title)[:TITLE_CHARS], text) for title, text in questions]
    written, refused = write_all(client, headers, shortened)
    assert refused == []
    held = 0
    for number, text in enumerate(written):
        held += expect_back(client, headers, text)["state"] == "held"
        if number % 10 == 0:
            expect_in_form(client, text)
            expect_on_page(client, text)
    record(f"{len(written)} real questions came back, {held} of them held; {len(long)} titles were shortened")


def no_record(_figures: str) -> None:
    """A sample proves nothing that is worth a line."""


def test_a_sample_of_hostile_strings_comes_back_as_it_was_typed(app: Flask, session: Session, ben: Member) -> None:
    load_starter(app)
    strings = naughty_strings()
    invisible = [text for text in strings if is_invisible(text)]
    prove_strings(app, ben, strings[:: len(strings) // SAMPLE] + invisible[:4], no_record)


def test_a_sample_of_real_questions_comes_back_as_it_was_typed(app: Flask, session: Session, ben: Member) -> None:
    load_starter(app)
    questions = real_questions()
    prove_questions(app, ben, questions[:: len(questions) // SAMPLE], no_record)


@pytest.mark.soak
def test_every_hostile_string_comes_back_as_it_was_typed(
    app: Flask, session: Session, ben: Member, record: Record
) -> None:
    load_starter(app)
    strings = naughty_strings()
    assert len(strings) == 515
    prove_strings(app, ben, strings, record)


@pytest.mark.soak
def test_every_real_question_comes_back_as_it_was_typed(
    app: Flask, session: Session, ben: Member, record: Record
) -> None:
    load_starter(app)
    questions = real_questions()
    assert len(questions) == 1_556
    prove_questions(app, ben, questions, record)
