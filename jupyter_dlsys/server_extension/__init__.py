"""The Jupyter server extension: joins or starts the platform, and proxies to it."""
