"""Which identity a platform has: of a laptop, or of a hub."""

from __future__ import annotations

from collections.abc import Callable

from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput
from dlsys_server.core.settings import Settings

from .embedded import EmbeddedIdentity
from .hub import Hub, HubUser
from .hub_identity import HubIdentity
from .issued import Issued
from .memory import Memory
from .principals import Identity
from .projects import ProjectService


def identity_of(
    settings: Settings,
    database: Database,
    projects: ProjectService,
    secret: str,
    trusts: Callable[[str], bool],
) -> Identity:
    """The identity that the settings ask for.

    Args:
        secret: token of the person who runs the platform.
        trusts: whether this is the hash of such a token of another platform on the database.

    Raises:
        InvalidInput: of a hub, without its address or token.
    """
    issued = Issued(database)
    if settings.identity == "embedded":
        return EmbeddedIdentity(issued, secret, settings.user, trusts)
    token = settings.hub_api_token.get_secret_value()
    if not settings.hub_api_url or not token:
        raise InvalidInput(
            "DLSYS_IDENTITY=hub needs JUPYTERHUB_API_URL and JUPYTERHUB_API_TOKEN.",
            hint="Let JupyterHub start the platform as one of its services: see docs/hub.md.",
        )
    hub = Hub(settings.hub_api_url, token, settings.hub_service)
    memory: Memory[HubUser] = Memory(settings.hub_fresh_seconds, settings.hub_stale_seconds)
    return HubIdentity(hub, issued, projects, memory, secret, settings.user, trusts)
