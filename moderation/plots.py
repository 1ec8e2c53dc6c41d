"""Where the ink of the dashboard's plots goes: pure geometry in SVG user units; words and colours are the templates'.

A plot is 320 units wide, about the width of a phone, so that its text is as large as the page's at every width.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from moderation.metrics import PRIORITIES, AnswerDay, Day, Metrics, NewcomerDay, Window, share

WIDTH = 320
RIGHT = 312
# How many days one point of a plot holds: of what is counted, and of shares, which need more to be steady.
DAYS_A_POINT = {30: 1, 90: 7, 365: 7}
DAYS_A_SHARE = {30: 7, 90: 7, 365: 28}
# With more points than this a line carries a mark at its end only.
MOST_MARKS = 31
# Lines of text that a row of a bar plot takes, in units.
BAR_ROW = 36
MOST_BARS = 8
BARS_LEFT = 4.0
# What may stand on an axis of durations, in seconds.
DURATIONS = (60, 600, 3_600, 6 * 3_600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)

MINUTE, HOUR, DAY = 60, 3_600, 86_400


# --- Days put together -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """Some days in a row. Counts are their sums; `waiting` and ages are as of the end of the last one."""

    first: date
    last: date
    days: int
    opened: int
    decisions: int
    waiting: tuple[int, ...]
    mean_age_seconds: tuple[int | None, ...]

    @property
    def opened_a_day(self) -> float:
        return self.opened / self.days

    @property
    def decisions_a_day(self) -> float:
        return self.decisions / self.days


@dataclass(frozen=True)
class Shares:
    """How the forum fared in some days in a row; a share is None where nothing can be told yet."""

    first: date
    last: date
    questions: int
    ripe_24h: int
    within_24h: int
    ripe_7d: int
    within_7d: int
    newcomers: int
    returned: int
    ripe: int
    ripe_returned: int

    @property
    def share_24h(self) -> float | None:
        return share(self.within_24h, self.ripe_24h)

    @property
    def share_7d(self) -> float | None:
        return share(self.within_7d, self.ripe_7d)

    @property
    def share_returned(self) -> float | None:
        return share(self.ripe_returned, self.ripe)


def periods(days: Sequence[Day], length: int) -> tuple[Period, ...]:
    """So many days each, counted from the newest, so that the first may be shorter."""
    return tuple(
        Period(
            first=part[0].date,
            last=part[-1].date,
            days=len(part),
            opened=sum(day.opened for day in part),
            decisions=sum(day.decisions for day in part),
            waiting=part[-1].waiting,
            mean_age_seconds=part[-1].mean_age_seconds,
        )
        for part in _parts(days, length)
    )


def shares(answers: Sequence[AnswerDay], newcomers: Sequence[NewcomerDay], length: int) -> tuple[Shares, ...]:
    """The same for questions and newcomers."""
    counted = (
        ("questions", "ripe_24h", "within_24h", "ripe_7d", "within_7d"),
        ("newcomers", "returned", "ripe", "ripe_returned"),
    )
    return tuple(
        Shares(
            asked[0].date,
            asked[-1].date,
            *(sum(getattr(day, name) for day in asked) for name in counted[0]),
            *(sum(getattr(day, name) for day in new) for name in counted[1]),
        )
        for asked, new in zip(_parts(answers, length), _parts(newcomers, length), strict=True)
    )


def _parts(days: Sequence[Any], length: int) -> list[Sequence[Any]]:
    edges = [0, *range(len(days) % length or length, len(days) + 1, length)]
    return [days[start:end] for start, end in pairwise(edges)]


# --- Scales ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tick:
    """A place on an axis and what stands there."""

    at: float
    value: Any


def nice_step(most: float, ticks: int) -> float:
    """A step of 1, 2 or 5 times a power of ten, at least 1, with which so many ticks reach beyond `most`."""
    rough = max(most / ticks, 1)
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def scale(most: float, ticks: int) -> list[float]:
    """The values of an axis from 0 on; the last one is `most` or a little more."""
    step = nice_step(most, ticks)
    return [step * n for n in range(max(math.ceil(most / step), 1) + 1)]


def unit_of(seconds: Iterable[int | None]) -> tuple[str, int]:
    """minutes, hours or days: in which unit the largest of these durations is a handy number; and its seconds."""
    most = max((value for value in seconds if value is not None), default=0)
    if most < 2 * HOUR:
        return "minutes", MINUTE
    return ("hours", HOUR) if most < 3 * DAY else ("days", DAY)


def _places(count: int, left: float) -> list[float]:
    if count == 1:
        return [(left + RIGHT) / 2]
    return [round(left + (RIGHT - left) * n / (count - 1), 1) for n in range(count)]


def _date_ticks(dates: Sequence[date], places: Sequence[float]) -> tuple[Tick, ...]:
    """The first, the middle and the last."""
    chosen = sorted({0, (len(dates) - 1) // 2, len(dates) - 1})
    return tuple(Tick(places[n], dates[n]) for n in chosen)


# --- Lines over time ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """`path` is broken where a value is missing; `marks` are the points to mark, as (x, y)."""

    path: str
    marks: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class LinePlot:
    height: float
    left: float
    base: float
    lines: tuple[Line, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]


def line_plot(dates: Sequence[date], series: Sequence[Sequence[float | None]], *, top: float | None = None) -> LinePlot:
    """One line for each of the series. `top` fixes the end of the axis, as for shares in percent."""
    left, ceiling, base = 34.0, 24.0, 168.0
    most = max((value for values in series for value in values if value is not None), default=0)
    values = [0, top / 2, top] if top else scale(most, 4)
    places = _places(len(dates), left)

    def height(value: float) -> float:
        return round(base - (base - ceiling) * value / values[-1], 1)

    return LinePlot(
        height=202,
        left=left,
        base=base,
        lines=tuple(
            _line([(x, height(v)) if v is not None else None for x, v in zip(places, one, strict=True)])
            for one in series
        ),
        y_ticks=tuple(Tick(height(value), value) for value in values),
        x_ticks=_date_ticks(dates, places),
    )


def _line(points: Sequence[tuple[float, float] | None]) -> Line:
    known = tuple(point for point in points if point is not None)
    return Line(_path(points), known if len(points) <= MOST_MARKS else known[-1:])


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """A point between two gaps is a line of no length, which a round pen shows as a dot."""
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{point[0]:g} {point[1]:g}")
    return "".join("M" + "L".join(run) + ("h0" if len(run) == 1 else "") for run in runs if run)


# --- One strip for each priority ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Strip:
    """A small plot with an axis of its own, from 0 at `base` to `top_value` at `top`."""

    name: str
    top: float
    base: float
    top_value: float
    area: str
    line: str
    last: float | None
    last_at: tuple[float, float] | None


@dataclass(frozen=True)
class StripPlot:
    height: float
    left: float
    strips: tuple[Strip, ...]
    x_ticks: tuple[Tick, ...]
    base: float


def strip_plot(dates: Sequence[date], series: Sequence[Sequence[float | None]]) -> StripPlot:
    """Priorities under each other, so that nobody has to tell five colours apart."""
    left, row, room, tall = 34.0, 54.0, 22.0, 28.0
    places = _places(len(dates), left)
    strips = []
    for number, (priority, values) in enumerate(zip(PRIORITIES, series, strict=True)):
        ceiling = number * row + room
        base = ceiling + tall
        top = scale(max((value for value in values if value is not None), default=0), 1)[-1]
        points = [
            (x, round(base - tall * value / top, 1)) if value is not None else None
            for x, value in zip(places, values, strict=True)
        ]
        strips.append(
            Strip(
                name=priority.value,
                top=ceiling,
                base=base,
                top_value=top,
                area=_area(points, base),
                line=_path(points),
                last=values[-1] if values else None,
                last_at=points[-1] if points else None,
            )
        )
    end = len(PRIORITIES) * row
    return StripPlot(height=end + 35, left=left, strips=tuple(strips), x_ticks=_date_ticks(dates, places), base=end)


def _area(points: Sequence[tuple[float, float] | None], base: float) -> str:
    """The ground under a line; where a value is missing there is none."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(point)
    return "".join(
        f"M{piece[0][0]:g} {base:g}" + "".join(f"L{x:g} {y:g}" for x, y in piece) + f"L{piece[-1][0]:g} {base:g}Z"
        for piece in pieces
        if len(piece) > 1
    )


