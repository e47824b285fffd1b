"""What the API and the workers must agree on. Without FastAPI and without torch."""
