"""Which operations of the API each command stands for; a test compares them with the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
ATTRIBUTE = "__dlsys_operations__"


def covers(*operations: str) -> Callable[[F], F]:
    """Mark a command with the operations that it makes available."""

    def mark(command: F) -> F:
        setattr(command, ATTRIBUTE, operations)
        return command

    return mark


def operations_of(command: Callable[..., Any] | None) -> tuple[str, ...]:
    """The operations of a command's function."""
    found: tuple[str, ...] = getattr(command, ATTRIBUTE, ())
    return found
