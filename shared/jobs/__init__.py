"""All the SQL of a job's life: submission, requests, attempts, recording, reading."""
