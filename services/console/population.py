"""A made-up population of Birmingham on 31 December 2004: for the same seed the same people, row by row."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from services.console.names import family_name, given_name, made_up, other_names
from services.people.identifiers import cro_number, pnc_id, prison_number
from services.runtime.reference import LONDON

SEED = 2004
NOMINALS = 20_000
PROGRAMME_START = date(2004, 9, 6)
BANK_HOLIDAYS = (date(2004, 12, 27), date(2004, 12, 28))
BEFORE_DECEMBER = ("2004-09", "2004-10", "2004-11")
NOMINEE = "nominee"
CAST_PPOS = ("known", "misheard", NOMINEE)


class Cast(NamedTuple):
    """Those whom the demo books in by name."""

    # On the register, given by PNC id.
    known: pb.Person
    # On the register, with a name that the desk takes down as `heard`.
    misheard: pb.Person
    heard: pb.Name
    # Not on the register.
    stranger: pb.Person
    # Not on the register until the demo nominates this person.
    nominee: pb.Person


class Life(NamedTuple):
    """What a person is born with, and how the person's people name theirs."""

    naming: str
    given_name: str
    family_name: str
    birth_date: Date
    sex: pb.Sex.ValueType
    ethnicity_code: str


class Shares(NamedTuple):
    """How many in a hundred have each."""

    pnc_id: int
    cro_number: int
    prison_number: int
    other_names: int


class Ppo(NamedTuple):
    # One value for each table under [register] in the data.
    profile: Mapping[str, str]
    # The cast have none, and so no relatives.
    life: Life | None
    person: pb.Person


# Made up. People on the register have come to notice more often.
OFFENDERS = Shares(pnc_id=94, cro_number=52, prison_number=28, other_names=14)
PPOS = Shares(pnc_id=100, cro_number=88, prison_number=74, other_names=36)


def write_nominals(path: Path, *, count: int = NOMINALS, seed: int = SEED) -> int:
    """Write an import file of nominals, a JSON row to the line, and answer how many."""
    return _write(path, nominals(count, seed))


def write_register(path: Path, *, seed: int = SEED) -> int:
    """Write an import file of the running register, a JSON row to the line, and answer how many."""
    return _write(path, register(seed))


def nominals(count: int = NOMINALS, seed: int = SEED) -> Iterator[flagging.ImportNominalsRequest]:
    """Rows without request, source and line. PPOs and the cast stand anywhere among them."""
    rng = Random(f"nominals {seed}")
    ppos = _ppos(seed)
    fixed = [*(ppo.person for ppo in ppos), _cast_person("stranger")]
    places = dict(zip(rng.sample(range(count), len(fixed)), fixed, strict=True))
    others = _others(rng, [ppo.life for ppo in ppos if ppo.life], _issued(fixed))
    for place in range(count):
        person = places.get(place) or next(others)
        yield flagging.ImportNominalsRequest(source_reference=f"nominal-{place + 1:06}", person=person)


def register(seed: int = SEED) -> Iterator[flagging.ImportRegistrationsRequest]:
    """Rows without request, source and line. On the nominee a forum is yet to decide."""
    nominee = _cast_person(NOMINEE).identifiers[0]
    return (row for row in month(seed) if row.identifier != nominee)


def month(seed: int = SEED) -> Iterator[flagging.ImportRegistrationsRequest]:
    """Everybody who is on the list at some time in December."""
    rng = Random(f"register {seed}")
    for place, ppo in enumerate(_ppos(seed), start=1):
        yield _registration(rng, f"ppo-{place:04}", ppo)


def regulars(seed: int = SEED) -> list[Ppo]:
    """On the list since before December, and still; without the cast."""
    return [ppo for ppo in _ppos(seed) if ppo.life and ppo.profile["term"] in BEFORE_DECEMBER]


def cast() -> Cast:
    people = {role: _cast_person(role) for role in ("known", "misheard", "stranger", NOMINEE)}
    return Cast(**people, heard=pb.Name(**made_up()["cast"]["misheard"]["heard"]))


def _write(path: Path, rows: Iterable[Message]) -> int:
    lines = (json.dumps(_document(row), ensure_ascii=False) for row in rows)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        return sum(bool(file.write(f"{line}\n")) for line in lines)


