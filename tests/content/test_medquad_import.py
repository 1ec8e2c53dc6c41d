"""The archive comes in row by row: both schemas, nothing lost, nothing merged by code, twice is once."""

import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from content import conditions, queries
from content.importers import medquad
from content.models import (
    Alias,
    Article,
    ArticleVersion,
    Category,
    Condition,
    ImportRun,
    Section,
    Source,
    condition_category,
)
from core.fulltext import SearchEntry, match
from core.vocabulary import ArticleStatus
from tests.content.making import document, folder_of, load_medquad, tar_of, zip_of

LEGACY = """<?xml version="1.0" encoding="UTF-8"?>
<doc docid="7" corpus="NINDS" url="https://nih.example/adie">
<doctitle-focus>Sleepy Foot</doctitle-focus>
<umls><cui></cui><semanticType></semanticType></umls>
<qaPairs><pair pid="1"><question qid="7-1" qtype="information">what is sleepy foot ?</question>
<answer>  A foot that sleeps.   It wakes  again. </answer></pair>
<pair pid="2"><question qid="7-2" qtype="treatment">what helps</question><answer> </answer></pair>
<pair pid="3"><question qid="7-3" qtype="brand names">which shoes ?</question><answer>Wide ones.</answer></pair>
</qaPairs>
</doc>"""

FILES: dict[str, str] = {
    "1_Cancer/a.xml": document(
        "Grey Toe",
        ("information", "Summary : A toe that went grey."),
        ("treatment", "Ways to help include: - rest - shade - patience"),
        ("treatment", "A second answer of the same kind."),
        source="CancerGov",
        url="https://nih.example/toe",
        codes=("C0039082",),
        synonyms=("Gray toe", "TOES", "GTOE1X"),
    ),
    "2_GARD/a.xml": document("grey toe", ("symptoms", "It is grey."), codes=("C0039082",)),
    "2_GARD/b.xml": document("Blue Toe", ("symptoms", "It is blue."), codes=("C0039082",), synonyms=("Grey toe",)),
    "6_NINDS/l.xml": LEGACY,
    "9_CDC/e.xml": document("Empty", ("information", " "), source="CDC"),
    "9_CDC/n.xml": document("", ("information", "About hands."), source="CDC", question="how to wash hands"),
}


def texts(session: Session) -> list[tuple[str, int, str, str]]:
    """(file, position, key, text) of every section."""
    stmt = (
        select(Article.import_key, Section.position, Section.key, Section.text)
        .join(Section, Section.article_id == Article.id)
        .order_by(Article.import_key, Section.position)
    )
    return [tuple(row) for row in session.execute(stmt)]  # type: ignore[misc]


def stored(session: Session) -> dict[str, list[tuple]]:
    """Every row that an import may write, for comparing."""
    return {
        model.__tablename__: [
            tuple(r) for r in session.execute(select(model.__table__).order_by(*model.__table__.primary_key))
        ]
        for model in (Condition, Alias, Article, ArticleVersion, Section, Source, SearchEntry)
    }


def test_a_document_becomes_an_article_and_an_answer_a_section_in_the_documents_order(
    tables: Session, tmp_path: Path
) -> None:
    report = load_medquad(tables, folder_of(tmp_path, FILES))
    assert report.counts() == {
        "created": 5,
        "updated": 0,
        "unchanged": 0,
        "retired": 0,
        "refused": 0,
        "skipped_empty": 1,
    }
    assert (report.answers, report.conditions) == (8, 4)
    assert texts(tables) == [
        ("1_Cancer/a.xml", 0, "introduction", "Summary : A toe that went grey."),
        ("1_Cancer/a.xml", 1, "treatments", "Ways to help include: - rest - shade - patience"),
        ("1_Cancer/a.xml", 2, "treatments", "A second answer of the same kind."),
        ("2_GARD/a.xml", 0, "symptoms", "It is grey."),
        ("2_GARD/b.xml", 0, "symptoms", "It is blue."),
        ("6_NINDS/l.xml", 0, "introduction", "  A foot that sleeps.   It wakes  again. "),
        ("6_NINDS/l.xml", 1, "other", "Wide ones."),
        ("9_CDC/n.xml", 0, "introduction", "About hands."),
    ]
    page = queries.reference_page(tables, "grey-toe", with_text=True)
    assert [a.file for a in page.articles] == ["1_Cancer/a.xml", "2_GARD/a.xml"]
    html = page.articles[0].sections[1].html
    assert html.count("<li>") == 3 and "- rest" not in html, "a list on one line is a list again"
    assert page.articles[0].sections[0].heading == "What about information of Grey Toe?"


