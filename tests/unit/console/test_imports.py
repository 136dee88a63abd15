"""`ppo nominals import` and `register import`: every row is sent or reported, by line, field and rule."""

import json
from pathlib import Path

import pytest

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from tests.unit.console.conftest import Run, Served

GOOD = '{"source_reference": "N1", "person": {"name": {"family_name": "Kelly"}}}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_every_row_is_sent_with_its_line_and_source(ppo: Run, served: Served, file: Path) -> None:
    file.write_text(f"{GOOD}\n\n{GOOD.replace('N1', 'N2')}\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert [(row.line, row.source, row.source_reference) for row in served.flagging.rows] == [
        (1, "niche", "N1"),
        (3, "niche", "N2"),
    ]
    assert len({row.request_id for row in served.flagging.rows}) == 1
    assert (ran.code, ran.out) == (0, "2 created, 0 updated, 0 unchanged, 0 refused\n")


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
    assert "line 2: row: date of birth '1979-99': there is no month 99" in ran.out
    assert "line 3: row: sex: 'sideways' is none of male, female, not specified" in ran.out


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


def test_a_file_that_is_no_text_is_one_line(ppo: Run, served: Served, file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 2
    assert "is not UTF-8 text" in ran.err


def test_an_import_into_nothing_is_one_line(ppo: Run, file: Path) -> None:
    file.write_text(f"{GOOD}\n")

    ran = ppo("nominals", "import", str(file), "--source", "niche")

    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "no suite was started" in ran.err
