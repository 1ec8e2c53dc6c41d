"""The MedQuAD archive: questions and answers of US health institutes of about 2018, as XML.

A document becomes one archived article, an answer one section, in the document's order. The key of a document is
(collection, file name): ids and addresses repeat inside a collection. Conditions are matched by folded name, then by
an alias that an editor or our own article declared; never by codes. docs/content.md tells it at length.
"""

import hashlib
import json
import re
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DTDForbidden
from defusedxml.ElementTree import DefusedXMLParser
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from content import articles, conditions, sections
from content.importers import tables
from content.importers.report import Report
from content.models import (
    Alias,
    Article,
    Category,
    Condition,
    ConditionCode,
    ImportRun,
    Licence,
    Source,
    condition_category,
)
from core import audit
from core.markup import excerpt
from core.text import fold, is_blank
from core.vocabulary import ArticleStatus

IMPORTER = "medquad"
LICENCE = "MEDQUAD-CC-BY-4.0"
# Raise it when a document's rows would be made otherwise: then the next import makes them anew.
LAYOUT = "1"
MAX_FILE_BYTES = 20_000_000
ROOTS = frozenset({"document", "doc", "diseasefile"})

# The `source` of a document: (short name, publisher, whose text it is).
PUBLISHERS = {
    "cancergov": ("Cancer.gov", "National Cancer Institute (NCI), NIH", "NIH"),
    "gard": ("GARD", "Genetic and Rare Diseases Information Center (GARD), NIH", "NIH"),
    "ghr": ("Genetics Home Reference", "Genetics Home Reference, National Library of Medicine, NIH", "NIH"),
    "mplushealthtopics": ("MedlinePlus", "MedlinePlus, National Library of Medicine, NIH", "NIH"),
    "niddk": ("NIDDK", "National Institute of Diabetes and Digestive and Kidney Diseases (NIDDK), NIH", "NIH"),
    "ninds": ("NINDS", "National Institute of Neurological Disorders and Stroke (NINDS), NIH", "NIH"),
    "nihseniorhealth": ("NIHSeniorHealth", "NIHSeniorHealth, National Institute on Aging, NIH", "NIH"),
    "nhlbi": ("NHLBI", "National Heart, Lung, and Blood Institute (NHLBI), NIH", "NIH"),
    "cdc": ("CDC", "Centers for Disease Control and Prevention (CDC)", "CDC"),
}

# Medical categories of conditions that only the archive knows: a guess that an editor can change.
CATEGORY_OF_PUBLISHER = {"cancergov": "cancer", "gard": "genetic-rare", "ghr": "genetic-rare", "ninds": "brain-nerves"}
CATEGORY_OF_TYPE = {"T191": "cancer", "T048": "mental-health", "T037": "injuries-poisoning", "T005": "infections"}
CATEGORY_OF_WORD = {
    "bones-joints-muscles": "arthrit bone joint muscle muscul osteo scolio spin(e|al) back hip knee fractur gout"
    " myopath dystroph skelet rheumat tendon",
    "brain-nerves": "brain neuro nerve epilep seizure migrain headache stroke palsy ataxia dementia alzheimer parkinson"
    " sclerosis encephal cerebr mening",
    "heart-circulation": "heart cardi arter(y|i) vascul aort(a|ic) hypertens blood.pressure aneurysm angina thromb"
    " arrhythm vein cholesterol",
    "lungs-breathing": "lung pulmon asthma bronch respirat copd pneumon breath sleep.apnea cystic.fibrosis",
    "digestion-liver": "liver hepat stomach gastr bowel colon colitis intestin digest celiac crohn pancrea gallbladder"
    " gallstone ulcer reflux diarrhea constipat hernia biliary cirrhosis esophag",
    "kidneys-bladder": "kidney renal nephr bladder urin prostat dialysis",
    "hormones-metabolism": "diabet thyroid hormon metabol obes adrenal pituitar insulin endocrin cushing",
    "blood-immune-allergy": "anemia leukemia lymphoma hemophil blood immun allerg lupus thrombocyt sickle",
    "infections": "infect virus viral bacteri fever flu(?!id) influenza hiv aids malaria tubercul parasit fung herpes"
    " measles lyme salmonel",
    "cancer": "cancer tumor carcinoma sarcoma melanoma leukemia lymphoma myeloma neoplasm blastoma",
    "skin-hair-nails": "skin derm psoria eczema hair nail acne rash keratosis",
    "eyes-ears-mouth": "eye vision retin glaucoma cataract ear(?!ly) hearing deaf mouth tooth teeth dental gum nose"
    " throat tongue blind cornea",
    "mental-health": "mental depress anxi schizo bipolar autis sleep insomnia stress alcohol drug.abuse addict",
    "pregnancy-sexual-health": "pregnan birth menstru menopaus sexual infertil ovar uter cervi breast vagin contracep"
    " erectile",
    "injuries-poisoning": "injur poison burn wound bite",
    "genetic-rare": "syndrome deficiency chromosom deletion congenital familial heredit trisomy dysplasia",
}
OTHER_CATEGORY = "general-health"
_WORDS = {slug: re.compile("|".join(rf"\b{w}" for w in words.split())) for slug, words in CATEGORY_OF_WORD.items()}

