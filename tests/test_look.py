"""The style sheet keeps what the design promises: contrast in both schemes, and nothing from other hosts."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSS = (ROOT / "static" / "boardwell.css").read_text(encoding="utf-8")

TEXT_ON_GROUND = """
    ink/bg ink/surface ink/sunken ink/tint ink-2/bg ink-2/surface ink-2/sunken link/bg link/surface visited/bg visited/surface
    brand/surface brand-ink/brand brand-ink/brand-over brand-over/tint head-ink/head head-2/head sun-ink/sun sun-ink/sun-over
    strip-ink/strip mark-ink/mark q/q-bg x/x-bg a/a-bg c/c-bg c/bg warn/warn-bg warn/surface bad/bg bad/surface bad/bad-bg surface/bad
    held/held-bg ok/ok-bg ink/info-bg ink/ok-bg ink/warn-bg ink/bad-bg ink/held-bg link/info-bg link/ok-bg link/warn-bg link/bad-bg
    link/held-bg
""".split()
EDGE_ON_GROUND = "edge/bg edge/surface focus/bg focus/surface brand/bg head-edge/head".split()


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


def weak_pairs(pairs: list[str], scheme: str, least: float) -> dict[str, float]:
    """The pairs "text/ground" of one scheme whose contrast is below `least`."""
    colour = tokens(scheme)
    ratios = {pair: contrast(*(colour[name] for name in pair.split("/"))) for pair in pairs}
    return {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_colour_can_be_read_on_its_ground(scheme: str) -> None:
    assert weak_pairs(TEXT_ON_GROUND, scheme, 4.5) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_edge_and_focus_ring_can_be_seen(scheme: str) -> None:
    assert weak_pairs(EDGE_ON_GROUND, scheme, 3) == {}


def test_a_weak_pair_is_noticed() -> None:
    assert set(weak_pairs(["line/bg", "ink/bg"], "light", 4.5)) == {"line/bg"}


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
