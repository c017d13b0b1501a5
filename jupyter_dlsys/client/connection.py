"""HTTP to the platform: finds it again after a restart, repeats what is safe to repeat."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from jupyter_dlsys._version import __version__
from jupyter_dlsys.client import embedded
from jupyter_dlsys.client.errors import ApiError, NotConnected, Unauthenticated, from_answer

T = TypeVar("T")
Query = Mapping[str, Any]
SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
TRIES = 5
PATIENCE_SECONDS = 30.0
TIMEOUT = httpx.Timeout(120, connect=10)
API = "/api/v1"


@dataclass(frozen=True)
class Target:
    """Where requests go. `url` is what programs on this machine use; `uds` is preferred."""

    url: str
    token: str
    uds: str | None = None


class Address:
    """A fixed address: DLSYS_URL and DLSYS_TOKEN."""

    home: Path | None = None

    def __init__(self, url: str, token: str) -> None:
        self._target = Target(url.rstrip("/"), token)

    def find(self) -> Target:
        """The address."""
        return self._target

    def find_again(self) -> Target:
        """The same address: a shared platform restarts in its place."""
        return self._target


class Folder:
    """The embedded platform of a data folder, started when needed."""

    def __init__(self, home: Path, on_start: Callable[[], None] | None = None) -> None:
        self.home: Path | None = home
        self._home, self._on_start = home, on_start

    def find(self) -> Target:
        """Where the folder's platform listens."""
        found = embedded.join(self._home, on_start=self._on_start)
        return Target(found.url, found.token, found.uds)

    find_again = find


def locate(
    url: str | None = None,
    token: str | None = None,
    home: Path | None = None,
    on_start: Callable[[], None] | None = None,
) -> Address | Folder:
    """The platform meant by the arguments, else by DLSYS_URL, else the data folder's own."""
    url = url or (None if home else os.environ.get("DLSYS_URL"))
    if not url:
        return Folder(home or embedded.default_home(), on_start)
    given = token or os.environ.get("DLSYS_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN")
    if not given:
        raise Unauthenticated(
            f"There is no token for {url}.", hint="Set DLSYS_TOKEN, or pass token=…"
        )
    return Address(url, given)


def new_key() -> str:
    """An Idempotency-Key: made once for a write, sent with each repeat of it."""
    return uuid.uuid4().hex


