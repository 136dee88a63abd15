"""Asks the service of this container whether it serves: exit code 0, else one line why not and 1.

Where it speaks TLS, its certificate must be good for localhost, and GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
name its issuer.
"""

import os
import sys
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 2


def main() -> str | None:
    prefix = f"PPO_{os.environ['SERVICE'].upper()}_"
    address = "localhost:" + os.environ[f"{prefix}LISTEN"].rpartition(":")[2]
    if f"{prefix}TLS_CERTIFICATE" in os.environ:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials())
    else:
        channel = grpc.insecure_channel(address)
    # The type stubs know the asynchronous stub only.
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        asked = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    except grpc.RpcError as error:
        return f"{address}: {error.code().name}"
    state = health_pb2.HealthCheckResponse.ServingStatus.Name(asked.status)
    return None if state == "SERVING" else f"{address}: {state}"


if __name__ == "__main__":
    sys.exit(main())
