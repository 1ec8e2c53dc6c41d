"""Commands of moderation: triage of texts from standard input, and the proof of the audit chain."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from auth import flows, mailer
from core import audit
from core.db import db, unit_of_work, utc_now
from core.errors import NotFound
from core.web import settings
from forum.gate import of as gate_of
from moderation import canned, decisions, demo, desk, ladder, lateness, screen, statements, transparency, triage
from moderation.signals import rulebook
from moderation.signals.contract import Draft

moderation = AppGroup("moderation", help="Triage of texts, and the audit chain.")
groups = (moderation,)

# Who is not said to be new is taken for an established member, so that a text is judged by itself.
ESTABLISHED = 1_000


@moderation.command("triage")
def triage_texts() -> None:
    """JSONL {"id","text"[,"title","author_posts"]} on standard input → JSONL with state, priority, signals, guidance.

    Reads the rules and help lines; writes nothing.
    """
    session, now = db.session(), utc_now()
    flags = screen.red_flag_rules(session, None, every=True)
    country = settings().country
    for number, sent in _lines():
        draft = _draft(number, sent, flags, country)
        found = triage.run(draft)
        notes = screen.guidance(session, found.advice, country=country, now=now)
        answer = {
            "id": sent.get("id"),
            "state": found.state.value,
            "priority": found.priority.value if found.priority else None,
            "signals": [
                {
                    "kind": finding.kind,
                    "score": finding.score,
                    "holds": finding.holds,
                    "start": finding.start,
                    "end": finding.end,
                    "explanation": finding.explanation,
                }
                for finding in found.findings
            ],
            "guidance": [asdict(note) for note in notes],
        }
        click.echo(json.dumps(answer, ensure_ascii=False))


def _lines() -> Iterator[tuple[int, dict[str, Any]]]:
    # Bytes, because JSON is UTF-8 whatever the terminal speaks.
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            sent = json.loads(line)
        except ValueError as error:
            raise click.ClickException(f"line {number} is no JSON: {error}") from error
        if not isinstance(sent, dict) or not isinstance(sent.get("text"), str):
            raise click.ClickException(f'line {number} must be an object with a "text"')
        yield number, sent


def _draft(number: int, sent: dict[str, Any], flags: tuple[Any, ...], country: str) -> Draft:
    title, posts = sent.get("title"), sent.get("author_posts", ESTABLISHED)
    if title is not None and not isinstance(title, str):
        raise click.ClickException(f'line {number}: "title" must be a text')
    if not isinstance(posts, int) or isinstance(posts, bool) or posts < 0:
        raise click.ClickException(f'line {number}: "author_posts" must be a whole number')
    return Draft(
        body=sent["text"],
        title=title,
        rules=rulebook.shipped(),
        author_posts=posts,
        country=country,
        red_flags=flags,
    )


@moderation.command("verify-log")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
@click.option("--against", metavar="HEAD", help="A published head, count:hash, or a file in which such heads stand.")
def verify_log(as_json: bool, against: str | None) -> None:
    """Walk the audit chain; exit 1 and the first broken entry if any.

    With a head that was kept elsewhere, an end cut off and a chain written anew are found as well.
    """
    heads = _heads(against) if against else []
    count, broken = audit.verify(db.session(), heads)
    if as_json:
        found = {"entry": broken.entry_id, "why": broken.why} if broken else None
        click.echo(json.dumps({"entries": count, "ok": broken is None, "heads": len(heads), "broken": found}))
    elif broken:
        click.echo(f"Entry {broken.entry_id} is broken: {broken.why}.")
    elif heads:
        click.echo(f"{count} entries, the chain is whole and fits every head given ({len(heads)}).")
    else:
        click.echo(f"{count} entries, the chain is whole.")
    if broken:
        sys.exit(1)


@moderation.command("sensitive")
@click.argument("board")
@click.option("--off", is_flag=True, help="Back to the usual time.")
def mark_sensitive(board: str, off: bool) -> None:
    """On this board (its slug) a person must look in half the usual time, from the next case on."""
    with unit_of_work() as session:
        try:
            desk.mark_sensitive(session, board, sensitive=not off, now=utc_now())
        except NotFound as error:
            raise click.ClickException(f"There is no board {board!r}.") from error
    click.echo(f"{board}: {'the usual time' if off else 'half the usual time'}.")


@moderation.command("statements")
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="The first day, in UTC.")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="The last day, in UTC.")
def export_statements(since: datetime | None, until: datetime | None) -> None:
    """Statements of reasons for the EU Transparency Database, one JSON object a line, each checked before it is
    printed; exit 1 if one was left out because the database would refuse it."""
    refused = 0
    for statement_id, export in statements.exports(db.session(), since=_day(since), until=_day(until)):
        wrong = transparency.problems(export)
        if wrong:
            refused += 1
            click.echo(f"statement {statement_id} left out: {'; '.join(wrong)}", err=True)
        else:
            click.echo(json.dumps(export, ensure_ascii=False))
    if refused:
        sys.exit(1)


def _day(given: datetime | None) -> datetime | None:
    return given.replace(tzinfo=UTC) if given else None


def _heads(given: str) -> list[audit.Head]:
    """The heads in an argument or in the file that it names."""
    found = audit.read_heads(given)
    if not found and Path(given).is_file():
        found = audit.read_heads(Path(given).read_text(encoding="utf-8", errors="replace"))
    if not found:
        raise click.BadParameter(
            f"{given!r} is neither a head (count:hash, as /modlog shows it) nor a file that holds one.",
            param_hint="--against",
        )
    return found


def publish_head(session: Session, *, now: datetime) -> None:
    """Housekeeping, once a day: the head of the audit chain, for the public log and by mail to the operator."""
    head = audit.record_head(session, now=now)
    if head is not None and (to := settings().operator_mail):
        line = str(audit.Head(head.count, head.hash))
        mailer.put(session, "audit_head", to=to, day=head.day.isoformat(), line=line, now=now)


def call_for_late(session: Session, *, now: datetime) -> None:
    """The worker's watch: whoever is next is called for cases that nobody has decided in time."""
    lateness.call_for_late(session, settings=settings(), now=now)


