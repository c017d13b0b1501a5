"""Box F: schedules, and later graphs of jobs and triggers."""
