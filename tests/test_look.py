"""The style sheet keeps what the design promises: contrast in both schemes, and nothing from other hosts."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSS = (ROOT / "static" / "boardwell.css").read_text(encoding="utf-8")

# Ground: what stands on it.
TEXT_ON_GROUND = {
    "bg": ["ink", "ink-2", "link", "visited", "c", "bad"],
    "surface": ["ink", "ink-2", "link", "visited", "brand", "warn", "bad"],
    "sunken": ["ink", "ink-2"],
    "tint": ["ink", "brand-over"],
    "brand": ["brand-ink"],
    "brand-over": ["brand-ink"],
    "head": ["head-ink", "head-2"],
    "sun": ["sun-ink"],
    "sun-over": ["sun-ink"],
    "strip": ["strip-ink"],
    "mark": ["mark-ink"],
    "q-bg": ["q"],
    "x-bg": ["x"],
    "a-bg": ["a"],
    "c-bg": ["c"],
    "warn-bg": ["warn", "ink", "link"],
    "bad-bg": ["bad", "ink", "link"],
    "bad": ["surface"],
    "held-bg": ["held", "ink", "link"],
    "ok-bg": ["ok", "ink", "link"],
    "info-bg": ["ink", "link"],
}
EDGE_ON_GROUND = {
    "bg": ["edge", "focus", "brand"],
    "surface": ["edge", "focus"],
    "head": ["head-edge"],
}


def tokens(scheme: str) -> dict[str, str]:
    """The colours of one scheme; the dark block overrides the light one, as in a browser."""
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", CSS, re.S)[:2]
    pattern = r"--([\w-]+): (#[0-9a-f]{3,6})\b"
    found = dict(re.findall(pattern, light))
    return found | dict(re.findall(pattern, dark)) if scheme == "dark" else found


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two hex colours. Source: WCAG 2.2, relative luminance."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def weak_pairs(pairs: dict[str, list[str]], scheme: str, least: float) -> dict[str, float]:
    """What stands on each ground of one scheme with a contrast below `least`, as "text/ground"."""
    colour = tokens(scheme)
    ratios = {
        f"{on}/{ground}": contrast(colour[on], colour[ground]) for ground, all_on in pairs.items() for on in all_on
    }
    return {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_colour_can_be_read_on_its_ground(scheme: str) -> None:
    assert weak_pairs(TEXT_ON_GROUND, scheme, 4.5) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_edge_and_focus_ring_can_be_seen(scheme: str) -> None:
    assert weak_pairs(EDGE_ON_GROUND, scheme, 3) == {}


def test_a_weak_pair_is_noticed() -> None:
    assert set(weak_pairs({"bg": ["line", "ink"]}, "light", 4.5)) == {"line/bg"}


def test_both_schemes_define_their_own_colours() -> None:
    light, dark = tokens("light"), tokens("dark")
    assert len(light) > 40
    assert sum(light[name] != dark[name] for name in light) > 40


def test_static_files_ask_no_other_host_for_anything() -> None:
    for path in sorted((ROOT / "static").glob("*.*")):
        if path.suffix in {".css", ".js", ".svg"}:
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"@import|https?://|url\(\s*[\"']?(?:data:|//)", text), path.name


def test_templates_hold_no_inline_style_or_script() -> None:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        if path.parent.name == "mail":
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|<script(?![^>]*\ssrc=)", text), path.name
