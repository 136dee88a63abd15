"""The flag of a person: what is published of the episodes, and whom it makes a candidate at an instant."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from ppo.flagging.v1 import events_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import fields
from services.people.flags import Span, flagged_at

FLAGGED = screening_pb2.FLAG_STATE_FLAGGED
NOT_FLAGGED = screening_pb2.FLAG_STATE_NOT_FLAGGED


def flag(
    nominal_id: str,
    person: person_pb2.Person,
    episodes: Iterable[events_pb2.Episode],
    now: datetime,
    merges: Iterable[events_pb2.Merge] = (),
    others: Mapping[str, person_pb2.Person] = MappingProxyType({}),
) -> events_pb2.Flag:
    """Epoch and version are set where the register's version is raised."""
    ordered = sorted(episodes, key=lambda episode: span(episode)[0])
    recorded = fields.stamp(now)
    state = events_pb2.Flag(
        nominal_id=nominal_id, person=_told(person), episodes=ordered, recorded_time=recorded
    )
    state.merges.extend(merges)
    state.merged_persons.extend(map(_told, others.values()))
    state.merged_nominal_ids.extend(others)
    state.state = FLAGGED if flagged_at(now, spans(state)) else NOT_FLAGGED
    return state


def merged(
    nominal_id: str,
    person: person_pb2.Person,
    into: str,
    now: datetime,
    merges: Iterable[events_pb2.Merge],
) -> events_pb2.Flag:
    """Of a nominal that lives on in `into`, whose flag has the episodes."""
    return events_pb2.Flag(
        nominal_id=nominal_id,
        state=screening_pb2.FLAG_STATE_MERGED_INTO,
        person=_told(person),
        merged_into=into,
        merges=merges,
        recorded_time=fields.stamp(now),
    )


def _told(person: person_pb2.Person) -> person_pb2.Person:
    copy = person_pb2.Person()
    copy.CopyFrom(person)
    for identifier in copy.identifiers:
        # How it was typed is the index's own affair.
        identifier.ClearField("raw")
    return copy


def span(episode: events_pb2.Episode) -> Span:
    end = fields.time(episode.effective_end_time) if episode.HasField("effective_end_time") else None
    return fields.time(episode.effective_start_time), end


def spans(state: events_pb2.Flag) -> list[Span]:
    return [span(episode) for episode in state.episodes]


def says_the_same(one: events_pb2.Flag, other: events_pb2.Flag) -> bool:
    return _content(one) == _content(other)


def candidate(state: events_pb2.Flag, instant: datetime) -> screening_pb2.Candidate | None:
    """The person as an answer names them while they are a PPO."""
    for episode in state.episodes:
        if flagged_at(instant, [span(episode)]):
            return screening_pb2.Candidate(
                nominal_id=state.nominal_id,
                person=state.person,
                flag_state=FLAGGED,
                strand=episode.strand,
                nominating_ocu=episode.nominating_ocu,
                version=state.version,
            )
    return None


def _content(state: events_pb2.Flag) -> bytes:
    copy = events_pb2.Flag()
    copy.CopyFrom(state)
    copy.ClearField("epoch")
    copy.ClearField("version")
    copy.ClearField("recorded_time")
    return copy.SerializeToString(deterministic=True)
