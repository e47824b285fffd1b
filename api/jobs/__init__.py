"""Jobs: submission, reading, requests."""
