"""HTTP to the MLflow child over its socket: who acts, where, and errors as MlflowError."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from .environment import ADMIN
from .errors import MlflowError, unavailable

WORKSPACE = "X-MLFLOW-WORKSPACE"
Json = dict[str, Any]
ABSENT_IN_S3 = "(404) when calling"
"""What MLflow's 500 says of an object that is not there, in the words of its S3 client."""
_VERSION_3 = ("workspaces", "roles/", "users/roles/")


class Connection:
    """Calls to MLflow's API. `user` is who acts; None: the platform itself."""

    def __init__(self, socket: Callable[[], Path], secret: str, *, timeout: float = 30.0) -> None:
        self._socket, self._secret = socket, secret
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            transport = httpx.AsyncHTTPTransport(verify=False, uds=str(self._socket()), retries=1)
            self._http = httpx.AsyncClient(
                transport=transport, base_url="http://localhost", timeout=self._timeout
            )
        return self._http

    def headers(self, project: str | None = None, user: str | None = None) -> dict[str, str]:
        """Who and where, as the child's auth reads it."""
        headers = {"x-dlsys-proxy": self._secret, "x-dlsys-user": quote(user or ADMIN)}
        if project is not None:
            headers[WORKSPACE] = project
        return headers

    async def request(
        self,
        method: str,
        call: str,
        *,
        project: str | None = None,
        user: str | None = None,
        params: Mapping[str, Any] | None = None,
        body: Json | None = None,
    ) -> Json:
        """One API call ("runs/get") and its JSON answer."""
        version = "3.0" if call.startswith(_VERSION_3) else "2.0"
        url = f"/api/{version}/mlflow/{call}"
        try:
            answer = await self._client().request(
                method, url, params=params, json=body, headers=self.headers(project, user)
            )
        except httpx.TransportError as error:
            raise unavailable(f"MLflow does not answer: {error!r}") from None
        return _read(answer)

    async def artifact(self, project: str, path: str) -> bytes:
        """The bytes of one small artifact."""
        url = f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        try:
            answer = await self._client().get(url, headers=self.headers(project))
        except httpx.TransportError as error:
            raise unavailable(f"MLflow does not answer: {error!r}") from None
        if answer.status_code == 404 or (not answer.is_success and ABSENT_IN_S3 in answer.text):
            raise MlflowError(404, "RESOURCE_DOES_NOT_EXIST", f"There is no file {path}.")
        if answer.status_code >= 500:
            raise unavailable(f"MLflow could not fetch {path}.")
        if not answer.is_success:
            raise MlflowError(answer.status_code, "UNKNOWN", f"MLflow refused to give {path}.")
        return answer.content


def _read(answer: httpx.Response) -> Json:
    try:
        value = answer.json() if answer.content else {}
    except ValueError:
        value = None
    if answer.is_success and isinstance(value, dict):
        return value
    if isinstance(value, dict) and "error_code" in value:
        raise MlflowError(answer.status_code, value["error_code"], value.get("message", ""))
    if answer.status_code >= 500:  # a page, not a word of MLflow's: its database broke off
        raise unavailable(f"MLflow could not answer ({answer.status_code}).")
    raise MlflowError(answer.status_code, "UNKNOWN", answer.text[:300] or answer.reason_phrase)
