"""What the networks of the model zoo share; the networks themselves are registered beside it."""
