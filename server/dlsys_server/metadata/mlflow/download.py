"""Brings a folder of artifacts from MLflow to disk: streamed, all or nothing."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx

from .errors import MlflowError, unavailable

_ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
_AT_ONCE = 4


async def download_folder(
    client: httpx.AsyncClient, headers: dict[str, str], root: str, target: Path
) -> Path:
    """Copy all files below the artifact path `root` into the new folder `target`.

    They are written beside it and renamed at the end, so `target` is complete or absent. A `target`
    that exists
    is taken as it is.
    """
    if await asyncio.to_thread(target.exists):
        return target
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    part.mkdir(parents=True, mode=0o700)
    try:
        files = await _walk(client, headers, root, "")
        if not files:
            raise MlflowError(404, "RESOURCE_DOES_NOT_EXIST", f"There are no files at {root}.")
        gate = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(_fetch(client, headers, root, name, part, gate) for name in files))
        _put_in_place(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _put_in_place(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError:
        if not target.exists():  # else another download was faster, with the same files
            raise


async def _walk(
    client: httpx.AsyncClient, headers: dict[str, str], root: str, below: str
) -> list[str]:
    """Relative names of all files."""
    path = f"{root}/{below}".rstrip("/")
    try:
        answer = await client.get(_ROUTE, params={"path": path}, headers=headers)
    except httpx.TransportError as error:
        raise unavailable(f"MLflow does not answer: {error!r}") from None
    _check(answer.status_code, path)
    found: list[str] = []
    entries: list[dict[str, Any]] = answer.json().get("files", [])
    for entry in entries:
        name = PurePosixPath(entry["path"]).name
        if name in ("", ".", ".."):
            raise MlflowError(502, "MALFORMED", f"MLflow lists a file named {name!r}.")
        relative = f"{below}/{name}" if below else name
        if entry.get("is_dir"):
            found += await _walk(client, headers, root, relative)
        else:
            found.append(relative)
    return found


async def _fetch(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    root: str,
    name: str,
    part: Path,
    gate: asyncio.Semaphore,
) -> None:
    file = part / name
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = f"{_ROUTE}/{quote(f'{root}/{name}')}"
    async with gate:
        try:
            async with client.stream("GET", url, headers=headers) as answer:
                _check(answer.status_code, name)
                with file.open("wb") as out:
                    async for chunk in answer.aiter_bytes(2**18):
                        await asyncio.to_thread(out.write, chunk)
                    os.fsync(out.fileno())
        except httpx.TransportError as error:
            raise unavailable(f"MLflow went away during a download: {error!r}") from None


def _check(status: int, path: str) -> None:
    if status == 404:
        raise MlflowError(404, "RESOURCE_DOES_NOT_EXIST", f"There is no artifact {path}.")
    if status >= 400:
        raise MlflowError(status, "UNKNOWN", f"MLflow answered {status} for the artifact {path}.")
