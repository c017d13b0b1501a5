"""MLflow's `authorization_function`: take the user from headers that only our proxy can set. Runs
in the child.

MLflow calls it for its Flask routes and, bridged, for its native ones. The user must exist in its
database.
"""

from __future__ import annotations

import hmac
import os
from urllib.parse import unquote

from flask import Response, request
from werkzeug.datastructures import Authorization


def authenticate() -> Authorization | Response:
    """The calling user, or a 401."""
    secret = os.environ.get("DLSYS_MLFLOW_SECRET", "")
    sent = request.headers.get("X-Dlsys-Proxy", "")
    if not secret or not hmac.compare_digest(sent.encode(), secret.encode()):
        return Response("direct access denied", 401)
    user = unquote(request.headers.get("X-Dlsys-User", ""))
    if not user:
        return Response("no user", 401)
    return Authorization("basic", {"username": user, "password": "unused"})
