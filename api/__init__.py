"""HTTP only: checks, records, reads. Never imports torch."""
