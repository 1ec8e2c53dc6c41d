"""The dashboard as a page and as JSON: for whom, what it says and what it costs; and its plots."""

import re
from html import unescape
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy.orm import Session

from auth.models import Member
from core.db import utc_now
from moderation import metrics, plots
from tests.flows.scene import sign_in_on
from tests.forum.counting import counting
from tests.moderation.a_year import live_through
from tests.moderation.desk import Desk, html_of, text_of
from tests.support.browser import Pages
from tests.support.cast import bearer

PAGE = "/moderation/dashboard"
API = "/api/v1/moderation/metrics"
# All but two of them hold a plot.
CARDS = 13
PLOT = re.compile(r'<svg class="plot__ink".*?</svg>', re.DOTALL)


def card(html: str, name: str) -> str:
    """One card of the page: from its heading to the end of its article."""
    found = re.search(rf'<article class="plot" aria-labelledby="{name}">.*?</article>', html, re.DOTALL)
    assert found, f"no card {name}"
    return found[0]


def rows(part: str) -> list[list[str]]:
    """The body of the first table of a piece of a page, as text."""
    body = re.search(r"<tbody>.*?</tbody>", part, re.DOTALL)
    assert body, "no table"
    return [
        [
            " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr>.*?</tr>", body[0], re.DOTALL)
    ]


def test_the_dashboard_shows_each_figure_as_a_plot_and_as_a_table(desk: Desk, session: Session, mo: Member) -> None:
    live_through(session, utc_now())
    html = html_of(desk.get(mo, f"{PAGE}?days=365"))
    found = metrics.metrics(session, days=365, now=utc_now())
    drawn = plots.draw(found)
    assert html.count('<article class="plot"') == CARDS
    assert len(PLOT.findall(html)) == CARDS - 2
    flow = rows(card(html, "flow"))
    assert [(int(row[2]), int(row[4])) for row in flow] == [
        (part.opened, part.decisions) for part in reversed(drawn.periods)
    ]
    assert sum(int(row[2]) for row in flow) == sum(day.opened for day in found.days)
    depth = rows(card(html, "depth"))
    assert [[int(cell) for cell in row[1:]] for row in depth] == [
        list(part.waiting) for part in reversed(drawn.periods)
    ]
    assert [row[0] for row in rows(card(html, "times"))] == [
        "All boards",
        *(board.name for board in found.times.boards),
    ]
    late = rows(card(html, "late"))
    assert [row[1:3] for row in late] == [[str(row.decided), str(row.late)] for row in found.lateness]
    assert [row[-2:] for row in rows(card(html, "rules"))] == [
        [str(rule.decisions), str(rule.restricting)] for rule in found.rules
    ]
    assert [row[1] for row in rows(card(html, "objections"))] == [str(n.appeals) for n in found.objections.outcomes]
    assert [row[1] for row in rows(card(html, "verdicts"))] == [str(row.decisions) for row in found.verdicts]
    assert rows(card(html, "load")) == [
        [r.handle or "Former member", str(r.decisions), str(r.days)] for r in found.load
    ]
    assert sum(int(row[2]) for row in rows(card(html, "answered"))) == found.answers.questions
    assert sum(int(row[2]) for row in rows(card(html, "returned"))) == found.newcomers.newcomers
    assert [row[1] for row in rows(html[html.index("Waiting at this moment") :])] == [
        str(row.waiting) for row in found.now
    ]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_every_plot_is_well_formed_named_and_free_of_style_and_script(desk: Desk, session: Session, mo: Member) -> None:
    live_through(session, utc_now())
    html = html_of(desk.get(mo, PAGE))
    drawn = PLOT.findall(html)
    assert drawn
    for svg in drawn:
        picture = ElementTree.fromstring(svg)
        assert picture.get("role") == "img"
        assert len(picture.get("aria-label") or "") > 20
        assert [node.text for node in picture.iter("text") if node.get("class") == "unit"], "an axis without a name"
        assert {node.get("style") for node in picture.iter()} == {None}
        for node in picture.iter():
            assert not re.search(r"nan|inf|None|Undefined", " ".join(node.attrib.values())), node.attrib
            for name in ("x", "cx"):
                assert 0 <= float(node.get(name, 0)) <= plots.WIDTH


