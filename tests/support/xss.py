"""Attack payloads, the strict reading of HTML that they must survive, and a browser that notices when one runs.

The probe takes addresses, so the same code proves a bare page of rendered text and the pages of the running site.
"""

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bleach._vendor import html5lib  # a parser that follows the HTML standard, as it came, without bleach's changes
from playwright.sync_api import Browser, BrowserContext, Error, Frame, Playwright, Request, Route

from tests.support.browser import Unavailable, launch

PAGES_PER_BROWSER = 12  # Chromium slows down and dies on payloads that leak windows and timers.
PAYLOADS_PER_PAGE = 30  # as many as fit into the window: Chromium does not animate frames that are out of sight
PAGE_TIMEOUT = 20_000  # milliseconds

# Everything that can run a script, load one, or make one out of its content.
ACTIVE_ELEMENTS = frozenset(
    {"script", "style", "link", "meta", "base", "iframe", "frame", "frameset", "object", "embed", "applet", "form"}
    | {"input", "button", "select", "textarea", "keygen", "isindex", "svg", "math", "img", "image", "video", "audio"}
    | {"source", "track", "picture", "template", "noscript", "portal", "dialog", "details", "marquee", "xml", "body"}
)
GOOD_SCHEMES = frozenset({"http", "https", "mailto", "tel"})


@dataclass(frozen=True)
class Payload:
    """`executes_raw` names the places where it ran unescaped in Chromium: body, attr, href; empty for most."""

    id: str
    text: str
    executes_raw: tuple[str, ...]


def payloads(path: Path) -> list[Payload]:
    """Read the payload file (gzip, one JSON object a line)."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Payload(row["id"], row["payload"], tuple(row["executes_raw"])) for row in rows]


def violations(fragment: str) -> list[str]:
    """What a browser could run in this HTML, read by a parser that follows the HTML standard; empty when it is safe."""
    found: list[str] = []
    for element in html5lib.parseFragment(fragment, namespaceHTMLElements=False).iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        name = re.sub("^{.*}", "", element.tag).lower()
        if name in ACTIVE_ELEMENTS:
            found.append(f"<{name}>")
        for attribute, value in element.attrib.items():
            bare = re.sub("^{.*}", "", attribute).lower()
            active = re.match("on|(style|srcdoc|formaction|background|srcset)$", bare)
            address = bare in ("href", "src", "action", "data")
            if active or (address and not _is_good_address(value)):
                found.append(f"{name} {bare}={value!r}")
    return found


def _is_good_address(value: str) -> bool:
    # Browsers drop these characters before they look for the scheme.
    bare = re.sub("[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028\u2029\ufeff]", "", value)
    scheme = re.match("([a-z][a-z0-9+.-]*):", bare, re.I)
    return scheme is None or scheme[1].lower() in GOOD_SCHEMES


# --- a server that shows one piece of HTML in a document of its own -------------------------------------------------


class Stage:
    """Serves documents by key on loopback. `batch(keys)` is the address of a page that frames several of them."""

    def __init__(self, documents: dict[str, str]) -> None:
        self.documents = documents
        stage = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                body = stage.page(address.path, parse_qs(address.query).get("key", []))
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write((body or "").encode("utf-8", "surrogatepass"))

            def log_message(self, *_: Any) -> None:
                """Say nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def page(self, path: str, keys: Sequence[str]) -> str | None:
        if path == "/one":
            return self.documents.get(keys[0]) if keys else None
        if path == "/batch":
            # The sandbox keeps a payload from replacing the page that its neighbours run on; it may do all else.
            frames = "".join(
                f'<iframe name="{key}" src="/one?key={key}" sandbox="allow-scripts allow-same-origin allow-modals'
                f' allow-forms allow-popups" width="190" height="90"></iframe>'
                for key in keys
            )
            return f"<!doctype html><title>batch</title><body>{frames}"
        return None

    def one(self, key: str) -> str:
        return f"{self.url}/one?key={key}"

    def batch(self, keys: Sequence[str]) -> str:
        return f"{self.url}/batch?" + "&".join(f"key={key}" for key in keys)

    def __enter__(self) -> "Stage":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