class Connection:
    """Requests to one platform in one project. May be used from several threads."""

    def __init__(self, where: Address | Folder, project: str | None = None) -> None:
        self.where = where
        self._project = project or os.environ.get("DLSYS_PROJECT") or None
        self._lock = threading.Lock()
        self._target: Target | None = None
        self._http: httpx.Client | None = None

    @property
    def target(self) -> Target:
        """Where requests go now."""
        return self._open()[0]

    @property
    def project(self) -> str:
        """The chosen project, else the one the token's owner works in."""
        if self._project is None:
            self._project = str(self.json("GET", f"{API}/whoami")["project"])
        return self._project

    def path(self, *parts: str) -> str:
        """Path of a thing of the project."""
        return self.path_in(self.project, *parts)

    def path_in(self, project: str, *parts: str) -> str:
        """Path of a thing of a project."""
        return "/".join([f"{API}/projects", *(quote(p, safe="") for p in (project, *parts))])

    def follow_restart(self) -> None:
        """Forget an embedded platform that was replaced by another one, without asking either."""
        if self.where.home is None or self._target is None:
            return
        now = embedded.read(self.where.home)
        if now is not None and now.token != self._target.token:
            self.close()

    def close(self) -> None:
        """Give the sockets back."""
        with self._lock:
            if self._http is not None:
                self._http.close()
            self._http = self._target = None

    # -- requests ------------------------------------------------------------
    def get(self, kind: type[T], path: str, params: Query | None = None) -> T:
        """GET, read as `kind` (a model, or e.g. `list[Model]`)."""
        return TypeAdapter(kind).validate_python(self.json("GET", path, params=params))

    def send(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        key: str | None = None,
    ) -> T:
        """A write with a JSON body; with `key` it is repeated when the line breaks."""
        return TypeAdapter(kind).validate_python(self.json(method, path, body=body, key=key))

    def json(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        body: BaseModel | None = None,
        key: str | None = None,
    ) -> Any:
        """The decoded answer; None when it is empty."""
        content = body.model_dump_json().encode() if body is not None else None
        answer = self.request(method, path, params=params, content=content, key=key)
        return answer.json() if answer.content else None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        content: bytes | None = None,
        key: str | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        """One call, repeated where that is safe.

        Raises:
            ApiError: the platform refused; the class tells why.
            NotConnected: no platform answers.
        """
        headers = {"Idempotency-Key": key} if key else {}
        if content is not None:
            headers["Content-Type"] = content_type
        with self._answered(method, path, params, content, headers) as answer:
            answer.read()
            return answer

    @contextmanager
    def stream(
        self,
        path: str,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> Iterator[httpx.Response]:
        """A GET whose body is read piece by piece by the caller."""
        with self._answered("GET", path, params, None, dict(headers or {}), timeout) as answer:
            yield answer

    def download(self, path: str, target: Path, params: Query | None = None) -> Path:
        """A GET into a file, which appears only when it is whole."""
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.stream(path, params) as answer, part.open("wb") as file:
                for block in answer.iter_bytes():
                    file.write(block)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    # -- the line ------------------------------------------------------------
    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        params: Query | None,
        content: bytes | None,
        headers: dict[str, str],
        timeout: httpx.Timeout | None = None,
    ) -> Iterator[httpx.Response]:
        safe = method in SAFE or "Idempotency-Key" in headers
        started = time.monotonic()
        for tries in itertools.count(1):
            try:
                answer = self._once(method, path, params, content, headers, timeout)
                break
            except (httpx.TransportError, ApiError) as error:
                if _enough(tries, started, error) or not self._worth_repeating(error, safe):
                    raise _explained(error, self.where) from error
                _pause(tries, error)
        try:
            yield answer
        except httpx.TransportError as error:
            raise _explained(error, self.where) from error
        finally:
            answer.close()

    def _once(
        self,
        method: str,
        path: str,
        params: Query | None,
        content: bytes | None,
        headers: dict[str, str],
        timeout: httpx.Timeout | None,
    ) -> httpx.Response:
        target, http = self._open()
        asked = http.build_request(
            method,
            path,
            params=_clean(params),
            content=content,
            headers={**headers, "Authorization": f"Bearer {target.token}"},
            timeout=timeout or TIMEOUT,
        )
        answer = http.send(asked, stream=True)
        if answer.status_code < 400:
            return answer
        try:
            answer.read()
        finally:
            answer.close()
        retry_after = answer.headers.get("retry-after")
        raise from_answer(answer.status_code, _decoded(answer), retry_after)

    def _worth_repeating(self, error: Exception, safe: bool) -> bool:
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return self._find_again()  # nothing was sent
        if isinstance(error, Unauthenticated):
            before = self._target
            return self.where.home is not None and self._find_again() and before != self._target
        if isinstance(error, ApiError):
            return safe and error.status == 503
        if isinstance(error, (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)):
            return safe and self._find_again()
        return False

    def _find_again(self) -> bool:
        self.close()
        with self._lock:
            self._target = self.where.find_again()
        return True

    def _open(self) -> tuple[Target, httpx.Client]:
        with self._lock:
            if self._target is None:
                self._target = self.where.find()
            if self._http is None:
                self._http = _http(self._target)
            return self._target, self._http


def _http(target: Target) -> httpx.Client:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=10)
    return httpx.Client(
        transport=httpx.HTTPTransport(verify=not target.uds, uds=target.uds, limits=limits),
        base_url="http://dlsys" if target.uds else target.url,
        headers={"User-Agent": f"jupyter-dlsys/{__version__}"},
        trust_env=False,
    )


def _clean(params: Query | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in (params or {}).items():
        if value is None or value == []:
            continue
        found[name] = list(value) if _is_list(value) else value
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _decoded(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _enough(tries: int, started: float, error: Exception) -> bool:
    """A part that is starting is worth more patience than a line that breaks."""
    if getattr(error, "status", 0) == 503:
        return time.monotonic() - started > PATIENCE_SECONDS
    return tries >= TRIES


def _pause(tries: int, error: Exception) -> None:
    wanted = getattr(error, "retry_after", None) or 0.1 * 2**tries
    time.sleep(min(2.0, float(wanted)) * random.uniform(0.8, 1.2))


def _explained(error: Exception, where: Address | Folder) -> Exception:
    if isinstance(error, ApiError):
        return error
    place = str(where.home) if where.home else where.find().url
    return NotConnected(
        f"The platform of {place} does not answer ({type(error).__name__}: {error}).",
        hint="`dlsys doctor` looks for the cause.",
    )
