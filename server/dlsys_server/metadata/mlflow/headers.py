"""Which headers pass the proxy. Pure."""

from __future__ import annotations

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

_HOP = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"expect", b"proxy-connection",
}  # fmt: skip
# The origin check belongs to the door that keeps cookies (Jupyter's): ours takes bearer tokens
# only, which no
# foreign page can send. MLflow's own check would refuse every origin that is not localhost.
_NOT_TO_CHILD = _HOP | {b"cookie", b"authorization", b"host", b"origin", b"referer", b"forwarded"}
_NOT_TO_CLIENT = _HOP | {b"set-cookie", b"server", b"date", b"www-authenticate", b"location"}
_OURS = (b"x-dlsys-", b"x-mlflow-workspace", b"x-forwarded-", b"x-mlflow-authorization")


def to_child(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers of the client without credentials, without what we set ourselves, without hop-by-hop
    ones.

    WSGI reads `x_dlsys_user` and `x-dlsys-user` as one header, so the spellings are compared as
    equal.
    """
    kept = []
    for name, value in headers:
        plain = name.lower().replace(b"_", b"-")
        if plain not in _NOT_TO_CHILD and not plain.startswith(_OURS):
            kept.append((name, value))
    return kept


def to_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers of MLflow's answer without cookies, CORS and hop-by-hop ones."""
    return [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in _NOT_TO_CLIENT and not name.lower().startswith(b"access-control-")
    ]


def named(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """All values of a header, under either spelling."""
    return [
        value.decode("latin1").strip()
        for name, value in headers
        if name.lower().replace(b"_", b"-") == wanted
    ]