# --- the browser that notices ---------------------------------------------------------------------------------------

# Runs in every document before its own scripts: reports whatever only a running payload would do, then provokes
# handlers that wait for a person. Links and forms are kept from leading away, unless they lead to a script.
_PROBE = """
(() => {
  const report = (what) => { try { window.__executed(String(what)); } catch (e) { console.debug('probe', e); } };
  for (const name of ['alert', 'confirm', 'prompt', 'print']) {
    window[name] = (...given) => { report(name + '(' + given.map(String).join(', ') + ')'); return null; };
  }
  const isScript = (address) => /^[\\u0000-\\u0020]*(javascript|vbscript|data):/i.test(address ?? '');
  const addressOf = (link) => link.href?.baseVal ?? link.href;
  window.addEventListener('click', (event) => {
    const link = event.target.closest?.('a, area');
    if (link && !isScript(addressOf(link))) event.preventDefault();
  }, true);
  window.addEventListener('submit', (event) => {
    const action = event.submitter?.getAttribute('formaction') ?? event.target.getAttribute('action');
    if (!isScript(action)) event.preventDefault();
  }, true);
  const provoke = () => {
    for (const element of document.querySelectorAll('*')) {
      for (const type of ['mouseover', 'mouseenter', 'mousemove', 'mousedown', 'mouseup', 'mouseout', 'mouseleave',
                          'dblclick', 'contextmenu', 'wheel']) {
        element.dispatchEvent(new MouseEvent(type, {bubbles: type !== 'mouseenter', cancelable: true}));
      }
      for (const type of ['pointerover', 'pointerenter', 'pointermove', 'pointerdown', 'pointerup', 'pointerrawupdate',
                          'gotpointercapture', 'pointerleave', 'pointerout']) {
        element.dispatchEvent(new PointerEvent(type, {bubbles: true, cancelable: true}));
      }
      for (const type of ['focus', 'focusin', 'blur', 'focusout', 'input', 'change', 'select', 'copy', 'cut', 'paste',
                          'drag', 'dragstart', 'dragenter', 'dragover', 'drop', 'dragend', 'dragleave', 'toggle',
                          'search', 'beforeinput', 'invalid', 'reset', 'scroll', 'show', 'touchstart', 'touchmove',
                          'touchend', 'keydown', 'keypress', 'keyup', 'beforecopy', 'beforecut', 'beforepaste',
                          'webkitmouseforcedown', 'selectstart', 'auxclick', 'scrollend', 'beforetoggle']) {
        element.dispatchEvent(new Event(type, {bubbles: true, cancelable: true}));
      }
      if (element.focus) element.focus();
      element.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
    }
  };
  const begin = () => setTimeout(() => {
    try { provoke(); } catch (error) { console.debug('probe', error); }
    setTimeout(() => { window.__settled = true; }, 250);
  }, 100);
  if (document.readyState === 'complete') begin(); else window.addEventListener('load', begin);
})();
"""
_SETTLED = """() => {
  const settled = (w) => { try { return w.__settled === true; } catch (e) { return true; } };
  return [window, ...Array.from(window.frames)].every(settled);
}"""


@dataclass
class Visit:
    """What happened on one page: what ran, by document (its key on a stage, else its address), and foreign requests."""

    status: int = 0  # An error page runs nothing either: a proof looks at this too.
    executed: dict[str, list[str]] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)
    failed: str = ""


