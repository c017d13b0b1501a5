"""All looks, in the order in which their findings are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jupyter_dlsys.contract.preflight import Finding

from . import (
    after,
    files,
    inputs,
    interaction,
    kernels,
    names,
    packages,
    parameters,
    resources,
    secrets,
    setup,
    syntax,
    weight,
)
from .subject import Subject

Look = Callable[[Subject], Iterator[Finding]]
LOOKS: tuple[Look, ...] = (
    syntax.look,
    kernels.look,
    names.look,
    packages.look,
    inputs.look,
    interaction.look,
    resources.look,
    after.look,
    parameters.look,
    files.look,
    secrets.look,
    setup.look,
    weight.look,
)
