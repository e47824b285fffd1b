"""Training: torch and the registry, and nothing else of ours."""
