"""Metrics on an HTTP port, and JSON logs in which only agreed keys have a value."""

import logging
from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import start_http_server
from structlog.typing import EventDict, Processor, WrappedLogger

from services.runtime.settings import Address

# Deny by default: what is logged under another key is withheld, so that no name or date of birth slips in.
_OWN = ("event", "level", "time", "service", "logger", "where", "error")
_CALL = ("rpc", "code", "reason", "field", "role", "subject", "request_id", "refusal")
_RECORD = ("detention_id", "decision_id", "registration_id", "version")
_WORK = (
    "group",
    "topic",
    "partition",
    "offset",
    "dependency",
    "kind",
    "count",
    "seconds",
    "address",
    "state",
)
KEYS = frozenset(_OWN + _CALL + _RECORD + _WORK)
WITHHELD = "[withheld]"


def start_logs(service: str) -> None:
    """JSON lines on standard output, of this code and of the libraries it uses."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _named(service),
        withhold,
        structlog.processors.JSONRenderer(sort_keys=True),
    ]
    structlog.configure(processors=shared, logger_factory=structlog.WriteLoggerFactory())
    handler = _Library(logging.WARNING)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def withhold(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    return {key: value if key in KEYS else WITHHELD for key, value in line.items()}


def _named(service: str) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def name(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {**line, "service": service}

    return name


class _Library(logging.Handler):
    """A library's message may quote what it was given, so only who spoke and where is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning(
            "library", logger=record.name, where=f"{record.funcName}:{record.lineno}"
        )


def error_place(error: BaseException) -> str:
    """Where an unexpected error arose: file, line and function of its last frames, without its text."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-6:]))


def start_metrics(address: Address) -> WSGIServer:
    server, _ = start_http_server(address.port, address.host)
    return server
