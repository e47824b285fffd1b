"""How fast the web pages are in Chromium, with 10,000 jobs and 1,000,000 metric rows."""
