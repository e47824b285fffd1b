"""Jobs: submission, reading, control, history and results."""