def test_an_archived_copy_says_so_and_bears_no_invented_date(tables: Session, tmp_path: Path) -> None:
    load_medquad(tables, folder_of(tmp_path, FILES))
    for article in tables.execute(select(Article)).scalars():
        assert article.is_archived and article.status is ArticleStatus.PUBLISHED
        assert (article.checked_on, article.reviewed_on, article.reviewed_by, article.next_review_due) == (None,) * 4
    page = queries.reference_page(tables, "grey-toe")
    source = page.articles[0].source
    assert source.note == "NIH text of about 2018, not reviewed here" and source.accessed_on is None
    assert source.url == "https://nih.example/toe" and "MedQuAD" in page.articles[0].credit
    hands = queries.reference_page(tables, "how-to-wash-hands")
    assert hands.articles[0].source.note == "CDC text of about 2018, not reviewed here"


def test_documents_meet_by_folded_name_and_never_by_code_or_synonym(tables: Session, tmp_path: Path) -> None:
    report = load_medquad(tables, folder_of(tmp_path, FILES))
    reasons = dict(tables.execute(select(Article.import_key, Article.match_reason)).all())  # type: ignore[arg-type]
    assert reasons["1_Cancer/a.xml"] == "first text of this name"
    assert reasons["2_GARD/a.xml"] == "same name as Grey Toe"
    assert reasons["2_GARD/b.xml"] == "first text of this name"
    assert report.merged == [{"file": "2_GARD/a.xml", "why": "same name as Grey Toe"}]
    whys = {r["file"]: r["why"] for r in report.review}
    assert "same codes as Grey Toe" in whys["2_GARD/b.xml"]
    assert "no subject" in whys["9_CDC/n.xml"]
    named = tables.execute(select(Condition).where(Condition.slug == "how-to-wash-hands")).scalar_one()
    assert named.name == "How to wash hands" and named.review_note


def test_synonyms_find_a_condition_but_short_acronyms_do_not(tables: Session, tmp_path: Path) -> None:
    load_medquad(tables, folder_of(tmp_path, FILES))
    found = {name: conditions.match_condition(tables, name) for name in ("gray toe", "TOES", "toes", "GTOE1X", "nope")}
    assert {name: c.slug if c else None for name, c in found.items()} == {
        "gray toe": "grey-toe",
        "TOES": None,
        "toes": None,
        "GTOE1X": "grey-toe",
        "nope": None,
    }
    assert not any(tables.execute(select(Alias.is_declared)).scalars())


def test_letters_that_the_archive_dropped_come_back_as_aliases(tables: Session, tmp_path: Path) -> None:
    files = {"4_T/a.xml": document("Sjgren's Syndrome", ("information", "Dry eyes."), synonyms=("Mnire disease",))}
    load_medquad(tables, folder_of(tmp_path, files))
    names = set(tables.execute(select(Alias.name)).scalars())
    assert names == {"Sjögren's Syndrome", "Mnire disease", "Ménière disease"}
    found = conditions.match_condition(tables, "sjögren's syndrome")
    assert found is not None and found.name == "Sjgren's Syndrome"


def test_imported_conditions_stand_in_a_medical_category(tables: Session, tmp_path: Path) -> None:
    files = {
        "1_Cancer/a.xml": document("Odd Lumps", ("information", "x"), source="CancerGov"),
        "5_N/a.xml": document("Kidney Trouble", ("information", "x"), source="NIDDK"),
        "5_N/b.xml": document("Something Else", ("information", "x"), source="NIDDK"),
    }
    load_medquad(tables, folder_of(tmp_path, files))
    stmt = select(Condition.slug, Category.slug).join_from(Condition, condition_category).join(Category)
    assert set(map(tuple, tables.execute(stmt))) == {
        ("odd-lumps", "cancer"),
        ("kidney-trouble", "kidneys-bladder"),
        ("something-else", "general-health"),
    }


