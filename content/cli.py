"""Commands of the content table."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from content.importers import markdown, medquad, tables
from content.importers.report import Report
from core.db import unit_of_work, utc_now

content = AppGroup("content", help="The reference: articles and what belongs to them.")
groups = [content]


class _DryRun(Exception):
    """Ends a `--check`: the unit of work rolls back."""


@content.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(["markdown", "medquad"]))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Say what would happen and change nothing.")
@click.option("--retire-missing", is_flag=True, help="Retire what earlier imports brought and this one lacks.")
@click.option("--json", "as_json", is_flag=True, help="The report as one line of JSON, last.")
def import_(format_: str, path: Path, check: bool, retire_missing: bool, as_json: bool) -> None:
    """Load articles: our own files (markdown), or a folder, .tar.gz or .zip of MedQuAD's XML (medquad).

    One transaction: all of it or, when something breaks, nothing. A file that cannot be taken is refused with the
    reason, and the others go on. Safe to repeat.
    """
    report = Report()
    began = time.perf_counter()
    try:
        with unit_of_work() as session, _Progress() as progress:
            options: dict[str, Any] = {"now": utc_now(), "retire_missing": retire_missing, "step": progress.step}
            if format_ == "markdown":
                progress.begin(len(markdown.find(path)))
                markdown.load(session, path, report, **options)
            else:
                medquad.load(session, path, report, begin=progress.begin, **options)
            if check:
                raise _DryRun
    except _DryRun:
        pass
    except (medquad.BadArchive, markdown.BadArticle, OSError) as error:
        raise click.ClickException(str(error)) from error
    _print(report, check=check, seconds=time.perf_counter() - began, names=not as_json)
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False))
    if report.refused and not report.is_change and not report.unchanged:
        sys.exit(1)  # nothing at all could be taken


def load_starter(*, demo_wanted: bool = False) -> list[str]:
    """Load what ships with the product into a new site; safe to repeat. Gives lines to print: only what went wrong."""
    report = Report()
    with unit_of_work() as session:
        markdown.load(session, tables.STARTER, report, now=utc_now())
    return [f"Starter content: {row['file']}: {row['why']}" for row in report.refused]


class _Progress:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self.bar: Any = None

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(None, None, None)

    def begin(self, length: int) -> None:
        if length and sys.stderr.isatty():
            self.bar = click.progressbar(length=length, label="Importing", file=sys.stderr)
            self.bar.__enter__()

    def step(self, count: int) -> None:
        if self.bar is not None:
            self.bar.update(count)


def _print(report: Report, *, check: bool, seconds: float, names: bool) -> None:
    counts = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in report.counts().items())
    click.echo(f"{'Would be' if check else 'Done'}: {counts}")
    click.echo(f"{report.answers:,} answers under {report.conditions:,} conditions")
    if any(report.tables.values()):
        click.echo("Tables: " + ", ".join(f"{number} {name}" for name, number in report.tables.items()))
    for title, rows in (("Refused", report.refused), ("To review", report.review), ("Joined", report.merged)):
        if rows:
            click.echo(f"{title}: {len(rows)}")
        if names:
            for row in rows:
                click.echo(f"  {row['file']}: {row['why']}")
    click.echo(f"{seconds:.1f} s{'; nothing was changed (--check)' if check else ''}")