class Probe:
    """Opens pages without their content policy and watches for anything that runs.

    Restarts the browser every dozen pages. Use as a context manager; `prepare(context)` may sign a visitor in.
    """

    def __init__(self, playwright: Playwright, prepare: Callable[[BrowserContext], None] | None = None) -> None:
        self._playwright = playwright
        self._prepare = prepare
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None
        self._pages = 0
        self._visit = Visit()
        self._here = ""

    def __enter__(self) -> "Probe":
        try:
            self._start()
        except (Unavailable, Error) as reason:
            pytest.skip(f"no browser: {reason}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def visit(self, url: str, read: Callable[[Any], None] | None = None) -> Visit:
        """Load `url`, provoke every element, and return what ran. `read(page)` may look at the page before."""
        if self._pages >= PAGES_PER_BROWSER:
            self._stop()
        context = self._context or self._start()
        self._pages += 1
        self._visit = visit = Visit()
        self._here = urlsplit(url).netloc
        page = context.new_page()
        page.on("dialog", lambda dialog: (self._note(page.url, f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: self._note(page.url, f"popup {popup.url}"))
        try:
            response = page.goto(url, wait_until="load", timeout=PAGE_TIMEOUT)
            visit.status = response.status if response else 0
            if read:
                read(page)
            page.wait_for_function(_SETTLED, timeout=PAGE_TIMEOUT)
            if page.url.split("#")[0] != url.split("#")[0] and urlsplit(page.url).netloc != self._here:
                self._note(url, f"went to {page.url}")
        except Error as error:
            visit.failed = str(error).splitlines()[0]
            self._stop()
            return visit
        for open_page in context.pages:
            with contextlib.suppress(Error):
                open_page.close()
        return visit

    def _start(self) -> BrowserContext:
        self._browser = launch(self._playwright)
        self._context = self._browser.new_context(bypass_csp=True, service_workers="block", accept_downloads=False)
        self._context.expose_binding("__executed", lambda source, what: self._note(_document(source["frame"]), what))
        self._context.add_init_script(_PROBE)
        self._context.route("**/*", self._gate)
        if self._prepare:
            self._prepare(self._context)
        self._pages = 0
        return self._context

    def _stop(self) -> None:
        with contextlib.suppress(Error):
            if self._browser:
                self._browser.close()
        self._browser = self._context = None
        self._pages = 0

    def _note(self, where: str, what: str) -> None:
        self._visit.executed.setdefault(where, []).append(what)

    def _gate(self, route: Route, request: Request) -> None:
        address = urlsplit(request.url)
        if address.netloc == self._here or address.scheme in ("data", "blob", "about"):
            route.continue_()
            return
        self._visit.requested.append(request.url)
        route.abort()


def _document(frame: Frame) -> str:
    """The key of the staged document that a frame belongs to, through frames that a payload made; else its address."""
    inner: Frame | None = frame
    while inner:
        if urlsplit(inner.url).path == "/one":
            return parse_qs(urlsplit(inner.url).query)["key"][0]
        if inner.parent_frame and urlsplit(inner.parent_frame.url).path == "/batch":
            return inner.name  # it led its own frame away
        inner = inner.parent_frame
    return frame.url


def run(probe: Probe, stage: Stage, keys: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Show every document once; returns what ran by key, and the requests to other hosts.

    A page that a payload breaks is shown again, one document at a time, so that no neighbour goes untried; a document
    that breaks its own page counts as run.
    """
    ran: dict[str, list[str]] = {}
    requested: list[str] = []
    for batch in _batches(keys, PAYLOADS_PER_PAGE):
        visit = probe.visit(stage.batch(batch))
        if not visit.failed:
            _collect(visit, ran, requested)
            continue
        for key in batch:
            alone = probe.visit(stage.one(key))
            _collect(alone, ran, requested)
            if alone.failed:
                ran.setdefault(key, []).append(f"page failed: {alone.failed}")
    return ran, requested


def _collect(visit: Visit, ran: dict[str, list[str]], requested: list[str]) -> None:
    for key, what in visit.executed.items():
        ran.setdefault(key, []).extend(what)
    requested.extend(visit.requested)


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
