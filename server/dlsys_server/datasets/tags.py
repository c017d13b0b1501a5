"""Tags: names of versions that move only on purpose. Each verb tells what changed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import delete
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.errors import Conflict, InvalidInput, NotFound
from jupyter_dlsys.contract.datasets import TagRequest

from . import versions
from .tables import DatasetRow, TagRow

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LOOKS_LIKE_A_VERSION = re.compile(r"v?\d+|latest|sha256")
Change = Mapping[str, object]


def point(
    session: Session, dataset: DatasetRow, tag: str, body: TagRequest, author: str
) -> Change | None:
    """Point a tag at a version; None when it points there already.

    Raises:
        InvalidInput: the name cannot be a tag.
        NotFound: there is no such version.
        Conflict: it points elsewhere and the request does not say to move it.
    """
    if not NAME.fullmatch(tag) or LOOKS_LIKE_A_VERSION.fullmatch(tag):
        raise InvalidInput(
            f"'{tag[:80]}' cannot be the name of a tag.",
            hint="Letters, digits, '.', '_' and '-', up to 63; not like v3, 3, latest or sha256.",
        )
    versions.find_version(session, dataset, f"v{body.version}")
    row = session.get(TagRow, (dataset.id, tag))
    before = row.version if row else None
    if before == body.version:
        return None
    if row is not None and not body.move:
        raise Conflict(
            f"Tag '{tag}' points at v{before}.",
            code="tag-exists",
            hint="Move it on purpose (--move), or choose another name.",
        )
    if row is None:
        row = TagRow(dataset_id=dataset.id, tag=tag)
        session.add(row)
    row.version, row.author, row.created_at = body.version, author, clock.now()
    return {"tag": tag, "version": body.version, "before": before}


def drop(session: Session, dataset: DatasetRow, tag: str) -> Change:
    """Remove a tag.

    Raises:
        NotFound: there is no such tag.
    """
    row = session.get(TagRow, (dataset.id, tag))
    if row is None:
        raise NotFound(
            f"Dataset '{dataset.name}' has no tag '{tag}'.",
            code="no-such-tag",
            hint="`dlsys datasets show` lists its tags.",
        )
    session.execute(delete(TagRow).where(TagRow.dataset_id == dataset.id, TagRow.tag == tag))
    return {"tag": tag, "version": None, "before": row.version}
