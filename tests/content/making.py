"""Small articles and archives in our own words, for tests."""

import io
import tarfile
import textwrap
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from sqlalchemy.orm import Session

from content.importers import markdown, medquad, tables
from content.importers.report import Report

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

ARTICLE = """\
---
slug: hiccups
name: Hiccups
kind: symptom
title: "Hiccups: what to know"
summary: Hiccups are short jerks of the breathing muscle.
aliases:
  - {name: Hiccough, kind: synonym}
  - {name: The hics, kind: lay}
codes:
  - {system: ICD-10-CM, code: R06.6}
categories: [lungs-breathing]
licence: CC-BY-4.0
checked_on: 2026-02-01
sources:
  - {key: one, name: Leaflet one, publisher: Clinic One, url: "https://one.example/h", licence: LINK-ONLY}
  - {key: two, name: Leaflet two, publisher: Clinic Two, url: "https://two.example/h", licence: US-GOV-PD}
definitions:
  - {term: Hiccups, text: A jerk of the diaphragm., source: one}
  - {term: Hiccups, text: A sudden gulp of air with a sound., source: two}
relations:
  - {name: Heartburn, slug: heartburn, kind: may_cause, note: Acid can set them off., source: two}
red_flags:
  - code: days
    text: They last for more than two days
    urgency: soon
    message: "See a doctor. In danger call {emergency}."
    phrases: ["for three days"]
    intake: {key: how_long, values: [days]}
    source: one
intake:
  - key: how_long
    label: How long have they lasted?
    why: Long spells are looked into.
    type: choice
    options: [{value: minutes, label: Minutes}, {value: days, label: Days}]
    visibility: public
    allowed: [public, members, private]
---

## What hiccups are {#introduction sources=one,two}

A hiccup is a **jerk** of the big breathing muscle.

## What helps {#treatments sources=two}

Hold your breath and count to ten, or sip cold water slowly.

## When not to wait {#red_flags sources=one}

Call {emergency} if you cannot breathe.
"""


def changed(*pairs: tuple[str, str]) -> str:
    """The article with texts replaced; each must be there."""
    text = ARTICLE
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def load_starter_tables(session: Session) -> None:
    """Licences, categories, rules, house texts, help lines."""
    report = Report()
    for name in ("licences", "categories", "rules", "terms", "crisis_resources"):
        tables.load_file(session, tables.STARTER / f"{name}.yaml", report, now=NOW)


def load_markdown(session: Session, folder: Path, files: Mapping[str, str], *, retire_missing: bool = False) -> Report:
    """Import these files and nothing else."""
    for old in folder.glob("*.md"):
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    report = Report()
    markdown.load(session, folder, report, now=NOW, retire_missing=retire_missing)
    session.flush()
    return report


def document(
    focus: str,
    *answers: tuple[str, str],
    source: str = "GARD",
    url: str = "https://nih.example/page",
    synonyms: tuple[str, ...] = (),
    codes: tuple[str, ...] = (),
    prolog: str = '<?xml version="1.0" encoding="UTF-8"?>',
    question: str = "",
) -> str:
    """A document of the archive's usual schema; `answers` are (question type, answer)."""
    pairs = "\n".join(
        f'<QAPair pid="{n}"><Question qid="0-{n}" qtype={quoteattr(kind)}>'
        f"{escape(question or f'What about {kind} of {focus} ?')}</Question><Answer>{escape(text)}</Answer></QAPair>"
        for n, (kind, text) in enumerate(answers, start=1)
    )
    return textwrap.dedent(
        f"""{prolog}
<Document id="1" source={quoteattr(source)} url={quoteattr(url)}>
<Focus>{escape(focus)}</Focus>
<FocusAnnotations><UMLS><CUIs>{"".join(f"<CUI>{c}</CUI>" for c in codes)}</CUIs></UMLS>
<Synonyms>{"".join(f"<Synonym>{escape(s)}</Synonym>" for s in synonyms)}</Synonyms></FocusAnnotations>
<QAPairs>{pairs}</QAPairs></Document>"""
    )


def folder_of(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder of the archive; names are collection/file."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def tar_of(path: Path, files: Mapping[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./archive/{name}")
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return path


def zip_of(path: Path, files: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def load_medquad(session: Session, path: Path, *, retire_missing: bool = False) -> Report:
    report = Report()
    medquad.load(session, path, report, now=NOW, retire_missing=retire_missing)
    session.flush()
    return report