def _document(row: Message) -> dict[str, Any]:
    return MessageToDict(row, preserving_proto_field_name=True)


def _cast_person(role: str) -> pb.Person:
    member = made_up()["cast"][role]
    return pb.Person(
        name=pb.Name(given_name=member["given_name"], family_name=member["family_name"]),
        birth_date=_whole(member["birth_date"]),
        sex=pb.Sex.Value(member["sex"]),
        ethnicity_code=member["ethnicity_code"],
        identifiers=[pb.Identifier(kind=pb.IDENTIFIER_KIND_PNC_ID, value=pnc_id(**member["pnc"]))],
    )


def _cast_profile(role: str) -> dict[str, str]:
    member = made_up()["cast"][role]
    terms: dict[str, str] = member["register"]
    return terms | {"sex": member["sex"], "ethnicity": member["ethnicity_code"]}


# ---- the register


def _ppos(seed: int) -> list[Ppo]:
    rng = Random(f"ppos {seed}")
    profiles = _profiles(rng)
    ppos = [
        Ppo(profile, None, _cast_person(role)) for profile, role in zip(profiles, CAST_PPOS, strict=False)
    ]
    issued = _issued(_cast_person(role) for role in made_up()["cast"])
    for profile in profiles[len(ppos) :]:
        life = _life(rng, profile)
        ppos.append(Ppo(profile, life, _person(rng, life, PPOS, issued)))
    return ppos


def _profiles(rng: Random) -> list[dict[str, str]]:
    """Those of the cast first. Each table of the data is dealt by itself, so its counts come out exact."""
    counts = made_up()["register"]
    taken = [_cast_profile(role) for role in CAST_PPOS]
    columns = [_dealt(rng, counts[table], [profile[table] for profile in taken]) for table in counts]
    return [dict(zip(counts, values, strict=True)) for values in zip(*columns, strict=True)]


def _dealt(rng: Random, counts: Mapping[str, int], taken: list[str]) -> list[str]:
    deck = [value for value, count in counts.items() for _ in range(count)]
    for value in taken:
        deck.remove(value)
    rng.shuffle(deck)
    return taken + deck


def _life(rng: Random, profile: Mapping[str, str]) -> Life:
    # Somebody whose ethnicity is not recorded has one all the same, and a name.
    code = profile["ethnicity"] or _drawn_code(rng)
    born = _whole(_born(rng, profile["age"]))
    return _named(rng, code, pb.Sex.Value(profile["sex"]), born)._replace(ethnicity_code=profile["ethnicity"])


def _registration(rng: Random, reference: str, ppo: Ppo) -> flagging.ImportRegistrationsRequest:
    month, _, removed = ppo.profile["term"].partition(" ")
    row = flagging.ImportRegistrationsRequest(
        source_reference=reference,
        identifier=ppo.person.identifiers[0],
        strand=screening.Strand.Value(ppo.profile["strand"]),
        criteria=[flagging.Criterion.Value(name) for name in ppo.profile["criteria"].split()],
        nominating_ocu=ppo.profile["ocu"],
    )
    row.effective_start_time.FromDatetime(_decided(rng, month))
    if removed:
        row.effective_end_time.FromDatetime(_decided(rng, "2004-12"))
        row.removal_reason = flagging.RemovalReason.Value(removed)
    return row


def _decided(rng: Random, month: str) -> datetime:
    """An afternoon of the month on which a forum can have met."""
    first = date.fromisoformat(f"{month}-01")
    days = [first + timedelta(days=later) for later in range(31)]
    met = [day for day in days if day.month == first.month and day >= PROGRAMME_START and _working(day)]
    return datetime.combine(rng.choice(met), time(14), LONDON)


def _working(day: date) -> bool:
    return day.weekday() < 5 and day not in BANK_HOLIDAYS


# ---- everybody else


def _others(rng: Random, lives: list[Life], issued: set[str]) -> Iterator[pb.Person]:
    """People without end, now and then a relative of one before or of one on the register."""
    while True:
        life = _relative(rng, rng.choice(lives)) if rng.randrange(100) < 3 else _anybody(rng)
        if life.birth_date.day:
            lives.append(life)
        yield _person(rng, life, OFFENDERS, issued)


