"""What stands behind a return on its page: its dates, its balance, its checks, who changed what and why."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import life, months
from services.returns.areas import Figure
from services.returns.definitions import ADDED, MERGED, MOVED, REMOVED, Cell
from services.returns.document import Document, Version

# The workbook has all of them.
MOST_CHANGES = 12


def facts(document: Document) -> str:
    """When it was counted and sent, and by what; of a publication without who did it and why."""
    rows = [("Ethnicity by the codes", document.ethnicity_codes)]
    if document.version is not None:
        rows = [*_dates(document.version.monthly_return, published=document.published), *rows]
    return _table((f"<b>{escape(name)}</b>", escape(words)) for name, words in rows)


def _dates(told: pb.Return, *, published: bool) -> Iterator[tuple[str, str]]:
    heading = told.heading
    state = "" if published else f", {life.name(told.state).lower()}"
    yield "Revision", f"{told.revision}{state}"
    if told.corrects_revision:
        yield "Corrects revision", str(told.corrects_revision)
    yield "Counted as known on", _day(heading.cut_off_time)
    yield "Due", f"{months.to_day(told.due_date):%-d %B %Y}"
    if told.HasField("submitted_time"):
        yield "Submitted", _day(told.submitted_time)
    yield "Data collection tool", f"version {heading.tool_version}"
    if heading.reason and not published:
        yield "Why it was closed again", heading.reason


def _day(time: Timestamp) -> str:
    return f"{months.today(months.instant(time)):%-d %B %Y}"


def sections(document: Document) -> Iterator[str]:
    """Of an exact return; a publication has none of it."""
    if document.published or document.version is None:
        return
    yield from _balance(document, document.version.monthly_return)
    yield from _checks(document)
    if document.additions:
        rows = ((escape(_cell(one.count)), f"{one.count.value:,}", one.source) for one in document.additions)
        yield "<h2>Figures of the area's own</h2>"
        yield _table((cell, count, escape(source)) for cell, count, source in rows)
    yield "<h2>Revisions</h2>"
    heads = ("Revision", "Why", "What became of it", "Changed against the one before")
    yield _table(map(_revision, document.versions), heads, "revisions")


def _balance(document: Document, told: pb.Return) -> Iterator[str]:
    """M0 of the month before and what happened since make M0."""
    counts = document.picture.counts
    yield "<h2>Balance</h2>"
    if not told.HasField("brought_forward"):
        yield "<p>The month before was never returned: the movements are held against M0 and M1 alone.</p>"
        return
    rows = [("On the list at the end of the month before", told.brought_forward)]
    for measure, words, sign in (
        (ADDED, "added", 1),
        (REMOVED, "removed", -1),
        (MOVED, "moved between areas", 1),
        (MERGED, "merged, or found to be two", 1),
    ):
        rows.append((words, sign * counts.get(Cell(measure), 0)))
    if told.residual:
        rows.append((f"does not follow: {told.heading.explanation}", told.residual))
    rows.append(("On the list at the end of the month (M0)", counts.get(Cell("M0"), 0)))
    last = len(rows) - 1
    yield _table(
        (escape(words), f"{value:,}" if place in (0, last) or not value else f"{value:+,}")
        for place, (words, value) in enumerate(rows)
    )


def _checks(document: Document) -> Iterator[str]:
    failed = [check for check in document.checks if not check.holds]
    many = len(document.checks)
    yield f"<h2>Checks</h2><p>{many - len(failed)} of {many} hold.</p>"
    yield from (f'<p class="warning">{escape(str(check))}</p>' for check in failed)


def _revision(version: Version) -> tuple[str, ...]:
    one = version.monthly_return
    became = "; ".join(
        f"{life.name(step.state).lower()} {_day(step.recorded_time)}"
        + (f": {step.text}" if step.text else "")
        for step in version.steps
    )
    changed = ", ".join(
        f"{cell}: {before:,} to {version.counts.get(cell, 0):,}"
        for cell, before in list(version.changes.items())[:MOST_CHANGES]
    )
    more = len(version.changes) - MOST_CHANGES
    changed += f" and {more} more" if more > 0 else ""
    return tuple(map(escape, (str(one.revision), one.heading.reason, became, changed)))


def sources(figures: Sequence[Figure]) -> Iterator[str]:
    """Where it was published what stands beside the measures."""
    if not figures:
        return
    yield "<h2>What was published elsewhere</h2>"
    heads = ("Measure", "Figure", "Of", "In the words of", "Source")
    yield _table((_source(one) for one in figures), heads, "elsewhere")


def _source(one: Figure) -> tuple[str, ...]:
    measure = f"{one.measure} {one.category}".strip()
    quote = f"“{one.quote}”" if one.quote else ""
    return tuple(map(escape, (measure, one.words, one.period, quote, one.source)))


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str] = (), name: str = "facts") -> str:
    head = f"<thead><tr>{''.join(f'<th>{one}</th>' for one in heads)}</tr></thead>" if heads else ""
    body = (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table class={name}>{head}<tbody>{''.join(body)}</tbody></table>"


def _cell(count: pb.Count) -> str:
    return str(Cell(count.measure, count.breakdown, count.category))
