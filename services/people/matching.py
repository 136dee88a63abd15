"""Whether two may be one person: Fellegi-Sunter bits, and what speaks against it."""

from ppo.person.v1 import person_pb2, screening_pb2
from services.people.index import Index
from services.people.names import written
from services.people.vocabulary import LEVELS, OTHER_SCRIPT


def compare(given: person_pb2.Person, held: person_pb2.Person) -> tuple[float, list[screening_pb2.Evidence]]:
    """The bits for the two being one person, and the evidence that they are the sum of."""
    index = Index()
    index.put("held", held)
    _, bits, evidence = index.explain(index.question(given), "held")
    return bits, evidence


def contradicts(given: person_pb2.Person, held: person_pb2.Person) -> bool:
    """Whether this is hardly the person on file: the date is clearly another, or the given name is.

    A family name changes in a life, and twins and brothers have the same one: it speaks only for itself.
    """
    if given.birth_date == held.birth_date and written(given.name) == written(held.name):
        return False
    _, evidence = compare(given, held)
    said = {
        each.field: each.comparison for each in evidence if not each.comparison.endswith(LEVELS[OTHER_SCRIPT])
    }
    differ = {field for field, how in said.items() if how.endswith("differs") and how != "partly differs"}
    return bool(differ & {"birth_date", "given_name"}) or (
        "given_name" not in said and "family_name" in differ
    )
