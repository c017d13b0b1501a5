"""Where a token must not be found."""

from __future__ import annotations

from tests.support.hub_api import PLATFORM

from .world import World


def leaked(world: World) -> list[str]:
    """Tokens in files that people read or send around, and in what anybody may ask for."""
    known = {*world.hub.tokens, *world.keys.values(), world.platform.secret, PLATFORM}
    home = world.platform.home
    files = [*home.glob("*.log"), *home.glob("logs/**/*.log"), home / "platform.json"]
    texts = {file.name: file.read_text("utf-8", "replace") for file in files}
    texts |= {path: world.http.get(path).text for path in ("/health", "/openapi.json")}
    return [f"{name}: {k[:12]}…" for name, text in texts.items() for k in known if k in text]
