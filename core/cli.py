"""Commands of the house: the worker, the checks, and the server that `make run` starts."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import click
import flask_migrate
import structlog
import waitress
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from core import backup, outbox
from core.db import db, unit_of_work, utc_now
from core.web import API_PREFIX

log = structlog.get_logger("boardwell")

# How long an idle worker waits before it looks again, in seconds.
IDLE = 1.0
HOUSEKEEPING_EVERY = 3600.0
WATCH_EVERY = 30.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")

jobs = AppGroup("jobs", help="The worker: delivers mail and webhooks, and tidies up.")
ops = AppGroup("ops", help="Run and check the site.")
groups = (jobs, ops)


def deliver_next() -> bool:
    """Deliver one due message; False when there is none. A handler that fails is tried again later."""
    with unit_of_work() as session:
        delivery = outbox.lease_next(session, now=utc_now())
    if delivery is None:
        return False
    handlers = current_app.extensions["boardwell.handlers"]
    try:
        handlers[delivery.kind](delivery.payload)
    except Exception as error:
        db.session.rollback()
        log.error("delivery failed", message=delivery.id, kind=delivery.kind, error=repr(error)[:500])
        with unit_of_work() as session:
            outbox.mark_failed(session, delivery, repr(error), now=utc_now())
        return True
    with unit_of_work() as session:
        outbox.mark_sent(session, delivery.id, now=utc_now())
    return True


def tidy_up() -> None:
    """Forget what is past its time, each kind in a transaction of its own."""
    _each("boardwell.housekeeping")


def watch() -> None:
    """Look after what must not wait for the hour, each kind in a transaction of its own."""
    _each("boardwell.watch")


def _each(kind: str) -> None:
    for do in current_app.extensions[kind]:
        with unit_of_work() as session:
            do(session, now=utc_now())


def work(app: Flask, stop: threading.Event, *, once: bool = False) -> int:
    """Deliver until told to stop (or, with `once`, until nothing is due); returns how many messages were handled."""
    handled, tidied, watched = 0, -HOUSEKEEPING_EVERY, -WATCH_EVERY
    while not stop.is_set():
        with app.app_context():
            try:
                if time.monotonic() - tidied >= HOUSEKEEPING_EVERY:
                    tidy_up()
                    tidied = time.monotonic()
                if time.monotonic() - watched >= WATCH_EVERY:
                    watch()
                    watched = time.monotonic()
                busy = deliver_next()
            except Exception as error:
                # The database may be away for a moment; the worker outlives that.
                if once:
                    raise
                log.error("worker", error=repr(error)[:500])
                busy = False
            finally:
                db.session.remove()
        if busy:
            handled += 1
        elif once:
            break
        else:
            stop.wait(IDLE)
    return handled


@jobs.command("run")
@click.option("--once", is_flag=True, help="Deliver what is due now, then end.")
def run_jobs(once: bool) -> None:
    """Deliver mail and webhooks. SIGTERM finishes the message in hand."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    handled = work(app, stop, once=once)
    click.echo(f"{handled} messages handled")


@ops.command("check")
def check() -> None:
    """Verify the invariants: counts, pointers, states, the audit chain, orphan rows. Exit 1 with what is wrong."""
    try:
        wrong = [line for checks in current_app.extensions["boardwell.checks"] for line in checks(db.session())]
    except DBAPIError as error:
        why = "The database does not answer, or lacks the tables of this version."
        raise click.ClickException(f"{why} Is it there? Then run: flask --app wsgi db upgrade") from error
    for line in wrong:
        click.echo(line)
    if wrong:
        click.echo(f"{len(wrong)} invariants are broken.", err=True)
        sys.exit(1)
    click.echo("All invariants hold.")


@ops.command("backup")
@click.argument("path", type=click.Path(path_type=Path))
def back_up(path: Path) -> None:
    """Copy the whole database into the new file PATH, while the site runs."""
    started = time.monotonic()
    try:
        size = backup.backup(db.engine.url, path, say=click.echo)
    except backup.BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path}: {size / 1_000_000:,.1f} MB in {time.monotonic() - started:.1f} s.")
    click.echo("It holds everything that members wrote: keep it safe. The secret key is not in it: keep that apart.")


@ops.command("restore")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace whatever is in the database.")
def restore(path: Path, force: bool) -> None:
    """Put the backup PATH into an empty database. Stop the site first."""
    started = time.monotonic()
    db.engine.dispose()
    try:
        backup.restore(db.engine.url, path, force=force, say=click.echo)
    except backup.BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Restored in {time.monotonic() - started:.1f} s.")
    if backup.version_of(db.engine.url) != _newest_migration():
        click.echo("The backup is of another version of Boardwell: run `flask --app wsgi db upgrade` first.")
    click.echo("Then see whether all is well: `flask --app wsgi ops check`, `flask --app wsgi moderation verify-log`.")


def _newest_migration() -> str | None:
    config = current_app.extensions["migrate"].migrate.get_config()
    return ScriptDirectory.from_config(config).get_current_head()


@ops.command("up")
def up() -> None:
    """Migrate, load the starter content, make demo members (on a loopback address only), and serve."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    host, port = os.environ.get("HOST", "127.0.0.1"), _port()
    flask_migrate.upgrade()
    lines = []
    for prepare in app.extensions["boardwell.setup"]:
        lines += prepare(demo_wanted=host in LOOPBACK)
    serve(app, host, port, lines)


def _port() -> int:
    value = os.environ.get("PORT", "8000")
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise click.ClickException(f"PORT must be a number from 1 to 65535, not {value!r}")
    return int(value)


class Refusal(ErrorTask):
    """What the server itself refuses before the app sees it (a huge body, a broken request): programs get a problem."""

    def execute(self) -> None:
        error = self.request.error
        # A request that broke in its first line has no path.
        if not getattr(self.request, "path", "").startswith(API_PREFIX):
            super().execute()
            return
        code = {413: "too-large"}.get(error.code, "bad-request")
        detail = "A request may have at most 1 MiB." if error.code == 413 else "This is not a request that we can read."
        problem = {"type": "about:blank", "title": error.reason, "status": error.code, "detail": detail}
        body = json.dumps(problem | {"code": code, "errors": []}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def serve(app: Flask, host: str, port: int, lines: list[str]) -> None:
    """Serve until SIGTERM or Ctrl-C; the worker runs beside the server and finishes the message in hand."""
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=8,
            ident=None,
            connection_limit=1000,
            # Our own limit of 1 MiB answers with a clear error; this one only guards memory.
            max_request_body_size=16 * 1_048_576,
        )
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}. Try another PORT.") from error
    HTTPChannel.error_task_class = Refusal
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(app, stop), name="worker")
    worker.start()
    signal.signal(signal.SIGTERM, _end)
    shown = f"[{host}]" if ":" in host else host
    for line in ["", f"Boardwell runs at http://{shown}:{port}", *lines, ""]:
        click.echo(line)
    try:
        server.run()
    except (SystemExit, KeyboardInterrupt):
        click.echo("Stopping.")
    finally:
        stop.set()
        worker.join()
        server.close()


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