# --- Bars and ranges ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """`start` and `end` on the axis; of a bar in two parts the first ends at `part`."""

    row: Any
    y: float
    start: float
    end: float
    part: float


@dataclass(frozen=True)
class BarPlot:
    height: float
    left: float
    base: float
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]


def bar_plot(rows: Sequence[Any], value: str, *, part: str | None = None) -> BarPlot:
    """One bar for each row from 0 to its `value`; `part` is how much of it is marked."""
    rows = rows[:MOST_BARS]
    steps = scale(max((getattr(row, value) for row in rows), default=0), 4)

    def place(value: float) -> float:
        return round(BARS_LEFT + (RIGHT - BARS_LEFT) * value / steps[-1], 1)

    spans = [(0.0, float(getattr(row, value)), float(getattr(row, part)) if part else 0.0) for row in rows]
    return _bars(rows, spans, steps, place)


def duration_plot(rows: Sequence[Any], low: str, high: str) -> BarPlot:
    """From one duration to another in seconds, over an axis on which minutes can be seen beside weeks."""
    rows = rows[:MOST_BARS]
    spans = [(float(getattr(row, low)), float(getattr(row, high)), 0.0) for row in rows]
    least, most = min((span[0] for span in spans), default=1), max((span[1] for span in spans), default=1)
    first = max((n for n, step in enumerate(DURATIONS) if step <= least), default=0)
    last = min((n for n, step in enumerate(DURATIONS) if step >= most), default=len(DURATIONS) - 1)
    steps = DURATIONS[first : max(last, first + 1) + 1]

    def place(value: float) -> float:
        # Equal steps for equal factors; what lies beyond the axis stands at its end.
        reach = math.log(steps[-1] / steps[0])
        share = math.log(min(max(value, steps[0]), steps[-1]) / steps[0]) / reach
        return round(BARS_LEFT + (RIGHT - BARS_LEFT) * share, 1)

    return _bars(rows, spans, steps, place)


