"""The `ppo` command: how it begins and how it ends; whatever goes wrong is one line on standard error."""

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    # Ctrl-C while this imports ends it without a word; after that it is the command's to answer.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from services.console import ending

    signal.signal(signal.SIGINT, before)
    return ending.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