# Names of people from which the archive dropped the letters that are not ASCII.
DROPPED_LETTERS = {
    "alstrm": "Alström",
    "behet": "Behçet",
    "bjrnstad": "Björnstad",
    "brjeson": "Börjeson",
    "knig": "König",
    "lffler": "Löffler",
    "lfgren": "Löfgren",
    "mbius": "Möbius",
    "mnire": "Ménière",
    "mntrier": "Ménétrier",
    "mnchausen": "Münchausen",
    "schnlein": "Schönlein",
    "sjgren": "Sjögren",
    "szary": "Sézary",
    "waldenstrm": "Waldenström",
}
_DROPPED = re.compile(rf"\b({'|'.join(DROPPED_LETTERS)})(s?)\b", re.I)
# A question whose subject was empty: its words say nothing about what it asks.
_NO_SUBJECT = re.compile(
    r"(what (is|are)( the \w+( \w+)? (of|for|to))?|how to (prevent|diagnose)|who is at risk for|what causes"
    r"|is inherited|what to do for|do you have information about)",
    re.I,
)


class BadDocument(ValueError):
    """One file that cannot be taken, with the reason in words."""


class BadArchive(ValueError):
    """The whole input cannot be read."""


@dataclass(frozen=True)
class Answer:
    question: str
    question_type: str
    text: str


@dataclass(frozen=True)
class Document:
    """One file of the archive."""

    key: str
    publisher: str
    url: str
    focus: str
    category: str
    codes: tuple[str, ...]
    types: tuple[str, ...]
    synonyms: tuple[str, ...]
    answers: tuple[Answer, ...]
    digest: str

    @property
    def title(self) -> str:
        """The focus; without one, the first question that says what it is about."""
        if self.focus:
            return self.focus
        questions = [sections.heading_of_question(a.question) for a in self.answers]
        return next((q for q in questions if _says_something(q)), questions[0] if questions else "")


# --- Reading -----------------------------------------------------------------------------------------------------