def _bars(
    rows: Sequence[Any],
    spans: Sequence[tuple[float, float, float]],
    steps: Sequence[float],
    place: Callable[[float], float],
) -> BarPlot:
    base = len(rows) * BAR_ROW + 4.0
    return BarPlot(
        height=base + 34,
        left=BARS_LEFT,
        base=base,
        bars=tuple(
            Bar(row, n * BAR_ROW + 20.0, place(start), place(end), place(part))
            for n, (row, (start, end, part)) in enumerate(zip(rows, spans, strict=True))
        ),
        x_ticks=tuple(Tick(place(value), value) for value in steps),
    )


# --- The whole board ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dashboard:
    """The plots of one set of figures, with the rows that their tables show."""

    window: Window
    days_a_point: int
    days_a_share: int
    periods: tuple[Period, ...]
    shares: tuple[Shares, ...]
    flow: LinePlot
    depth: StripPlot
    age: StripPlot
    age_unit: str
    age_unit_seconds: int
    times: BarPlot
    lateness: BarPlot
    verdicts: BarPlot
    rules: BarPlot
    load: BarPlot
    objections: BarPlot
    answered: LinePlot
    returned: LinePlot


def draw(found: Metrics) -> Dashboard:
    """Every plot of the dashboard."""
    point, length = DAYS_A_POINT[found.window.days], DAYS_A_SHARE[found.window.days]
    parts = periods(found.days, point)
    ratios = shares(found.answers.days, found.newcomers.days, length)
    ends, share_ends = [part.last for part in parts], [part.last for part in ratios]
    each = range(len(PRIORITIES))
    age_unit, age_seconds = unit_of(age for part in parts for age in part.mean_age_seconds)
    return Dashboard(
        window=found.window,
        days_a_point=point,
        days_a_share=length,
        periods=parts,
        shares=ratios,
        flow=line_plot(ends, [[part.opened_a_day for part in parts], [part.decisions_a_day for part in parts]]),
        depth=strip_plot(ends, [[part.waiting[n] for part in parts] for n in each]),
        age=strip_plot(ends, [[_in_unit(part.mean_age_seconds[n], age_seconds) for part in parts] for n in each]),
        age_unit=age_unit,
        age_unit_seconds=age_seconds,
        times=duration_plot(found.times.boards, "p50_seconds", "p95_seconds"),
        lateness=bar_plot(found.lateness, "decided", part="late"),
        verdicts=bar_plot(found.verdicts, "decisions"),
        rules=bar_plot(found.rules, "decisions", part="restricting"),
        load=bar_plot(found.load, "decisions"),
        objections=bar_plot(found.objections.outcomes, "appeals"),
        answered=line_plot(
            share_ends,
            [[_percent(part.share_24h) for part in ratios], [_percent(part.share_7d) for part in ratios]],
            top=100,
        ),
        returned=line_plot(share_ends, [[_percent(part.share_returned) for part in ratios]], top=100),
    )


def _in_unit(seconds: int | None, unit: int) -> float | None:
    return None if seconds is None else seconds / unit


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
