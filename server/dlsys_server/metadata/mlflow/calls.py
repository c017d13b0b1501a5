"""How MLflow's HTTP calls are named and read: paths, JSON bodies, refusals. Pure."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from .errors import MlflowError

# The missing slash is not a slip: MLflow also serves "/api/2.0mlflow/experiments/search-datasets".
_CALL = re.compile(r"^/(?:ajax-)?api/\d+\.\d+/?mlflow/(?P<call>.+?)/*$")
_ARTIFACTS = re.compile(r"^/(?:ajax-)?api/\d+\.\d+/?mlflow-artifacts(?:/(?P<rest>.*))?$")
_TRICKS = re.compile(rb"//|\\|\x00|%(?:25)*(?:2e|2f|5c|00)", re.IGNORECASE)

READS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_JSON = 16 * 1024 * 1024


def forbidden(message: str, hint: str = "") -> MlflowError:
    """A 403."""
    return MlflowError(403, "PERMISSION_DENIED", message, hint)


def malformed(message: str, hint: str = "") -> MlflowError:
    """A 400."""
    return MlflowError(400, "INVALID_PARAMETER_VALUE", message, hint)


def call_of(path: str) -> str | None:
    """Name of an API call without prefix and version: "runs/log-batch"; None for pages and
    artifacts.
    """
    found = _CALL.match(path)
    return found["call"] if found else None


def artifact_of(path: str) -> str | None:
    """What follows "mlflow-artifacts/" in a path ("artifacts/1/abc/artifacts/a.txt"), or None."""
    found = _ARTIFACTS.match(path)
    return (found["rest"] or "") if found else None


def refuse_traversal(raw_path: bytes, query: bytes) -> None:
    """Refuse paths that could mean another place after decoding: `..`, `//`, encoded dots and
    slashes.
    """
    decoded = unquote_to_bytes(raw_path)
    if _TRICKS.search(raw_path) or _climbs(decoded):
        raise malformed("the path holds '..', '//' or an encoded slash or dot")
    for pair in query.split(b"&"):
        value = unquote(pair.partition(b"=")[2].decode("latin1").replace("+", " "))
        for _ in range(3):
            if _climbs(value.encode("utf-8", "replace")):
                raise malformed("a parameter holds '..' as a folder name")
            value = unquote(value)


def _climbs(path: bytes) -> bool:
    return any(part in (b"..", b".") for part in path.replace(b"\\", b"/").split(b"/"))


def read_json(body: bytes) -> dict[str, Any]:
    """Read a body as MLflow does, which also accepts JSON encoded twice. An empty body is {}."""
    try:
        value = json.loads(body or b"{}")
        if isinstance(value, str):
            value = json.loads(value)
    except ValueError:
        raise malformed("the body is not JSON") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed("the body is not a JSON object")
    return value


OF_THE_PLATFORM = ("models:/", "runs:/", "mlflow-artifacts:/")


def refuse_other_stores(call: str | None, body: dict[str, Any]) -> None:
    """A model's files are ours: another place MLflow would read with the platform's own rights."""
    source = body.get("source")
    if call != "model-versions/create" or source is None:
        return
    if not isinstance(source, str) or not source.startswith(OF_THE_PLATFORM):
        raise malformed(
            "the source of a model version lies outside of the platform",
            "Log the model to a run of this platform first: mlflow.<flavor>.log_model(…).",
        )


def fields(body: dict[str, Any], *names: str) -> list[Any]:
    """All non-empty values of the named fields, in snake_case or the camelCase that protobuf
    accepts too.
    """
    spelled = [name for plain in names for name in (plain, camel(plain))]
    return [body[name] for name in dict.fromkeys(spelled) if body.get(name)]


def field(body: dict[str, Any], *names: str) -> Any:
    """The first non-empty value of the named fields, or None."""
    return next(iter(fields(body, *names)), None)


def camel(name: str) -> str:
    """snake_case to the camelCase of protobuf's JSON."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
