"""A register that says what a test wants: what the real one says only when it is broken or in a hurry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from deploy.embedded.ports import HOST
from ppo.flagging.v1 import flagging_pb2 as flagging
from ppo.flagging.v1 import flagging_pb2_grpc
from ppo.person.v1 import screening_pb2
from services.custody.check import Register
from services.runtime import channel
from services.runtime.rpc import Context


class Staged(flagging_pb2_grpc.FlaggingServiceServicer):
    def __init__(self) -> None:
        self.screening = screening_pb2.Screening()
        self.code: code_pb2.Code = code_pb2.OK
        self.field = ""
        # How long it takes for one, and takes one after the other; how many ask now, and asked at once.
        self.seconds = 0.0
        self.asking = self.most_at_once = 0
        self._one = asyncio.Lock()

    async def ScreenPerson(
        self, request: flagging.ScreenPersonRequest, context: Context
    ) -> flagging.ScreenPersonResponse:
        self.asking += 1
        self.most_at_once = max(self.most_at_once, self.asking)
        try:
            async with self._one:
                await asyncio.sleep(self.seconds)
        finally:
            self.asking -= 1
        if self.code:
            await context.abort_with_status(rpc_status.to_status(self._status()))
        return flagging.ScreenPersonResponse(screening=self.screening)

    def _status(self) -> status_pb2.Status:
        status = status_pb2.Status(code=self.code, message="refused")
        bad = error_details_pb2.BadRequest()
        if self.field:
            bad.field_violations.add(field=self.field, description="is wrong")
        status.details.add().Pack(bad)
        return status

    def flag(self, nominal_id: str, version: int) -> None:
        self.screening = screening_pb2.Screening(
            outcome=screening_pb2.OUTCOME_FLAGGED,
            candidates=[screening_pb2.Candidate(nominal_id=nominal_id, version=version)],
            register_version=version,
        )

    def clear(self, version: int) -> None:
        self.screening = screening_pb2.Screening(
            outcome=screening_pb2.OUTCOME_NOT_FLAGGED, register_version=version
        )


@asynccontextmanager
async def asked(staged: Staged) -> AsyncIterator[Register]:
    server = grpc.aio.server()
    flagging_pb2_grpc.add_FlaggingServiceServicer_to_server(staged, server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    async with channel.connect(f"{HOST}:{port}", lambda: "token") as connection:
        yield Register(connection)
    await server.stop(None)