def restore_due(session: Session, *, now: datetime) -> None:
    """Housekeeping: what was hidden or shielded until now is shown again."""
    decisions.restore_due(session, now=now)


def load_reasons(*, demo_wanted: bool = False) -> list[str]:
    """The reasons to start from that ship with the product, for a site that has none; nothing to print."""
    with unit_of_work() as session:
        canned.load_starter(session)
    return []


def load_ladder(*, demo_wanted: bool = False) -> list[str]:
    """The ladder of sanctions that ships with the product, for a site that has none; nothing to print."""
    with unit_of_work() as session:
        ladder.load_shipped(session)
    return []


DEMO_PASSWORD = "look around freely"


def load_demo(*, demo_wanted: bool) -> list[str]:
    """Demo members, threads and a queue for a new site on a loopback address; returns the logins as lines to print.

    On any other address demo accounts are locked: their password is in this file.
    """
    with unit_of_work() as session:
        if not demo_wanted:
            demo.lock_accounts(session)
            return []
        secrets = {handle: flows.new_totp_secret() for handle in demo.staff_handles()}
        if not demo.exists(session):
            hashed, now = flows.hash_password(DEMO_PASSWORD), utc_now()
            demo.make_members(session, password_hash=hashed, totp_secrets=secrets, now=now)
            demo.make_threads(session, gate=gate_of(current_app), settings=settings(), now=now)
        demo.unlock_accounts(session)
        logins = demo.logins(session)
    lines = [f"Sign in to look around, with the password: {DEMO_PASSWORD}"]
    for handle, role, secret in logins:
        code = f", TOTP secret {flows.totp_b32(secret)}" if secret else ""
        lines.append(f"  {role:<10} {handle}@example.org{code}")
    return lines
