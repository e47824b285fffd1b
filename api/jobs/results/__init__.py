"""The results of a job: checkpoints, test results, artifacts and TensorBoard files."""
