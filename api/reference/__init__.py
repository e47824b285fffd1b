"""The API documentation for people, without anything from elsewhere."""
