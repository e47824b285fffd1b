"""MLflow's copy of every job: a separate process, and the only importer of mlflow."""
