"""Our own articles come from files: whole or not at all, with the reason, and twice is once."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from content import articles, conditions, queries
from content.importers import markdown, tables
from content.importers.report import Report
from content.models import (
    Alias,
    Article,
    ArticleVersion,
    Category,
    Condition,
    CrisisResource,
    FormerSlug,
    RuleText,
    Section,
    Source,
    condition_category,
)
from core.audit import AuditEntry
from core.db import Base
from core.fulltext import SearchEntry, match
from core.vocabulary import SECTION_KEYS, ArticleStatus
from forum.models import Board
from tests.content.making import ARTICLE, NOW, changed, folder_of, load_markdown, load_medquad
from tests.content.making import document as archived
from tests.support.cast import make_member


def rows_of(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {
        t.name: session.execute(select(func.count()).select_from(t)).scalar_one() for t in Base.metadata.sorted_tables
    }


def load_starter(session: Session) -> Report:
    report = Report()
    markdown.load(session, tables.STARTER, report, now=datetime.now(UTC))
    session.flush()
    return report


def test_the_starter_content_loads_whole_and_a_second_time_changes_nothing(session: Session) -> None:
    first = load_starter(session)
    assert first.refused == [] and first.created == 6
    before = rows_of(session)
    second = load_starter(session)
    assert (second.created, second.updated, second.unchanged, second.refused) == (0, 0, 6, [])
    assert second.tables["created"] == second.tables["updated"] == 0
    assert rows_of(session) == before


def test_the_backache_article_has_all_that_was_promised(session: Session) -> None:
    load_starter(session)
    page = queries.reference_page(session, "backache", with_text=True)
    assert page.own is not None
    assert {s.key for s in page.own.sections} == set(SECTION_KEYS)
    assert sum(len(s.text.split()) for s in page.own.sections) >= 1500
    assert len(page.definitions) == 3 and len({d.source.publisher for d in page.definitions}) == 3
    assert len(page.intake) == 12 and all(f.why_asked for f in page.intake)
    assert page.red_flags and {"Back pain", "Lumbago"} <= set(page.condition.aliases)
    assert conditions.match_condition(session, "LUMBAGO").slug == "backache"  # type: ignore[union-attr]
    assert all(s.sources for s in page.own.sections)


def test_every_section_of_the_shorter_articles_has_eighty_words_and_a_source(session: Session) -> None:
    load_starter(session)
    for row in queries.own_articles(session):
        page = queries.reference_page(session, row.slug, with_text=True)
        assert page.own is not None
        for section in page.own.sections:
            assert len(section.text.split()) >= 80 or row.slug == "backache", (row.slug, section.key)
            assert section.sources, (row.slug, section.key)
            assert all(s.accessed_on for s in section.sources), (row.slug, section.key)


def test_an_article_keeps_its_sections_sources_and_first_version(tables: Session, tmp_path: Path) -> None:
    report = load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE})
    assert (report.created, report.answers, report.conditions, report.refused) == (1, 3, 1, [])
    page = queries.reference_page(tables, "hiccups", with_text=True)
    assert page.own is not None
    assert [s.key for s in page.own.sections] == ["introduction", "treatments", "red_flags"]
    assert [s.name for s in page.own.sections[0].sources] == ["Leaflet one", "Leaflet two"]
    assert "<strong>jerk</strong>" in page.own.sections[0].html
    assert page.own.checked_on == date(2026, 2, 1) and page.own.reviewed_on is None
    version = tables.execute(select(ArticleVersion)).scalar_one()
    assert version.version == 1 and version.content["sections"][1]["key"] == "treatments"
    assert match(tables, "sip cold water", kinds=("article",))[0].url == "/reference/hiccups/treatments"
    assert tables.execute(select(AuditEntry.action)).scalars().all() == ["content.imported"]


def test_a_changed_file_makes_one_new_version_and_touches_one_section(tables: Session, tmp_path: Path) -> None:
    load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE})
    before = {s.position: (s.id, s.source_text) for s in tables.execute(select(Section)).scalars()}
    raised = tables.execute(select(Condition.version)).scalar_one()
    report = load_markdown(tables, tmp_path, {"hiccups.md": changed(("count to ten", "count to twenty"))})
    assert (report.created, report.updated, report.unchanged) == (0, 1, 0)
    tables.expire_all()
    after = {s.position: (s.id, s.source_text) for s in tables.execute(select(Section)).scalars()}
    assert {p for p in after if after[p] != before[p]} == {1} and after[1][0] == before[1][0]
    assert tables.execute(select(ArticleVersion.version).order_by(ArticleVersion.version)).scalars().all() == [1, 2]
    assert tables.execute(select(Condition.version)).scalar_one() > raised
    assert match(tables, "count twenty", kinds=("article",)) and not match(tables, "count ten", kinds=("article",))


# What is changed in the good article, and what the importer says of it.
FAULTS: list[tuple[list[tuple[str, str]], str]] = [
    ([("licence: CC-BY-4.0\n", "")], "it names no licence"),
    ([("licence: CC-BY-4.0\n", "licence: MINE\n")], "unknown licence 'MINE'"),
    ([("licence: CC-BY-4.0\n", "licence: LINK-ONLY\n")], "does not allow the text to be shown"),
    ([("checked_on: 2026-02-01\n", "")], "checked_on"),
    ([("checked_on: 2026-02-01", "checked_on: 2030-02-01")], "checked_on lies in the future"),
    ([("checked_on: 2026-02-01", 'checked_on: "soon"')], "checked_on must be a date"),
    ([("slug: hiccups", "slug: unsorted")], "slug 'unsorted'"),
    ([("slug: hiccups", "slug: Hic Cups")], "slug 'Hic Cups'"),
    ([("kind: symptom", "kind: thing")], "kind must be one of"),
    ([("categories: [lungs-breathing]", "categories: [nowhere]")], "unknown category 'nowhere'"),
    ([("categories: [lungs-breathing]", "categories: []")], "no category"),
    ([("{#treatments", "{#cures")], "unknown section key 'cures'"),
    ([("{#treatments", "{#introduction")], "occurs twice"),
    ([("## What helps {#treatments sources=two}", "## What helps")], "needs its key"),
    ([("sources=two}\n\nHold", "sources=three}\n\nHold")], "cites 'three'"),
    ([("A sudden gulp of air with a sound., source: two", "A gulp., source: nine")], "cites 'nine'"),
    ([("https://one.example/h", "javascript:alert(1)")], "must begin with http"),
    ([("urgency: soon", "urgency: someday")], "urgency must be one of"),
    ([("visibility: public\n", "visibility: helpers\n")], "visibility"),
    ([("type: choice", "type: text")], "options belong to choice"),
    (
        [("intake: {key: how_long, values: [days]}", "intake: {key: gone, values: [days]}")],
        "watches the intake field",
    ),
    ([("summary: Hiccups are short jerks of the breathing muscle.\n", "")], "summary is missing"),
    ([("name: Hiccups\n", "name: 12\n")], "name must be text"),
    ([("slug: hiccups", "slug: [")], "front matter is not YAML"),
    ([("A hiccup is a **jerk** of the big breathing muscle.", " ")], "section introduction has no text"),
]


def test_a_file_that_lacks_something_is_refused_alone_with_the_reason(tables: Session, tmp_path: Path) -> None:
    good = changed(("slug: hiccups", "slug: sneezes"), ("name: Hiccups", "name: Sneezes"), ("Hiccough", "Sneezing"))
    good = good.replace("The hics", "Achoo")
    for pairs, why in FAULTS:
        with tables.begin_nested() as undone:
            report = load_markdown(tables, tmp_path, {"bad.md": changed(*pairs), "good.md": good})
            assert [r["file"] for r in report.refused] == ["bad.md"], (pairs, report.refused)
            assert why in report.refused[0]["why"]
            assert report.created == 1
            assert tables.execute(select(Condition.slug)).scalars().all() == ["sneezes"], pairs
            assert tables.execute(select(Article.import_key)).scalars().all() == ["sneezes"], pairs
            undone.rollback()
        tables.expire_all()


def test_an_article_without_sources_is_refused(tables: Session, tmp_path: Path) -> None:
    head, rest = ARTICLE.split("sources:\n", 1)
    text = head + "definitions: []\n---\n\n## What hiccups are {#introduction}\n\nA jerk.\n"
    assert load_markdown(tables, tmp_path, {"a.md": text}).refused[0]["why"] == "it names no source"
    assert rest


def test_an_article_edited_on_the_site_is_not_overwritten(tables: Session, tmp_path: Path) -> None:
    load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE})
    ed = make_member(tables, "ed")
    section_id = tables.execute(select(Section.id).where(Section.key == "treatments")).scalar_one()
    articles.edit_section(
        tables,
        section_id,
        version=1,
        heading="What helps",
        markdown="Wait.",
        note="",
        checked_on=None,
        editor_id=ed.id,
        now=NOW,
    )
    # The same file is no news; a new one would undo the editor's work.
    assert load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE}).unchanged == 1
    report = load_markdown(tables, tmp_path, {"hiccups.md": changed(("count to ten", "count to twenty"))})
    assert "version 2 was edited on the site" in report.refused[0]["why"]
    assert tables.execute(select(Section.source_text).where(Section.id == section_id)).scalar_one() == "Wait."


def test_what_a_folder_no_longer_holds_is_retired_only_when_asked(tables: Session, tmp_path: Path) -> None:
    load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE})
    other = changed(("slug: hiccups", "slug: sneezes"), ("name: Hiccups", "name: Sneezes"), ("Hiccough", "Sneezing"))
    other = other.replace("The hics", "Achoo")
    assert load_markdown(tables, tmp_path, {"sneezes.md": other}).retired == 0
    assert load_markdown(tables, tmp_path, {"sneezes.md": other}, retire_missing=True).retired == 1
    assert not match(tables, "breathing muscle jerk", kinds=("article",), condition_id=1)
    page = queries.reference_page(tables, "hiccups")
    assert page.articles == () and page.condition.name == "Hiccups"
    # It comes back with its file.
    report = load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE, "sneezes.md": other})
    assert (report.updated, report.unchanged) == (1, 1)
    assert len(queries.reference_page(tables, "hiccups").articles) == 1


def test_a_version_of_a_rule_in_force_is_never_changed(tables: Session, tmp_path: Path) -> None:
    text = (
        tables_file := tmp_path / "rules.yaml"
    ) and "- {code: R11-kind, version: 1, title: Be kind, body: Be rude.}\n"
    tables_file.write_text(text)
    report = load_markdown(tables, tmp_path, {})
    assert "version 1 of R11-kind is in force with another text" in report.refused[0]["why"]
    tables_file.write_text("- {code: R11-kind, version: 2, title: Be kind, body: Be very kind.}\n")
    assert load_markdown(tables, tmp_path, {}).tables["created"] == 1
    assert queries.rule(tables, "R11-kind", NOW).version == 2
    assert tables.execute(select(func.count()).where(RuleText.code == "R11-kind")).scalar_one() == 2


def test_a_file_does_not_undo_that_the_operator_verified_a_number(tables: Session) -> None:
    line = tables.execute(select(CrisisResource).where(CrisisResource.name == "Samaritans")).scalars().first()
    assert line is not None
    line.verified_on, line.verify_by = date(2026, 3, 1), date(2026, 5, 30)
    tables.flush()
    from tests.content.making import load_starter_tables

    load_starter_tables(tables)
    tables.refresh(line)
    assert line.verified_on == date(2026, 3, 1)


def test_unverified_lines_never_stand_without_the_emergency_number(tables: Session) -> None:
    lines = queries.help_lines(tables, "GB", NOW.date())
    assert lines.emergency == "999"
    assert lines.resources[0].phone == "999" and len(lines.resources) == 3
    assert not any(r.is_verified for r in lines.resources)
    samaritans = tables.execute(
        select(CrisisResource).where(CrisisResource.country == "GB", CrisisResource.name == "Samaritans")
    ).scalar_one()
    samaritans.verified_on, samaritans.verify_by = NOW.date(), NOW.date() + timedelta(days=90)
    tables.flush()
    assert [r.is_verified for r in queries.help_lines(tables, "GB", NOW.date()).resources] == [False, True, False]
    late = NOW.date() + timedelta(days=91)
    assert not any(r.is_verified for r in queries.help_lines(tables, "GB", late).resources)
    assert queries.help_lines(tables, "FR", NOW.date()).emergency == "112"
    assert queries.help_lines(tables, None, NOW.date()).emergency == "112"


# --- Names that meet ---------------------------------------------------------------------------------------------


def hiccup_archive(root: Path) -> Path:
    return folder_of(
        root,
        {
            "4_Topics/1.xml": archived("Hiccough", ("information", "Old words on hiccups."), codes=("C1",)),
            "6_More/1.xml": archived("hiccough", ("treatment", "Old cures."), codes=("C1",)),
            "6_More/2.xml": archived("The Hics", ("outlook", "They pass."), codes=("C1",)),
        },
    )


def shape(session: Session) -> list[tuple[str, bool, list[str]]]:
    page = queries.reference_page(session, "hiccups", with_text=True)
    return [(a.title, a.is_archived, [s.text for s in a.sections if a.is_archived]) for a in page.articles]


def test_archived_texts_join_our_article_by_declared_alias_in_either_order(tables: Session, tmp_path: Path) -> None:
    own, archive = tmp_path / "own", hiccup_archive(tmp_path / "archive")
    own.mkdir()
    with tables.begin_nested() as undone:
        load_medquad(tables, archive)
        assert sorted(tables.execute(select(Condition.slug)).scalars()) == ["hiccough", "the-hics"]
        report = load_markdown(tables, own, {"hiccups.md": ARTICLE})
        assert report.refused == []
        archive_first = shape(tables)
        assert tables.execute(select(Condition.slug)).scalars().all() == ["hiccups"]
        assert set(tables.execute(select(FormerSlug.slug)).scalars()) == {"hiccough", "the-hics"}
        assert conditions.by_slug(tables, "the-hics").slug == "hiccups"
        reasons = set(tables.execute(select(Article.match_reason).where(Article.is_archived)).scalars())
        assert all("declared alias of Hiccups" in reason for reason in reasons), reasons
        assert len(report.merged) == 2
        urls = set(tables.execute(select(SearchEntry.url)).scalars())
        assert all(url.startswith("/reference/hiccups/") for url in urls), urls
        # Nothing is news afterwards.
        assert load_medquad(tables, archive).is_change is False
        assert load_markdown(tables, own, {"hiccups.md": ARTICLE}).is_change is False
        undone.rollback()
    tables.expire_all()
    load_markdown(tables, own, {"hiccups.md": ARTICLE})
    report = load_medquad(tables, archive)
    assert shape(tables) == archive_first
    assert [a for _, a, _ in archive_first] == [False, True, True, True]
    assert len(report.merged) == 3 and all("declared alias of Hiccups" in m["why"] for m in report.merged)


def test_an_imported_synonym_never_joins_two_conditions(tables: Session, tmp_path: Path) -> None:
    folder_of(
        tmp_path / "archive",
        {
            "2_A/1.xml": archived("Usher syndrome, type 1B", ("information", "One."), synonyms=("Usher syndrome",)),
            "2_A/2.xml": archived("Usher syndrome, type 1E", ("information", "Two."), synonyms=("Usher syndrome",)),
        },
    )
    report = load_medquad(tables, tmp_path / "archive")
    assert (report.created, report.conditions, report.merged) == (2, 2, [])
    assert conditions.match_condition(tables, "Usher syndrome") is None


def test_a_condition_with_a_board_of_its_own_is_listed_and_not_joined(tables: Session, tmp_path: Path) -> None:
    load_medquad(tables, hiccup_archive(tmp_path / "archive"))
    for number, slug in enumerate(("hiccough", "the-hics")):
        condition = conditions.by_slug(tables, slug)
        tables.add(Board(slug=slug, name=condition.name, condition_id=condition.id, opened_at=NOW if number else None))
    tables.flush()
    own = tmp_path / "own"
    own.mkdir()
    report = load_markdown(tables, own, {"hiccups.md": ARTICLE})
    assert report.refused == []
    assert len(report.review) == 1 and "has a board of its own" in report.review[0]["why"]
    slugs = set(tables.execute(select(Board.slug)).scalars())
    assert len(slugs) == 2 and "hiccups" in slugs, "the board of the condition that was taken over follows its name"
    assert tables.execute(select(func.count()).select_from(Condition)).scalar_one() == 2


def test_a_second_article_cannot_take_a_name_that_another_one_has(tables: Session, tmp_path: Path) -> None:
    load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE})
    thief = changed(
        ("slug: hiccups", "slug: hics"), ("name: Hiccups", "name: The hics"), ("The hics, kind", "Hix, kind")
    )
    report = load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE, "thief.md": thief})
    assert report.refused[0]["file"] == "thief.md" and "already belongs to Hiccups" in report.refused[0]["why"]
    twin = changed(("slug: hiccups", "slug: sneezes"), ("name: Hiccups", "name: Sneezes"), ("Hiccough", "Hiccups"))
    report = load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE, "twin.md": twin})
    assert "has an article of its own" in report.refused[0]["why"]


def test_our_article_puts_the_condition_into_its_categories(tables: Session, tmp_path: Path) -> None:
    load_medquad(tables, hiccup_archive(tmp_path / "archive"))
    (own := tmp_path / "own").mkdir()
    load_markdown(tables, own, {"hiccups.md": ARTICLE})
    named = select(Category.slug).join(condition_category)
    assert tables.execute(named).scalars().all() == ["lungs-breathing"]
    declared = set(tables.execute(select(Alias.folded).where(Alias.is_declared)).scalars())
    assert declared == {"hiccough", "the hics"}


def test_a_relation_finds_its_condition_when_that_one_comes_later(tables: Session, tmp_path: Path) -> None:
    (own := tmp_path / "own").mkdir()
    load_markdown(tables, own, {"hiccups.md": ARTICLE})
    assert queries.reference_page(tables, "hiccups").related[0].url is None
    folder_of(tmp_path / "a", {"4_T/1.xml": archived("Heartburn", ("information", "Acid."))})
    load_medquad(tables, tmp_path / "a")
    assert queries.reference_page(tables, "hiccups").related[0].url == "/reference/heartburn/"


def test_the_database_itself_refuses_a_published_article_without_its_facts(tables: Session, tmp_path: Path) -> None:
    from sqlalchemy.exc import IntegrityError

    load_markdown(tables, tmp_path, {"hiccups.md": ARTICLE})
    article = tables.execute(select(Article)).scalar_one()
    for name in ("source_id", "licence_id", "checked_on"):
        with pytest.raises(IntegrityError):
            _strip(tables, name)
    assert article.status is ArticleStatus.PUBLISHED
    assert tables.execute(select(func.count()).select_from(Source)).scalar_one() == 2


def _strip(session: Session, column: str) -> None:
    with session.begin_nested():
        session.execute(update(Article).values({column: None}))
