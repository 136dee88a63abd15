"""Alembic's way in."""

from services.flagging.models import Base
from services.runtime import migrations

migrations.run(Base.metadata)
