"""`ppo prison`: what is sent of a roll and to whom, what is shown of it, and the keeper's questions."""

import json
from pathlib import Path

import pytest

from ppo.flagging.v1 import roll_pb2 as roll
from ppo.person.v1 import screening_pb2 as screening
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.runtime.errors import Unavailable
from tests.builders import person
from tests.unit.console.conftest import Run, Served

HEADER = "prison_number,given_name,family_name,birth_date,pnc_id,reception_date,planned_release_date"
KELLY = "A1234BC,Shane,Kelly,1979-03-04,79/163001B,2004-11-01,2005-02-14"
MARSH = "A5678DE,Joan,Marsh,30/07/1951,,,"
NOMINAL = "e9ab78e1-0aeb-40b7-be35-3d21488eb20b"


@pytest.fixture
def ppo_inside(served: Served) -> Served:
    served.flagging.prisoners["A1234BC"] = roll.RollAnswer(
        outcome=screening.OUTCOME_FLAGGED,
        nominal_id=NOMINAL,
        strand=screening.STRAND_CATCH_AND_CONVICT,
        nominating_ocu="D3",
        link=roll.NUMBER_LINK_LINKED,
        register_version=812,
    )
    served.tracking.contacts[NOMINAL] = tracking.Contact(
        nominal_id=NOMINAL,
        owner="E3",
        duty_contact=tracking.DutyContact(title="Duty offender manager, E3", telephone="0121 496 0111"),
    )
    return served


def written(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_a_roll_shows_each_ppo_with_owner_contact_and_release_date(
    ppo: Run, ppo_inside: Served, tmp_path: Path
) -> None:
    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY, MARSH), "--prison", "FSI")

    shown = " ".join(ran.out.split())
    assert ran.code == 0
    assert "KELLY, Shane A1234BC !! PPO catch and convict E3 Duty offender manager, E3" in shown
    assert "2005-02-14 handed over" in shown
    assert "2 lines: 1 PPO, 0 possible, 1 no PPOs, 0 unknown, 0 refused" in shown
    assert "The register as of its version 812" in shown
    assert "MARSH" not in shown
    assert ppo_inside.tracking.callers[0].organisation == "FSI"


def test_the_register_is_told_no_date_and_tracking_of_ppos_alone(
    ppo: Run, ppo_inside: Served, tmp_path: Path
) -> None:
    other = "A5678DE,Joan,Marsh,1951-07-30,,2004-11-01,2005-03-01"

    ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY, other))

    contacts, plan = ppo_inside.tracking.asked
    assert [one.prison_number for one in ppo_inside.flagging.lines] == ["A1234BC", "A5678DE"]
    assert [(one.nominal_id, one.nominating_ocu) for one in contacts.persons] == [(NOMINAL, "D3")]
    assert (plan.nominal_id, plan.date_alone, plan.ocu) == (NOMINAL, True, "")
    assert (plan.release_date.year, plan.release_date.month, plan.release_date.day) == (2005, 2, 14)


def test_the_same_roll_again_says_that_the_date_is_known(
    ppo: Run, ppo_inside: Served, tmp_path: Path
) -> None:
    file = written(tmp_path / "roll.csv", HEADER, KELLY)
    ppo("prison", "roll", file)

    ran = ppo("prison", "roll", file)

    assert "2005-02-14 known already" in " ".join(ran.out.split())
    assert "0 release dates handed over, 1 known already" in ran.out


def test_a_ppo_whom_tracking_does_not_know_yet_is_told_as_such(
    ppo: Run, ppo_inside: Served, tmp_path: Path
) -> None:
    del ppo_inside.tracking.contacts[NOMINAL]

    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY))

    shown = " ".join(ran.out.split())
    assert "not decided yet; nominated by D3" in shown
    assert "send the roll again" in shown


def test_who_may_be_a_ppo_and_who_is_unknown_are_no_no(ppo: Run, served: Served, tmp_path: Path) -> None:
    served.flagging.prisoners["A1234BC"] = roll.RollAnswer(
        outcome=screening.OUTCOME_POSSIBLE, link=roll.NUMBER_LINK_QUEUED
    )
    served.flagging.prisoners["A5678DE"] = roll.RollAnswer(outcome=99)  # type: ignore[arg-type]

    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY, MARSH))

    assert "?? possible" in ran.out
    assert "the keeper of the register is asked" in " ".join(ran.out.split())
    assert "?? UNKNOWN" in ran.out
    assert "0 PPOs, 1 possible, 0 no PPOs, 1 unknown" in ran.out


