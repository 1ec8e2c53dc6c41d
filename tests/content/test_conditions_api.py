"""The reference for programs: the fields that were promised, and nothing that depends on who asks."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from content import conditions
from forum.models import Board
from tests.content.making import ARTICLE, NOW, document, folder_of, load_markdown, load_medquad


@pytest.fixture
def reference(tables: Session, tmp_path: Path) -> Session:
    (own := tmp_path / "own").mkdir()
    load_markdown(tables, own, {"hiccups.md": ARTICLE})
    files = {f"2_G/{n}.xml": document(name, ("symptoms", "x"), codes=("C1",)) for n, name in enumerate(("B", "C", "D"))}
    files["2_G/h.xml"] = document("Hiccough", ("information", "Old  words - and <b>."), url="https://nih.example/h")
    load_medquad(tables, folder_of(tmp_path / "archive", files))
    return tables


def test_a_condition_has_every_promised_field(reference: Session, client: FlaskClient) -> None:
    found = client.get("/api/v1/conditions/hiccups").get_json()
    assert set(found) >= {"aliases", "codes", "categories", "articles", "definitions", "related", "red_flags", "intake"}
    assert (found["slug"], found["name"], found["kind"]) == ("hiccups", "Hiccups", "symptom")
    assert found["aliases"] == ["Hiccough", "The hics"]
    assert {"system": "ICD-10-CM", "code": "R06.6"} in found["codes"]
    assert found["categories"] == [{"slug": "lungs-breathing", "name": "Lungs and breathing"}]
    ours, theirs = found["articles"]
    assert set(ours) >= {"title", "version", "source", "last_reviewed", "next_review_due", "sections"}
    assert set(ours["source"]) >= {"name", "url", "file", "licence", "credit", "archived"}
    assert set(ours["sections"][0]) >= {"key", "heading", "html", "text"}
    assert (ours["version"], ours["last_reviewed"], ours["checked_on"]) == (1, None, "2026-02-01")
    assert (ours["source"]["archived"], ours["source"]["file"], ours["source"]["licence"]) == (False, None, "CC-BY-4.0")
    assert [s["key"] for s in ours["sections"]] == ["introduction", "treatments", "red_flags"]
    assert ours["sections"][2]["text"] == "Call 999 if you cannot breathe."
    assert (theirs["source"]["archived"], theirs["source"]["file"]) == (True, "2_G/h.xml")
    assert theirs["source"]["url"] == "https://nih.example/h" and theirs["source"]["licence"] == "MEDQUAD-CC-BY-4.0"
    assert theirs["sections"][0]["text"] == "Old  words - and <b>."
    assert [d["source"]["name"] for d in found["definitions"]] == ["Leaflet one", "Leaflet two"]
    related = found["related"][0]
    assert (related["slug"], related["name"], related["relation"]) == (None, "Heartburn", "may_cause")
    assert related["note"] and related["source"]["name"] == "Leaflet two"
    assert found["red_flags"][0]["urgency"] == "soon" and found["red_flags"][0]["message"].endswith("call 999.")
    assert found["intake"][0]["why_asked"] == "Long spells are looked into."
    assert found["intake"][0]["options"][1] == {"value": "days", "label": "Days"}


def test_lists_are_pages_with_a_cursor(reference: Session, client: FlaskClient) -> None:
    names, after = [], ""
    while after is not None:
        page = client.get(f"/api/v1/conditions?limit=2&after={after}").get_json()
        assert len(page["items"]) <= 2
        names += [row["name"] for row in page["items"]]
        after = page["next"]
    assert names == ["B", "C", "D", "Hiccups"]


def test_a_list_can_be_narrowed_and_says_whether_the_board_is_open(reference: Session, client: FlaskClient) -> None:
    def names(query: str) -> list[str]:
        return [row["name"] for row in client.get(f"/api/v1/conditions?{query}").get_json()["items"]]

    assert names("q=hicc") == names("q=The+HICS") == names("letter=h") == ["Hiccups"]
    assert names("category=lungs-breathing") == ["Hiccups"]
    assert names("q=nothing") == names("q=%25") == names("letter=z") == []
    row = client.get("/api/v1/conditions?letter=h").get_json()["items"][0]
    assert row == {
        "slug": "hiccups",
        "name": "Hiccups",
        "kind": "symptom",
        "aliases": ["Hiccough", "The hics"],
        "board_open": False,
    }
    condition = conditions.by_slug(reference, "hiccups")
    board = Board(slug="hiccups", name="Hiccups", condition_id=condition.id)
    reference.add(board)
    assert client.get("/api/v1/conditions?letter=h").get_json()["items"][0]["board_open"] is False
    board.opened_at = NOW
    reference.merge(board)
    assert client.get("/api/v1/conditions?letter=h").get_json()["items"][0]["board_open"] is True


@pytest.mark.parametrize(
    "path, status",
    [
        ("/api/v1/conditions/nothing", 404),
        ("/api/v1/conditions?category=nothing", 404),
        ("/api/v1/conditions?limit=0", 422),
        ("/api/v1/conditions?limit=101", 422),
        ("/api/v1/conditions?after=nonsense", 422),
        ("/api/v1/conditions?letter=ab", 422),
    ],
)
def test_a_bad_question_gets_a_problem_with_a_code(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status and answer.content_type == "application/problem+json"
    assert answer.get_json()["code"]
