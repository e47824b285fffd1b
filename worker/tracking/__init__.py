"""MLflow's copy of every job: a process of its own, and the only importer of mlflow."""