def test_a_second_import_changes_no_row(tables: Session, tmp_path: Path) -> None:
    folder_of(tmp_path, FILES)
    load_medquad(tables, tmp_path)
    before = stored(tables)
    report = load_medquad(tables, tmp_path)
    assert report.counts() == {
        "created": 0,
        "updated": 0,
        "unchanged": 5,
        "retired": 0,
        "refused": 0,
        "skipped_empty": 1,
    }
    assert (report.answers, report.conditions) == (8, 4)
    assert stored(tables) == before
    assert tables.execute(select(func.count()).select_from(ImportRun)).scalar_one() == 1


def test_a_changed_document_changes_exactly_its_rows(tables: Session, tmp_path: Path) -> None:
    folder_of(tmp_path, FILES)
    load_medquad(tables, tmp_path)
    before = stored(tables)
    new = FILES["1_Cancer/a.xml"].replace("A second answer", "A changed answer")
    folder_of(tmp_path, {"1_Cancer/a.xml": new})
    report = load_medquad(tables, tmp_path)
    assert (report.created, report.updated, report.unchanged, report.merged) == (0, 1, 4, [])
    after = stored(tables)
    assert len(set(after["section"]) ^ set(before["section"])) == 2
    assert len(set(after["article"]) ^ set(before["article"])) == 2
    assert len(set(after["condition"]) ^ set(before["condition"])) == 2
    assert after["alias"] == before["alias"] and after["source"] == before["source"]
    assert len(after["article_version"]) == len(before["article_version"]) + 1
    assert match(tables, "changed answer", kinds=("article",)) and not match(
        tables, "second answer", kinds=("article",)
    )
    # An answer less, and the others keep their order.
    folder_of(tmp_path, {"1_Cancer/a.xml": document("Grey Toe", ("information", "Only this."), source="CancerGov")})
    load_medquad(tables, tmp_path)
    assert [t for t in texts(tables) if t[0] == "1_Cancer/a.xml"] == [
        ("1_Cancer/a.xml", 0, "introduction", "Only this.")
    ]
    assert not match(tables, "changed answer", kinds=("article",))


def test_what_vanished_stays_until_it_is_asked_to_go(tables: Session, tmp_path: Path) -> None:
    folder_of(tmp_path / "all", FILES)
    load_medquad(tables, tmp_path / "all")
    part = folder_of(tmp_path / "part", {"2_GARD/b.xml": FILES["2_GARD/b.xml"], "2_GARD/a.xml": "<broken"})
    report = load_medquad(tables, part)
    assert (report.retired, report.unchanged, len(report.refused)) == (0, 1, 1)
    assert any(r["file"] == "2_GARD/a.xml" and "former text stays" in r["why"] for r in report.review)
    report = load_medquad(tables, part, retire_missing=True)
    assert report.retired == 3, "a broken file is there: it did not vanish"
    live = select(Article.import_key).where(Article.status == ArticleStatus.PUBLISHED).order_by(Article.import_key)
    assert tables.execute(live).scalars().all() == ["2_GARD/a.xml", "2_GARD/b.xml"]
    assert not match(tables, "second answer", kinds=("article",))
    back = load_medquad(tables, tmp_path / "all")
    assert (back.created, back.updated, back.unchanged) == (0, 3, 2)
    assert match(tables, "second answer", kinds=("article",))


BOMB = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


def test_bad_files_are_refused_one_by_one_and_the_import_goes_on(tables: Session, tmp_path: Path) -> None:
    good = document("Fine", ("information", "All is well."))
    bad = {
        "a/entity.xml": document("X", ("information", "y"), prolog=BOMB).replace(">y<", ">&b;<"),
        "a/outside.xml": document("X", ("information", "y"), prolog=OUTSIDE).replace(">y<", ">&x;<"),
        "a/subset.xml": document("X", ("information", "y"), prolog="<!DOCTYPE Document [<!ELEMENT Focus ANY>]>"),
        "a/parameter.xml": document(
            "X", ("i", "y"), prolog='<!DOCTYPE d [<!ENTITY % p SYSTEM "http://x.example/">%p;]>'
        ),
        "a/unknown_entity.xml": good.replace("All is well.", "All &is; well."),
        "a/cut.xml": good[:-30],
        "a/other.xml": "<html><body>No.</body></html>",
        "a/encoding.xml": good.replace("UTF-8", "no-such"),
        "a/control.xml": good.replace("All", "\x01"),
        "a/nothing.xml": "",
        "a/long.xml": document("L" * 301, ("information", "y")),
        "a/signs.xml": document("!!!", ("information", "y")),
    }
    doctype = good.replace('encoding="UTF-8"?>', 'encoding="UTF-8"?><!DOCTYPE Document>')
    folder_of(tmp_path, {**bad, "a/fine.xml": good, "b/doctype.xml": doctype})
    report = load_medquad(tables, tmp_path)
    assert {r["file"]: bool(r["why"]) for r in report.refused} == dict.fromkeys(bad, True)
    assert report.created == 2, "a bare document type declares nothing and hurts nobody"
    assert {t[3] for t in texts(tables)} == {"All is well."}


