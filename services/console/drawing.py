"""The ownership of a case over time as SVG: one picture that stands alone."""

from collections.abc import Iterator
from datetime import datetime
from html import escape
from itertools import pairwise

from services.console.timeline import NOBODY, Bar, Lane, Mark, Picture
from services.runtime.reference import LONDON

LEFT, WIDTH, RIGHT = 90, 960, 30
TOP, LANE, BAR, GAP = 70, 34, 22, 22
LINE = 18
# Of 12 pixels: what a letter takes on the average.
LETTER = 6.4
FONT = "font-family='Helvetica, Arial, sans-serif' font-size='12'"
# By the order in which the owners first appear; light enough for black letters.
COLOURS = ("#9ecae1", "#fdd49e", "#a1d99b", "#dadaeb", "#fcbba1", "#d9d9d9", "#fff2ae")
OWNERS = ("Owner", "Proposed")
PLAIN, EMPTY, INK, FAINT = "#eef0f2", "#ffffff", "#222222", "#9aa0a6"


def svg(drawn: Picture, title: str) -> str:
    height = _top(drawn, len(drawn.lanes)) + GAP + LINE * (len(drawn.changes) + 1) + 20
    width = LEFT + WIDTH + RIGHT
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' {FONT} fill='{INK}'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        f"<text x='16' y='26' font-size='16' font-weight='bold'>{escape(title)}</text>",
        *_axis(drawn),
        *_lanes(drawn),
        *_hand_overs(drawn),
        *_now(drawn),
        *_words(drawn),
        *_changes(drawn),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _top(drawn: Picture, place: int) -> int:
    """Where a lane begins; between the facts and the owners there is a gap."""
    return TOP + LANE * place + (GAP if place >= len(drawn.facts) else 0)


def _x(drawn: Picture, at: datetime) -> float:
    return round(LEFT + WIDTH * min(1.0, max(0.0, drawn.place(at))), 1)


def _axis(drawn: Picture) -> Iterator[str]:
    bottom, free = _top(drawn, len(drawn.lanes)) - LANE + BAR, 0.0
    for at in drawn.months():
        x, local = _x(drawn, at), at.astimezone(LONDON)
        yield f"<line x1='{x}' y1='{TOP - 10}' x2='{x}' y2='{bottom}' stroke='{PLAIN}'/>"
        text = f"{local:%b %Y}" if local.month == 1 or not free else f"{local:%b}"
        if x >= free and x + len(text) * LETTER <= LEFT + WIDTH + RIGHT:
            yield f"<text x='{x}' y='{TOP - 16}' fill='{FAINT}'>{text}</text>"
            free = x + len(text) * LETTER + 10


def _lanes(drawn: Picture) -> Iterator[str]:
    colours = _colours(drawn)
    for place, lane in enumerate(drawn.lanes):
        top, owns = _top(drawn, place), lane.name in OWNERS
        for bar in lane.bars:
            yield _bar(drawn, bar, top, colours.get(_first(bar.text), PLAIN) if owns else PLAIN)
        for mark in lane.marks:
            yield _mark(drawn, mark, top)
    edge = _top(drawn, len(drawn.facts)) - GAP / 2 - (LANE - BAR) / 2
    yield f"<line x1='16' y1='{edge}' x2='{LEFT + WIDTH}' y2='{edge}' stroke='{INK}'/>"


def _words(drawn: Picture) -> Iterator[str]:
    """Over everything else, so that what lies ahead pales and no word does."""
    for place, lane in enumerate(drawn.lanes):
        y = _top(drawn, place) + 15
        weight = " font-weight='bold'" if lane is drawn.owner else ""
        yield f"<text x='16' y='{y}'{weight}>{lane.name}</text>"
        for bar in lane.bars:
            x = _x(drawn, bar.start)
            if shown := _fitting(bar.text, _x(drawn, bar.end) - x - 8):
                yield f"<text x='{x + 5}' y='{y}'>{escape(shown)}</text>"
        for mark, room in _spaced(drawn, lane):
            whole = len(mark.text) * LETTER <= room
            if shown := mark.text if whole else _fitting(mark.text.rpartition(" ")[2], room):
                yield f"<text x='{_x(drawn, mark.at) + 9}' y='{y}'>{escape(shown)}</text>"


