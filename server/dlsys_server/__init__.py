"""The platform: one HTTP API over datasets, jobs, metadata and serving."""
