"""The tables of the returns: a month of an area, its revisions, their counts; a row's to_proto beside it."""

from datetime import date, datetime
from typing import Annotated

from sqlalchemy import (
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

from ppo.returns.v1 import returns_pb2 as pb
from services.returns import definitions, months
from services.runtime.database import instant
from services.runtime.requests import Requests

SCHEMA = "returns"

key = Annotated[str, mapped_column(Uuid(as_uuid=False))]
words = Annotated[str, mapped_column(Text)]
day = Annotated[date, mapped_column(Date)]
small = Annotated[int, mapped_column(SmallInteger)]


class Base(DeclarativeBase):
    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s",
        },
    )


requests = Requests(Base.metadata)


class MonthlyReturn(Base):
    """A month of an area."""

    __tablename__ = "monthly_return"
    __table_args__ = (UniqueConstraint("area", "month"),)

    return_id: Mapped[key] = mapped_column(primary_key=True)
    area: Mapped[words]
    month: Mapped[day] = mapped_column(comment="Its first day")
    due_date: Mapped[day]
    latest_revision: Mapped[int]


class Revision(Base):
    """One closing of a month. The counts of each stay as they were sent."""

    __tablename__ = "revision"
    __table_args__ = (
        CheckConstraint("(submitted_time IS NULL) = (state IN (1, 6))", name="sent_once_checked"),
    )

    return_id: Mapped[key] = mapped_column(ForeignKey(MonthlyReturn.return_id), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="From 1")
    state: Mapped[small] = mapped_column(comment="ppo.returns.v1.ReturnState")
    cut_off_time: Mapped[instant] = mapped_column(comment="When the month was closed")
    tool_version: Mapped[words] = mapped_column(comment="Of the definitions that were counted by")
    brought_forward: Mapped[int | None] = mapped_column(
        comment="M0 of the month before as it was then; empty on a first return"
    )
    recorded_time: Mapped[instant]
    recorded_by: Mapped[words]
    submitted_time: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    submitted_by: Mapped[words] = mapped_column(default="")
    reason: Mapped[words] = mapped_column(server_default=text("''"), comment="Why it was closed again")
    explanation: Mapped[words] = mapped_column(server_default=text("''"), comment="Of the residual")
    residual: Mapped[int] = mapped_column(
        server_default=text("0"), comment="What of M0 does not follow from the month before"
    )
    corrects_revision: Mapped[int] = mapped_column(
        server_default=text("0"), comment="The submitted one that this corrects; 0 for none"
    )
    cells_changed: Mapped[int] = mapped_column(
        server_default=text("0"), comment="How many cells are other than in the revision before"
    )

    of: Mapped[MonthlyReturn] = relationship(lazy="raise")

    def to_proto(self) -> pb.Return:
        heading = pb.Heading(
            area=self.of.area,
            month=months.to_date(self.of.month),
            cut_off_time=months.stamp(self.cut_off_time),
            tool_version=self.tool_version,
            reason=self.reason,
            explanation=self.explanation,
        )
        return pb.Return(
            return_id=self.return_id,
            revision=self.revision,
            heading=heading,
            state=pb.ReturnState.ValueType(self.state),
            due_date=months.day(self.of.due_date),
            recorded_time=months.stamp(self.recorded_time),
            submitted_time=months.stamp(self.submitted_time),
            brought_forward=self.brought_forward,
            residual=self.residual,
            corrects_revision=self.corrects_revision,
            cells_changed=self.cells_changed,
        )


class OfRevision:
    """What belongs to a closing. Rows of counts and steps are only ever added; the database sees to that."""

    return_id: Mapped[key] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[ForeignKeyConstraint]:
        closing = [f"{SCHEMA}.revision.return_id", f"{SCHEMA}.revision.revision"]
        return (ForeignKeyConstraint(["return_id", "revision"], closing),)


class OfCell(OfRevision):
    measure: Mapped[words] = mapped_column(primary_key=True)
    breakdown: Mapped[words] = mapped_column(primary_key=True)
    category: Mapped[words] = mapped_column(primary_key=True, comment="Empty with the total")
    value: Mapped[int] = mapped_column(Integer)

    @property
    def cell(self) -> definitions.Cell:
        return definitions.Cell(self.measure, self.breakdown, self.category)


class Count(OfCell, Base):
    """One cell of a revision."""

    __tablename__ = "count"


class Step(OfRevision, Base):
    """What became of a revision."""

    __tablename__ = "step"

    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="From 1")
    state: Mapped[small] = mapped_column(comment="ppo.returns.v1.ReturnState that it came into")
    recorded_time: Mapped[instant]
    recorded_by: Mapped[words]
    words: Mapped[str] = mapped_column(Text, comment="The question or the answer")

    def to_proto(self) -> pb.Step:
        return pb.Step(
            state=pb.ReturnState.ValueType(self.state),
            recorded_time=months.stamp(self.recorded_time),
            recorded_by=self.recorded_by,
            text=self.words,
        )


class Addition(OfCell, Base):
    """A figure that the area has from elsewhere, with its source."""

    __tablename__ = "addition"

    source: Mapped[words]

    def to_proto(self) -> pb.Addition:
        return pb.Addition(count=definitions.count(self.cell, self.value), source=self.source)
