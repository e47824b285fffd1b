"""`GET /metrics`: what an operator needs to know, for Prometheus."""
