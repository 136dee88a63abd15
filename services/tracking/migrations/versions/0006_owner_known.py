"""A case that is nobody's has no owner, and every other has one; a history is read whole."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    op.create_check_constraint("ownership_owner_known", "ownership", "(owner = '') = (state = 5)", schema=S)
    op.create_index("ownership_nominal_id_idx", "ownership", ["nominal_id"], schema=S)


def downgrade() -> None:
    op.drop_index("ownership_nominal_id_idx", "ownership", schema=S)
    op.drop_constraint("ownership_owner_known", "ownership", schema=S)
