"""A month as one page with its charts in it: nothing is fetched, and the same return is the same page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import behind, charts, months
from services.returns.charts import Bar
from services.returns.definitions import ANYWHERE, MEASURES, NOT_RECORDED, parts
from services.returns.disclosure import Key
from services.returns.document import HIDDEN, Document, Line
from services.returns.measures import NON_WHITE, WHITE

STYLE = """
body { font-family: sans-serif; color: #1b1b1b; max-width: 960px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em; margin-bottom: 0; text-wrap: balance } h2 { font-size: 1.15em; margin: 2em 0 .5em }
.under { color: #555; margin-top: .3em } .missing, .warning { background: #fdf1e7; padding: .6em 1em }
.figures { display: flex; flex-wrap: wrap; gap: 1em; margin: 1.5em 0 }
.figure { border: 1px solid #d5d5d5; padding: .6em 1em; min-width: 8em }
.figure b { font-size: 1.7em; display: block }
table { border-collapse: collapse; width: 100%; font-size: .92em }
th, td { text-align: left; padding: .3em .6em; border-bottom: 1px solid #e3e3e3; vertical-align: top }
.measures td:nth-child(2) { width: 24% } .measures td:nth-child(3) { width: 34% } .again { color: #888 }
.facts { width: auto; break-inside: avoid } .elsewhere td:nth-child(-n+3) { white-space: nowrap }
.revisions td:nth-child(n+2) { width: 30% }
td.n, th.n { text-align: right } td.n { white-space: nowrap } svg { max-width: 100%; height: auto }
@page { size: A4; margin: 15mm }
@media print { body { max-width: none; margin: 0; padding: 0; font-size: 10pt } h1 { font-size: 13pt }
  h2 { break-after: avoid } svg, tr { break-inside: avoid } thead { display: table-header-group } }
"""
STAGES = (
    ("M10", "In custody"),
    ("M11", "Going through the CJS"),
    ("M12", "Under supervision"),
    ("M13", "At liberty, targeted"),
    ("M14", "Other or not known"),
)
AGES = ("under 18", "18-25", "26+", NOT_RECORDED)
ETHNICITIES = (WHITE, NON_WHITE, "not stated", NOT_RECORDED)
# Days from offence to sentence, from and to; the last is open.
SPANS = ((0, 30), (31, 60), (61, 90), (91, 180), (181, 365), (366, None))
NOT_SHOWN = f"{HIDDEN} not shown"
NOTE = f"{HIDDEN}: counts of 1 to 4, and what would give them away, are not shown."


def page(document: Document) -> bytes:
    title = f"PPOs in {document.name}, {document.month:%B %Y}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="under">{_under(document)}</p>',
        *_coverage(document),
        _figures(document),
        behind.facts(document),
        *_charts(document),
        "<h2>Headline measures</h2>",
        _measures(document),
        *behind.sources(document.figures),
        *behind.sections(document),
        "<h2>Definitions</h2>",
        _definitions(document),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'.encode()
    )


def _under(document: Document) -> str:
    once = "Each person counts once, as they were at the month's last instant."
    return f"{once} {NOTE}" if document.published else once


def _coverage(document: Document) -> Iterable[str]:
    coverage = document.picture.coverage
    if coverage is None:
        return
    earlier = [one.coverage for one, _ in document.series if one.month == months.preceding(document.month)]
    before = "".join(f" The month before: of {_given(one)}." for one in earlier if one)
    yield f"<p>From the returns of {_given(coverage)}.{before}</p>"
    if coverage.missing:
        yield f'<p class="missing">Missing: {escape(", ".join(coverage.missing))}.</p>'


def _given(coverage: pb.Coverage) -> str:
    return f"{coverage.areas - len(coverage.missing)} of {coverage.areas} areas"


def _figures(document: Document) -> str:
    wanted: Sequence[tuple[Key, str]] = (
        (("M1", ""), "PPOs in the scheme"),
        (("M6", ""), "added"),
        (("M5", ""), "removed"),
        (("M10", ""), "in custody"),
        (("M7", ""), "drug tests"),
        (("M20", ""), "with ethnicity recorded"),
    )
    lines = _by_key(document)
    boxes = [
        f'<div class="figure"><b>{_words(lines[key])}</b>{escape(words)}</div>'
        for key, words in wanted
        if key in lines
    ]
    return f'<div class="figures">{"".join(boxes)}</div>'


def _charts(document: Document) -> Iterable[str]:
    lines = _by_key(document)
    people = [(name, ("M3", name)) for name in AGES]
    ethnic = [(name, ("M4", name)) for name in ETHNICITIES]
    yield from _chart("Stage in the process", _bars(lines, [(name, (stage, "")) for stage, name in STAGES]))
    yield from _movements(document)
    yield from _chart("Age", _bars(lines, people))
    yield from _chart("Ethnicity", _bars(lines, ethnic))
    # The first bar is as long as the others could be.
    known = (
        ("PPOs in the scheme", ("M1", "")),
        ("Ethnicity recorded", ("M20", "")),
        ("Stage known", ("KNOWN", "")),
    )
    yield from _chart("Completeness", _bars(lines, known))
    yield from _sizes(document, lines)
    yield from _sentences(document)


def _chart(title: str, bars: Sequence[Bar], guide: float | None = None, words: str = "") -> Iterable[str]:
    if bars:
        yield f"<h2>{escape(title)}</h2>"
        yield charts.bars(title, bars, guide=guide, guide_words=words)


def _bars(lines: dict[Key, Line], wanted: Iterable[tuple[str, Key]]) -> list[Bar]:
    return [_bar(name, lines[key]) for name, key in wanted if key in lines]


def _bar(name: str, line: Line) -> Bar:
    if line.value is None:
        return Bar(name, None, NOT_SHOWN)
    share = "" if line.per_cent is None else f" ({line.per_cent}%)"
    return Bar(name, line.value, f"{line.value:,}{share}")


def _movements(document: Document) -> Iterable[str]:
    """Of every month that is there, as far as it may be shown; one alone makes no line."""
    if len(document.series) == 1:
        told = _bars(_by_key(document), [("added", ("M6", "")), ("removed", ("M5", ""))])
        yield from _chart("Additions and removals", told)
        return
    shown = [document.values(*one) for one in document.series]
    names = [f"{one.month:%b %y}" for one, _ in document.series]
    series = [
        charts.Line(name, [values.get((measure, "")) for values in shown])
        for measure, name in (("M6", "added"), ("M5", "removed"))
    ]
    yield "<h2>Additions and removals</h2>"
    if any(value is not None for one in series for value in one.values):
        yield charts.lines("Additions and removals", names, series)
    yield _months(names, shown)


def _months(names: Sequence[str], shown: Sequence[Mapping[Key, int]]) -> str:
    head = "".join(f"<th class=n>{name}</th>" for name in names)
    rows = []
    for measure, words in (("M1", "PPOs"), ("M6", "added"), ("M5", "removed")):
        cells = "".join(f"<td class=n>{_number(values.get((measure, '')))}</td>" for values in shown)
        rows.append(f"<tr><td>{words}</td>{cells}</tr>")
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _number(value: int | None) -> str:
    return HIDDEN if value is None else f"{value:,}"


def _sizes(document: Document, lines: dict[Key, Line]) -> Iterable[str]:
    if document.area is None:
        return
    bars = [
        Bar(key[1], line.value, NOT_SHOWN if line.value is None else f"{line.value:,}")
        for key, line in lines.items()
        if key[0] == "M15" and key[1]
    ]
    guide = document.area.planned or None
    title = f"PPOs in each OCU, against the guide of {guide}" if guide else "PPOs in each OCU"
    yield from _chart(title, bars, guide, f"guide of {guide}")


def _sentences(document: Document) -> Iterable[str]:
    """By spans of days; a publication has the median and mean alone."""
    if document.published:
        return
    given = parts(document.picture.counts, "M16", "days")
    if not given:
        return
    days = {int(day): times for day, times in given.items() if day not in ANYWHERE}
    bars = []
    for first, last in SPANS:
        times = sum(many for day, many in days.items() if first <= day and (last is None or day <= last))
        bars.append(Bar(f"{first} to {last} days" if last else f"over {first - 1} days", times, f"{times:,}"))
    bars += [Bar(part, given[part], f"{given[part]:,}") for part in ANYWHERE if part in given]
    yield from _chart("Days from offence to sentence", bars)


def _measures(document: Document) -> str:
    names = ["Count", "of", "%", "Month before", *(["Published"] if document.figures else [])]
    head = "<th>Measure</th><th></th><th></th>" + "".join(f"<th class=n>{name}</th>" for name in names)
    body = "".join(_rows(document))
    return f"<table class=measures><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _rows(document: Document) -> Iterable[str]:
    """Figures that were published elsewhere stand beside a measure."""
    named = ""
    for line in document.lines:
        figure = f"<td class=n>{escape(line.figure)}</td>" if document.figures else ""
        yield _row(line, figure, named=line.headline.measure == named)
        named = line.headline.measure


def _row(line: Line, figure: str, *, named: bool) -> str:
    one = line.headline
    # Whoever begins to read on a new page of paper still sees what it is of.
    again, title = (" class=again", "") if named else ("", escape(one.title))
    names = f"<td{again}>{_code(one.measure)}</td><td>{title}</td>"
    numbers = (line.base, line.per_cent, line.before)
    told = [_words(line), *("" if number is None else f"{number:,}" for number in numbers)]
    cells = "".join(f"<td class=n>{text}</td>" for text in told)
    return f"<tr>{names}<td>{escape(one.category)}</td>{cells}{figure}</tr>"


def _code(measure: str) -> str:
    """The others stand below the one that they go with."""
    return measure if measure[1:].isdigit() else ""


def _definitions(document: Document) -> str:
    used = dict.fromkeys(line.headline.measure for line in document.lines)
    rows = [
        f"<tr><td>{_code(measure)}</td><td>{escape(MEASURES[measure].title)}</td>"
        f"<td>{escape(MEASURES[measure].definition)} {MEASURES[measure].kind.capitalize()}, "
        f"{escape(MEASURES[measure].unit)}.</td></tr>"
        for measure in used
    ]
    return f"<table>{''.join(rows)}</table>"


def _by_key(document: Document) -> dict[Key, Line]:
    """With who is at a known stage, where all that make it are shown."""
    lines = {(line.headline.measure, line.headline.category): line for line in document.lines}
    other = lines.get(("M14", ""))
    people = lines.get(("M1", ""))
    if other is None or people is None:
        return lines
    known = other.headline._replace(value=other.headline.base - other.headline.value)
    shown = other.value is not None
    lines["KNOWN", ""] = Line(
        known,
        known.value if shown else None,
        known.base if shown else None,
        known.per_cent if shown else None,
        None,
    )
    return lines


def _words(line: Line) -> str:
    return _number(line.value)
