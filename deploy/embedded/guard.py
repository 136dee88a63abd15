"""Becomes a command that dies with its starter: `guard.py PARENT SIGNAL UID GID COMMAND...`."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(command: list[str], parent: int, death: int, uid: int, gid: int) -> None:
    if uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # Only now: a change of user clears it.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death)
    if os.getppid() != parent:
        sys.exit("the starter is gone")
    # Python ignores it, and what is ignored stays ignored in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    become(sys.argv[5:], *(int(number) for number in sys.argv[1:5]))
