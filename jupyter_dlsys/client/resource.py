"""What all resource classes share: their connection, and lists that span pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from jupyter_dlsys.client.connection import Connection
from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.base import FieldProblem

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
PAGE = 200


class Resource:
    """A noun of the API; its methods are named like the operations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _path(self, *parts: str) -> str:
        return self._connection.path(*parts)

    def _dataset(self, dataset: str, *parts: str) -> str:
        """Path of a dataset, of the project that its name tells: `name` or `project/name`."""
        project, slash, name = dataset.rpartition("/")
        if not slash:
            return self._path("datasets", name, *parts)
        project = project.removeprefix("dlsys://").removesuffix("/dataset")
        return self._connection.path_in(project, "datasets", name, *parts)

    def _all(
        self,
        kind: type[T],
        path: str,
        params: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> Listing[T]:
        """Items of all pages, at most `limit`."""
        read = TypeAdapter(kind).validate_python
        found: Listing[T] = Listing()
        cursor: str | None = None
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            query = {**(params or {}), "limit": size, "cursor": cursor}
            page = self._connection.json("GET", path, params=query)
            found.extend(read(item) for item in page["items"])
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return found


def checked(kind: type[B], /, **fields: Any) -> B:
    """A body to send.

    Raises:
        UsageError: a field cannot be right; it names the field.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        problems = [
            FieldProblem(
                field=".".join(str(p) for p in e["loc"]),
                message=e["msg"].removeprefix("Value error, "),
            )
            for e in error.errors()
        ]
        first = problems[0]
        raise UsageError(
            f"{first.field or kind.__name__}: {first.message}",
            hint=_meant(kind, first.field),
            errors=problems[1:],
        ) from None


def _meant(kind: type[BaseModel], field: str) -> str:
    known = kind.model_fields.get(field.partition(".")[0])
    if known is None:
        return ""
    return known.description or next(
        (str(m.description) for m in known.metadata if getattr(m, "description", None)), ""
    )
