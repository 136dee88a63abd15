"""The instructions of one situation: the table's rules, each with who can be rung for it and by when."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from ppo.custody.v1 import custody_pb2 as pb
from services.custody import answers, duty
from services.custody.instructions import RULES, About, Rule, Situation, Within, apply, facts, revise
from services.runtime.reference import LONDON, Reference, Row

_ABOUT = {rule.id: rule.about for rule in RULES}


def instructions(
    reference: Reference,
    situation: Situation,
    *,
    suite: Row,
    now: datetime,
    earlier: pb.Instructions | None = None,
) -> pb.Instructions:
    """What is to be done now, and what of `earlier` somebody was told in vain."""
    rules = apply(facts(situation), here=situation.here)
    wanted = [_instruction(reference, rule, situation, suite, now) for rule in rules]
    return _parted(suite.id, revise(_all(earlier) if earlier else [], wanted, now))


def again(earlier: pb.Instructions, given: pb.Instructions, now: datetime) -> pb.Instructions:
    """Those of an answer that takes the place of another, with what somebody was told in vain."""
    return _parted(given.suite_id, revise(_all(earlier), _all(given), now))


def differ(one: pb.Instructions, other: pb.Instructions) -> bool:
    """Whether somebody who was told the one must be told the other."""
    return _told(one) != _told(other)


def _instruction(
    reference: Reference, rule: Rule, situation: Situation, suite: Row, now: datetime
) -> pb.Instruction:
    text = rule.text if situation.here else rule.left or rule.text
    made = pb.Instruction(rule=rule.id, text=text)
    made.occurred_time.FromDatetime(situation.occurred_time)
    made.given_time.FromDatetime(now)
    if rule.within is not None:
        made.due_time.FromDatetime(_due(rule.within, now))
    if rule.whom is not None:
        owners = answers.owners(situation.answer)
        party, contact = duty.reach(reference, rule.whom, owners=owners, suite=suite, at=now)
        made.party = party
        made.contact.CopyFrom(contact)
    return made


def _due(within: Within, now: datetime) -> datetime:
    if within == Within.HOUR:
        return now + timedelta(hours=1)
    tomorrow = now.astimezone(LONDON).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), LONDON)


def _parted(suite_id: str, every: Iterable[pb.Instruction]) -> pb.Instructions:
    made = pb.Instructions(suite_id=suite_id)
    for each in every:
        getattr(made, _ABOUT.get(each.rule, About.GENERAL)).append(each)
    return made


def _all(of: pb.Instructions) -> list[pb.Instruction]:
    return [*of.general, *of.recall, *of.drug_test]


def _told(of: pb.Instructions) -> set[tuple[str, str, bool]]:
    return {(each.rule, each.party, each.HasField("withdrawn_time")) for each in _all(of)}
