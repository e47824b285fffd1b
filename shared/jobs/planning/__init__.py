"""The plan: which job starts next and where. Pure functions of what the database holds."""
