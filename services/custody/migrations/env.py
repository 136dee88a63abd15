"""Runs custody's migrations."""

from services.custody.models import Base
from services.runtime import migrations

migrations.run(Base.metadata)
