"""The queue: what waits, in which order and why."""
