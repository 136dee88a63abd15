"""A log line holds what was agreed and nothing else."""

import json
import logging

import pytest
import structlog

from services.runtime.telemetry import error_place, start_logs


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def logs(capsys: pytest.CaptureFixture[str]) -> None:
    start_logs("flagging")


def test_an_identifier_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().info("refused", rpc="GetNominal", registration_id="r-1")

    [line] = lines(capsys)
    assert line["registration_id"] == "r-1"
    assert line["service"] == "flagging"


@pytest.mark.parametrize("key", ["given_name", "name", "person", "birth_date", "anything_new"])
def test_a_key_that_nobody_agreed_on_is_withheld(capsys: pytest.CaptureFixture[str], key: str) -> None:
    structlog.get_logger().info("refused", **{key: "Osborne"})

    assert "Osborne" not in capsys.readouterr().out


def test_what_a_library_says_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("sqlalchemy").error("duplicate key (family_name)=(Osborne)")

    [line] = lines(capsys)
    assert "Osborne" not in json.dumps(line)
    assert line["logger"] == "sqlalchemy"


def test_an_error_is_placed_without_its_text() -> None:
    try:
        raise ValueError("Osborne")
    except ValueError as error:
        place = error_place(error)

    assert "test_telemetry.py" in place
    assert "Osborne" not in place
