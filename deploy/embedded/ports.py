"""Loopback ports: which are taken, which are free, and what a server there answers."""

import asyncio
import random
import socket
from collections.abc import Mapping

from deploy.embedded.process import StackError

HOST = "127.0.0.1"
# ApiVersions, version 0, no client id: the first question of every Kafka client.
QUESTION = bytes.fromhex("0000000a 0012 0000 00000001 ffff")


def refuse_taken(ports: Mapping[str, int]) -> None:
    for role, port in ports.items():
        if not 0 < port < 65_536:
            raise StackError(f"port {port} ({role}) does not exist: move the ports by less with --offset")
        if taken(port):
            line = f"port {port} ({role}) is taken: stop what uses it, or move all ports with --offset"
            raise StackError(line)


def taken(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that a former server left in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def free() -> int:
    """Below the range that the kernel gives to outgoing connections, so that none takes it meanwhile."""
    # At random, so that two who look at once seldom find the same.
    return next(port for port in iter(lambda: random.randrange(20_000, 32_000), 0) if not taken(port))


async def reachable(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def ask(port: int, question: bytes, length: int) -> bytes:
    """The first bytes of the answer, or fewer where none comes."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(question)
                return await reader.readexactly(length)
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return b""
