"""The worker's main process: claims jobs, starts runners, watches them. Never imports torch."""
