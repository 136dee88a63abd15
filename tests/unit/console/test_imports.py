"""`ppo nominals import` and `register import`: every row is sent or reported, by line, field and rule."""

import json
import os
from pathlib import Path
from threading import Thread

import pytest

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from services.console import loading
from tests.unit.console.conftest import Run, Served

GOOD = '{"source_reference": "N1", "person": {"name": {"family_name": "Kelly"}}}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_every_row_is_sent_with_its_line_and_source(ppo: Run, served: Served, file: Path) -> None:
    file.write_text(f"{GOOD}\n\n{GOOD.replace('N1', 'N2')}\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert [(row.line, row.source_reference) for row in served.flagging.rows] == [(1, "N1"), (3, "N2")]
    assert served.flagging.sources == ["niche"]
    assert (ran.code, ran.out) == (0, "2 created, 0 updated, 0 unchanged, 0 refused\n")


def test_what_comes_through_a_pipe_is_taken_whole(ppo: Run, served: Served, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Thread(target=pipe.write_text, args=[f"{GOOD}\n{GOOD.replace('N1', 'N2')}\n"]).start()

    ran = ppo("nominals", "import", str(pipe), "--source", "niche")

    assert (ran.code, ran.out) == (0, "2 created, 0 updated, 0 unchanged, 0 refused\n")


def test_a_dash_is_what_is_piped_in(ppo: Run, served: Served) -> None:
    ran = ppo("nominals", "import", "-", "--source", "niche", stdin=GOOD)

    assert (ran.code, ran.out) == (0, "1 created, 0 updated, 0 unchanged, 0 refused\n")


def test_a_table_that_is_piped_in_is_known_by_how_it_begins(ppo: Run, served: Served) -> None:
    table = "\ufeffsource_reference,family_name\nN1,Kelly\n"

    ran = ppo("nominals", "import", "-", "--source", "niche", stdin=table)

    assert (ran.code, ran.out) == (0, "1 created, 0 updated, 0 unchanged, 0 refused\n")


def test_refused_rows_are_listed_and_the_rest_goes_on(ppo: Run, served: Served, file: Path) -> None:
    no_key = '{"person": {"name": {"family_name": "Hill"}}}'
    file.write_text(f'{no_key}\n{GOOD}\nnot json\n[]\n{{"shoe_size": 9}}\n')

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert [row.source_reference for row in served.flagging.rows] == ["N1"]
    assert ran.code == 3
    first, *refused = ran.out.splitlines()
    assert first == "1 created, 0 updated, 0 unchanged, 4 refused"
    assert [line.split(":")[0].strip() for line in refused] == ["line 1", "line 3", "line 4", "line 5"]
    assert refused[0] == "  line 1: source_reference: is required"


def test_the_report_is_one_json_object(ppo: Run, served: Served, file: Path) -> None:
    file.write_text(f"{GOOD}\nnot json\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche", "--json")

    report = json.loads(ran.out)
    assert (report["created"], report["refused"], report["refusals"][0]["line"]) == ("1", "1", "2")


def test_a_table_of_nominals_is_read_by_its_header(ppo: Run, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "nominals.csv"
    file.write_text(
        "source_reference,given_name,family_name,aliases,birth_date,sex,pnc_id\n"
        'N1,Shane,Kelly,"Kelly, Sean; Shay Kelly",1979-03,male,79/163001B\n'
    )

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    [row] = served.flagging.rows
    assert ran.code == 0
    assert (row.line, row.person.name.given_name, row.person.sex) == (2, "Shane", pb.SEX_MALE)
    assert [(name.given_name, name.family_name) for name in row.person.aliases] == [
        ("Sean", "Kelly"),
        ("Shay", "Kelly"),
    ]
    assert (row.person.birth_date.year, row.person.birth_date.month) == (1979, 3)
    assert list(row.person.identifiers) == [pb.Identifier(kind=pb.IDENTIFIER_KIND_PNC_ID, value="79/163001B")]


def test_a_wrong_cell_of_a_table_is_a_refused_row(ppo: Run, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "nominals.csv"
    file.write_text("source_reference,family_name,birth_date,sex\nN1,Kelly,1979-99,\nN2,Hill,,sideways\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 3
    assert "line 2: birth_date: is no date of birth; write 1979-03-04" in ran.out
    assert "line 3: sex: is none of male, female, not specified" in ran.out


def test_an_unknown_column_is_one_line(ppo: Run, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "nominals.csv"
    file.write_text("source_reference,shoe_size\nN1,9\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 2
    assert ran.err.startswith("ppo: line 1: 'shoe_size' is no column; the columns are source_reference,")
    assert ran.err.count("\n") == 1


def test_a_table_of_registrations_has_london_times(ppo: Run, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(
        "source_reference,identifier,strand,criteria,nominating_ocu,effective_start_time,removal_reason\n"
        "R1,79/163001B,catch and convict,volume; local,D3,2004-09-06T10:00,\n"
    )

    ran = ppo("register", "import", str(file), "--source", "jtrack")

    [row] = served.flagging.rows
    assert ran.code == 0
    assert row.identifier == pb.Identifier(kind=pb.IDENTIFIER_KIND_PNC_ID, value="79/163001B")
    assert row.strand == screening.STRAND_CATCH_AND_CONVICT
    assert list(row.criteria) == [flagging.CRITERION_VOLUME, flagging.CRITERION_LOCAL]
    assert row.effective_start_time.ToJsonString() == "2004-09-06T09:00:00Z"
    assert not row.HasField("effective_end_time")


def test_a_missing_file_is_one_line(ppo: Run, tmp_path: Path) -> None:
    ran = ppo("nominals", "import", str(tmp_path / "none.jsonl"), "--source", "niche")

    assert ran.code == 2
    assert "does not exist" in ran.err
    assert ran.err.count("\n") == 1


BAD = {
    "is not UTF-8": (b'{"source_reference": "N\xff"}', "row", "is not UTF-8 text, at byte 24"),
    "is broken JSON": (b'{"source_reference": "N2"', "row", "is not JSON: "),
    "is no object": (b"[]", "row", "is not a JSON object"),
    "is ten megabytes": (b'"' + b"x" * 10_000_000 + b'"', "row", "is longer than 1,048,576 bytes"),
    "is deep": (b"[" * 100_000, "row", "is not JSON"),
    "has an unknown field": (b'{"source_reference": "N2", "shoe": 9}', "shoe", "is no field of a row"),
    "has text for a number": (
        b'{"source_reference": "N2", "person": {"birth_date": {"year": "Kelly"}}}',
        "person.birth_date.year",
        "is not what the contract has there",
    ),
    "has half a character": (
        b'{"source_reference": "\\ud800"}',
        "source_reference",
        "is not what the contract has there",
    ),
    "has a NUL": (
        b'{"source_reference": "\\u0000", "person": {}}',
        "source_reference",
        "holds a NUL character",
    ),
    "has an impossible date": (
        b'{"source_reference": "N2", "person": {"birth_date": {"year": 1979, "month": 2, "day": 30}}}',
        "person.birth_date",
        "there is no day 30 in that month",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_line_that_is_bad_is_told_and_stops_nothing(
    ppo: Run, served: Served, file: Path, what: str
) -> None:
    line, field, rule = BAD[what]
    file.write_bytes(GOOD.encode() + b"\n" + line + b"\n" + GOOD.replace("N1", "N3").encode())

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 3
    assert [row.source_reference for row in served.flagging.rows] == ["N1", "N3"]
    assert f"line 2: {field}: {rule}" in ran.out
    assert "Kelly" not in ran.out


BAD_RECORDS = {
    "has too many cells": ('N2,Hill,"",x', "has 4 cells, the header 3"),
    "has too few cells": ("N2,Hill", "has 2 cells, the header 3"),
    "has a quotation mark that is never closed": ('N2,"Hill,', "is no row of a table"),
    "has a stray quotation mark": ('N2,"Hi"ll,"', "is no row of a table"),
}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_row_of_a_table_that_is_bad_is_told_and_stops_nothing(
    ppo: Run, served: Served, tmp_path: Path, what: str
) -> None:
    record, rule = BAD_RECORDS[what]
    file = tmp_path / "nominals.csv"
    many = "".join(f"M{place},Moore,\n" for place in range(50))
    file.write_text(f'source_reference,family_name,given_name\n{record}\nN3,"O\nNeill",Sean\n{many}')

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert f"line 2: row: {rule}" in ran.out
    assert (served.flagging.rows[0].line, served.flagging.rows[0].person.name.family_name) == (3, "O\nNeill")
    assert len(served.flagging.rows) == 51


def test_the_form_is_told_where_the_name_does_not_say_it(ppo: Run, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "nominals.txt"
    file.write_text("source_reference,family_name\nN1,Kelly\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche", "--format", "csv")

    assert (ran.code, ran.out) == (0, "1 created, 0 updated, 0 unchanged, 0 refused\n")


def test_over_a_thousand_refusals_are_all_in_a_file(ppo: Run, served: Served, file: Path) -> None:
    file.write_text("not json\n" * 2_500)
    whole = file.with_suffix(".csv")

    ran = ppo("nominals", "import", str(file), "--source", "niche", "--refused", str(whole))

    assert (ran.code, ran.out.count("\n")) == (3, 1_002)
    assert len(whole.read_text().splitlines()) == 2_501
    assert whole.read_text().splitlines()[-1].startswith("2500,row,is not JSON")


def test_the_whole_report_is_one_json_object(ppo: Run, served: Served, file: Path) -> None:
    file.write_text("not json\n" * 2_500)

    ran = ppo("nominals", "import", str(file), "--source", "niche", "--json")

    report = json.loads(ran.out)
    assert (report["refused"], len(report["refusals"])) == ("2500", 2_500)


def test_a_service_that_goes_away_is_found_again_and_gets_the_rest(
    ppo: Run, served: Served, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(loading, "BATCH", 1)
    file.write_text("".join(GOOD.replace("N1", f"N{place}") + "\n" for place in range(5)))
    served.flagging.breaks_off = 3

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 0
    assert [row.source_reference for row in served.flagging.rows] == [f"N{place}" for place in range(5)]


def test_a_service_that_never_answered_is_not_waited_for(
    ppo: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PATIENCE_SECONDS", float("inf"))
    monkeypatch.setenv("PPO_FLAGGING_TARGET", "127.0.0.1:1")
    monkeypatch.setenv("PPO_TOKEN", "anybody's")
    file.write_text(f"{GOOD}\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "cannot be reached at 127.0.0.1:1" in ran.err


def test_what_was_acknowledged_is_not_sent_again(ppo: Run, served: Served, file: Path) -> None:
    file.write_text("".join(GOOD.replace("N1", f"N{place}") + "\n" for place in range(5)))
    served.flagging.begin_after = 3

    ppo("nominals", "import", str(file), "--source", "niche")

    assert [row.line for row in served.flagging.rows] == [4, 5]


def test_an_import_into_nothing_is_one_line(ppo: Run, file: Path) -> None:
    file.write_text(f"{GOOD}\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "no suite was started" in ran.err
