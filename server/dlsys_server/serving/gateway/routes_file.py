"""`routes.json`: what to serve and who may call it. Written by the platform, read here."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from dlsys_server.serving.gateway.errors import RoutesFault


@dataclass(frozen=True)
class Limits:
    """What a worker may use. Times in seconds."""

    threads: int = 1
    timeout_s: float = 60.0
    start_timeout_s: float = 180.0


@dataclass(frozen=True)
class VersionSpec:
    """One version of a model: where it is and how to run it."""

    path: str
    trust: Literal["safe", "code"] = "safe"
    limits: Limits = Limits()
    max_batch: int = 32
    slo_ms: float | None = None
    hold: bool = False

    def exists(self) -> bool:
        """Whether there is a model folder at the path."""
        return Path(self.path, "MLmodel").is_file()

    def same_process(self, other: VersionSpec) -> bool:
        """Whether a running worker of `other` can stand for this one."""
        mine = (self.path, self.trust, self.limits)
        return mine == (other.path, other.trust, other.limits)


@dataclass(frozen=True)
class DeploymentSpec:
    """An endpoint: the version that should answer and the one to fall back to."""

    name: str
    project: str
    active: str
    previous: str | None
    versions: dict[str, VersionSpec]


@dataclass(frozen=True)
class Token:
    """Who holds a token and what it opens."""

    subject: str
    project: str | None  # None: all of them
    deployments: frozenset[str] | None  # None: all of the project
    expires_at: float | None

    def expired(self) -> bool:
        return self.expires_at is not None and time.time() >= self.expires_at

    def reaches(self, deployment: DeploymentSpec) -> bool:
        """Whether this token may call the deployment."""
        if self.project not in (None, deployment.project):
            return False
        return self.deployments is None or deployment.name in self.deployments


@dataclass(frozen=True)
class Routes:
    """The whole file."""

    revision: int = 0
    deployments: dict[str, DeploymentSpec] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)


def digest(secret: str) -> str:
    """By what a token is looked up: the secret itself is nowhere."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read(path: Path) -> Routes:
    """Read and check the file; an absent one means: serve nothing. Raises RoutesFault."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Routes()
    except OSError as error:
        raise RoutesFault(f"routes.json cannot be read: {error}") from error
    try:
        return parse(orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise RoutesFault(f"routes.json is no JSON: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RoutesFault(f"routes.json has the wrong form: {error!r}") from error


def parse(data: dict[str, Any]) -> Routes:
    """Routes of the decoded file."""
    return Routes(
        revision=int(data.get("revision", 0)),
        deployments={
            name: _deployment(name, entry) for name, entry in data.get("deployments", {}).items()
        },
        tokens={digest.lower(): _token(entry) for digest, entry in data.get("tokens", {}).items()},
    )


def _deployment(name: str, entry: dict[str, Any]) -> DeploymentSpec:
    versions = {str(key): _version(value) for key, value in entry["versions"].items()}
    active = str(entry["active"])
    if active not in versions:
        raise ValueError(f"{name}: the active version {active} is not among its versions")
    previous = entry.get("previous")
    return DeploymentSpec(
        name=name,
        project=entry["project"],
        active=active,
        previous=str(previous) if previous is not None and str(previous) in versions else None,
        versions=versions,
    )


def _version(entry: dict[str, Any]) -> VersionSpec:
    limits = entry.get("limits") or {}
    if entry.get("trust", "safe") not in ("safe", "code"):
        raise ValueError(f"unknown trust {entry['trust']!r}")
    known = {
        key: limits[key] for key in ("threads", "timeout_s", "start_timeout_s") if key in limits
    }
    return VersionSpec(
        path=entry["path"],
        trust=entry.get("trust", "safe"),
        limits=Limits(**known),
        max_batch=max(1, int(entry.get("max_batch") or 32)),
        slo_ms=entry.get("slo_ms"),
        hold=bool(entry.get("hold", False)),
    )


def _token(entry: dict[str, Any]) -> Token:
    names = entry["deployments"]
    return Token(
        subject=entry["subject"],
        project=None if entry["project"] == "*" else entry["project"],
        deployments=None if names == "*" else frozenset(names),
        expires_at=entry.get("expires_at"),
    )
