"""Any life on the register against the list of all that was ever said of it: steps, refusals, readings."""

from hypothesis import settings

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import register, timeline
from services.flagging.register import Standing
from services.flagging.timeline import Step
from services.runtime.errors import Illegal
from tests.lives import Life, instant

AGREED = [pb.Vote(agency=pb.AGENCY_POLICE, agrees=True), pb.Vote(agency=pb.AGENCY_PROBATION, agrees=True)]
PLAN = pb.ExitPlan(drug_route=pb.DRUG_ROUTE_NONE, mainstream_information=True, summary="-")
MOVED, DEAD = pb.REMOVAL_REASON_MOVED_AWAY, pb.REMOVAL_REASON_DECEASED


class ByTheRules(Life):
    """The rules alone: what stands is kept beside the steps from which the past is read."""

    def __init__(self) -> None:
        super().__init__()
        self.standings: list[Standing] = []
        self.steps: list[list[Step]] = []

    def take(self, step: str, effective: int) -> str:
        self.standings = [one.at(instant(self.now)) for one in self.standings]
        try:
            taken = self._taken(step, effective)
        except Illegal as illegal:
            return illegal.rule
        if step == "nominate":
            self.standings.append(taken)
            self.steps.append([])
        self.standings[-1] = taken
        ending = step in ("remove", "die")
        state = register.REMOVED if ending else taken.state
        recorded = Step(state, instant(effective), instant(self.now), taken.removal_reason)
        self.steps[-1].append(recorded)
        return ""

    def _taken(self, step: str, effective: int) -> Standing:
        if step == "nominate":
            return register.nominate(self.standings)
        held, others, then = self.standings[-1], self.standings[:-1], instant(effective)
        if step == "activate":
            request = pb.DecideNominationRequest(votes=AGREED)
            taken = register.activate(held, request, [pb.CRITERION_HARM], then)
            register.place(taken, others)
            return taken
        if step in ("remove", "die"):
            reason = MOVED if step == "remove" else DEAD
            request_of_removal = pb.RemovePpoRequest(reason=reason, forum_id="forum-d1", votes=AGREED)
            planned = max(
                (one.effective for one in self.steps[-1] if one.state == register.EXIT_PLANNED), default=then
            )
            return register.remove(held, request_of_removal, then, planned)
        if step == "plan exit":
            return register.plan_exit(held, PLAN)
        plain = {
            "review": register.review,
            "decline": register.decline,
            "cancel exit": register.cancel_exit,
            "annul": register.annul,
        }
        return plain[step](held)

    def read(self, hour: int, known: int) -> tuple[str, bool]:
        for standing, steps in zip(self.standings, self.steps, strict=True):
            replayed = timeline.Timeline(tuple(steps)).standing
            assert replayed.at(instant(self.now)) == standing.at(instant(self.now))
        told = [one for steps in self.steps if (one := timeline.known(steps, instant(known)))]
        at = instant(hour)
        states = [(one.flagged(at), state) for one in told if (state := one.state(at)) is not None]
        named = [register.state_name(state) for flagged, state in states if flagged] or [
            register.state_name(state) for _, state in states
        ]
        return (named[-1] if named else ""), any(flagged for flagged, _ in states)


TestByTheRules = ByTheRules.TestCase
TestByTheRules.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
