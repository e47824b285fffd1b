"""The HTTP API: checks, records and reads jobs. Never imports torch."""
