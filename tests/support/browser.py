"""A real Chromium. A page that logs an error, breaks the content policy or asks another host fails its test."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, Response

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HEIGHTS = {320: 640, 375: 812}
LOCAL_SCHEMES = {"data", "blob", "about", "chrome-error"}


class Unavailable(Exception):
    """No browser can be had on this machine; the text says why."""


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, else the one that Playwright fetched for itself."""
    system = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    executable = system or playwright.chromium.executable_path
    if not Path(executable).exists():
        raise Unavailable("no Chromium: install the package chromium, or run `playwright install chromium`")
    return playwright.chromium.launch(executable_path=executable, args=FLAGS)


class Pages:
    """Opens pages, each in a fresh profile (no cookies shared), and collects what went wrong on them."""

    def __init__(self, browser: Browser, base_url: str | None = None) -> None:
        self.browser = browser
        self.base_url = base_url
        self.complaints: list[str] = []
        self._contexts: list[BrowserContext] = []

    def __call__(
        self,
        width: int = 1280,
        scripts: bool = True,
        scheme: str = "light",
        **context_options: Any,
    ) -> Page:
        """A page of a new visitor. `width` in CSS pixels; `scripts=False` turns JavaScript off."""
        options: dict[str, Any] = {
            "viewport": {"width": width, "height": HEIGHTS.get(width, 900)},
            "java_script_enabled": scripts,
            "color_scheme": scheme,
            "locale": "en-GB",
            "timezone_id": "UTC",
            "reduced_motion": "reduce",
        }
        if self.base_url:
            options["base_url"] = self.base_url
        context = self.browser.new_context(**options | context_options)
        context.set_default_timeout(15_000)
        self._contexts.append(context)
        self.watch(context)
        return context.new_page()

    def watch(self, context: BrowserContext) -> None:
        """Collect complaints about every page of this profile."""
        documents: set[str] = set()

        def on_request(request: Request) -> None:
            address = urlsplit(request.url)
            here = urlsplit(self.base_url or "").netloc
            if here and address.netloc != here and address.scheme not in LOCAL_SCHEMES:
                self.complaints.append(f"asked another host: {request.url}")
            if request.is_navigation_request():
                documents.add(request.url)

        def on_response(response: Response) -> None:
            if response.status >= 500:
                self.complaints.append(f"{response.status} for {response.request.method} {response.url}")

        def on_console(message: ConsoleMessage) -> None:
            if message.type != "error":
                return
            # Chromium logs every page with a 4xx status, and such a page may be just what the test wants.
            if message.text.startswith("Failed to load resource") and message.location.get("url") in documents:
                return
            self.complaints.append(f"console: {message.text} ({message.location.get('url')})")

        context.on("request", on_request)
        context.on("response", on_response)
        context.on("console", on_console)
        context.on("weberror", lambda error: self.complaints.append(f"script error: {error.error}"))

    def close(self) -> None:
        """Close every page opened here, and fail if any of them had a complaint."""
        for context in self._contexts:
            with contextlib.suppress(Exception):
                context.close()
        self._contexts.clear()
        assert not self.complaints, "the browser complained:\n" + "\n".join(dict.fromkeys(self.complaints))


@contextlib.contextmanager
def pages(browser: Browser, base_url: str | None = None) -> Iterator[Pages]:
    """Pages for one block; complaints fail at its end."""
    factory = Pages(browser, base_url)
    try:
        yield factory
    finally:
        factory.close()
