"""Pages for people. They read and change everything through the routes of the API."""
