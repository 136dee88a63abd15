"""What the demo shows, scene by scene; each says what is shown, and checks that it is so."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from deploy.embedded import state
from ppo.custody.v1 import custody_pb2 as custody
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.policy.v1 import policy_pb2 as policy
from services.console import agencies, answer, imports, loading, output, population, register, rows, status
from services.console.custody import referral
from services.console.promises import Promise, promises
from services.console.screen import PATIENCE
from services.console.session import CALL_SECONDS, request_id
from services.console.stage import (
    SUITE,
    Stage,
    arrive,
    book_in,
    chapter,
    check,
    expect,
    named,
    on_stage,
    register_says,
    say,
    shows,
    timestamp,
)
from services.console.suite import line
from services.runtime.reference import LONDON

OCU, FORUM = "E3", "forum-e3-east"
SOURCE = "demo"
# One more is to come this evening: published are 321 in the month.
ON_THE_LIST, IN_THE_MONTH, TAKEN_OFF = 299, 320, 21
FIRST_OF_DECEMBER = datetime(2004, 12, 1, tzinfo=LONDON)

FLAGGED, POSSIBLE = screening.OUTCOME_FLAGGED, screening.OUTCOME_POSSIBLE
NOT_FLAGGED, UNKNOWN = screening.OUTCOME_NOT_FLAGGED, screening.OUTCOME_UNKNOWN
PPO_DRUG_TEAM, DIP_TEAM = custody.REFERRAL_ROUTE_PPO_DRUG_TEAM, custody.REFERRAL_ROUTE_DIP_TEAM
REGISTER, REPLICA = custody.BASIS_REGISTER, custody.BASIS_REPLICA


async def tell(data: Path, workbook: Path) -> None:
    async with on_stage(data) as stage:
        await _load(stage)
        await _list(stage)
        await _known(stage)
        await _misheard(stage)
        stranger = await _stranger(stage)
        await _nameless(stage)
        nominee = await _late_flag(stage)
        await _drug_tests(stage, nominee, stranger)
        await _outage(stage)
        await agencies.tell(stage, nominee, stranger, workbook)


# ---- the register


async def _load(stage: Stage) -> None:
    chapter("The police index and the running register are loaded")
    nominals, ppos = stage.data / "nominals.jsonl", stage.data / "register.jsonl"
    counts = population.write_nominals(nominals), population.write_register(ppos)
    began = time.monotonic()
    first = await loading.load(stage.importer, nominals, rows.Form.JSONL, SOURCE)
    second = await imports.send(stage.importer.ImportRegistrations, ppos, rows.Form.JSONL, SOURCE)
    expect((first.created, second.created) == counts, f"{counts} rows to be taken, of {first} and {second}")
    say(
        f"{first.created:,} people known to the police and {second.created} registrations, row by row through"
    )
    say(f"the same imports that a force would use, in {time.monotonic() - began:.0f} seconds.")


async def _list(stage: Stage) -> None:
    chapter("The list on the evening of 31 December 2004")
    now = await _on_the_list(stage, stage.clock.now())
    month: set[str] = set(now)
    for day in range(31):
        month |= await _on_the_list(stage, FIRST_OF_DECEMBER + timedelta(days=day))
    expect(
        (len(now), len(month)) == (ON_THE_LIST, IN_THE_MONTH), f"299 and 320, not {len(now)} and {len(month)}"
    )
    expect(len(month - now) == TAKEN_OFF, f"21 taken off, not {len(month - now)}")
    say(f"{len(now)} people are on the list now. {len(month)} were on it at some time in December, of whom")
    say(f"{len(month - now)} were taken off. The register was asked who was on it on each day of the month.")


async def _on_the_list(stage: Stage, at: datetime) -> set[str]:
    request = flagging.ListPposRequest(purpose=policy.PURPOSE_REGISTER, as_of_time=timestamp(at))
    return {one.registration.nominal_id for one in await register.ppos(stage.keeper, request)}


# ---- at the desk


async def _known(stage: Stage) -> None:
    person = stage.cast.known
    chapter(f"{named(person)} is booked in at {SUITE} for burglary. He gives his PNC id")
    detention = await arrive(stage, pb.Person(name=person.name, identifiers=person.identifiers))
    shows(detention.answer, FLAGGED, REGISTER)
    say("The desk knows at once that he is a PPO, and whom to ring at this hour.")


async def _misheard(stage: Stage) -> None:
    person, heard = stage.cast.misheard, stage.cast.heard
    chapter(f"{named(person)} has no papers, and the desk writes down “{output.full_name(heard)}”")
    detention = await arrive(stage, pb.Person(name=heard, birth_date=person.birth_date))
    shows(detention.answer, POSSIBLE, REGISTER)
    best = detention.answer.screening.candidates[0]
    expect(best.person.name == person.name, "the right person to be the best candidate")
    say("A likeness is never a yes: an officer must confirm it. His fingerprints do:")
    request = custody.ConfirmMatchRequest(
        request_id=request_id(),
        detention_id=detention.detention_id,
        nominal_id=best.nominal_id,
        verdict=custody.MATCH_VERDICT_SAME_PERSON,
        identity_basis=screening.IDENTITY_BASIS_FINGERPRINT,
    )
    confirmed = (await stage.desk.ConfirmMatch(request, timeout=CALL_SECONDS)).detention
    shows(confirmed.answer, FLAGGED)


async def _stranger(stage: Stage) -> custody.Detention:
    person = stage.cast.stranger
    chapter(f"{named(person)} is booked in. She gives her PNC id, and is not on the list")
    detention = await arrive(stage, pb.Person(name=person.name, identifiers=person.identifiers))
    shows(detention.answer, NOT_FLAGGED, REGISTER)
    say("Only the register itself ever says this.")
    return detention


async def _nameless(stage: Stage) -> None:
    chapter("Somebody will not say who they are")
    detention = await arrive(stage, pb.Person())
    shows(detention.answer, UNKNOWN)
    expect(
        detention.answer.screening.unknown_reason == screening.UNKNOWN_REASON_NO_IDENTITY,
        "the reason NO_IDENTITY",
    )
    say("Not knowing is an answer of its own. It never reads as a no.")


async def _late_flag(stage: Stage) -> custody.Detention:
    person = stage.cast.nominee
    chapter(f"{named(person)} is in a cell at {SUITE} when a forum puts him on the list")
    detention = await arrive(stage, pb.Person(name=person.name, identifiers=person.identifiers))
    shows(detention.answer, NOT_FLAGGED, REGISTER)
    began = await _flag(stage, person)
    seen = await stage.screen.shows("the new flag", lambda event: _changed(event, detention, FLAGGED))
    say("The forum has decided: he is a PPO. Nobody at the desk did anything. Their screen says:")
    output.show(f"  {line(seen.event)}", style="bold")
    say(f"{(seen.at - began) * 1000:.0f} milliseconds after the decision was sent to the register.")
    return detention


async def _flag(stage: Stage, person: pb.Person) -> float:
    """Nominates, and decides. Returns the moment at which the decision was sent."""
    nominal = await register.find(stage.keeper, person.identifiers[0].value)
    nomination = flagging.NominatePpoRequest(
        request_id=request_id(),
        nominal_id=nominal.nominal_id,
        strand=screening.STRAND_CATCH_AND_CONVICT,
        criteria=[flagging.CRITERION_VOLUME],
        nominating_ocu=OCU,
    )
    nominated = (await stage.keeper.NominatePpo(nomination, timeout=CALL_SECONDS)).registration
    agencies = (flagging.AGENCY_POLICE, flagging.AGENCY_PROBATION)
    decision = flagging.DecideNominationRequest(
        request_id=request_id(),
        registration_id=nominated.registration_id,
        decision=flagging.NOMINATION_DECISION_ACTIVATE,
        forum_id=FORUM,
        votes=[flagging.Vote(agency=agency, agrees=True) for agency in agencies],
    )
    began = time.monotonic()
    await stage.keeper.DecideNomination(decision, timeout=CALL_SECONDS)
    return began


async def _drug_tests(stage: Stage, ppo: custody.Detention, stranger: custody.Detention) -> None:
    chapter("Both test positive for heroin. Who is told depends on the list")
    say(f"{named(ppo.person)}: {referral(await _test(stage, ppo, PPO_DRUG_TEAM))}.")
    say(f"{named(stranger.person)}: {referral(await _test(stage, stranger, DIP_TEAM))}.")
    request = custody.ListReferralsRequest(route=PPO_DRUG_TEAM, purpose=policy.PURPOSE_OFFENDER_MANAGEMENT)
    mine = (await stage.drug_team.ListReferrals(request, timeout=CALL_SECONDS)).referrals
    expect([one.person.name for one in mine] == [ppo.person.name], "the PPO drug team to see the PPO alone")
    say("The PPO drug team reads its list of referrals, and sees the one who is theirs, and nobody else.")


async def _test(
    stage: Stage, detention: custody.Detention, route: custody.ReferralRoute.ValueType
) -> custody.ReferralRoute.ValueType:
    request = custody.RecordDrugTestRequest(
        request_id=request_id(),
        detention_id=detention.detention_id,
        result=custody.TEST_RESULT_POSITIVE,
        drug=custody.DRUG_HEROIN,
        tested_time=timestamp(stage.clock.now()),
    )
    taken = (await stage.desk.RecordDrugTest(request, timeout=CALL_SECONDS)).drug_test
    expect(taken.route == route, f"the referral to be {referral(route)}")
    return taken.route


# ---- the outage


async def _outage(stage: Stage) -> None:
    known, stranger = stage.cast.known, stage.cast.stranger
    chapter("The register is taken away: its process is frozen in the middle of the evening")
    with _frozen(stage.data):
        say(f"{named(known)} is checked again, by his PNC id:")
        shows(await check(stage, known), FLAGGED, REPLICA)
        say(f"{named(stranger)} is checked again, by hers:")
        shows(await check(stage, stranger), UNKNOWN, REPLICA)
        say("A copy may say yes. It never says no: what it does not hold may be newer than the copy.")
        say("Somebody else is booked in meanwhile.")
        newcomer = await book_in(stage, _newcomer())
        expect(answer.outcome(newcomer.answer) == UNKNOWN, "the newcomer to be unknown")
        say("UNKNOWN for the time being. And ppo status says:")
        await _status(stage.data, "to be broken", lambda first: not first.holds)
    chapter("The frozen process is killed. It is started again by itself, and nobody has to ask again")
    began = time.monotonic()
    seen = await stage.screen.shows(
        "the newcomer's answer", lambda event: _changed(event, newcomer, NOT_FLAGGED)
    )
    say(f"{seen.at - began:.1f} seconds later the suite's screen says, unasked:")
    output.show(f"  {line(seen.event)}", style="bold")
    await _status(stage.data, "to hold", lambda first: first.holds)
    say(f"{named(stranger)} is checked once more:")
    shows(await register_says(stage, stranger), NOT_FLAGGED, REGISTER)


@contextmanager
def _frozen(data: Path) -> Iterator[None]:
    """Flagging takes calls and never answers, the worst of all outages; in the end it is killed."""
    running = state.read(data)
    assert running is not None
    pid = running.processes["flagging"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _newcomer() -> pb.Person:
    """Somebody of the index who is not on the list, by PNC id alone."""
    listed = {row.identifier.value for row in population.register()}
    numbers = (number for row in population.nominals() for number in row.person.identifiers)
    unlisted = (
        number
        for number in numbers
        if number.kind == pb.IDENTIFIER_KIND_PNC_ID and number.value not in listed
    )
    return pb.Person(identifiers=[next(unlisted)])


async def _status(data: Path, wanted: str, is_so: Callable[[Promise], bool]) -> None:
    """Shows how the first promise stands, once it does so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        first = promises(await asyncio.to_thread(status.readings, data))[0]
        if is_so(first):
            say("\n  ".join(status.lines(first)))
            return
        expect(time.monotonic() < deadline, f"the first promise {wanted}")


def _changed(
    event: custody.WatchSuiteResponse, detention: custody.Detention, outcome: screening.Outcome.ValueType
) -> bool:
    return (
        event.kind == custody.SUITE_EVENT_KIND_ANSWER_CHANGED
        and event.detention.detention_id == detention.detention_id
        and answer.outcome(event.detention.answer) == outcome
    )
