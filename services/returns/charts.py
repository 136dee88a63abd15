"""Charts as SVG: bars beside their words, and lines over months; the same values are the same bytes."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, LABEL, ROW, BAR = 640, 220, 24, 16
RIGHT = 100
HEIGHT, MARGIN = 220, 40
COLOURS = ("#1d5b8f", "#c0632b", "#4d7c3a")
GREY = "#8a8a8a"


class Bar(NamedTuple):
    label: str
    # None where it is not shown.
    value: float | None
    words: str


class Line(NamedTuple):
    label: str
    # One a month; None where there is none, or it is not shown.
    values: Sequence[float | None]


def bars(title: str, rows: Sequence[Bar], *, guide: float | None = None, guide_words: str = "") -> str:
    """Beside each bar stands what it is; one that is not shown has no length to be measured."""
    largest = max([row.value or 0 for row in rows] + [guide or 0, 1])
    scale = (WIDTH - LABEL - RIGHT) / largest
    parts = [_bar(place, row, scale) for place, row in enumerate(rows)]
    height = len(rows) * ROW + 8
    if guide:
        parts.append(_guide(LABEL + guide * scale, height, guide_words))
    # Over the guide, which would strike them through.
    parts += [_value(place, row, scale) for place, row in enumerate(rows)]
    return _svg(title, height + (18 if guide else 0), parts)


def lines(title: str, months: Sequence[str], series: Sequence[Line]) -> str:
    largest = max([value for one in series for value in one.values if value is not None] + [1])
    parts = [_axis(months, largest)]
    parts += [_line(place, one, len(months), largest) for place, one in enumerate(series)]
    return _svg(title, HEIGHT + 24, parts)


def _bar(place: int, row: Bar, scale: float) -> str:
    top = place * ROW + 4
    label = f'<text x="{LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(row.label)}</text>'
    if row.value is None:
        return label
    length = row.value * scale
    rect = f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[0]}"/>'
    return label + rect


def _value(place: int, row: Bar, scale: float) -> str:
    below = place * ROW + 16
    if row.value is None:
        return f'<text x="{LABEL}" y="{below}" fill="{GREY}">{escape(row.words)}</text>'
    x = LABEL + row.value * scale + 6
    halo = 'stroke="#fff" stroke-width="4" paint-order="stroke"'
    return f'<text x="{x:.1f}" y="{below}" {halo}>{escape(row.words)}</text>'


def _guide(x: float, height: int, words: str) -> str:
    return (
        f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}" stroke="{COLOURS[1]}" stroke-dasharray="4 3"/>'
        f'<text x="{x:.1f}" y="{height + 12}" text-anchor="middle" fill="{COLOURS[1]}">{escape(words)}</text>'
    )


def _axis(months: Sequence[str], largest: float) -> str:
    bottom = HEIGHT - MARGIN
    base = f'<line x1="{MARGIN}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}" stroke="{GREY}"/>'
    top = f'<text x="{MARGIN - 6}" y="24" text-anchor="end">{largest:,.0f}</text>'
    zero = f'<text x="{MARGIN - 6}" y="{bottom + 4}" text-anchor="end">0</text>'
    places = [f'x="{_x(place, len(months)):.1f}" y="{bottom + 18}"' for place in range(len(months))]
    names = [
        f'<text {place} text-anchor="middle">{escape(month)}</text>'
        for place, month in zip(places, months, strict=True)
    ]
    return base + top + zero + "".join(names)


def _line(place: int, one: Line, many: int, largest: float) -> str:
    colour = COLOURS[place % len(COLOURS)]
    points = [
        (_x(month, many), _y(value, largest)) for month, value in enumerate(one.values) if value is not None
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
    legend = f'<text x="{MARGIN + place * 150}" y="{HEIGHT + 16}" fill="{colour}">{escape(one.label)}</text>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}{legend}'


def _x(month: int, many: int) -> float:
    width = WIDTH - RIGHT - MARGIN - 40
    return MARGIN + 20 + (width * month / (many - 1) if many > 1 else width / 2)


def _y(value: float, largest: float) -> float:
    return HEIGHT - MARGIN - value / largest * (HEIGHT - MARGIN - 20)


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
