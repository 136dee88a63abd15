"""The `ppo` command: its table of contents, and how it ends."""

import sys
from collections.abc import Sequence

import typer

from deploy.embedded.process import StackError
from services.console import check, custody, decisions, desk, nominals, output, register, suite
from services.console.stop import Stop
from services.runtime.telemetry import error_place


def _group(about: str) -> typer.Typer:
    return typer.Typer(help=about, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False)


app = _group("Is this person a prolific and other priority offender, and who must know?")
_nominals = _group("The people known to the police.")
_register = _group("Who is a PPO, since when, by whose decision.")
_custody = _group("What happens to the people in a custody suite.")

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


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; whatever goes wrong is one line on standard error."""
    try:
        return app(arguments, standalone_mode=False) or 0
    except typer.TyperException as error:
        return _end(error.format_message(), error.exit_code)
    except Stop as stop:
        return _end(str(stop), stop.code)
    except StackError as error:
        return _end(str(error), 1)
    except typer.Abort:
        return _end("stopped", 130)
    except Exception as error:
        return _end(f"an error of ours, {type(error).__name__} at {error_place(error)}", 1)


def _end(line: str, code: int) -> int:
    if line:
        output.say(f"ppo: {line}")
    return code


if __name__ == "__main__":
    sys.exit(main())
