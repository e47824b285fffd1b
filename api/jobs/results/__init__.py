"""The results of a job: checkpoints, top-k, confusion, artifacts, event files."""
