"""The table of contents of the `ppo` command."""

import typer

from services.console import check, custody, decisions, demo, desk, nominals, register, stack, status, suite


def _group(about: str) -> typer.Typer:
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False)


app = _group("Is this person a prolific and other priority offender, and who must know?")
_nominals = _group("The people known to the police.")
_register = _group("Who is a PPO, since when, by whose decision.")
_custody = _group("What happens to the people in a custody suite.")

app.command()(demo.demo)
app.command()(stack.up)
app.command()(stack.down)
app.command()(status.status)
app.command()(stack.token)
app.command()(check.check)
app.command()(desk.desk)
app.add_typer(_custody, name="custody")
app.add_typer(_nominals, name="nominals")
app.add_typer(_register, name="register")

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

_register.command("import")(register.load)
_register.command()(register.show)
_register.command()(decisions.nominate)
_register.command()(decisions.decide)
_register.command()(decisions.plan_exit)
_register.command()(decisions.cancel_exit)
_register.command()(decisions.remove)
_register.command()(decisions.annul)
