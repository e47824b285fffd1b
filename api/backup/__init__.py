"""Backup of a box while jobs run, and its restoration into an empty box."""
