"""HTTP requests that no client library would send."""

from __future__ import annotations

import http.client
from contextlib import closing
from urllib.parse import urlsplit


def raw(
    url: str, method: str, target: str, token: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a request whose path is sent as it is written here."""
    place = urlsplit(url)
    with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)) as line:
        line.putrequest(method, target, skip_host="host" in headers)
        if token:
            line.putheader("Authorization", f"Bearer {token}")
        for name, value in headers.items():
            line.putheader(name.replace("_", "-"), value)
        line.endheaders()
        answer = line.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
