"""Metadata (box E): MLflow, runs, models, lineage."""
