"""The postcode speaks for a match as far as it is rare, and never against one."""

from random import Random

import pytest

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import person_pb2
from services.people.index import Index
from services.people.matching import compare
from services.people.model import MODEL
from services.runtime import policy
from tests.builders import person
from tests.unit.people.test_candidates import as_asked, filled, people


def at(postcode: str, born: str = "1980-05-11") -> person_pb2.Person:
    return person("Robert", "Wolstenholme", born, postcode=postcode)


def evidence_of(asked: person_pb2.Person, held: person_pb2.Person) -> list[str]:
    return [each.comparison for each in compare(asked, held)[1] if each.field == "postcode"]


@pytest.mark.parametrize("written", ["B12 8QX", "b128qx", " B12  8QX ", "B12-8QX"])
def test_the_same_postcode_speaks_for_a_match_however_it_is_written(written: str) -> None:
    without, _ = compare(at(""), at("B12 8QX"))
    bits, _ = compare(at(written), at("B12 8QX"))

    assert evidence_of(at(written), at("B12 8QX")) == ["exact"]
    assert without < bits <= without + MODEL.postcode_at_most


@pytest.mark.parametrize(
    ("asked", "held"), [("B12 8QX", "GL1 2AB"), ("B12 8QX", ""), ("", "B12 8QX"), ("-", "-")]
)
def test_another_postcode_or_none_is_no_evidence(asked: str, held: str) -> None:
    assert evidence_of(at(asked), at(held)) == []
    assert compare(at(asked), at(held))[0] == compare(at(""), at(""))[0]


def test_a_postcode_that_many_share_is_worth_less() -> None:
    few, many = Index(), Index()
    for number in range(400):
        few.put(f"{number}", person("Ann", "Smith", "1970-01-01", postcode=f"B{number} 1AA"))
        many.put(f"{number}", person("Ann", "Smith", "1970-01-01", postcode="B12 8QX"))

    rare, common = (_of_postcode(index) for index in (few, many))

    assert 0 <= common < rare <= MODEL.postcode_at_most


def _of_postcode(index: Index) -> float:
    index.put("robert", at("B12 8QX"))
    found = index.explain(index.question(at("B12 8QX")), "robert")
    return sum(each.bits for each in found.evidence if each.field == "postcode")


def test_nobody_is_lost_for_giving_a_postcode() -> None:
    chance = Random(11)
    held = people(chance)
    for each in held:
        each.postcode = f"B{chance.randrange(300)} 1AA"
    index = filled(held)

    for place in range(0, len(held), 20):
        asked = as_asked(chance, held[place])
        elsewhere, nowhere = (_with(asked, postcode) for postcode in ("GL1 2AB", ""))

        [least, same, most] = (
            {each.nominal_id: each.bits for each in index.matches(one, 50, index.threshold())}
            for one in (nowhere, elsewhere, asked)
        )

        assert least == same
        assert all(bits <= most.get(one, 0) or len(most) == 50 for one, bits in least.items())


def _with(asked: person_pb2.Person, postcode: str) -> person_pb2.Person:
    copy = person_pb2.Person()
    copy.CopyFrom(asked)
    copy.postcode = postcode
    return copy


def test_the_replica_in_custody_is_told_the_postcode_and_a_prison_is_not() -> None:
    flag = events_pb2.Flag(person=at("B12 8QX"))

    assert policy.project(flag, policy.SUITE).person.postcode == "B12 8QX"
    prison = policy.Viewer("prison_offender_management_unit")
    assert policy.project(flag.person, prison).postcode == ""
