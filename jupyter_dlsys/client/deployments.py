"""Endpoints: a model version that answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jupyter_dlsys.client.connection import new_key
from jupyter_dlsys.client.errors import Refused, TimedOut
from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import Deployment, Prediction
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.deployments import DeployRequest, PredictRequest

WAIT_SECONDS = 0.3


class Deployments(Resource):
    """Endpoints of a project."""

    def list(self, limit: int | None = None) -> Listing[Deployment]:
        """Endpoints, most recently changed first."""
        return self._all(Deployment, self._path("deployments"), limit=limit)

    def deploy(
        self,
        model: str,
        name: str | None = None,
        *,
        trust: Literal["safe", "code"] = "safe",
        max_batch: int = 32,
        slo_ms: float | None = None,
        wait: float | None = None,
    ) -> Deployment:
        """Serve a model version, or move an endpoint of that name to it.

        Args:
            model: name, name@v3 or name@champion; an alias is followed when it moves.
            name: of the endpoint; the model's when left out.
            trust: "code" lets the worker load pickles and Python code: you vouch for them.
            max_batch: examples that are computed at once at most.
            slo_ms: refuse rather than answer later than this.
            wait: seconds to wait until it answers; returned at once when left out.

        Raises:
            Refused: the model cannot be served, or (with `wait`) it failed while it started.
            TimedOut: it does not answer after `wait` seconds.
        """
        body = checked(
            DeployRequest, model=model, name=name, trust=trust, max_batch=max_batch, slo_ms=slo_ms
        )
        path = self._path("deployments")
        made = self._connection.send(Deployment, "POST", path, body, key=new_key())
        return made if wait is None else self.wait(made.name, wait)

    def wait(self, name: str, timeout: float = 120) -> Deployment:
        """Wait until an endpoint answers with the version that it is meant to serve."""
        end = time.monotonic() + timeout
        while True:
            found = self.show(name)
            if found.state == "ready" and found.version == found.target_version:
                return found
            refused = found.state == "degraded" and found.version != found.target_version
            if found.state == "failed" or refused:
                raise Refused(
                    f"Endpoint {name} could not start: {found.message}",
                    code="deployment-failed",
                    hint=f"`dlsys endpoints show {name}` shows its state.",
                )
            if time.monotonic() > end:
                raise TimedOut(
                    f"Endpoint {name} is not ready after {timeout:g} seconds. {found.message}",
                    hint=f"It may still come; `dlsys endpoints show {name}` shows its state.",
                )
            time.sleep(WAIT_SECONDS)

    def show(self, name: str) -> Deployment:
        """One endpoint with its live statistics."""
        return self._connection.get(Deployment, self._path("deployments", name))

    def rollback(self, name: str) -> Deployment:
        """Go back to the version served before."""
        path = self._path("deployments", name, "rollback")
        return self._connection.send(Deployment, "POST", path)

    def undeploy(self, name: str) -> None:
        """Stop serving and forget the endpoint and its tokens."""
        self._connection.json("DELETE", self._path("deployments", name))

    def predict(self, name: str, inputs: Mapping[str, Sequence[Any]]) -> Prediction:
        """Ask an endpoint, for people; programs call its own URL with a token.

        Args:
            name: the endpoint.
            inputs: lists of equal length by input name, e.g. {"text": ["(^_^)"]}.
        """
        body = checked(PredictRequest, inputs={key: list(value) for key, value in inputs.items()})
        path = self._path("deployments", name, "predict")
        # A prediction changes nothing, so it may be repeated when the line breaks.
        return self._connection.send(Prediction, "POST", path, body, key=new_key())