def _colours(drawn: Picture) -> dict[str, str]:
    bars = (bar for lane in drawn.lanes if lane.name in OWNERS for bar in lane.bars)
    owners = [one for one in dict.fromkeys(_first(bar.text) for bar in bars) if one != NOBODY]
    colours = {one: COLOURS[place % len(COLOURS)] for place, one in enumerate(owners)}
    return colours | {NOBODY: EMPTY}


def _first(text: str) -> str:
    return text.partition(" ")[0].rstrip(",")


def _bar(drawn: Picture, bar: Bar, top: int, colour: str) -> str:
    x, end = _x(drawn, bar.start), _x(drawn, bar.end)
    width = max(2.0, round(end - x, 1))
    dashed = " stroke-dasharray='4 3'" if bar.start >= drawn.now else ""
    box = f"<rect x='{x}' y='{top}' width='{width}' height='{BAR}' fill='{colour}' stroke='{INK}'{dashed}>"
    return f"{box}<title>{escape(_when(bar))}</title></rect>"


def _spaced(drawn: Picture, lane: Lane) -> Iterator[tuple[Mark, float]]:
    """Each mark with the room until the next."""
    places = [_x(drawn, mark.at) for mark in lane.marks]
    for mark, (x, following) in zip(lane.marks, pairwise([*places, LEFT + WIDTH]), strict=True):
        yield mark, following - x - 14


def _mark(drawn: Picture, mark: Mark, top: int) -> str:
    dot = f"<circle cx='{_x(drawn, mark.at)}' cy='{top + BAR / 2}' r='5' fill='{INK}'>"
    return f"{dot}<title>{escape(f'{_day(mark.at)}: {mark.text}')}</title></circle>"


def _hand_overs(drawn: Picture) -> Iterator[str]:
    """From the facts down to the owner that they made."""
    bottom = _top(drawn, len(drawn.facts))
    for bar in drawn.owner.bars:
        x = _x(drawn, bar.start)
        line = f"<line x1='{x}' y1='{TOP - 10}' x2='{x}' y2='{bottom}'"
        yield f"{line} stroke='{INK}' stroke-width='0.7' stroke-dasharray='2 3'/>"


def _now(drawn: Picture) -> Iterator[str]:
    """A line, and what lies ahead of it in paler ink."""
    x, bottom = _x(drawn, drawn.now), _top(drawn, len(drawn.lanes)) - (LANE - BAR)
    ahead = f"<rect x='{x}' y='{TOP - 10}' width='{LEFT + WIDTH + 1 - x}' height='{bottom - TOP + 10}'"
    yield f"{ahead} fill='white' fill-opacity='0.45'/>"
    yield f"<line x1='{x}' y1='{TOP - 10}' x2='{x}' y2='{bottom}' stroke='#c0392b' stroke-width='1.5'/>"
    yield f"<text x='{x}' y='{bottom + 14}' text-anchor='middle' fill='#c0392b'>now, {_day(drawn.now)}</text>"


def _changes(drawn: Picture) -> Iterator[str]:
    top = _top(drawn, len(drawn.lanes)) + GAP + 10
    for place, (at, text) in enumerate(drawn.changes):
        ahead = f" fill='{FAINT}'" if at > drawn.now else ""
        words = f"{_day(at)}: {text}{', if nothing else happens' if ahead else ''}"
        yield f"<text x='{LEFT}' y='{top + LINE * (place + 1)}'{ahead}>{escape(words)}</text>"


def _fitting(text: str, room: float) -> str:
    letters = int(room / LETTER)
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters > 2 else ""


def _when(bar: Bar) -> str:
    begin = "" if bar.open_start else f"from {_day(bar.start)} "
    return f"{begin}{'' if bar.open_end else f'until {_day(bar.end)}'}: {bar.text}".strip()


def _day(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%-d %B %Y}"
