"""Whether what the notebook runs in is installed."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_dlsys.contract.preflight import Finding

from .subject import Subject, finding


def look(subject: Subject) -> Iterator[Finding]:
    """An unknown kernel, and what another language means."""
    if not subject.is_notebook:
        return
    name, kernels = subject.codes.kernel, subject.installed.kernels
    if name and name not in kernels:
        there = ", ".join(sorted(kernels)) or "none"
        text = f"The kernel '{name[:60]}' is not installed where jobs run; there are: {there}."
        if subject.kernel is not None:
            text += f" {subject.kernel.name} is used instead."
        yield finding("unknown-kernel", "warning" if subject.kernel else "error", text)
    if not subject.is_python:
        language = subject.codes.language[:40]
        text = f"The code is {language}, not Python: only data and resources were looked at."
        yield finding("other-language", "info", text)
    elif subject.kernel is not None and not subject.runs_here:
        text = f"Which packages the kernel '{subject.kernel.name}' has was not looked at."
        yield finding("other-environment", "info", text)
