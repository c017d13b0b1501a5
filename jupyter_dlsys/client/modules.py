"""The files of a submission, read here; see `contract.bundle` for what belongs to them."""

from __future__ import annotations

from pathlib import Path

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.contract import bundle
from jupyter_dlsys.contract.jobs import SourceFile


def read_source(path: Path) -> SourceFile:
    """The notebook or script itself.

    Raises:
        UsageError: it is not there, or neither a notebook nor a Python file.
    """
    try:
        return bundle.read_source(path)
    except bundle.BundleError as error:
        raise UsageError(error.detail, hint=error.hint) from None


def local_modules(path: Path) -> list[SourceFile]:
    """Modules and packages beside the source that it imports, directly or through each other.

    Raises:
        UsageError: they are too large to be code, or cannot be read.
    """
    try:
        return bundle.local_modules(path, bundle.read_source(path).content)
    except bundle.BundleError as error:
        raise UsageError(error.detail, hint=error.hint) from None