def test_json_has_every_line_with_all_that_was_answered(ppo: Run, ppo_inside: Served, tmp_path: Path) -> None:
    bad = "bad,Ann,Hill,1980-01-01,,,"
    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY, MARSH, bad), "--json")

    first, second, third = map(json.loads, ran.out.splitlines())
    assert ran.code == 3
    assert (first["answer"]["outcome"], first["contact"]["owner"]) == ("OUTCOME_FLAGGED", "E3")
    assert (first["release_date"], first["release"]) == ("2005-02-14", "handed over")
    assert (second["line"], second["answer"]["outcome"]) == (3, "OUTCOME_NOT_FLAGGED")
    assert third == {"line": 4, "refusal": {"field": "prison_number", "rule": "its form is wrong"}}


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        (",Ann,Hill,1980-01-01,,,", "line 2: prison_number: is required"),
        ("A1234BC,Ann,,1980-01-01,,,", "line 2: family_name: is required"),
        ("A1234BC,Ann,Hill,1980-13-01,,,", "line 2: birth_date: there is no month 13"),
        ("A1234BC,Ann,Hill,1980-01-01,,soon,", "line 2: reception_date: is not a date"),
        ("A1234BC,Ann,Hill,1980-01-01,,,2005-02-30", "line 2: planned_release_date: is not a date"),
        ("A1234BC,Ann,Hill,1980-01-01,,2004-12-02,2004-12-01", "planned_release_date: lies before"),
        ("A1234BC,Ann,Hill,1980-01-01,,9999-01-01,", "line 2: reception_date: lies in the future"),
        ("A1234BC,Ann,Hill,1980-01-01,,,,more", "line 2: row: has 8 cells, the header 7"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_asked(
    ppo: Run, ppo_inside: Served, tmp_path: Path, line: str, refusal: str
) -> None:
    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, line, KELLY))

    assert ran.code == 3
    assert refusal in ran.out
    assert len(ppo_inside.flagging.lines) == 1


def test_json_lines_have_the_columns_names(ppo: Run, served: Served, tmp_path: Path) -> None:
    names = HEADER.split(",")
    good = json.dumps(dict(zip(names, KELLY.split(","), strict=True)))
    wrong = json.dumps({"prison_number": 7}), json.dumps({"surname": "Hill"}), "{"

    ran = ppo("prison", "roll", written(tmp_path / "roll.jsonl", good, *wrong))

    assert ran.code == 3
    assert [one.pnc_id for one in served.flagging.lines] == ["79/163001B"]
    assert "line 2: prison_number: is not text" in ran.out
    assert "line 3: surname: is no field of a row" in ran.out
    assert "line 4: row: is not JSON" in ran.out


def test_a_file_without_a_needed_column_is_refused_whole(ppo: Run, served: Served, tmp_path: Path) -> None:
    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", "prison_number,family_name", "A1234BC,Hill"))

    assert ran.code == 2
    assert "line 1: the column birth_date is missing" in ran.err


@pytest.mark.parametrize("prison", ["ZZZ", "D3"])
def test_a_roll_is_sent_for_a_prison_alone(ppo: Run, served: Served, tmp_path: Path, prison: str) -> None:
    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY), "--prison", prison)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"ppo: --prison '{prison}' is no prison of the reference data\n"
    assert served.flagging.lines == []


def test_without_tracking_the_answers_stand_and_the_command_fails(
    ppo: Run, ppo_inside: Served, tmp_path: Path
) -> None:
    ppo_inside.tracking.refusal = Unavailable("postgres")

    ran = ppo("prison", "roll", written(tmp_path / "roll.csv", HEADER, KELLY))

    assert ran.code == 1
    assert "!! PPO" in ran.out
    assert "send the roll again" in ran.err


def test_who_waits_is_shown_beside_whom_they_may_be(ppo: Run, served: Served) -> None:
    match = roll.PrisonMatch(prison_number="A1234BC", person=person("Shane", "Kelly"))
    match.candidates.add(nominal_id=NOMINAL, person=person("Sean", "Kelly"), bits=17.25)
    match.candidates[0].evidence.add(field="given_name", comparison="nickname", bits=3)
    served.flagging.matches.append(match)

    ran = ppo("prison", "matches")

    assert ran.code == 0
    assert "KELLY, Shane" in ran.out
    assert "KELLY, Sean" in ran.out
    assert "given name nickname" in " ".join(ran.out.split())


def test_nobody_waiting_is_a_word(ppo: Run, served: Served) -> None:
    ran = ppo("prison", "matches")

    assert (ran.code, ran.out, ran.err) == (0, "", "nobody waits\n")


def test_a_number_is_resolved_to_a_nominal_or_to_nobody(ppo: Run, served: Served) -> None:
    ppo("prison", "resolve", "A1234BC", "--nominal", NOMINAL, "--reason", "photograph")
    ppo("prison", "resolve", "A1234BC", "--nobody", "--reason", "another date")

    one, other = served.flagging.asked
    assert (one.prison_number, one.nominal_id, one.reason) == ("A1234BC", NOMINAL, "photograph")
    assert (other.nominal_id, other.reason) == ("", "another date")


@pytest.mark.parametrize("options", [(), ("--nobody", "--nominal", NOMINAL)])
def test_whose_it_is_or_nobodys_has_to_be_said(ppo: Run, served: Served, options: tuple[str, ...]) -> None:
    ran = ppo("prison", "resolve", "A1234BC", *options, "--reason", "because")

    assert ran.code == 2
    assert served.flagging.asked == []
