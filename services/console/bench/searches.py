"""`ppo bench search`: whom SearchNominals finds by name and date of birth alone, and how fast."""

import asyncio
import json as text
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Annotated, NamedTuple

import typer
from google.protobuf.json_format import MessageToDict
from google.type.date_pb2 import Date

from deploy.embedded import state
from ppo.flagging.v1 import flagging_pb2
from ppo.flagging.v1.flagging_pb2_grpc import FlaggingServiceStub
from ppo.person.v1 import person_pb2
from ppo.policy.v1 import policy_pb2
from services.console import loading, nominals, output, rows, session, status
from services.console.bench import febrl, started
from services.console.bench.measures import Measure, tell
from services.people import identifiers
from services.runtime import channel

SIZES = [10_000, 100_000, 1_000_000]
SEED = 4
BEST = 5
READY_SECONDS = 1_800

Sizes = Annotated[
    list[int], typer.Option("--nominals", min=5_000, help="How many; may be given several times.")
]


class Question(NamedTuple):
    person: person_pb2.Person
    # The PNC id of the record that is meant, which the question does not name.
    number: str


class Answer(NamedTuple):
    """The place at which the right record stood, from 1; 0 where it was not among the first."""

    place: int
    ms: float
    refused: bool


def bench(sizes: Sizes = SIZES, json: output.AsJson = False) -> int:
    """Measures SearchNominals over gRPC on FEBRL's fourth set: misspelt duplicates ask for their originals.

    The index is filled up with people made of the names and dates of three originals each. Who typed an
    impossible date asks again with its year; any other search that is refused counts as not found.

    ```
    ppo bench search
    ppo bench search --json --nominals 10000
    ```
    """
    return tell(_measures(sizes), as_json=json)


async def _measures(sizes: Sequence[int]) -> AsyncIterator[Measure]:
    labelled = list(febrl.records("febrl4"))
    for size in sizes:
        setting = febrl.setting(labelled, size, SEED)
        async with started.suite("flagging") as data:
            await _filed(data, setting.held)
            place = setting.place
            questions = [Question(each.person, _number(place[each.of] + 1)) for each in setting.members]
            answers = await _asked(data, questions)
        for measure in _told(size, answers):
            yield measure


async def _filed(data: Path, held: Sequence[tuple[str, person_pb2.Person]]) -> None:
    output.say(f"{len(held):,} nominals: writing them")
    file = data / "nominals.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for serial, (reference, person) in enumerate(held, start=1):
            row = {"source_reference": reference, "person": MessageToDict(_nominal(person, serial))}
            lines.write(text.dumps(row) + "\n")
    async with session.Session(data, "importer", nominals.FORCE).flagging() as service:
        report = await loading.load(service, file, rows.Form.JSONL, "bench")
    output.say(f"{report.created:,} created, {report.refused:,} refused; the index reads them")
    async with asyncio.timeout(READY_SECONDS):
        while True:
            if await asyncio.to_thread(_indexed, data) == report.created:
                return
            # Nothing tells of a metric's change, so it is asked this often.
            await asyncio.sleep(0.5)


def _nominal(person: person_pb2.Person, serial: int) -> person_pb2.Person:
    """With a number by which the bench knows the record again; a one-word name is a family name."""
    number = person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PNC_ID, value=_number(serial))
    name = person.name
    if not name.family_name:
        name = person_pb2.Name(family_name=name.given_name or "Unnamed")
    return person_pb2.Person(name=name, birth_date=person.birth_date, identifiers=[number])


def _number(serial: int) -> str:
    return identifiers.pnc_id(1990, serial)


def _indexed(data: Path) -> float:
    running = state.read(data)
    assert running is not None
    values, _ = status.measured(status.scraped(running.processes["flagging"].ports["flagging's metrics"]))
    return values.get("ppo_flagging_index_nominals", 0)


async def _asked(data: Path, questions: Sequence[Question]) -> list[Answer]:
    async with session.Session(data, "custody_officer", "E3").flagging() as service:
        return [await _answer(service, each) for each in questions]


async def _answer(service: FlaggingServiceStub, asked: Question, *, again: bool = False) -> Answer:
    request = flagging_pb2.SearchNominalsRequest(
        person=asked.person, purpose=policy_pb2.PURPOSE_ARREST, page_size=BEST
    )
    began = time.perf_counter()
    try:
        response = await service.SearchNominals(request, timeout=session.CALL_SECONDS)
    except channel.CallError as error:
        fields = [field for field, _ in channel.violations(error)]
        if not fields:
            raise
        if fields[0].startswith("person.birth_date") and not again:
            return await _answer(service, _with_year(asked), again=True)
        return Answer(0, (time.perf_counter() - began) * 1000, refused=True)
    took = (time.perf_counter() - began) * 1000
    numbers = [found.nominal.person.identifiers[0].value for found in response.found]
    return Answer(numbers.index(asked.number) + 1 if asked.number in numbers else 0, took, refused=False)


def _with_year(asked: Question) -> Question:
    year = Date(year=asked.person.birth_date.year)
    return asked._replace(person=person_pb2.Person(name=asked.person.name, birth_date=year))


def _told(size: int, answers: Sequence[Answer]) -> list[Measure]:
    hundredths = quantiles([answer.ms for answer in answers], n=100)
    found = {
        "recall_at_1": sum(answer.place == 1 for answer in answers),
        "recall_at_5": sum(answer.place > 0 for answer in answers),
        "refused": sum(answer.refused for answer in answers),
    }
    times = {"p50_ms": hundredths[49], "p99_ms": hundredths[98]}
    values = {name: (count / len(answers), "share") for name, count in found.items()}
    values |= {name: (value, "ms") for name, value in times.items()}
    return [
        Measure(measure=f"search.{name}", at={"nominals": size}, unit=unit, values=[value])
        for name, (value, unit) in values.items()
    ]
