"""What of the platform's environment its jobs may see."""

from __future__ import annotations

import os

from jupyter_dlsys.contract.variables import without_secrets


def inherited_environment() -> dict[str, str]:
    """The platform's environment without its own secrets and settings."""
    return without_secrets(os.environ)
