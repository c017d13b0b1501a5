"""How data is named, and where a blob lies.

`name@ref`; of another project `project/name@ref`, or `dlsys://project/dataset/name@ref`.
"""

from __future__ import annotations

import re

from .base import NAME_PATTERN

_URI = re.compile(r"(?:dlsys://(?P<of>[^/]+)/dataset/|(?P<project>[^/@:]+)/)(?P<rest>.+)")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


def parse_reference(reference: str) -> tuple[str, str]:
    """Name and ref of `name`, `name@v3`, `name@tag`, `name@sha256:…`; the ref is '' for newest.

    Also understands a name with its project, which is left to `parse_uri`.

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
        project, text = match["of"] or match["project"], match["rest"]
    name, at, ref = text.partition("@")
    if not re.fullmatch(NAME_PATTERN, name) or (at and not _REF.fullmatch(ref)):
        raise ValueError(
            f"'{reference}' is not a dataset reference; write name, name@v3, name@tag, "
            "name@sha256:… or project/name"
        )
    return project, name, ref


def blob_key(sha256: str) -> str:
    """Path of a blob under the root of an object store."""
    return f"objects/{sha256[:2]}/{sha256}"
