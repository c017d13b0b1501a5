"""What a thing came from and what came of it."""

from __future__ import annotations

from typing import Literal

from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.client.results import Lineage


class LineageGraph(Resource):
    """The lineage graph of a project."""

    def show(
        self,
        ref: str,
        direction: Literal["up", "down", "both"] = "both",
        depth: int = 8,
        limit: int = 500,
    ) -> Lineage:
        """The graph around a thing.

        Args:
            ref: dataset/name@v1, snapshot/sha256:…, job/ID, run/ID, model/name@v1,
                deployment/name, or the id of a node.
            direction: up is where it came from, down what came of it.
            depth: steps away from it.
            limit: nodes at most; the answer says whether it was cut.
        """
        query = {"ref": ref, "direction": direction, "depth": depth, "limit": limit}
        return self._connection.get(Lineage, self._path("lineage"), query)