def test_hostile_text_is_text(tables: Session, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> <img src=x onerror=alert(1)> - [x](javascript:alert(1)) {emergency}"
    files = {"a/x.xml": document("<b>Bold</b>", ("information", evil), url="javascript:alert(1)")}
    report = load_medquad(tables, folder_of(tmp_path, files))
    page = queries.reference_page(tables, conditions.by_slug(tables, "b-bold-b").slug, with_text=True, emergency="999")
    section = page.articles[0].sections[0]
    assert section.text == evil, "an archive's own braces are no place for our number"
    assert "<script" not in section.html and "<img" not in section.html and "<a " not in section.html
    assert page.articles[0].source.url == "" and "no usable address" in report.review[0]["why"]


def test_a_folder_a_tar_and_a_zip_are_the_same_archive(tables: Session, tmp_path: Path) -> None:
    load_medquad(tables, folder_of(tmp_path / "folder", FILES))
    for path in (tar_of(tmp_path / "a.tar.gz", FILES), zip_of(tmp_path / "a.zip", FILES)):
        report = load_medquad(tables, path)
        assert (report.unchanged, report.created, report.updated) == (5, 0, 0)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_an_input_that_cannot_be_read_is_named(tables: Session, tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "a.tar.gz", FILES).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:-40])
    (tmp_path / "fake.zip").write_bytes(b"no zip")
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("cut.tar.gz", "fake.zip", "text.txt", "empty", "absent"):
        with pytest.raises(medquad.BadArchive):
            load_medquad(tables, tmp_path / name)


def test_the_same_name_twice_in_a_collection_is_refused_unless_it_is_the_same_file(
    tables: Session, tmp_path: Path
) -> None:
    same, other = document("Same", ("information", "x")), document("Other", ("information", "y"))
    folder_of(tmp_path, {"a/1.xml": same, "deeper/a/1.xml": same, "b/1.xml": same, "deeper/b/1.xml": other})
    report = load_medquad(tables, tmp_path)
    assert report.created == 2 and [r["file"] for r in report.refused] == ["b/1.xml"]


def test_the_command_prints_one_line_of_json_and_check_changes_nothing(app: Flask, tmp_path: Path) -> None:
    folder_of(tmp_path, FILES)
    runner = app.test_cli_runner()
    result = runner.invoke(args=["content", "import", "medquad", str(tmp_path), "--check", "--json"])
    assert result.exit_code == 0, result.output
    line = json.loads(result.output.strip().splitlines()[-1])
    assert line["documents"]["created"] == 5 and line["documents"]["skipped_empty"] == 1
    assert (line["answers"], line["conditions"], line["refused"]) == (8, 4, [])
    assert {r["file"] for r in line["review"]} == {"2_GARD/b.xml", "9_CDC/n.xml"}
    with app.app_context():
        from core.db import db

        assert db.session.execute(select(func.count()).select_from(Condition)).scalar_one() == 0
    result = runner.invoke(args=["content", "import", "medquad", str(tmp_path), "--json"])
    assert json.loads(result.output.strip().splitlines()[-1])["documents"]["created"] == 5
    result = runner.invoke(args=["content", "import", "medquad", str(tmp_path), "--json"])
    assert json.loads(result.output.strip().splitlines()[-1])["documents"]["unchanged"] == 5
    assert "Joined" not in result.output
    result = runner.invoke(args=["content", "import", "medquad", str(tmp_path / "absent")])
    assert result.exit_code == 1 and "does not exist" in result.output
    result = runner.invoke(args=["content", "import", "word", str(tmp_path)])
    assert result.exit_code == 2
