"""Registered models, their versions and aliases."""

from __future__ import annotations

from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import Model, ModelVersion
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.runs import AliasRequest


class Models(Resource):
    """Models of a project."""

    def list(self, limit: int | None = None) -> Listing[Model]:
        """Models, most recently changed first."""
        return self._all(Model, self._path("models"), limit=limit)

    def show(self, name: str) -> Model:
        """One model with its versions, newest first."""
        return self._connection.get(Model, self._path("models", name))

    def version(self, name: str, version: str | int = "latest") -> ModelVersion:
        """One version: 3, v3, an alias or latest."""
        path = self._path("models", name, "versions", str(version))
        return self._connection.get(ModelVersion, path)

    def promote(self, name: str, version: int, alias: str = "champion") -> Model:
        """Let an alias name a version; endpoints that follow the alias move to it."""
        body = checked(AliasRequest, version=version)
        path = self._path("models", name, "aliases", alias)
        return self._connection.send(Model, "PUT", path, body)

    def demote(self, name: str, alias: str = "champion") -> Model:
        """Remove an alias."""
        path = self._path("models", name, "aliases", alias)
        return self._connection.send(Model, "DELETE", path)
