"""The API documentation for people; the page loads nothing from other hosts."""
