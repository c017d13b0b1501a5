"""The gateway: its own process that answers predictions, with its routes on disk.

It imports no web framework, no database and no model library: it starts in a fraction of a
second and
outlives the platform. Truth is `routes.json` in its folder; see `routes_file`.
"""
