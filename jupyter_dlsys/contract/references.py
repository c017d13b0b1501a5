"""How data is named: `name@ref`, `dlsys://project/dataset/name@ref`, and where a blob lies."""

from __future__ import annotations

import re

from .base import NAME_PATTERN

_URI = re.compile(r"dlsys://(?P<project>[^/]+)/dataset/(?P<rest>.+)")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


def parse_reference(reference: str) -> tuple[str, str]:
    """Name and ref of `name`, `name@v3`, `name@tag`, `name@sha256:…`; the ref is '' for newest.

    Also understands `dlsys://project/dataset/name@v3`; the project is left to `parse_uri`.

    Raises:
        ValueError: it is not a reference.
    """
    return parse_uri(reference)[1:]


def parse_uri(reference: str, project: str = "") -> tuple[str, str, str]:
    """Project, name and ref; `project` is the answer for a reference that names none.

    Raises:
        ValueError: it is not a reference.
    """
    text = reference.strip()
    if match := _URI.fullmatch(text):
        project, text = match["project"], match["rest"]
    name, at, ref = text.partition("@")
    if not re.fullmatch(NAME_PATTERN, name) or (at and not _REF.fullmatch(ref)):
        raise ValueError(
            f"'{reference}' is not a dataset reference; write name, name@v3, name@tag or "
            "name@sha256:…"
        )
    return project, name, ref


def blob_key(sha256: str) -> str:
    """Path of a blob under the root of an object store."""
    return f"objects/{sha256[:2]}/{sha256}"
