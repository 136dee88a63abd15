"""How a command ends: its exit code, and one line for whatever went wrong."""

import os
import sys
from collections.abc import Sequence

import typer

from deploy.embedded.process import StackError
from services.console import output
from services.console.commands import app
from services.console.stop import INTERRUPTED, Stop
from services.runtime.telemetry import error_place

# As a shell tells of who was ended by SIGPIPE: no answer of a check, and no error.
READER_GONE = 141


def run(arguments: Sequence[str] | None) -> int:
    try:
        code: int = app(arguments, prog_name="ppo", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _end(error.format_message(), error.exit_code)
    except Stop as stop:
        return _end(str(stop), stop.code)
    except StackError as error:
        return _end(str(error), 1)
    except BrokenPipeError:
        # Who read our output has gone, as head does: there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except typer.Abort:
        return _end("stopped", INTERRUPTED)
    except Exception as error:
        return _end(f"an error of ours, {type(error).__name__} at {error_place(error)}", 1)

    # Typer answers Ctrl-C with this code and without a word.
    return _end("stopped", code) if code == INTERRUPTED else code


def _end(line: str, code: int) -> int:
    if line:
        output.say(f"ppo: {line}")
    return code
