"""The real archive: nothing lost, read back through the API, and a second import changes nothing.

The default run takes a slice with every kind of trap; the soak takes all of it on both databases.
"""

import hashlib
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.shared import ROOT, shared_file

pytestmark = pytest.mark.shared_data

# Joins the answers of a document in the index's hash.
SEPARATOR = "\x1e"
# The first answer of these is empty: it has no section here, but a place in the index's hash.
EMPTY_FIRST = {f"2_GARD_QA/{number}.xml" for number in ("0002080", "0002253", "0002747", "0006509")}
# Seconds that an import of everything may take on SQLite.
LIMIT = 30
KINDS = ("4_MPlus_Health_Topics_QA/0000078", "6_NINDS_QA/0000037", "6_NINDS_QA/0000007", "6_NINDS_QA/0000182")
NO_SUBJECT = ("9_CDC_QA/0000199", "9_CDC_QA/0000423", "9_CDC_QA/0000397")


def archive() -> Path:
    return shared_file("medquad_shared.tar.gz")


def index_of(path: Path) -> dict[str, dict[str, Any]]:
    """The index that comes with the archive, by collection/file."""
    with tarfile.open(path) as packed:
        member = next(m for m in packed if m.name.endswith("index.json"))
        stream = packed.extractfile(member)
        assert stream is not None
        return {row["path"]: row for row in json.load(stream)}


def slice_of(path: Path, folder: Path) -> Path:
    """Every twentieth document, the empty ones, and all that are known to be difficult."""
    with tarfile.open(path) as packed:
        for number, member in enumerate(m for m in packed if m.name.endswith(".xml")):
            name = member.name.split("medquad/")[-1]
            short = name.removesuffix(".xml")
            wanted = number % 20 == 0 or "no_answers" in name or name in EMPTY_FIRST or short in (*KINDS, *NO_SUBJECT)
            content = read(packed, member)
            if wanted or name.startswith("1_CancerGov_QA/00000") or b"Usher" in content[:400]:
                target = folder / "medquad" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return folder / "medquad"


def read(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = packed.extractfile(member)
    assert stream is not None
    return stream.read()


def run(app: Flask, *args: str) -> dict[str, Any]:
    """`flask content import … --json`; its last line."""
    result = app.test_cli_runner().invoke(args=["content", "import", *args, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output.strip().splitlines()[-1])


def conditions(client: FlaskClient) -> Iterator[dict[str, Any]]:
    """Every condition, by way of the API alone."""
    after = ""
    while after is not None:
        page = client.get(f"/api/v1/conditions?limit=100&after={quote(after)}").get_json()
        for row in page["items"]:
            answer = client.get(f"/api/v1/conditions/{row['slug']}")
            assert answer.status_code == 200, row
            yield answer.get_json()
        after = page["next"]


def check_against_index(client: FlaskClient, index: dict[str, dict[str, Any]]) -> tuple[int, int]:
    """Reads everything back and compares; gives the numbers of documents and answers."""
    seen: dict[str, str] = {}
    answers = 0
    for condition in conditions(client):
        for article in condition["articles"]:
            file = article["source"]["file"]
            if file is None:
                continue
            assert file not in seen, f"{file} stands under {seen[file]} and {condition['slug']}"
            seen[file] = condition["slug"]
            texts = [" ".join(section["text"].split()) for section in article["sections"]]
            answers += len(texts)
            assert len(texts) == index[file]["qa"], file
            told = [""] * (file in EMPTY_FIRST) + texts
            found = hashlib.sha256(SEPARATOR.join(told).encode()).hexdigest()
            assert found == index[file]["answers_sha256"], file
            assert article["source"]["archived"] and article["last_reviewed"] is None
            assert article["source"]["credit"] and article["source"]["url"].startswith("http")
    assert set(seen) == set(index)
    return len(seen), answers


def check_backache(client: FlaskClient) -> None:
    """One condition, our article, then two archived sources with five answers."""
    for name in ("backache", "lumbago", "Back Pain"):
        found = client.get(f"/api/v1/conditions?q={quote(name)}").get_json()["items"]
        assert "backache" in [row["slug"] for row in found], name
        assert "back-pain" not in [row["slug"] for row in found]
    page = client.get("/api/v1/conditions/backache").get_json()
    kinds = [(a["source"]["archived"], len(a["sections"])) for a in page["articles"]]
    assert kinds[0][0] is False and kinds[1:] == [(True, 1), (True, 4)]
    assert len(page["definitions"]) == 3
    assert all("Back" in a["match_reason"] for a in page["articles"][1:])


def check_usher(client: FlaskClient) -> None:
    for kind in ("1b", "1e"):
        assert client.get(f"/api/v1/conditions/usher-syndrome-type-{kind}").status_code == 200


@pytest.mark.parametrize("first", ["markdown", "medquad"])
def test_a_slice_comes_in_whole_whichever_is_loaded_first(
    app: Flask, client: FlaskClient, tmp_path: Path, first: str
) -> None:
    index = index_of(archive())
    folder = slice_of(archive(), tmp_path)
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*.xml")}
    wanted = {name: row for name, row in index.items() if name in files}
    assert len(wanted) > 200 and len(files) - len(wanted) == 104
    imports = {"markdown": str(ROOT / "content" / "starter"), "medquad": str(folder)}
    lines = {}
    for kind in sorted(imports, key=lambda k: k != first):
        lines[kind] = run(app, kind, imports[kind])
    line = lines["medquad"]
    assert line["documents"]["created"] == len(wanted) and line["documents"]["skipped_empty"] == 104
    assert line["refused"] == [] and line["answers"] == sum(row["qa"] for row in wanted.values())
    reviewed = {row["file"]: row["why"] for row in line["review"]}
    for name in NO_SUBJECT[:2]:
        assert "no subject" in reviewed[f"{name}.xml"]
    assert check_against_index(client, wanted)[0] == len(wanted)
    check_backache(client)
    check_usher(client)
    if first == "medquad":
        assert client.get("/reference/back-pain/").headers["Location"] == "/reference/backache/"
    for kind, path in imports.items():
        again = run(app, kind, path)["documents"]
        assert (again["created"], again["updated"], again["retired"]) == (0, 0, 0), kind


@pytest.mark.soak
@pytest.mark.parametrize("first", ["markdown", "medquad"])
def test_the_whole_archive_comes_in_whole(
    app: Flask, client: FlaskClient, backend: str, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    index = index_of(archive())
    imports = {"markdown": str(ROOT / "content" / "starter"), "medquad": str(archive())}
    seconds = {}
    for kind in sorted(imports, key=lambda k: k != first):
        began = time.perf_counter()
        line = run(app, kind, imports[kind])
        seconds[kind] = time.perf_counter() - began
        if kind == "medquad":
            assert line["documents"] == {
                "created": 4676,
                "updated": 0,
                "unchanged": 0,
                "retired": 0,
                "refused": 0,
                "skipped_empty": 104,
            }
            assert line["answers"] == 14084
    assert check_against_index(client, index) == (4676, 14084)
    check_backache(client)
    check_usher(client)
    began = time.perf_counter()
    again = run(app, "medquad", imports["medquad"])["documents"]
    assert (again["created"], again["updated"], again["retired"], again["unchanged"]) == (0, 0, 0, 4676)
    figures = f"archive in {seconds['medquad']:.1f} s, again in {time.perf_counter() - began:.1f} s"
    with capsys.disabled():
        print(f"\n{backend}, {first} first: {figures}")  # noqa: T201 - the figures are what the soak is run for
    if backend == "sqlite":
        assert seconds["medquad"] <= LIMIT