def test_an_empty_site_says_so_instead_of_drawing(desk: Desk, mo: Member) -> None:
    answer = desk.get(mo, PAGE)
    assert answer.status_code == 200
    assert text_of(answer).count("Nothing in these days.") == 7
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "asked, days", [("", 30), ("?days=90", 90), ("?days=365", 365), ("?days=7", 30), ("?days=x", 30)]
)
def test_how_far_back_is_chosen_by_a_form(desk: Desk, mo: Member, asked: str, days: int) -> None:
    html = html_of(desk.get(mo, PAGE + asked))
    assert re.findall(r'name="days" value="(\d+)" aria-pressed="true"', html) == [str(days)]
    assert re.findall(r'name="days" value="(\d+)"', html) == ["30", "90", "365"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_newcomers_of_the_last_days_are_too_new_to_judge(desk: Desk, session: Session, mo: Member) -> None:
    live_through(session, utc_now())
    part = card(html_of(desk.get(mo, PAGE)), "returned")
    assert "It is too early to tell" in part
    assert not PLOT.findall(part)
    assert sum(int(row[3]) for row in rows(part)) == metrics.metrics(session, days=30, now=utc_now()).newcomers.returned


def test_only_moderators_and_leads_see_the_figures(desk: Desk, ann: Member, ada: Member, lea: Member) -> None:
    visitor = desk.app.test_client().get(PAGE)
    assert (visitor.status_code, visitor.location.split("?")[0]) == (302, "/login")
    assert desk.get(ann, PAGE).status_code == 403
    assert desk.get(ada, PAGE).status_code == 403
    assert desk.get(lea, PAGE).status_code == 200
    client = desk.app.test_client()
    assert client.get(API).status_code == 401
    assert client.get(API, headers=bearer(ann, "read,write,moderate")).status_code == 403
    assert client.get(API, headers=bearer(lea, "read")).status_code == 403


def test_the_api_gives_the_same_figures(desk: Desk, session: Session, mo: Member) -> None:
    live_through(session, utc_now())
    answer = desk.app.test_client().get(f"{API}?days=90", headers=bearer(mo, "moderate"))
    assert answer.status_code == 200
    told = answer.get_json()
    found = metrics.metrics(session, days=90, now=utc_now())
    assert told["since"] == found.window.since.isoformat()
    assert [row["waiting"] for row in told["waiting"]] == [row.waiting for row in found.now]
    assert [(day["date"], day["opened"], day["decisions"]) for day in told["days"]] == [
        (day.date.isoformat(), day.opened, day.decisions) for day in found.days
    ]
    assert told["days"][-1]["waiting"] == dict(zip(("P0", "P1", "P2", "P3", "P4"), found.days[-1].waiting, strict=True))
    times = told["time_to_decision"]
    assert (times["p50_seconds"], times["p95_seconds"]) == (found.times.p50_seconds, found.times.p95_seconds)
    assert [board["p95_seconds"] for board in times["boards"]] == [board.p95_seconds for board in found.times.boards]
    assert [(row["decided"], row["late"]) for row in told["breaches"]] == [(r.decided, r.late) for r in found.lateness]
    assert {row["verdict"]: row["decisions"] for row in told["verdicts"]} == {
        row.verdict.value: row.decisions for row in found.verdicts
    }
    assert [row["rule"] for row in told["rules"]] == [row.code for row in found.rules]
    assert told["taken_back"]["rate"] == found.taken_back.rate
    assert told["overturn_rate"] == found.overturn_rate
    assert told["appeals"]["decided"] == found.objections.decided == sum(told["appeals"]["outcomes"].values())
    assert [row["handle"] for row in told["moderators"]] == [row.handle for row in found.load]
    assert told["answers"]["share_24h"] == found.answers.share_24h
    assert told["answers"]["median_seconds"] == found.answers.median_seconds
    assert told["newcomers"]["share"] == found.newcomers.share
    assert len(told["newcomers"]["days"]) == len(told["answers"]["days"]) == 90


def test_the_api_refuses_a_window_that_does_not_exist(desk: Desk, mo: Member) -> None:
    answer = desk.app.test_client().get(f"{API}?days=31", headers=bearer(mo, "moderate"))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == ["days"]


def test_the_page_costs_the_same_with_a_year_of_rows(desk: Desk, session: Session, mo: Member) -> None:
    client = desk.client(mo)
    client.get(PAGE)
    with counting(session) as few:
        client.get(f"{PAGE}?days=365")
    live_through(session, utc_now())
    session.commit()
    with counting(session) as many:
        assert client.get(f"{PAGE}?days=365").status_code == 200
    assert len(few) == len(many) <= 21, many


@pytest.mark.browser
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("width, scheme", [(375, "dark"), (1280, "light")])
def test_the_dashboard_is_usable_by_everybody(
    desk: Desk, session: Session, mo: Member, new_page: Pages, width: int, scheme: str
) -> None:
    live_through(session, utc_now())
    session.commit()
    page = new_page(width=width, scheme=scheme)
    sign_in_on(page, mo)
    page.goto(f"{PAGE}?days=90")
    for summary in page.locator(".plot summary").all():
        summary.click()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # The text of a plot stays as large as small print, however narrow the page is.
    sizes = page.evaluate(
        "[...document.querySelectorAll('.plot__ink')].map(s => 12 * s.getBoundingClientRect().width / 320)"
    )
    assert min(sizes) >= 11


# --- Geometry ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most, ticks", [(0, 1), (1, 1), (7, 4), (99.5, 4), (100, 4), (1234, 4), (3, 1)])
def test_an_axis_begins_at_zero_and_reaches_just_beyond_the_largest_value(most: float, ticks: int) -> None:
    values = plots.scale(most, ticks)
    steps = {round(b - a, 6) for a, b in pairwise(values)}
    assert values[0] == 0
    assert len(steps) == 1
    assert most <= values[-1]
    assert values[-2] < max(most, 1)


def test_a_line_breaks_where_a_value_is_missing_and_a_lone_point_is_a_dot() -> None:
    found = metrics.window(30, now=utc_now())
    dates = [found.date_of(n) for n in range(5)]
    line = plots.line_plot(dates, [[1, 2, None, 4, None]], top=4).lines[0]
    assert line.path.count("M") == 2
    assert line.path.endswith("h0")
    assert len(line.marks) == 3


@pytest.mark.parametrize("days, length, parts", [(30, 1, 30), (90, 7, 13), (365, 7, 53), (365, 28, 14)])
def test_days_are_put_together_from_the_newest(days: int, length: int, parts: int) -> None:
    span = metrics.window(days, now=utc_now())
    each = [metrics.Day(span.date_of(n), n, 1, (0,) * 5, (None,) * 5) for n in range(days)]
    found = plots.periods(each, length)
    assert len(found) == parts
    assert {part.days for part in found[1:]} == {length}
    assert found[0].days == days - length * (parts - 1)
    assert sum(part.decisions for part in found) == days
    assert found[-1].last == each[-1].date


def test_durations_far_apart_are_both_seen() -> None:
    rows = [metrics.BoardTimes("a", "A", 9, 300, 40 * 86_400), metrics.BoardTimes("b", "B", 9, 7_200, 7_200)]
    drawn = plots.duration_plot(rows, "p50_seconds", "p95_seconds")
    assert [tick.value for tick in drawn.x_ticks] == [60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000]
    assert drawn.bars[0].start < drawn.bars[1].start == drawn.bars[1].end < drawn.bars[0].end
