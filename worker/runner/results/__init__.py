"""The test results of a job's checkpoints, and their files."""
