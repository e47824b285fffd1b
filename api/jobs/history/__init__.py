"""The history of a job: events, metrics, logs."""
