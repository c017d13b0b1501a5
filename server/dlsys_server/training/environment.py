"""What of the platform's environment its jobs may see."""

from __future__ import annotations

import os

PRIVATE_VARIABLES = ("DLSYS_", "JUPYTERHUB_", "JPY_", "JUPYTER_", "MLFLOW_", "AWS_", "PG")


def inherited_environment() -> dict[str, str]:
    """The platform's environment without its own secrets and settings."""
    return {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE_VARIABLES)}
