"""The ownership of a case over time, facts above and owners below: what is drawn, and as lines of text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import LONDON

# What goes on is drawn a little past the last change.
MARGIN = timedelta(days=30)
NOBODY = "nobody"
LABELS = 10
LEAST_WIDTH = 40


@dataclass(frozen=True)
class Bar:
    start: datetime
    end: datetime
    text: str
    # It began before the picture, or goes on after it.
    open_start: bool = False
    open_end: bool = False


@dataclass(frozen=True)
class Mark:
    at: datetime
    text: str


@dataclass(frozen=True)
class Lane:
    name: str
    bars: Sequence[Bar] = ()
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Picture:
    start: datetime
    end: datetime
    now: datetime
    facts: Sequence[Lane]
    owner: Lane
    others: Sequence[Lane]
    # From when on whose it was, in words.
    changes: Sequence[tuple[datetime, str]]

    @property
    def lanes(self) -> list[Lane]:
        return [*self.facts, self.owner, *self.others]

    def place(self, at: datetime) -> float:
        """From 0 at the start to 1 at the end."""
        return (at - self.start) / (self.end - self.start)

    def months(self) -> Iterator[datetime]:
        first = self.start.astimezone(LONDON).date().replace(day=1)
        while (at := _midnight(first)) <= self.end:
            if at >= self.start:
                yield at
            first = (first + timedelta(days=31)).replace(day=1)


def picture(told: pb.ExplainOwnershipResponse) -> Picture | None:
    """None for somebody who never had a case."""
    now = _at(told.now_time)
    starts = [_at(one.start_time) for one in told.history]
    if not starts:
        return None
    start, end = min(starts) - MARGIN, max(_ends(told, now)) + MARGIN
    facts = [
        Lane("Register", _bars(told.facts.registrations, start, end)),
        Lane("Lives", _bars(told.facts.residences, start, end)),
        Lane("Prison", _bars(told.facts.stays, start, end)),
        Lane("Release", _bars(told.facts.planned_releases, start, end)),
        Lane("Arrests", marks=_marks(told.facts.arrests, start)),
        Lane("Forum", marks=_marks(told.facts.disputes, start)),
    ]
    periods = [(at, one.ownership) for at, one in zip(starts, told.history, strict=True)]
    owned = [(at, _owner(one)) for at, one in periods]
    others = [
        Lane("Proposed", _runs([(at, _proposed(one)) for at, one in periods], end)),
        Lane("Told too", _runs([(at, ", ".join(one.interested_ocus)) for at, one in periods], end)),
    ]
    return Picture(
        start,
        end,
        now,
        [lane for lane in facts if lane.bars or lane.marks],
        Lane("Owner", _runs(owned, end)),
        [lane for lane in others if lane.bars],
        list(_changes(periods)),
    )


def _ends(told: pb.ExplainOwnershipResponse, now: datetime) -> Iterator[datetime]:
    """The picture goes on to the last hand-over; how long others are told moves no case."""
    yield now
    yield from (_at(one.end_time) for one in told.facts.stays if one.HasField("end_time"))
    before = ""
    for one in told.history:
        if (owner := _owner(one.ownership)) != before:
            yield _at(one.start_time)
        if one.ownership.HasField("handover_time"):
            yield _at(one.ownership.handover_time)
        before = owner


def lines(drawn: Picture, width: int) -> Iterator[str]:
    """As text, so many characters wide."""
    columns = max(LEAST_WIDTH, width - LABELS)
    yield " " * LABELS + _axis(drawn, columns)
    for lane in drawn.lanes:
        if lane is drawn.owner:
            yield " " * LABELS + "─" * columns
        yield f"{lane.name:<{LABELS}}{_row(drawn, lane, columns)}"
    yield " " * LABELS + _under(drawn, columns)


# ---- what is drawn


def _owner(ownership: pb.Ownership) -> str:
    held = {
        pb.OWNERSHIP_STATE_INTERIM: f"{ownership.owner} for now",
        pb.OWNERSHIP_STATE_DISPUTED: f"{ownership.owner} disputed",
        pb.OWNERSHIP_STATE_NONE: NOBODY,
    }
    return held.get(ownership.state, ownership.owner)


def _proposed(ownership: pb.Ownership) -> str:
    if not ownership.HasField("handover_time"):
        return ownership.proposed_owner
    return f"{ownership.proposed_owner} on {_at(ownership.handover_time).astimezone(LONDON):%-d %B %Y}"


def _bars(facts: Iterable[pb.DatedFact], start: datetime, end: datetime) -> list[Bar]:
    found = []
    for one in facts:
        began, ended = _at(one.start_time), _at(one.end_time) if one.HasField("end_time") else None
        if began < end and (ended is None or start < ended):
            lasts = ended is None or ended > end
            until = end if ended is None else min(ended, end)
            found.append(Bar(max(began, start), until, one.text, began < start, lasts))
    return found


def _marks(facts: Iterable[pb.DatedFact], start: datetime) -> list[Mark]:
    return [Mark(_at(one.start_time), one.text) for one in facts if _at(one.start_time) >= start]


def _runs(told: Sequence[tuple[datetime, str]], end: datetime) -> list[Bar]:
    """Equal words in a row are one bar; no words, none."""
    grouped = [(next(run)[0], text) for text, run in groupby(told, key=lambda one: one[1])]
    edges = [*(start for start, _ in grouped), end]
    return [
        Bar(start, min(until, end), text, open_end=until >= end)
        for (start, text), (_, until) in zip(grouped, pairwise(edges), strict=True)
        if text and start < end
    ]


def _changes(periods: Sequence[tuple[datetime, pb.Ownership]]) -> Iterator[tuple[datetime, str]]:
    before = None
    for at, one in periods:
        said = (one.owner, one.state, one.proposed_owner)
        if said != before:
            proposed = f", to go to {_proposed(one)}" if one.proposed_owner else ""
            yield at, f"{_owner(one)}{proposed} ({one.rule})"
        before = said


# ---- as text


def _column(drawn: Picture, at: datetime, columns: int) -> int:
    return min(columns - 1, max(0, int(drawn.place(at) * columns)))


def _axis(drawn: Picture, columns: int) -> str:
    row = [" "] * columns
    free = 0
    for at in drawn.months():
        place = _column(drawn, at, columns)
        local = at.astimezone(LONDON)
        text = f"{local:%b %Y}" if local.month == 1 or not free else f"{local:%b}"
        if place >= free and place + len(text) <= columns:
            row[place : place + len(text)] = text
            free = place + len(text) + 1
    return "".join(row).rstrip()


def _under(drawn: Picture, columns: int) -> str:
    place = _column(drawn, drawn.now, columns)
    return f"{' ' * place}▲ now"


def _row(drawn: Picture, lane: Lane, columns: int) -> str:
    row = [" "] * columns
    for bar in lane.bars:
        first, last = _column(drawn, bar.start, columns), _column(drawn, bar.end, columns)
        fill = "─" * max(0, last - first - 1)
        cells = ("╌" if bar.open_start else "├") + fill + ("▸" if bar.open_end else "┤")
        row[first : first + len(cells)] = _over(cells, bar.text)
    for mark in lane.marks:
        place = _column(drawn, mark.at, columns)
        row[place] = "▲"
        _note(row, place + 1, mark.text.rpartition(" ")[2])
    return "".join(row[:columns]).rstrip()


def _over(cells: str, text: str) -> str:
    """The text in the bar, as much of it as there is room for."""
    room = len(cells) - 2
    if room < 2:
        return cells
    shown = text if len(text) <= room else f"{text[: room - 1]}…"
    return cells[0] + shown + cells[1 + len(shown) :]


def _note(row: list[str], place: int, text: str) -> None:
    if all(cell == " " for cell in row[place : place + len(text)]) and place + len(text) <= len(row):
        row[place : place + len(text)] = text


def _at(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)


def _midnight(on: date) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=LONDON)
