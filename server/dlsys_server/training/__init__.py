"""Model trainer (box C): jobs, queue, attempts."""
