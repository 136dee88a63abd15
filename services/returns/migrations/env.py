"""Alembic's way in."""

from services.returns.models import Base
from services.runtime import migrations

migrations.run(Base.metadata)