def _anybody(rng: Random) -> Life:
    code = _drawn_code(rng)
    sex = pb.Sex.Value(_drawn(rng, made_up()["sex"]))
    life = _named(rng, code, sex, _partial(rng, _born(rng, _drawn(rng, made_up()["age"]))))
    return life._replace(ethnicity_code=rng.choices([code, "", "NS"], weights=[70, 24, 6])[0])


def _relative(rng: Random, of: Life) -> Life:
    """A twin, a child called after its parent, or a brother or sister."""
    chance = rng.randrange(100)
    born = date(of.birth_date.year, of.birth_date.month, of.birth_date.day)
    other_name = given_name(rng, of.naming, of.sex)
    if chance < 10:
        return of._replace(given_name=other_name)
    if chance < 25 and born.year < 1970:
        return of._replace(birth_date=_whole(born + timedelta(days=rng.randint(6_600, 9_000))))
    return of._replace(
        given_name=other_name, birth_date=_whole(born - timedelta(days=rng.randint(300, 3_000)))
    )


def _named(rng: Random, code: str, sex: pb.Sex.ValueType, birth_date: Date) -> Life:
    naming = rng.choice(made_up()["ethnicity"][code]["names"])
    given, family = given_name(rng, naming, sex), family_name(rng, naming, sex)
    return Life(naming, given, family, birth_date, sex, code)


def _person(rng: Random, life: Life, shares: Shares, issued: set[str]) -> pb.Person:
    name = pb.Name(given_name=life.given_name, family_name=life.family_name)
    also = other_names(rng, life.naming, life.sex, name) if rng.randrange(100) < shares.other_names else []
    return pb.Person(
        name=name,
        aliases=also,
        birth_date=life.birth_date,
        sex=life.sex,
        ethnicity_code=life.ethnicity_code,
        identifiers=_identifiers(rng, life.birth_date.year or 1970, shares, issued),
    )


def _identifiers(rng: Random, birth_year: int, shares: Shares, issued: set[str]) -> list[pb.Identifier]:
    # From the age of criminal responsibility on; the Police National Computer began in 1974.
    year = rng.randint(max(birth_year + 10, 1974), 2004)
    draws: Sequence[tuple[int, pb.IdentifierKind.ValueType, Callable[[], str]]] = (
        (shares.pnc_id, pb.IDENTIFIER_KIND_PNC_ID, lambda: pnc_id(year, rng.randint(1, 699_999))),
        (shares.cro_number, pb.IDENTIFIER_KIND_CRO_NUMBER, lambda: cro_number(year, rng.randint(1, 299_999))),
        (shares.prison_number, pb.IDENTIFIER_KIND_PRISON_NUMBER, lambda: prison_number(rng.randrange(10**8))),
    )
    return [
        pb.Identifier(kind=kind, value=_unissued(draw, issued))
        for share, kind, draw in draws
        if rng.randrange(100) < share
    ]


def _unissued(draw: Callable[[], str], issued: set[str]) -> str:
    while (value := draw()) in issued:
        pass
    issued.add(value)
    return value


def _issued(people: Iterable[pb.Person]) -> set[str]:
    return {identifier.value for person in people for identifier in person.identifiers}


def _born(rng: Random, ages: str) -> date:
    """A birthday that gives an age in the band from the programme's start until the end of 2004."""
    youngest, oldest = map(int, ages.split("-"))
    first, last = date(2004 - oldest, 1, 1), PROGRAMME_START.replace(year=2004 - youngest)
    # The later of two days, as the young offend more.
    return first + timedelta(days=max(rng.randint(0, (last - first).days) for _ in range(2)))


def _partial(rng: Random, born: date) -> Date:
    """The whole date, save for one in twenty-five: only a part of it, or the first of January, is on file."""
    match rng.randrange(200):
        case 0:
            return Date()
        case 1 | 2 | 3:
            return Date(year=born.year)
        case 4:
            return Date(year=born.year, month=born.month)
        case 5 | 6 | 7:
            return Date(year=born.year, month=1, day=1)
    return _whole(born)


def _whole(born: date) -> Date:
    return Date(year=born.year, month=born.month, day=born.day)


def _drawn_code(rng: Random) -> str:
    return _drawn(rng, {code: group["share"] for code, group in made_up()["ethnicity"].items()})


def _drawn(rng: Random, counts: Mapping[str, int]) -> str:
    return rng.choices(list(counts), weights=list(counts.values()))[0]
