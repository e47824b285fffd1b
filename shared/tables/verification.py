"""Checks of patches by training."""

import sqlalchemy as sa

from shared.tables.columns import Id, UtcTime, job_id, metadata

#: A patch of a finding is checked once. Findings are replaced while a job trains, so their ids are
#: no foreign keys; a deleted job of the check is noticed by its missing row.
verifications = sa.Table(
    "verifications",
    metadata,
    sa.Column("patch_id", Id, primary_key=True),
    #: The job in which the finding was made.
    job_id(nullable=False, index=True),
    sa.Column("finding_id", Id, nullable=False),
    #: The job with the patch.
    sa.Column("fork_id", Id, nullable=False),
    #: The null fork: the job again with another seed.
    sa.Column("null_id", Id, nullable=False),
    #: `verified`, `refuted` or `inconclusive`.
    sa.Column("verdict", sa.String(16)),
    #: The relative decrease of the validation loss.
    sa.Column("gain", sa.Double),
    #: Why, as a sentence.
    sa.Column("detail", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index(
        "ix_verifications_undecided",
        "patch_id",
        postgresql_where=sa.text("verdict IS NULL"),
        sqlite_where=sa.text("verdict IS NULL"),
    ),
)
