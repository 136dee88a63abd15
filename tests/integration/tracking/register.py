"""A register as rows of tracking's own tables, without the services around it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from ppo.person.v1 import screening_pb2
from ppo.tracking.v1.tracking_pb2 import OWNERSHIP_STATE_NONE

CONVICT = screening_pb2.STRAND_CATCH_AND_CONVICT
PREVENT = screening_pb2.STRAND_PREVENT_AND_DETER

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Register:
    connection: Connection
    serial: int = 0
    known: set[str] = field(default_factory=set)

    def id(self, kind: str) -> str:
        self.serial += 1
        return f"{kind}{self.serial}"

    def person(
        self,
        nominal_id: str,
        *,
        born: tuple[date | None, date | None] = (date(1980, 3, 12), date(1980, 3, 12)),
        sex: int = 1,
        ethnicity: str = "W1",
    ) -> str:
        self.known.add(nominal_id)
        self.connection.execute(
            'INSERT INTO person (nominal_id, flag, flag_version, case_reference, case_version, "case", sex,'
            " ethnicity_code, born_first, born_last) VALUES (%s, '', 1, %s, 0, '', %s, %s, %s, %s)",
            (nominal_id, nominal_id, sex, ethnicity, *born),
        )
        return nominal_id

    def episode(
        self,
        nominal_id: str,
        start: datetime,
        end: datetime | None = None,
        *,
        ocu: str = "D3",
        strand: int = CONVICT,
        reason: int = 0,
        merged: bool = False,
    ) -> str:
        registration = self.id(f"{nominal_id}-")
        self.connection.execute(
            "INSERT INTO episode (registration_id, nominal_id, strand, nominating_ocu, start_time, end_time,"
            " removal_reason, merged) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (registration, nominal_id, strand, ocu, start, end, reason, merged),
        )
        return registration

    def merge(self, nominal_id: str, into: str, merged: datetime, unmerged: datetime | None = None) -> None:
        row = (nominal_id, merged, into, unmerged)
        self.connection.execute(
            "INSERT INTO nominal_merge (nominal_id, merged_time, into_id, unmerged_time)"
            " VALUES (%s, %s, %s, %s)",
            row,
        )

    def owned(self, nominal_id: str, owner: str, since: datetime, *, home: str = "") -> None:
        self.connection.execute(
            "INSERT INTO ownership (nominal_id, effective_time, owner, rule, state, recorded_time, ownership,"
            " home_ocu) VALUES (%s, %s, %s, 'O5', %s, %s, '', %s)",
            (nominal_id, since, owner, 1 if owner else OWNERSHIP_STATE_NONE, since, home),
        )

    def stage(self, nominal_id: str, since: datetime, position: int) -> None:
        row = (nominal_id, since, position)
        self.connection.execute(
            "INSERT INTO stage (nominal_id, effective_time, position) VALUES (%s, %s, %s)", row
        )

    def drug_test(
        self,
        nominal_id: str,
        detention_id: str,
        suite: str,
        at: datetime,
        result: int,
        drug: int = 0,
        *,
        withdrawn: datetime | None = None,
    ) -> None:
        fact = self.id("fact")
        self.connection.execute(
            "INSERT INTO fact (fact_id, nominal_id, message_type, message, occurred_time, recorded_time,"
            " withdrawn_time) VALUES (%s, %s, 'PpoDrugTested', '', %s, %s, %s)",
            (fact, nominal_id, at, at + timedelta(seconds=self.serial), withdrawn),
        )
        self.connection.execute(
            "INSERT INTO drug_test VALUES (%s, %s, %s, %s, %s, %s)",
            (fact, detention_id, suite, at, result, drug),
        )

    def detention(self, detention_id: str, suite: str, on: date, result: int) -> None:
        self.connection.execute(
            "INSERT INTO detention_count (detention_id, suite_id, disposal_date, test_result, recorded_time)"
            " VALUES (%s, %s, %s, %s, %s)",
            (detention_id, suite, on, result, datetime.combine(on, datetime.min.time())),
        )

    def progress(
        self, nominal_id: str, kind: int, on: date, *, offence: date | None = None, agency: str = "dsb"
    ) -> None:
        row = (self.id("progress"), nominal_id, kind, on, offence, agency, on)
        self.connection.execute(
            "INSERT INTO progress (progress_id, nominal_id, kind, done_date, offence_date, organisation,"
            " recorded_time, recorded_by) VALUES (%s, %s, %s, %s, %s, %s, %s, 'somebody')",
            row,
        )

    def notice(
        self,
        nominal_id: str,
        kind: int,
        tellings: Sequence[tuple[str, datetime, datetime | None, int]],
        *,
        cause: str = "",
        prison: str = "",
        told: Sequence[datetime] = (),
    ) -> None:
        """To each organisation: its limit, when it acknowledged, the state of the delivery."""
        notice = self.id("notice")
        self.connection.execute(
            "INSERT INTO notice (notice_id, nominal_id, type, cause, prison, told, revision, state,"
            " recorded_time) VALUES (%s, %s, %s, %s, %s, '', 1, 2, now())",
            (notice, nominal_id, kind, cause or notice, prison),
        )
        for revision, (organisation, due, acknowledged, state) in enumerate(tellings, start=1):
            number, at = self.serial * 10 + revision, told[revision - 1] if told else due
            self.connection.execute(
                "INSERT INTO delivery (notice_id, organisation, revision, number, role, topic, key,"
                " message_type, message, record, state, recorded_time, due_time, acknowledged_time)"
                " VALUES (%s, %s, %s, %s, '', '', '', '', '', '', %s, %s, %s, %s)",
                (notice, organisation, revision, number, state, at, due, acknowledged),
            )
