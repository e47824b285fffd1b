"""HTTP without our domain: request guard, strict JSON, requests, responses, files."""
