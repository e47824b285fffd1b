"""Accounts over HTTP: people, their keys, and the audit."""
