"""Import files that are broken in any way: every line is a row or told, and none is either twice."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppo.flagging.v1 import flagging_pb2 as flagging
from services.console import loading, rows
from services.console.lines import RowError

FIRST = flagging.LoadNominalsRequest(request_id="r", source="s")
GOOD = '{"source_reference": "N%d", "person": {"name": {"family_name": "Kelly"}}}'
HEADER = "source_reference,family_name,given_name\n"

# What tears files: half characters, quotation marks, ends of lines, brackets, NUL.
pieces = st.sampled_from(
    [
        b"\xff",
        b"\xc3",
        b'"',
        b"\r",
        b"\r\n",
        b"\n",
        b"\x00",
        b"{",
        b"}",
        b",",
        b"[",
        b"\\",
        b"\xef\xbb\xbf",
        b"1e999",
    ]
)
wounds = st.lists(st.tuples(st.integers(0, 600), pieces | st.binary(max_size=6)), max_size=8)


def wounded(text: str, wounds: list[tuple[int, bytes]]) -> bytes:
    data = text.encode()
    for at, piece in wounds:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + len(piece) // 2 :]
    return data


def told(path: Path, form: rows.Form, after: int = 0) -> list[tuple[int, str]]:
    batches = loading.batches(path, form, FIRST, after)
    found = [(one.line, "") for batch in batches for one in batch.rows]
    refused = loading.batches(path, form, FIRST, after)
    return sorted(found + [(one.line, one.rule) for batch in refused for one in batch.unreadable])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(wounds)
def test_every_line_of_objects_is_a_row_or_told(tmp_path: Path, wounds: list[tuple[int, bytes]]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(wounded("".join(GOOD % place + "\n" for place in range(8)), wounds))

    lines = [line for line, _ in told(path, rows.Form.JSONL)]

    blank = [not line.strip() for line in path.read_bytes().split(b"\n")]
    assert len(set(lines)) == len(lines)
    assert set(lines) | {number for number, empty in enumerate(blank, 1) if empty} >= set(
        range(1, len(blank))
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(wounds)
def test_a_wounded_table_is_read_the_same_from_any_line_told(
    tmp_path: Path, wounds: list[tuple[int, bytes]]
) -> None:
    path = tmp_path / "rows.csv"
    body = "".join(f'N{place},"Kel""ly",Shane\nM{place},Moore,\n' for place in range(8))
    path.write_bytes(HEADER.encode() + wounded(body, wounds))

    whole = told(path, rows.Form.CSV)

    assert len({line for line, _ in whole}) == len(whole)
    ends = [found.last_line for found in rows.read(path, rows.NOMINALS, rows.Form.CSV)]
    for end in ends:
        assert told(path, rows.Form.CSV, after=end) == [one for one in whole if one[0] > end]


@pytest.mark.parametrize("form", rows.Form)
def test_an_empty_file_has_no_batch(tmp_path: Path, form: rows.Form) -> None:
    path = tmp_path / "rows"
    path.write_text(HEADER if form is rows.Form.CSV else "\n\n")

    assert list(loading.batches(path, form, FIRST, 0)) == []


def test_what_is_refused_never_says_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"person": {"sex": "Kelly"}}\n{"person": {"birth_date": {"year": "Kelly"}}}\n'
        '{"person": "Kelly"}\nKelly'
    )

    found = [one.row for one in rows.read(path, rows.NOMINALS, rows.Form.JSONL)]

    assert all(isinstance(row, RowError) and "Kelly" not in str(row) for row in found)


def test_a_batch_is_small_however_long_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join((GOOD % place).replace("Kelly", "K" * 900_000) + "\n" for place in range(5)))

    sizes = [batch.ByteSize() for batch in loading.batches(path, rows.Form.JSONL, FIRST, 0)]

    assert len(sizes) > 1
    assert max(sizes) < 4_000_000
