"""Merges of nominals, and the registrations that end and stand again by them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    _merges()
    _registrations()


def _merges() -> None:
    op.create_table(
        "nominal_merge",
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        sa.Column("into_id", sa.Uuid(), nullable=False, comment="Into which it was merged"),
        sa.Column(
            "living_id", sa.Uuid(), nullable=False, comment="Which lives on, through however many merges"
        ),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="The caller's subject"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("undone_time", sa.DateTime(timezone=True), comment="When it was taken back"),
        sa.Column("undone_by", sa.Text()),
        sa.Column("undone_reason", sa.Text()),
        sa.CheckConstraint("nominal_id <> into_id", name="nominal_merge_is_of_two"),
        sa.CheckConstraint(
            "num_nonnulls(undone_time, undone_by, undone_reason) IN (0, 3)",
            name="nominal_merge_is_undone_whole",
        ),
        *(
            sa.ForeignKeyConstraint([name], [f"{S}.nominal.nominal_id"])
            for name in ("nominal_id", "into_id", "living_id")
        ),
        sa.PrimaryKeyConstraint("merge_id"),
        schema=S,
    )
    live = sa.text("undone_time IS NULL")
    op.create_index(
        "nominal_merge_live", "nominal_merge", ["nominal_id"], unique=True, schema=S, postgresql_where=live
    )
    op.create_index("nominal_merge_living", "nominal_merge", ["living_id"], schema=S, postgresql_where=live)
    op.create_index("nominal_merge_nominal_id_idx", "nominal_merge", ["nominal_id"], schema=S)
    # Two writers who merge at once wait for each other here, whatever else they hold.
    op.execute(
        f"""
        CREATE FUNCTION {S}.refuse_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtextextended('nominal_merge', 0));
            IF EXISTS (
                WITH RECURSIVE above AS (
                    SELECT NEW.into_id AS id
                    UNION
                    SELECT next.into_id FROM {S}.nominal_merge next JOIN above ON next.nominal_id = above.id
                    WHERE next.undone_time IS NULL
                )
                SELECT FROM above WHERE id = NEW.nominal_id
            ) THEN
                RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'nominal_merge_has_no_cycle',
                    MESSAGE = 'a nominal cannot live on in itself';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER no_cycle AFTER INSERT OR UPDATE OF nominal_id, into_id, undone_time
            ON {S}.nominal_merge FOR EACH ROW WHEN (NEW.undone_time IS NULL)
            EXECUTE FUNCTION {S}.refuse_cycle();
        """
    )


def _registrations() -> None:
    op.add_column(
        "registration",
        sa.Column("living_id", sa.Uuid(), comment="The nominal that lives on, where merged"),
        schema=S,
    )
    op.create_foreign_key(
        "registration_living_id_fkey", "registration", "nominal", ["living_id"], ["nominal_id"],
        source_schema=S, referent_schema=S,
    )  # fmt: skip
    op.add_column(
        "registration",
        sa.Column("merged_time", sa.DateTime(timezone=True), comment="When it ended by a merge"),
        schema=S,
    )
    op.add_column(
        "registration",
        sa.Column("merged_state", sa.SmallInteger(), comment="What it is again once that is taken back"),
        schema=S,
    )
    op.add_column(
        "registration",
        sa.Column("yields_to", sa.Uuid(), comment="The earlier registration of the same person"),
        schema=S,
    )
    op.create_foreign_key(
        "registration_yields_to_fkey", "registration", "registration", ["yields_to"], ["registration_id"],
        source_schema=S, referent_schema=S,
    )  # fmt: skip
    op.create_check_constraint(
        "registration_merged_whole",
        "registration",
        "num_nonnulls(merged_time, merged_state, yields_to) = CASE state WHEN 8 THEN 3 ELSE 0 END",
        schema=S,
    )
    # A person has one live registration, under however many nominals.
    op.drop_index("registration_live", "registration", schema=S)
    op.create_index(
        "registration_live",
        "registration",
        [sa.text("coalesce(living_id, nominal_id)")],
        unique=True,
        schema=S,
        postgresql_where=sa.text("state IN (1, 2, 3, 5)"),
    )
