"""HTTP in general: limits, strict JSON, conditional requests, files, errors. No domain in it."""
