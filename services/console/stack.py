"""`ppo up`, `down` and `token`: the whole suite on this machine."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.embedded import backing, control, state
from ppo.policy.v1 import policy_pb2 as policy
from services.console import details, output, session
from services.console.stop import INTERRUPTED, Stop

Offset = Annotated[int, typer.Option(help="Move every port by this much.")]
ClockStart = Annotated[
    str, typer.Option("--clock", help="Begin at this time instead of now, such as 2004-12-31T20:00.")
]


def up(
    offset: Offset = 0,
    clock: ClockStart = "",
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready.")] = False,
    data: session.Data = session.DATA,
) -> int:
    """Starts the suite on this machine: PostgreSQL, Redis, Kafka and every service. Ctrl-C stops it.

    Nothing has to be installed, everything is on loopback, and all data is in one directory, where the next
    start finds it. PPO_POSTGRES, PPO_REDIS and PPO_KAFKA name servers to use instead.

    ```
    ppo up
    ppo up --detach --data ./try --offset 1000 --clock 2004-12-31T20:00
    ```

    Exit code 0 after Ctrl-C, 1 when it cannot start, 130 when Ctrl-C came before it was ready.
    """
    begin = details.when(clock, "--clock") if clock else None
    options = backing.named(backing.Options(data=data, offset=offset, clock_start=begin), os.environ)
    if detach:
        _ready(data, control.launch(options, output.say))
        output.say(f"it runs on; stop it with: ppo down --data {data}")
        return 0
    return _stay(options)


def _stay(options: backing.Options) -> int:
    seen: list[state.State] = []

    def ready(running: state.State) -> None:
        seen.append(running)
        _ready(options.data, running)
        elsewhere = "" if options.data == session.DATA else f"export PPO_DATA={options.data.absolute()}; "
        output.say(f"Ctrl-C stops it; in another terminal: {elsewhere}ppo check --help")

    control.run(options, output.say, ready)
    if not seen:
        raise Stop("stopped before it was ready", INTERRUPTED)
    output.say(f"stopped; the data stays in {options.data}")
    return 0


def _ready(data: Path, running: state.State) -> None:
    where = running.addresses | {"kafka": session.kafka(data)[0]}
    output.say("listening: " + ", ".join(f"{what} {address}" for what, address in where.items()))


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove the data directory too.")] = False,
    data: session.Data = session.DATA,
) -> int:
    """Stops the suite on this machine; the data stays, unless it is to be removed.

    ```
    ppo down
    ppo down --purge --data ./try
    ```
    """
    output.say("stopped" if control.down(data) else f"nothing runs on {data}")
    if purge:
        control.purge(data)
        output.say(f"{data} is removed")
    return 0


def token(
    role: Annotated[str, typer.Option(help=f"What the caller is: {details.words(policy.Role)}.")],
    organisation: Annotated[str, typer.Option(help="The caller's; for custody staff their suite.")] = "",
    hours: Annotated[float, typer.Option(min=0, help="How long it is good for.")] = 12,
    subject: Annotated[str, typer.Option(help="Who the caller is; you when not given.")] = "",
    data: session.Data = session.DATA,
) -> int:
    """Prints a token by which somebody may call the services.

    ```
    PPO_TOKEN=$(ppo token --role "custody officer" --organisation D3) ppo check --pnc 79/163001B
    ```
    """
    value = details.value(policy.Role, role, "--role")
    name = policy.Role.Name(value).removeprefix("ROLE_").lower()
    output.line(session.issue(data, name, organisation, timedelta(hours=hours), subject))
    return 0
