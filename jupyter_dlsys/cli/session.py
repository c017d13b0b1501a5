"""What one invocation knows: its client, and how to answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from jupyter_dlsys.client.client import Client

Viewer = Callable[["Client", str], None]
"""Shows a job until it has ended (terminal) or lets it be watched (notebook)."""


@dataclass
class Session:
    """One invocation of the command."""

    project: str | None = None
    home: str | None = None
    client: Client | None = None
    viewer: Viewer | None = None
    in_notebook: bool = False


_current: ContextVar[Session | None] = ContextVar("dlsys_session", default=None)


@contextmanager
def session(given: Session) -> Iterator[Session]:
    """Use this session for the commands inside."""
    token = _current.set(given)
    try:
        yield given
    finally:
        _current.reset(token)


def current() -> Session:
    """The session of the running command."""
    found = _current.get()
    if found is None:
        found = Session()
        _current.set(found)
    return found


def client() -> Client:
    """The client of the running command; nothing is sent before its first use."""
    found = current()
    if found.client is None:
        from jupyter_dlsys.client.client import connect

        found.client = connect(project=found.project, home=found.home, on_start=_say_starting)
    return found.client


def _say_starting() -> None:
    note("Starting the platform (a few seconds) …")


def note(text: str) -> None:
    """Something by the way, beside the answer."""
    errors().print(text, style="dim", highlight=False)


def console() -> Console:
    """Where answers go."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, emoji=False, markup=False)


def errors() -> Console:
    """Where errors and notes go."""
    from rich.console import Console

    if current().in_notebook:
        return console()
    return Console(stderr=True, highlight=False, emoji=False, markup=False)


def interactive() -> bool:
    """Whether a person looks at a terminal that can be redrawn."""
    return sys.stdout.isatty()


def raw(value: Any) -> None:
    """Print a value as JSON."""
    import json

    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Models as dicts, the rest as it is."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
