"""The thin commands: what each asks for, what each prints, and how each ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.keys import Keys
from ppo.custody.v1 import custody_pb2 as custody
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from services.people import identifiers
from services.runtime.errors import Illegal
from services.runtime.identity import Verifier
from tests.unit.console.conftest import Run, Served

COMMANDS = [
    *("up", "down", "status", "token", "check", "desk", "demo", "caseload"),
    *(f"custody {name}" for name in ("book-in", "identify", "confirm", "test", "dispose", "list", "watch")),
    *("custody referrals", "nominals import", "nominals find", "nominals show"),
    *("register import", "register show", "register list"),
    *(
        "movements send",
        "journey show",
        "journey stage",
        "journey withdraw",
        "review list",
        "review resolve",
        "prison work",
        "owner explain",
        "release plan",
        "release cancel",
    ),
    *(f"nominals {name}" for name in ("merge", "unmerge")),
    "housing tenancy",
    *("residence set", "managers assign"),
    *(f"areas {name}" for name in ("check", "preview", "load", "find", "versions")),
    *(f"dispute {name}" for name in ("raise", "decide", "list")),
    "register reconcile",
    *("prison roll", "prison matches", "prison resolve", "prison withdraw"),
    *(f"notices {name}" for name in ("watch", "list", "overdue", "replay", "ack", "trace")),
    *(
        f"return {name}"
        for name in ("close", "close-all", "show", "submit", "export", "list", "series", "movements")
    ),
    *(f"return {name}" for name in ("add", "check", "query", "answer", "accept")),
    "journey record",
    *(f"letters {name}" for name in ("list", "show", "retry", "discard")),
    "bench import",
    "bench ownership",
    "bench returns",
    "bench relay",
    "bench screen-accuracy",
    *(f"register {name}" for name in ("nominate", "decide", "plan-exit", "cancel-exit", "remove", "annul")),
]
NOMINAL = "e9ab78e1-0aeb-40b7-be35-3d21488eb20b"


def test_help_names_every_command(ppo: Run) -> None:
    ran = ppo("--help")

    assert ran.code == 0
    assert [name for name in {command.split()[0] for command in COMMANDS} if f" {name} " not in ran.out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example(ppo: Run, command: str) -> None:
    ran = ppo(*command.split(), "--help")

    assert ran.code == 0
    # Once in the usage, once more as an example.
    assert ran.out.count(f"ppo {command}") >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_identifiers_in_the_help_are_ones_that_are_taken(ppo: Run, command: str) -> None:
    pnc_ids = re.findall(r"(?<!/)\b\d{2}(?:\d{2})?/\d{1,7}[A-Z]\b", ppo(*command.split(), "--help").out)

    for written in pnc_ids:
        identifiers.canonical(pb.IDENTIFIER_KIND_PNC_ID, written)


def test_the_entry_point_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "services.console", "chek"], capture_output=True, text=True, timeout=60
    )

    assert (ran.returncode, ran.stderr) == (2, "ppo: No such command 'chek'. Did you mean 'check'?\n")


def test_a_token_is_signed_for_its_role(ppo: Run, data: Path) -> None:
    verifier = Verifier(Keys(data / "secrets").verifying_key.read_bytes())

    ran = ppo("token", "--role", "custody officer", "--organisation", "D3", "--subject", "Sgt Hill")

    caller = verifier.verify(ran.out.strip())
    assert (caller.role, caller.organisation, caller.subject) == ("custody_officer", "D3", "Sgt Hill")


def test_a_token_for_an_unknown_role_is_refused(ppo: Run, data: Path) -> None:
    ran = ppo("token", "--role", "king")

    assert ran.code == 2
    assert ran.err.startswith("ppo: --role: 'king' is none of custody officer, ")


def test_no_token_is_signed_where_no_suite_was_started(ppo: Run, data: Path) -> None:
    ran = ppo("token", "--role", "ops")

    assert ran.code == 1
    assert "no suite was started" in ran.err
    assert list(data.iterdir()) == []


def test_down_where_nothing_runs_says_so(ppo: Run, data: Path) -> None:
    ran = ppo("down")

    assert (ran.code, ran.err) == (0, f"nothing runs on {data}\n")


def test_a_book_in_shows_the_record_and_the_answer(ppo: Run, served: Served) -> None:
    served.custody.answer = custody.Answer(screening=screening.Screening(outcome=screening.OUTCOME_FLAGGED))

    ran = ppo("custody", "book-in", "--pnc", "79/163001B", "--offence", "burglary")

    [asked] = served.custody.asked
    assert list(asked.offence_codes) == ["burglary"]
    assert asked.HasField("arrested_time")
    assert ran.code == 0
    assert "custody record detention-1" in ran.out
    assert "FLAGGED" in ran.out


def test_a_repeat_names_its_request(ppo: Run, served: Served) -> None:
    ppo("custody", "book-in", "--pnc", "79/163001B", "--request-id", "r-1", "--arrested", "2004-12-31T20:00")

    [asked] = served.custody.asked
    assert asked.request_id == "r-1"
    assert asked.arrested_time.ToJsonString() == "2004-12-31T20:00:00Z"


def test_a_wrong_time_is_one_line(ppo: Run, served: Served) -> None:
    ran = ppo("custody", "book-in", "--arrested", "tonight")

    assert ran.code == 2
    assert ran.err == "ppo: --arrested 'tonight' is not a time; write it as 2004-12-31T20:00\n"


@pytest.mark.parametrize(
    ("flag", "verdict"),
    [
        ("--same", custody.MATCH_VERDICT_SAME_PERSON),
        ("--another", custody.MATCH_VERDICT_ANOTHER_PERSON),
    ],
)
def test_a_match_is_confirmed_either_way(
    ppo: Run, served: Served, flag: str, verdict: custody.MatchVerdict.ValueType
) -> None:
    ran = ppo("custody", "confirm", "detention-1", NOMINAL, flag, "--by", "fingerprint")

    [asked] = served.custody.asked
    assert ran.code == 0
    assert (asked.detention_id, asked.nominal_id, asked.verdict) == ("detention-1", NOMINAL, verdict)
    assert asked.identity_basis == screening.IDENTITY_BASIS_FINGERPRINT


def test_what_was_recorded_wrongly_is_corrected_with_a_reason(ppo: Run, served: Served) -> None:
    why = ("--reason", "a cell mate")
    ppo("custody", "confirm", "detention-1", NOMINAL, "--another", "--by", "fingerprint", *why)
    ppo("custody", "test", "detention-1", "--result", "negative", *why)

    assert [asked.reason for asked in served.custody.asked] == ["a cell mate"] * 2


def test_a_candidate_is_named_by_pnc_id_too(ppo: Run, served: Served) -> None:
    ppo("custody", "confirm", "detention-1", "79/163001B", "--same", "--by", "identifier")

    [asked] = served.custody.asked
    assert asked.nominal_id == "nominal-1"


def test_a_positive_test_says_where_it_is_referred(ppo: Run, served: Served) -> None:
    ran = ppo("custody", "test", "detention-1", "--result", "positive", "--drug", "heroin and cocaine")

    [asked] = served.custody.asked
    assert (asked.result, asked.drug) == (custody.TEST_RESULT_POSITIVE, custody.DRUG_HEROIN_AND_COCAINE)
    assert (ran.code, ran.out) == (0, "positive: referred to the PPO drug team\n")


def test_a_word_that_the_contract_does_not_know_is_one_line(ppo: Run, served: Served) -> None:
    ran = ppo("custody", "test", "detention-1", "--result", "maybe")

    assert ran.code == 2
    assert ran.err == "ppo: --result: 'maybe' is none of negative, positive, refused\n"


def test_what_the_rules_do_not_allow_ends_with_1(ppo: Run, served: Served) -> None:
    served.custody.refusal = Illegal("DETENTION_CLOSED", "the custody record is closed")

    ran = ppo("custody", "confirm", "detention-1", NOMINAL, "--same", "--by", "fingerprint")

    assert (ran.code, ran.err) == (1, "ppo: custody: the custody record is closed\n")


def test_a_watch_shows_events_from_the_last_seen_on(ppo: Run, served: Served) -> None:
    flagged = custody.Answer(screening=screening.Screening(outcome=screening.OUTCOME_FLAGGED))
    kelly = custody.Detention(person=pb.Person(name=pb.Name(family_name="Kelly")), answer=flagged)
    kinds = (custody.SUITE_EVENT_KIND_BOOKED_IN, custody.SUITE_EVENT_KIND_ANSWER_CHANGED)
    served.custody.events = [
        custody.WatchSuiteResponse(
            number=number, kind=kind, detention=kelly, earlier_outcome=screening.OUTCOME_UNKNOWN
        )
        for number, kind in enumerate(kinds, start=17)
    ]

    ran = ppo("custody", "watch", "D3", "--after", "17")

    assert ran.out.split("  ")[-1] == "KELLY: the answer has changed: FLAGGED, before: unknown\n"
    assert ran.out.count("\n") == 1


def test_a_merge_names_the_nominals_that_have_the_identifiers(ppo: Run, served: Served) -> None:
    served.flagging.merged["80/7Y"] = "nominal-2"

    ran = ppo("nominals", "merge", "79/163001B", "80/7Y", "--reason", "one set of fingerprints")

    asked = served.flagging.asked[-1]
    assert (asked.nominal_id, asked.into_nominal_id) == ("nominal-1", "nominal-2")
    assert asked.reason == "one set of fingerprints"
    assert ran.code == 0
    assert ran.out == "nominal-1 lives on in nominal-2\nregistration registration-1: merged\n"


def test_an_unmerge_says_what_stands_again(ppo: Run, served: Served) -> None:
    served.flagging.merged["80/7Y"] = "nominal-2"

    ran = ppo("nominals", "unmerge", "80/7Y", "--reason", "two sets of fingerprints")

    assert served.flagging.asked[-1].nominal_id == "nominal-2"
    assert ran.out == "nominal-2 lives on in nominal-1 no more\nregistration registration-1: active\n"


def test_nominals_are_found_as_json_lines(ppo: Run, served: Served) -> None:
    served.flagging.found = [
        flagging.FoundNominal(nominal=flagging.Nominal(nominal_id=f"nominal-{number}"), bits=20)
        for number in (1, 2)
    ]

    ran = ppo("nominals", "find", "--family", "Kelly", "--born", "1979", "--json")

    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [one["nominal"]["nominal_id"] for one in found] == ["nominal-1", "nominal-2"]


def test_the_list_is_shown_as_of_a_time(ppo: Run, served: Served) -> None:
    kelly = pb.Person(name=pb.Name(family_name="Kelly", given_name="Shane"))
    served.flagging.ppos = [flagging.ListPposResponse(person=kelly)]

    ran = ppo("register", "list", "--at", "2004-12-01T00:00", "--ocu", "D3")

    [asked] = served.flagging.asked
    assert (asked.as_of_time.ToJsonString(), asked.nominating_ocu) == ("2004-12-01T00:00:00Z", "D3")
    assert "KELLY, Shane" in ran.out
    assert ran.err == "1 on the list\n"


def test_a_nomination_finds_its_nominal_by_pnc_id(ppo: Run, served: Served) -> None:
    ran = ppo("register", "nominate", "79/163001B", "--ocu", "D3", "--criterion", "volume")

    looked_up, nominated = served.flagging.asked
    assert looked_up.identifier == pb.Identifier(kind=pb.IDENTIFIER_KIND_PNC_ID, value="79/163001B")
    assert (nominated.nominal_id, nominated.nominating_ocu) == ("nominal-1", "D3")
    assert ran.out == "registration registration-1: nominated\n"


@pytest.mark.parametrize(
    ("options", "flagged", "said"),
    [
        ([], True, "KELLY, Shane is a PPO"),
        ([], False, "KELLY, Shane is not a PPO"),
        (["--at", "2004-12-01T00:00"], False, "KELLY, Shane was not a PPO at 1 Dec 2004 00:00:00 GMT"),
        (["--at", "2999-12-01T00:00"], True, "KELLY, Shane is to be a PPO at 1 Dec 2999 00:00:00 GMT"),
        (
            ["--at", "2004-07-01T00:00:00.5", "--known-at", "2004-12-24T17:30"],
            True,
            "KELLY, Shane was a PPO at 1 Jul 2004 00:00:00.500000 BST, as known at 24 Dec 2004 17:30:00 GMT",
        ),
    ],
)
def test_whether_somebody_was_a_ppo_is_said_in_a_sentence(
    ppo: Run, served: Served, options: list[str], flagged: bool, said: str
) -> None:
    answer = served.flagging.registration
    answer.flag_state = screening.FLAG_STATE_FLAGGED if flagged else screening.FLAG_STATE_NOT_FLAGGED
    answer.person.name.CopyFrom(pb.Name(family_name="Kelly", given_name="Shane"))

    ran = ppo("register", "show", "79/163001B", *options)

    assert (ran.code, ran.out) == (0, f"{said}\n")
    assert served.flagging.asked[-1].nominal_id == "nominal-1"


def test_a_registration_is_shown_with_its_steps_in_the_time_of_london(ppo: Run, served: Served) -> None:
    answer = served.flagging.registration
    answer.registration.state = flagging.REGISTRATION_STATE_ACTIVE
    answer.registration.effective_start_time.FromJsonString("2004-09-06T09:00:00Z")
    step = answer.steps.add(state=flagging.REGISTRATION_STATE_ACTIVE, recorded_by="keeper-1")
    step.recorded_time.FromJsonString("2004-12-06T09:00:00Z")

    ran = ppo("register", "show", "79/163001B")

    assert "6 Sep 2004 10:00:00 BST" in ran.out
    assert "6 Dec 2004 09:00:00 GMT  keeper-1" in ran.out


def test_the_past_of_a_registration_is_json_too(ppo: Run, served: Served) -> None:
    served.flagging.registration.flag_state = screening.FLAG_STATE_FLAGGED

    ran = ppo("register", "show", "79/163001B", "--known-at", "2004-12-24T17:30", "--json")

    shown = json.loads(ran.out)
    assert (shown["flag_state"], shown["known_at_time"]) == ("FLAG_STATE_FLAGGED", "2004-12-24T17:30:00Z")


def test_a_nominal_is_shown_as_known_at_a_time(ppo: Run, served: Served) -> None:
    ran = ppo("nominals", "show", "79/163001B", "--known-at", "2004-12-24T17:30")

    [asked] = served.flagging.asked
    assert asked.known_at_time.ToJsonString() == "2004-12-24T17:30:00Z"
    assert "nominal-1" in ran.out


def test_a_nomination_takes_evidence_and_convictions_and_says_what_they_indicate(
    ppo: Run, served: Served
) -> None:
    served.flagging.persistence = flagging.Persistence(
        indicator=flagging.PERSISTENCE_INDICATOR_NOT_MET,
        counted=1,
        since_date={"year": 2003, "month": 12, "day": 31},
    )
    given = ["--evidence", "log 7; b24; a source", "--conviction", "2004-06-01; 04/17"]

    ran = ppo("register", "nominate", "79/163001B", "--ocu", "D3", "--criterion", "harm", *given)

    nominated = served.flagging.asked[-1]
    [evidence], [conviction] = nominated.evidence, nominated.convictions
    assert (evidence.reference, evidence.grade, evidence.provenance) == ("log 7", "B24", "a source")
    assert (conviction.conviction_date.month, conviction.reference) == (6, "04/17")
    assert ran.out.splitlines()[1] == "persistence not met: 1 convictions since 2003-12-31"


@pytest.mark.parametrize(
    ("option", "text"), [("--evidence", "log 7; B2"), ("--conviction", "1 June; 04/17"), ("--conviction", "")]
)
def test_evidence_and_convictions_are_refused_where_they_do_not_read(
    ppo: Run, served: Served, option: str, text: str
) -> None:
    ran = ppo("register", "nominate", "79/163001B", "--ocu", "D3", "--criterion", "harm", option, text)

    assert ran.code == 2
    assert ran.err.startswith(f"ppo: {option} {text!r}: write it as ")
    assert served.flagging.asked == []


def test_a_forums_decision_may_name_another_strand(ppo: Run, served: Served) -> None:
    decided = ["activate", "--forum", "forum-d3-north", "--agrees", "police", "--strand", "catch and convict"]

    ppo("register", "decide", "registration-1", *decided)

    assert served.flagging.asked[-1].strand == screening.STRAND_CATCH_AND_CONVICT
