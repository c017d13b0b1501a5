"""`connect()` and the client with its nouns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupyter_dlsys.client.agents import Agents
from jupyter_dlsys.client.audit import Audit
from jupyter_dlsys.client.connection import Address, Connection, Folder, locate
from jupyter_dlsys.client.datasets import Datasets
from jupyter_dlsys.client.deployments import Deployments
from jupyter_dlsys.client.frozen import Snapshots
from jupyter_dlsys.client.jobs import Jobs
from jupyter_dlsys.client.lineage import LineageGraph
from jupyter_dlsys.client.models import Models
from jupyter_dlsys.client.projects import Projects
from jupyter_dlsys.client.quotas import Quotas
from jupyter_dlsys.client.runs import Runs
from jupyter_dlsys.client.schedules import Schedules
from jupyter_dlsys.client.system import System
from jupyter_dlsys.client.tokens import Tokens
from jupyter_dlsys.client.uploads import Uploads


class Client:
    """Everything the platform can do. Method names are the operations of the API.

    Nothing is sent, and no platform is started, before the first call.
    """

    def __init__(self, where: Address | Folder, project: str | None = None) -> None:
        self.connection = Connection(where, project)
        self.system = System(self.connection)
        self.projects = Projects(self.connection)
        self.tokens = Tokens(self.connection)
        self.quotas = Quotas(self.connection)
        self.audit = Audit(self.connection)
        self.uploads = Uploads(self.connection)
        self.datasets = Datasets(self.connection, self.uploads)
        self.snapshots = Snapshots(self.connection)
        self.jobs = Jobs(self.connection)
        self.agents = Agents(self.connection)
        self.schedules = Schedules(self.connection)
        self.runs = Runs(self.connection)
        self.models = Models(self.connection)
        self.lineage = LineageGraph(self.connection)
        self.deployments = Deployments(self.connection)

    @property
    def project(self) -> str:
        """The project that this client works in."""
        return self.connection.project

    @property
    def url(self) -> str:
        """Base URL of the platform, for programs on this machine."""
        return self.connection.target.url

    def close(self) -> None:
        """Give the sockets back; the next call opens new ones."""
        self.connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self.connection.where
        return f"Client({str(where.home) if where.home else where.find().url!r})"


def connect(
    url: str | None = None,
    token: str | None = None,
    project: str | None = None,
    *,
    home: str | Path | None = None,
    on_start: Callable[[], None] | None = None,
) -> Client:
    """A client of the platform.

    Args:
        url: of a shared platform; DLSYS_URL when left out, else the one of the data folder,
            which is started when it does not run.
        token: DLSYS_TOKEN when left out.
        project: DLSYS_PROJECT when left out, else your own.
        home: data folder; DLSYS_HOME when left out, else `dlsys` in Jupyter's data folder.
        on_start: called when a platform is started, to tell the person who waits.

    Raises:
        Unauthenticated: there is a URL but no token.
    """
    folder = Path(home).expanduser().resolve() if home else None
    return Client(locate(url, token, folder, on_start), project)
