"""Every known attack in a real browser: after our chain none runs, although the browser's own defences are off.

Each payload gets a document of its own. The control shows the same documents without the chain: there they do run, so a
quiet result means that the chain works and not that the probe sleeps.
"""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import pytest
from markdown_it import MarkdownIt

from core.markup import render, sanitise
from tests.support import xss
from tests.support.shared import shared_file

pytestmark = [pytest.mark.browser, pytest.mark.shared_data]

HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>stage</title><body>'
RAW_HTML = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])


@pytest.fixture
def payloads() -> list[xss.Payload]:
    return xss.payloads(shared_file("xss_shared.jsonl.gz"))


@pytest.fixture
def probe(playwright: Any) -> Iterator[xss.Probe]:
    with xss.Probe(playwright) as probe:
        yield probe


def unescaped(payloads: list[xss.Payload]) -> dict[str, str]:
    """Each payload in the body of a page, and in an attribute and a link where it is known to run there."""
    documents = {f"{p.id}-body": f"{HEAD}<div>{p.text}</div>" for p in payloads}
    documents |= {f"{p.id}-attr": f'{HEAD}<input value="{p.text}">' for p in payloads if "attr" in p.executes_raw}
    documents |= {f"{p.id}-href": f'{HEAD}<a href="{p.text}">x</a>' for p in payloads if "href" in p.executes_raw}
    return documents


def cleaned(payloads: list[xss.Payload]) -> dict[str, str]:
    """Each payload as a title, as a member's post, as imported HTML, and as raw HTML that bleach alone has cleaned."""
    documents = {}
    for payload in payloads:
        alone = "".join(sanitise(RAW_HTML.render(payload.text), profile) for profile in ("post", "article", "imported"))
        posts = "".join(f"<article>{render(payload.text, profile).html}</article>" for profile in ("post", "imported"))
        title = escape(payload.text)
        documents[payload.id] = f'{HEAD}<h1 title="{title}">{title}</h1>{posts}<section>{alone}</section>'
    return documents


def prove(probe: xss.Probe, payloads: list[xss.Payload], record: Callable[[str], None], *, at_least: int) -> None:
    known = {payload.id for payload in payloads if payload.executes_raw}
    documents = unescaped(payloads)
    with xss.Stage(documents) as stage:
        ran, _ = xss.run(probe, stage, list(documents))
    caught = {key.split("-")[0] for key in ran if key in documents}
    figures = f"{len(caught)} of {len(payloads)} payloads run unescaped, {len(caught & known)} of {len(known)} known"
    record(f"control: {figures}")
    assert len(caught) > at_least

    documents = cleaned(payloads)
    with xss.Stage(documents) as stage:
        ran, requested = xss.run(probe, stage, list(documents))
    record(f"after the chain: {len(ran)} of {len(documents)} run, {len(requested)} requests to other hosts")
    assert ran == {}
    assert requested == []


def test_a_sample_of_the_attacks_runs_unescaped_and_not_after_the_chain(
    probe: xss.Probe, payloads: list[xss.Payload]
) -> None:
    known = [payload for payload in payloads if payload.executes_raw]
    prove(probe, known[:: len(known) // 60], lambda _: None, at_least=50)


@pytest.mark.soak
def test_none_of_the_attacks_runs_after_the_chain(
    probe: xss.Probe, payloads: list[xss.Payload], capsys: pytest.CaptureFixture[str]
) -> None:
    def record(figures: str) -> None:
        with capsys.disabled():
            print(figures)  # noqa: T201 - the figures are the proof that `make soak` is run for

    assert len(payloads) == 3_713
    prove(probe, payloads, record, at_least=900)
