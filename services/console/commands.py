"""The table of contents of the `ppo` command."""

import typer

from services.console import (
    areas,
    caseload,
    cases,
    check,
    custody,
    decisions,
    demo,
    desk,
    disputes,
    filing,
    letters,
    movements,
    nominals,
    notices,
    owners,
    prison,
    prisoners,
    progress,
    reconcile,
    register,
    residence,
    returns,
    reviews,
    stack,
    stages,
    status,
    suite,
)
from services.console.bench import checks as bench_checks
from services.console.bench import imports as bench_imports
from services.console.bench import months as bench_months
from services.console.bench import ownerships as bench_ownerships
from services.console.bench import relay as bench_relay
from services.console.bench import screening as bench_screening
from services.console.bench import searches as bench_searches


def _group(about: str) -> typer.Typer:
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False)


app = _group("Is this person a prolific and other priority offender, and who must know?")
_nominals = _group("The people known to the police.")
_register = _group("Who is a PPO, since when, by whose decision.")
_custody = _group("What happens to the people in a custody suite.")
_movements = _group("What prisons tell of their prisoners.")
_prison = _group("Who of a prison's people is a PPO, and whose a prison number is.")
_journey = _group("Where a PPO is in the justice process.")
_review = _group("What somebody must look at.")
_release = _group("When a prisoner is to be let out.")
_housing = _group("Whether somebody in custody has a home.")
_owner = _group("Whose case a PPO is.")
_areas = _group("Which postcodes lie in which OCU.")
_residence = _group("Where a PPO lives.")
_managers = _group("Who manages a PPO's case.")
_dispute = _group("Whose case a PPO is, where two OCUs disagree.")
_notices = _group("What each organisation is told.")
_letters = _group("Records that could not be taken.")
_return = _group("An area's month, counted, checked and sent.")
_bench = _group("How fast and how right it is, measured on this machine.")

app.command()(demo.demo)
app.command()(stack.up)
app.command()(stack.down)
app.command()(status.status)
app.command()(stack.token)
app.command()(check.check)
app.command()(desk.desk)
app.command()(caseload.caseload)
app.add_typer(_custody, name="custody")
app.add_typer(_nominals, name="nominals")
app.add_typer(_register, name="register")
app.add_typer(_movements, name="movements")
app.add_typer(_prison, name="prison")
app.add_typer(_journey, name="journey")
app.add_typer(_review, name="review")
app.add_typer(_release, name="release")
app.add_typer(_housing, name="housing")
app.add_typer(_owner, name="owner")
app.add_typer(_residence, name="residence")
app.add_typer(_managers, name="managers")
app.add_typer(_dispute, name="dispute")
app.add_typer(_areas, name="areas")
app.add_typer(_notices, name="notices")
app.add_typer(_letters, name="letters")
app.add_typer(_return, name="return")
app.add_typer(_bench, name="bench")

_custody.command()(custody.book_in)
_custody.command()(custody.identify)
_custody.command()(custody.confirm)
_custody.command("test")(custody.drug_test)
_custody.command()(custody.dispose)
_custody.command("list")(suite.inmates)
_custody.command()(suite.referrals)
_custody.command()(suite.watch)

_nominals.command("import")(nominals.load)
_nominals.command()(nominals.find)
_nominals.command()(nominals.show)
_nominals.command()(nominals.merge)
_nominals.command()(nominals.unmerge)

_register.command("import")(register.load)
_register.command()(register.show)
_register.command("list")(register.everybody)
_register.command()(reconcile.reconcile)
_register.command()(decisions.nominate)
_register.command()(decisions.decide)
_register.command()(decisions.plan_exit)
_register.command()(decisions.cancel_exit)
_register.command()(decisions.remove)
_register.command()(decisions.annul)

_movements.command()(movements.send)
_prison.command("roll")(prison.show_roll)
_prison.command()(prisoners.work)
_prison.command("matches")(prison.show_matches)
_prison.command()(prison.resolve)
_prison.command()(prison.withdraw)
_journey.command()(cases.show)
_journey.command()(stages.stage)
_journey.command()(progress.record)
_journey.command()(reviews.withdraw)
_review.command("list")(reviews.waiting)
_review.command()(reviews.resolve)
_release.command()(prisoners.plan)
_release.command()(prisoners.cancel)
_housing.command()(prisoners.tenancy)
_owner.command()(owners.explain)
_residence.command("set")(residence.live)
_managers.command()(residence.assign)
_dispute.command("raise")(disputes.contest)
_dispute.command()(disputes.decide)
_dispute.command("list")(disputes.listed)
_areas.command()(areas.check)
_areas.command()(areas.preview)
_areas.command()(areas.load)
_areas.command()(areas.find)
_areas.command()(areas.versions)
_notices.command()(notices.watch)
_notices.command("list")(notices.listing)
_notices.command()(notices.overdue)
_notices.command()(notices.replay)
_notices.command()(notices.ack)
_notices.command()(notices.trace)
_letters.command("list")(letters.listing)
_letters.command()(letters.show)
_letters.command()(letters.retry)
_letters.command()(letters.discard)

_return.command()(returns.close)
_return.command("close-all")(returns.close_all)
_return.command()(returns.show)
_return.command()(returns.submit)
_return.command()(returns.export)
_return.command("list")(filing.listing)
_return.command()(filing.series)
_return.command()(filing.movements)
_return.command()(filing.add)
_return.command()(filing.check)
_return.command()(filing.query)
_return.command()(filing.answer)
_return.command()(filing.accept)

_bench.command("import")(bench_imports.bench)
_bench.command("screen-accuracy")(bench_screening.bench)
_bench.command("check")(bench_checks.bench)
_bench.command("relay")(bench_relay.bench)
_bench.command("returns")(bench_months.bench)
_bench.command("search")(bench_searches.bench)
_bench.command("ownership")(bench_ownerships.bench)
