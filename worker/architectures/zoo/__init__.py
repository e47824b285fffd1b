"""The shared parts of the model zoo. The networks are registered in the parent package."""
