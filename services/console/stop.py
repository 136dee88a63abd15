"""How a command ends early: one line for the person at the terminal, and an exit code."""

INTERRUPTED = 130


class Stop(Exception):
    """1: something failed; 2: the input was refused; 130: by Ctrl-C."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code


class Unreachable(Stop):
    """A service does not answer, or there is none."""
