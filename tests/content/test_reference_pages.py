"""The pages of the reference, the house's own pages, and the editor's doors."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from content.models import Article, ArticleVersion, Section
from core.audit import AuditEntry
from core.db import db
from tests.content.making import ARTICLE, changed, document, folder_of, load_markdown, load_medquad
from tests.forum.counting import counting
from tests.support.cast import csrf_of, make_member, sign_in

HOUSE = ("/rules", "/about", "/terms", "/privacy", "/contact", "/help", "/site-map", "/reference/")


@pytest.fixture
def reference(tables: Session, tmp_path: Path) -> Session:
    """Our article on hiccups with one archived text, and a condition that only the archive knows."""
    (own := tmp_path / "own").mkdir()
    load_markdown(tables, own, {"hiccups.md": ARTICLE})
    files = {
        "4_T/1.xml": document(
            "Hiccough", ("information", "Old words. <b>"), ("treatment", "Ways to help include: - sugar - water - rest")
        ),
        "4_T/2.xml": document("Yawning", ("information", "A deep breath."), ("information", "Another answer.")),
    }
    load_medquad(tables, folder_of(tmp_path / "archive", files))
    tables.commit()
    return tables


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    page = answer.get_data(as_text=True)
    assert page.count("<h1") == 1, path
    assert "{emergency}" not in page and "{contact}" not in page, path
    return page


def test_a_reference_page_shows_teasers_sources_signs_and_how_it_was_checked(
    reference: Session, client: FlaskClient
) -> None:
    page = text_of(client, "/reference/hiccups/")
    for words in (
        "Also called: Hiccough, The hics",
        "Not clinically reviewed",
        "Checked against its sources on",
        "They last for more than two days",
        "A sudden gulp of air with a sound.",
        "Leaflet two",
        "NIH text of about 2018, not reviewed here",
        "Boardwell reference articles, CC BY 4.0",
        'href="/reference/hiccups/treatments"',
        'href="/boards/hiccups/"',
        "Call 999 if you cannot breathe.",
    ):
        assert words in page, words
    assert "Old words. &lt;b&gt;" in page
    assert "Reviewed on" not in page
    ours, theirs = page.index("Hold your breath"), page.index("Old words.")
    assert ours < theirs


def test_a_review_is_shown_only_where_one_was_done_here(reference: Session, client: FlaskClient) -> None:
    reference.execute(select(Article)).scalars().first()
    article = reference.execute(select(Article).where(Article.is_archived.is_(False))).scalar_one()
    article.reviewed_on, article.reviewed_by = article.checked_on, "Dr <Test>"
    page = text_of(client, "/reference/hiccups/")
    assert "Dr &lt;Test&gt;" in page and "Reviewed on" in page and "Not clinically reviewed" not in page


def test_a_section_page_has_all_sections_of_its_key_each_with_its_source(
    reference: Session, client: FlaskClient
) -> None:
    page = text_of(client, "/reference/hiccups/treatments")
    assert page.index("count to ten") < page.index("<li>sugar</li>")
    assert "Leaflet two" in page and "MedlinePlus" not in page and "GARD: Hiccough" in page
    both = text_of(client, "/reference/yawning/introduction")
    assert both.index("A deep breath.") < both.index("Another answer.")
    assert "Call 999" in text_of(client, "/reference/hiccups/red-flags")


def test_the_questions_can_be_printed_with_why_each_is_asked(reference: Session, client: FlaskClient) -> None:
    page = text_of(client, "/reference/hiccups/questions-a-doctor-asks")
    assert "How long have they lasted?" in page and "Long spells are looked into." in page and "Minutes" in page
    assert client.get("/reference/yawning/questions-a-doctor-asks").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/reference/nothing/",
        "/reference/hiccups/nothing",
        "/reference/hiccups/red_flags",
        "/reference/hiccups/causes",
        "/reference/nothing/symptoms",
        "/reference/?category=nothing",
    ],
)
def test_what_is_not_there_is_not_found(reference: Session, client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_former_address_leads_to_the_present_one(reference: Session, client: FlaskClient, tmp_path: Path) -> None:
    (own := tmp_path / "again").mkdir()
    load_markdown(
        reference,
        own,
        {
            "h.md": changed(
                ("slug: hiccups", "slug: yawns"),
                ("name: Hiccups", "name: Yawning"),
                ("Hiccough", "Gaping"),
                ("The hics", "Gape"),
            )
        },
    )
    for part in ("", "introduction"):
        answer = client.get(f"/reference/yawning/{part}")
        assert (answer.status_code, answer.headers["Location"]) == (301, f"/reference/yawns/{part}")
    assert client.get("/api/v1/conditions/yawning").get_json()["slug"] == "yawns"


def test_the_index_finds_by_letter_name_alias_and_category(reference: Session, client: FlaskClient) -> None:
    assert "Yawning" in text_of(client, "/reference/?letter=Y")
    assert "Yawning" not in text_of(client, "/reference/?letter=H")
    found = text_of(client, "/reference/?q=the+hics")
    assert "/reference/hiccups/" in found and "/reference/yawning/" not in found
    assert "/reference/hiccups/" in text_of(client, "/reference/?category=lungs-breathing")
    assert "Nothing found" in text_of(client, "/reference/?q=%25%25")
    assert client.get("/reference/?after=nonsense").status_code == 422


@pytest.mark.parametrize("path", HOUSE)
def test_the_houses_own_pages_stand_before_and_after_the_starter_content(
    session: Session, client: FlaskClient, path: str
) -> None:
    from tests.content.making import load_starter_tables

    bare = client.get(path)
    assert bare.status_code == (404 if path in ("/about", "/terms", "/privacy", "/contact") else 200)
    load_starter_tables(session)
    text_of(client, path)


def test_every_rule_has_an_anchor_and_the_rule_of_no_rule_is_not_listed(tables: Session, client: FlaskClient) -> None:
    page = text_of(client, "/rules")
    anchors = re.findall(r'<section class="rule" id="([^"]+)"', page)
    assert len(anchors) == 13 and anchors[0] == "R1-own-story" and "none" not in anchors


def test_help_lines_follow_the_country_and_the_emergency_number_stands_on_every_page(
    tables: Session, client: FlaskClient
) -> None:
    assert "116 123" in text_of(client, "/help")
    assert 'href="tel:988"' in text_of(client, "/help?country=US")
    assert "112" in text_of(client, "/help?country=FR")
    member = make_member(tables, "kim", country="US")
    assert 'href="tel:911"' in text_of(sign_in(client, member), "/rules")


def test_crawlers_are_told_what_is_private(client: FlaskClient) -> None:
    answer = client.get("/robots.txt")
    assert answer.mimetype == "text/plain" and "Disallow: /me/" in answer.get_data(as_text=True)


def test_the_number_of_queries_does_not_grow(tables: Session, client: FlaskClient, tmp_path: Path) -> None:
    seen = []
    for count in (1, 15):
        files = {
            f"2_G/{n}.xml": document("Grey Toe", ("symptoms", f"Grey {n}."), ("outlook", "x")) for n in range(count)
        }
        files |= {
            f"3_H/{n}.xml": document(f"Toe {n}", ("symptoms", "x"), synonyms=(f"T{n} toe",)) for n in range(count)
        }
        load_medquad(tables, folder_of(tmp_path, files))
        row = []
        for path in (
            "/reference/grey-toe/",
            "/reference/grey-toe/symptoms",
            "/reference/?letter=T",
            "/api/v1/conditions",
        ):
            with counting(db.session()) as sent:
                assert client.get(path).status_code == 200
            row.append(len(sent))
        seen.append(row)
    assert seen[0] == seen[1]
    assert all(number <= limit for number, limit in zip(seen[0], (13, 10, 6, 3), strict=True)), seen[0]


# --- Editors -----------------------------------------------------------------------------------------------------


def section_id(session: Session, key: str, *, archived: bool = False) -> int:
    stmt = select(Section.id).join(Article).where(Section.key == key, Article.is_archived.is_(archived))
    return session.execute(stmt).scalars().all()[0]


def sent(client: FlaskClient, path: str, **fields: str) -> dict[str, str]:
    return {"csrf_token": csrf_of(client, path), "version": "1", "heading": "What helps", "note": "clearer"} | fields


def test_ed_previews_and_saves_a_new_version(reference: Session, client: FlaskClient, ed: Member) -> None:
    sign_in(client, ed)
    path = f"/reference/hiccups/edit/{section_id(reference, 'treatments')}"
    assert f'href="{path}"' in text_of(client, "/reference/hiccups/edit")
    assert f'href="{path}"' in text_of(client, "/reference/hiccups/treatments")
    shown = client.post(path, data=sent(client, path, markdown="Sip **slowly**. {emergency}", intent="preview"))
    page = shown.get_data(as_text=True)
    assert shown.status_code == 200 and "<strong>slowly</strong>. 999" in page and "Sip **slowly**. {emergency}" in page
    assert reference.execute(
        select(ArticleVersion.version).join(Article).where(~Article.is_archived)
    ).scalars().all() == [1]
    saved = client.post(path, data=sent(client, path, markdown="Sip **slowly**.", intent="save", checked="y"))
    assert (saved.status_code, saved.headers["Location"]) == (303, "/reference/hiccups/treatments")
    page = text_of(client, "/reference/hiccups/treatments")
    assert "<strong>slowly</strong>" in page and "count to ten" not in page and "Leaflet two" in page
    article = reference.execute(select(Article).where(~Article.is_archived)).scalar_one()
    assert article.version == 2 and article.reviewed_on is None
    entry = reference.execute(select(AuditEntry).where(AuditEntry.action == "article.edited")).scalar_one()
    assert entry.actor_id == ed.id and entry.reason == "clearer"
    history = text_of(client, "/reference/hiccups/edit")
    assert "clearer" in history and "ed</td>" in history


def test_two_editors_do_not_overwrite_each_other(reference: Session, client: FlaskClient, ed: Member) -> None:
    sign_in(client, ed)
    path = f"/reference/hiccups/edit/{section_id(reference, 'treatments')}"
    assert client.post(path, data=sent(client, path, markdown="First.")).status_code == 303
    late = client.post(path, data=sent(client, path, markdown="Second."))
    page = late.get_data(as_text=True)
    assert late.status_code == 409 and "Second." in page and "Somebody else has changed this article" in page
    again = re.search(r'name="version" value="(\d+)"', page)
    assert again and client.post(path, data=sent(client, path, markdown="Both.", version=again[1])).status_code == 303


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_edit_that_cannot_be_stored_comes_back_filled(reference: Session, client: FlaskClient, ed: Member) -> None:
    sign_in(client, ed)
    path = f"/reference/hiccups/edit/{section_id(reference, 'treatments')}"
    for fields in ({"markdown": " "}, {"markdown": "x", "heading": ""}, {"markdown": "y" * 60_001}, {"markdown": "\0"}):
        for intent in ("preview", "save"):
            answer = client.post(path, data=sent(client, path, intent=intent, **fields))
            assert answer.status_code == 422, (fields, intent)
            assert "clearer" in answer.get_data(as_text=True)
    assert client.post(path, data=sent(client, path, markdown="x", version="one")).status_code == 409


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_archived_copies_stay_as_they_came(reference: Session, client: FlaskClient, ed: Member) -> None:
    sign_in(client, ed)
    number = section_id(reference, "introduction", archived=True)
    assert client.get(f"/reference/hiccups/edit/{number}").status_code == 404
    assert (
        client.post(f"/reference/hiccups/edit/{number}", data=sent(client, "/rules", markdown="x")).status_code == 404
    )


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_only_editors_may_edit(reference: Session, client: FlaskClient, ann: Member, mo: Member) -> None:
    path = f"/reference/hiccups/edit/{section_id(reference, 'treatments')}"
    assert client.get(path).headers["Location"].startswith("/login?next=")
    assert "/edit" not in text_of(client, "/reference/hiccups/treatments")
    for member in (ann, mo):
        other = sign_in(client.application.test_client(), member)
        assert other.get("/reference/hiccups/edit").status_code == 403
        assert other.get(path).status_code == 403
        assert other.post(path, data=sent(other, "/me/", markdown="mine")).status_code == 403
        assert f'href="{path}"' not in text_of(other, "/reference/hiccups/treatments")
    assert reference.execute(select(Article.version).where(~Article.is_archived)).scalar_one() == 1


def test_headings_of_a_house_text_follow_the_title_of_its_page(tables: Session, client: FlaskClient) -> None:
    page = text_of(client, "/about")
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", page)]
    assert levels[0] == 1 and levels[1] == 2
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_saved_edit_shows_beside_the_board_on_the_next_request(
    reference: Session, client: FlaskClient, ed: Member
) -> None:
    reader = client.application.test_client()
    assert "Peppermint" not in text_of(reader, "/boards/hiccups/")
    sign_in(client, ed)
    path = f"/reference/hiccups/edit/{section_id(reference, 'introduction')}"
    saved = client.post(path, data=sent(client, path, heading="Peppermint", markdown="Peppermint oil was tried."))
    assert saved.status_code == 303
    page = text_of(reader, "/boards/hiccups/")
    assert "Peppermint oil was tried." in page and 'href="/reference/hiccups/introduction"' in page
