"""Sample users for `make hub`: a password each, new at every start. Never for real use."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Unicode

USERS: dict[str, tuple[str, ...]] = {
    "ann": ("vision-scientists", "language-scientists"),
    "dan": ("vision-engineers", "language-engineers"),
    "vic": ("product",),
    "pat": ("platform-engineers",),
    "eve": (),
}
"""And their groups. projects.yaml makes ann a maintainer of vision as well."""


class SampleUsers(Authenticator):
    """Knows the users of a file, which holds a salted hash of each password."""

    file = Unicode(help="Made by `write`.").tag(config=True)

    async def authenticate(self, handler: Any, data: Mapping[str, str]) -> str | None:
        """The user's name when the password is right."""
        return data["username"] if self._right(data["username"], data["password"]) else None

    def _right(self, user: str, password: str) -> bool:
        salt, wanted = json.loads(Path(self.file).read_text("utf-8")).get(user, ("", ""))
        return hmac.compare_digest(_hash(password, salt), wanted)


def write(path: Path, users: Iterable[str]) -> dict[str, str]:
    """New passwords, which are returned and kept nowhere; the file has hashes."""
    passwords = {name: secrets.token_urlsafe(9) for name in users}
    salts = {name: secrets.token_hex(16) for name in passwords}
    hashes = {name: (salts[name], _hash(word, salts[name])) for name, word in passwords.items()}
    path.touch(mode=0o600)
    path.write_text(json.dumps(hashes), "utf-8")
    return passwords


def _hash(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()
