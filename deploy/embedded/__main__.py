"""Runs a stack until a signal, as the ppo command launches it: `python -m deploy.embedded --data DIR`."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from deploy.embedded import control, kafka, state
from deploy.embedded.backing import Options, named
from deploy.embedded.process import StackError


def parsed() -> Options:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--clock-start", type=datetime.fromisoformat)
    parser.add_argument("--cache", type=Path, default=kafka.CACHE)
    return named(Options(**vars(parser.parse_args())), os.environ)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    options = parsed()

    def ready(_: state.State) -> None:
        say(control.UP)
        # Who launched us goes now, and takes the other end of our output along.
        log = os.open(options.data / "logs" / "stack.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())

    try:
        control.run(options, say, ready)
    except StackError as error:
        say(control.FAILED + str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
