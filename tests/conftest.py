"""Fixtures for every test. A test that takes `app`, `client` or `session` runs on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.support import browser as browsers
from tests.support import postgres
from tests.support.server import Port
from tests.support.server import live_server as serving
from tests.support.shared import shared_directory
from tests.support.smtp import MailSink, mail_sink
from tests.support.strict import pytest_runtest_makereport  # noqa: F401

pytest_plugins = ("tests.support.cast",)

BACKENDS = ("sqlite", "postgresql")

# A busy machine is slow, which is no finding; and a run that failed must fail again when it is repeated.
hypothesis.settings.register_profile("boardwell", deadline=None, derandomize=True)
hypothesis.settings.load_profile("boardwell")


@pytest.fixture(scope="session")
def port() -> Iterator[Port]:
    """The port that this test process serves the site on."""
    port = Port()
    yield port
    port.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A server of this test process alone; the test is skipped with the reason where none can be had."""
    try:
        with postgres.running() as server:
            yield server
    except postgres.Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def site_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, port: Port) -> Iterator[Any]:
    """The site of a backend, built when a test first wants it and reused until the process ends."""
    from tests.support import sites

    @cache
    def build(backend: str) -> sites.Site:
        directory: Path = tmp_path_factory.mktemp(backend)
        if backend == "sqlite":
            return sites.Site(sites.SqliteDatabase(directory), directory, port)
        server: postgres.Server = request.getfixturevalue("postgres_server")
        return sites.Site(sites.PostgresDatabase(server), directory, port)

    built: dict[str, sites.Site] = {}

    def site(backend: str) -> sites.Site:
        built[backend] = build(backend)
        return built[backend]

    yield site
    for one in built.values():
        sites.close(one)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The database under test; `@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)` narrows."""
    return str(request.param)


@pytest.fixture
def site(site_of: Callable[[str], Any], backend: str) -> Iterator[Any]:
    """The site on a pristine database: `site.settings`, and `site.build(limits=True)` for another app on it."""
    site = site_of(backend)
    site.reset()
    yield site
    site.disconnect(site.app)


@pytest.fixture
def app(site: Any) -> Flask:
    return site.app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor; `app.test_client()` makes another."""
    return app.test_client()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """The session of an app context that lasts as long as the test. A request through `client` commits it first."""
    from core.db import db

    with app.app_context():
        yield db.session()
        db.session.rollback()


@pytest.fixture
def now() -> datetime:
    """A Monday morning within the hours of moderation."""
    return datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
def live_server(app: Flask, port: Port) -> Iterator[str]:
    """The address of the app on a real port; it is the app's BASE_URL too."""
    with serving(app, port) as url:
        yield url


@pytest.fixture
def smtp_sink() -> Iterator[MailSink]:
    """A real mail server; give `smtp_sink.url` to `site.build(mail_url=...)` and read `smtp_sink.messages`."""
    with mail_sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """The driver of all browsers of this process, for tests that start browsers of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Any) -> Iterator[Any]:
    """One Chromium for all browser tests of this process. Mark the test `browser`."""
    from playwright.sync_api import Error

    try:
        browser = browsers.launch(playwright)
    except (browsers.Unavailable, Error) as reason:
        pytest.skip(f"no browser: {reason}")
    yield browser
    browser.close()


@pytest.fixture
def new_page(request: pytest.FixtureRequest, browser: Any) -> Iterator[browsers.Pages]:
    """`new_page(width=375, scripts=False, scheme="dark")` opens a page of a new visitor on the live server.

    A console error, a breach of the content policy, a 5xx or a request to another host fails the test at its end.
    """
    base_url = request.getfixturevalue("live_server") if "app" in request.fixturenames else None
    with browsers.pages(browser, base_url) as pages:
        yield pages


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the shared data; the test is skipped where it is absent."""
    path = shared_directory()
    if not (path / "data").is_dir():
        pytest.skip("shared data absent: set BOARDWELL_SHARED, or put it beside the project")
    return path