def read(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """(collection/file name, content) of each XML file of a folder, .tar.gz or .zip; None for one that is too large.

    Raises BadArchive when the input is none of these, or broken.
    """
    name = path.name.lower()
    try:
        if path.is_dir():
            yield from _read_folder(path)
        elif name.endswith(".zip"):
            yield from _read_zip(path)
        elif name.endswith((".tar.gz", ".tgz", ".tar")):
            yield from _read_tar(path)
        elif path.exists():
            raise BadArchive(f"{path} is no folder, .tar.gz or .zip")
        else:
            raise BadArchive(f"{path} does not exist")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise BadArchive(f"{path} cannot be read to its end: {error}") from error


def _read_folder(path: Path) -> Iterator[tuple[str, bytes | None]]:
    for file in sorted(path.rglob("*")):
        if file.is_file() and _is_document(file.name):
            size = file.stat().st_size
            yield f"{file.absolute().parent.name}/{file.name}", file.read_bytes() if size <= MAX_FILE_BYTES else None


def _read_tar(path: Path) -> Iterator[tuple[str, bytes | None]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and _is_document(member.name):
                stream = archive.extractfile(member)
                yield _key(member.name, path), stream.read() if stream and member.size <= MAX_FILE_BYTES else None


def _read_zip(path: Path) -> Iterator[tuple[str, bytes | None]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_document(member.filename):
                with archive.open(member) as stream:
                    # The size in the header is a claim.
                    content = stream.read(MAX_FILE_BYTES + 1)
                yield _key(member.filename, path), content if len(content) <= MAX_FILE_BYTES else None


def _is_document(name: str) -> bool:
    file = PurePosixPath(name).name
    return file.lower().endswith(".xml") and not file.startswith(".")


def _key(name: str, archive: Path) -> str:
    """(collection, file name): the folder that holds the file, whatever stands above it."""
    parts = [p for p in PurePosixPath(name).parts if p not in (".", "/")]
    return f"{parts[-2] if len(parts) > 1 else archive.name.split('.')[0]}/{parts[-1]}"


class _Parser(DefusedXMLParser):
    """Refuses entities and internal DTD subsets; a bare DOCTYPE line declares nothing and is never fetched."""

    def __init__(self) -> None:
        super().__init__(forbid_dtd=False, forbid_entities=True, forbid_external=True)
        self.parser.StartDoctypeDeclHandler = self._refuse_subset

    def _refuse_subset(self, name: str, system_id: str | None, public_id: str | None, has_subset: bool) -> None:
        if has_subset:
            raise DTDForbidden(name, system_id, public_id)


def parse(key: str, content: bytes) -> Document:
    """One document of either schema. Raises BadDocument with the reason."""
    parser = _Parser()
    try:
        parser.feed(content)
        root: Element = parser.close()
    except DTDForbidden as error:
        raise BadDocument("it declares a document type of its own (internal DTD subset)") from error
    except ParseError as error:
        raise BadDocument(f"not well-formed XML: {error}") from error
    except (ValueError, LookupError) as error:
        raise BadDocument(f"refused: {type(error).__name__}") from error
    if _name(root) not in ROOTS:
        raise BadDocument(f"unknown kind of document <{root.tag}>")
    found: dict[str, list[Element]] = defaultdict(list)
    for element in root.iter():
        found[_name(element)].append(element)
    focus = [*found["focus"], *found["doctitle-focus"]]
    answers = tuple(_answers([*found["qapair"], *found["pair"]]))
    document = Document(
        key=key,
        publisher=(root.get("source") or root.get("corpus") or "").strip(),
        url=(root.get("url") or "").strip(),
        focus=_line(focus[0]) if focus else "",
        category=_line(found["category"][0]) if found["category"] else "Disease",
        codes=_texts(found["cui"]),
        types=_texts(found["semantictype"]),
        synonyms=_texts(found["synonym"]),
        answers=answers,
        digest="",
    )
    canonical = json.dumps([LAYOUT, asdict(document)], sort_keys=True)
    document = replace(document, digest=hashlib.sha256(canonical.encode()).hexdigest())
    if len(key) > 200:
        raise BadDocument("its collection and file name are longer than 200 characters")
    if answers and len(document.title) > conditions.MAX_NAME_CHARS:
        raise BadDocument(f"its focus is longer than {conditions.MAX_NAME_CHARS} characters")
    if answers and not fold(document.title):
        raise BadDocument("neither its focus nor its questions hold a letter")
    return document


def _name(element: Element) -> str:
    return str(element.tag).lower()


def _line(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _texts(elements: Sequence[Element]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (_line(e) for e in elements))))


def _answers(pairs: Sequence[Element]) -> Iterator[Answer]:
    for pair in pairs:
        question = next((e for e in pair if _name(e) == "question"), None)
        for element in pair:
            # White space stays as it was: "nothing lost" is checked against the stored text.
            text = "".join(element.itertext()) if _name(element) == "answer" else ""
            if not is_blank(text):
                kind = (question.get("qtype") or "") if question is not None else ""
                yield Answer(_line(question) if question is not None else "", kind.strip()[:80], text)


def _says_something(question: str) -> bool:
    bare = " ".join(re.sub(r"[^\w\s]", " ", question).split())
    return bool(fold(question)) and not _NO_SUBJECT.fullmatch(bare)


# --- Importing ---------------------------------------------------------------------------------------------------


def load(
    session: Session,
    path: Path,
    report: Report,
    *,
    now: datetime,
    retire_missing: bool = False,
    begin: Callable[[int], None] | None = None,
    step: Callable[[int], None] | None = None,
) -> None:
    """Load an archive in the caller's transaction. Raises BadArchive; a bad file is refused alone.

    `begin` is told how many documents will be written, `step` how many more have been. About 10 s for 4,700 documents.
    """
    tables.ensure_starter_tables(session, now=now)
    documents, present = _documents(path, report)
    if not present:
        raise BadArchive(f"{path} holds no XML file")
    known = {
        row.import_key: row
        for row in session.execute(
            select(
                Article.id,
                Article.import_key,
                Article.content_hash,
                Article.status,
                Article.condition_id,
                Article.title,
                Article.match_reason,
            ).where(Article.importer == IMPORTER)
        )
    }
    changed = [d for d in documents if _is_change(d, known.get(d.key))]
    report.unchanged += len(documents) - len(changed)
    report.answers += sum(len(d.answers) for d in documents)
    places = _match(session, changed, known, report, now=now)
    _names_and_codes(session, changed, places)
    source_ids, licence_id = _sources(session, changed, report, now=now)
    directory = conditions.Directory(session)
    if begin:
        begin(len(changed))
    for chunk in articles.batches(changed, articles.BATCH):
        drafts = [_draft(d, known.get(d.key), places[d.key], directory, source_ids[d.key], licence_id) for d in chunk]
        articles.save(session, drafts, now=now, note="imported", step=step)
    report.created += sum(d.key not in known for d in changed)
    report.updated += sum(d.key in known for d in changed)
    for key in sorted(present - {d.key for d in documents}):
        if key in known and known[key].status is not ArticleStatus.RETIRED:
            report.look_at(key, "could not be read or has no answers any more; its former text stays")
    where = {d.key: places[d.key][0] if d.key in places else known[d.key].condition_id for d in documents}
    report.conditions += len(set(where.values()))
    for document in documents:
        if not document.focus:
            name = directory.name_of[where[document.key]]
            report.look_at(document.key, f"the document names no subject; it was called {name!r} after a question")
    _same_codes(documents, where, directory, report)
    if retire_missing:
        gone = [row.id for key, row in known.items() if key not in present and row.status is not ArticleStatus.RETIRED]
        articles.retire(session, gone, now=now)
        report.retired += len(gone)
    conditions.link_relations(session)
    if report.is_change:
        session.add(ImportRun(importer=IMPORTER, counts=report.counts() | {"answers": report.answers}, at=now))
        audit.record(
            session,
            actor_id=None,
            action="content.imported",
            subject=("import", None),
            now=now,
            details={"importer": IMPORTER} | report.counts(),
        )


def _documents(path: Path, report: Report) -> tuple[list[Document], set[str]]:
    """The documents that hold answers, ordered by key, and the keys of all files that were there."""
    found: dict[str, Document] = {}
    present: set[str] = set()
    for key, content in read(path):
        present.add(key)
        try:
            if content is None:
                raise BadDocument(f"larger than {MAX_FILE_BYTES:,} bytes")
            document = parse(key, content)
            if not document.answers:
                report.skipped_empty += 1
            elif key not in found:
                found[key] = document
            elif found[key].digest != document.digest:
                raise BadDocument("another file of this collection has the same name")
        except BadDocument as error:
            report.refuse(key, str(error))
    return [found[key] for key in sorted(found)], present


def _is_change(document: Document, row: Any) -> bool:
    return row is None or row.content_hash != document.digest or row.status is ArticleStatus.RETIRED


def _match(
    session: Session, documents: Sequence[Document], known: Mapping[str, Any], report: Report, *, now: datetime
) -> dict[str, tuple[int, str]]:
    """(condition, reason) for each document; conditions that nobody had are made."""
    directory = conditions.Directory(session)
    places: dict[str, tuple[int, str]] = {}
    fresh: dict[str, list[Document]] = {}
    for document in documents:
        row, folded = known.get(document.key), fold(document.title)
        if row is not None and fold(row.title) == folded:
            places[document.key] = row.condition_id, row.match_reason
            continue
        owners = directory.by_alias.get(folded, [])
        if folded not in directory.by_name and len(owners) > 1:
            report.look_at(document.key, f"{document.title} is a declared alias of several conditions; it got its own")
        found = directory.match(folded)
        if found:
            places[document.key] = found
            report.merge(document.key, found[1])
        else:
            fresh.setdefault(folded, []).append(document)
    if fresh:
        _make_conditions(session, fresh, directory, now=now)
    for folded, group in fresh.items():
        condition_id = directory.by_name[folded]
        name = directory.name_of[condition_id]
        for number, document in enumerate(group):
            reason = f"same name as {name}" if number else "first text of this name"
            places[document.key] = condition_id, reason
            if number:
                report.merge(document.key, reason)
    return places


def _make_conditions(
    session: Session, fresh: Mapping[str, Sequence[Document]], directory: conditions.Directory, *, now: datetime
) -> None:
    rows = []
    for folded, group in fresh.items():
        first = group[0]
        # GHR writes names in small letters; another text of the same name may know better.
        name = next((d.title for d in group if d.title[:1].isupper()), _capitalised(first.title))
        answers = [a for d in group for a in d.answers]
        opening = next((a for a in answers if a.question_type.lower() == "information"), answers[0])
        kinds = {t for d in group for t in d.types}
        rows.append(
            {
                "slug": directory.free_slug(name),
                "name": name,
                "name_folded": folded,
                "kind": "symptom" if "T184" in kinds else "condition",
                "summary": excerpt(re.sub(r"^\s*Summary\s*:\s*", "", opening.text), 300),
                "review_note": None if first.focus else "Named after a question: its document names no subject.",
                "created_at": now,
                "version": 1,
            }
        )
    session.execute(insert(Condition.__table__), rows)  # type: ignore[arg-type]
    ids: dict[str, int] = {}
    for chunk in articles.batches(list(fresh), articles.BATCH):
        found = select(Condition.name_folded, Condition.id).where(Condition.name_folded.in_(chunk))
        ids.update(session.execute(found).all())
    for row in rows:
        folded = str(row["name_folded"])
        directory.add(ids[folded], slug=str(row["slug"]), name=str(row["name"]), folded=folded)
    categories: dict[str, int] = dict(session.execute(select(Category.slug, Category.id)).all())
    links = [
        {"condition_id": ids[folded], "category_id": categories[slug]}
        for folded, group in fresh.items()
        for slug in sorted(_categories_of(folded, group))
        if slug in categories
    ]
    if links:
        session.execute(insert(condition_category), links)


def _capitalised(name: str) -> str:
    """A name for a list: "alkaptonuria" with a capital, "aHUS" as it is."""
    first = name.split()[0]
    return name[0].upper() + name[1:] if first.isalpha() and first.islower() else name


def _categories_of(folded: str, group: Sequence[Document]) -> set[str]:
    found = {slug for slug, words in _WORDS.items() if words.search(folded)}
    for document in group:
        found.add(CATEGORY_OF_PUBLISHER.get(document.publisher.lower(), ""))
        found.update(CATEGORY_OF_TYPE.get(t, "") for t in document.types)
    found.discard("")
    return found or {OTHER_CATEGORY}


def _names_and_codes(session: Session, documents: Sequence[Document], places: Mapping[str, tuple[int, str]]) -> None:
    """Synonyms as imported aliases and UMLS codes; nothing that is there already is touched."""
    wanted = sorted({places[d.key][0] for d in documents})
    aliases: set[tuple[int, str]] = set()
    codes: set[tuple[int, str]] = set()
    for chunk in articles.batches(wanted, articles.BATCH):
        aliases |= {
            (r.condition_id, r.folded)
            for r in session.execute(select(Alias.condition_id, Alias.folded).where(Alias.condition_id.in_(chunk)))
        }
        aliases |= {
            (r.id, r.name_folded)
            for r in session.execute(select(Condition.id, Condition.name_folded).where(Condition.id.in_(chunk)))
        }
        codes |= {
            (r.condition_id, r.code)
            for r in session.execute(
                select(ConditionCode.condition_id, ConditionCode.code).where(
                    ConditionCode.condition_id.in_(chunk), ConditionCode.system == "UMLS"
                )
            )
        }
    new_aliases, new_codes = [], []
    for document in documents:
        condition_id = places[document.key][0]
        for name in _names(document):
            folded = fold(name)
            if folded and len(name) <= 300 and (condition_id, folded) not in aliases:
                aliases.add((condition_id, folded))
                new_aliases.append(
                    {
                        "condition_id": condition_id,
                        "name": name,
                        "folded": folded,
                        "kind": "synonym",
                        "is_declared": False,
                    }
                )
        for code in document.codes:
            if len(code) <= 32 and (condition_id, code) not in codes:
                codes.add((condition_id, code))
                new_codes.append({"condition_id": condition_id, "system": "UMLS", "code": code})
    if new_aliases:
        session.execute(insert(Alias.__table__), new_aliases)  # type: ignore[arg-type]
    if new_codes:
        session.execute(insert(ConditionCode.__table__), new_codes)  # type: ignore[arg-type]


def _names(document: Document) -> Iterator[str]:
    """Its name, its synonyms, and each of them with the letters that the archive dropped."""
    for name in (document.title, *document.synonyms):
        yield name
        restored = _DROPPED.sub(lambda m: DROPPED_LETTERS[m[1].lower()] + m[2], name)
        if restored != name:
            yield restored


def _publisher(document: Document) -> tuple[str, str, str]:
    name = document.publisher or "MedQuAD"
    return PUBLISHERS.get(name.lower(), (name, name, "Public"))


def _sources(
    session: Session, documents: Sequence[Document], report: Report, *, now: datetime
) -> tuple[dict[str, int], int]:
    """The source of each document, by its key, and the licence of them all."""
    licence_id = session.execute(select(Licence.id).where(Licence.code == LICENCE)).scalar()
    if licence_id is None:
        tables.load_file(session, tables.STARTER / "licences.yaml", Report(), now=now)
        licence_id = session.execute(select(Licence.id).where(Licence.code == LICENCE)).scalar_one()
    known = {(row.name, row.url): row.id for row in session.execute(select(Source.id, Source.name, Source.url))}
    keys: dict[str, tuple[str, str]] = {}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for document in documents:
        short, publisher, whose = _publisher(document)
        url = document.url
        if len(url) > 500 or not re.match(r"https?://[^\s/]", url):
            report.look_at(document.key, "the document has no usable address; its text is shown without a link")
            url = ""
        key = f"{short}: {document.title}"[:300], url
        keys[document.key] = key
        if key not in known and key not in rows:
            rows[key] = {
                "name": key[0],
                "url": url,
                "publisher": publisher[:200],
                "licence_id": licence_id,
                "note": f"{whose} text of about 2018, not reviewed here",
                "is_archived": True,
            }
    if rows:
        session.execute(insert(Source.__table__), list(rows.values()))  # type: ignore[arg-type]
        known = {(row.name, row.url): row.id for row in session.execute(select(Source.id, Source.name, Source.url))}
    return {key: known[pair] for key, pair in keys.items()}, licence_id


def _draft(
    document: Document,
    row: Any,
    place: tuple[int, str],
    directory: conditions.Directory,
    source_id: int,
    licence_id: int,
) -> articles.ArticleDraft:
    condition_id, reason = place
    return articles.ArticleDraft(
        article_id=row.id if row is not None else None,
        condition_id=condition_id,
        slug=directory.slug_of[condition_id],
        title=document.title,
        importer=IMPORTER,
        import_key=document.key,
        content_hash=document.digest,
        match_reason=reason[:300],
        is_archived=True,
        source_id=source_id,
        licence_id=licence_id,
        sections=tuple(_section(answer) for answer in document.answers),
    )


def _section(answer: Answer) -> articles.SectionDraft:
    key = sections.key_of_question(answer.question_type)
    heading = sections.heading_of_question(answer.question)
    if not _says_something(heading):
        heading = sections.NAMES[key]
    return articles.archived_section(key, excerpt(heading, 500), answer.text, answer.question_type)


def _same_codes(
    documents: Sequence[Document], where: Mapping[str, int], directory: conditions.Directory, report: Report
) -> None:
    """Conditions with the very same set of codes may be one; only a person can say. Codes such as "Syndrome" glue
    a thousand together, so nothing is joined here."""
    groups: dict[tuple[str, ...], dict[int, str]] = defaultdict(dict)
    for document in documents:
        if document.codes:
            groups[tuple(sorted(document.codes))].setdefault(where[document.key], document.key)
    for codes, members in sorted(groups.items()):
        (first, _), *others = members.items()
        for condition_id, key in others:
            report.look_at(
                key,
                f"{directory.name_of[condition_id]} has the same codes as {directory.name_of[first]} "
                f"({', '.join(codes[:4])}{', …' if len(codes) > 4 else ''}): one condition or two?",
            )
