"""The history of a job: events, metrics and logs."""
