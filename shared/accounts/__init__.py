"""Accounts: people, their keys, the sessions of their browsers, and the audit of changes."""
