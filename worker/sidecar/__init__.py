"""A warm torch process on the CPU that answers the API's questions about networks and data."""
