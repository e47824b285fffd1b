"""Tests of the pages in Chromium: `make test` runs a sample, `make test-pages` all of them."""
