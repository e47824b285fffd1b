"""The pages of keys, sessions, people and the audit."""
