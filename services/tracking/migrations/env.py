"""Alembic's way in."""

from services.runtime import migrations
from services.tracking.models import Base

migrations.run(Base.metadata)
