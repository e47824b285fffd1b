"""The Celery worker, and everything of torch."""
