"""The `dlsys` command: thin over the SDK, quick to start, plain in what it says."""
