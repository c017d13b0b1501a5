"""Texts that look like passwords and tokens. A finding never repeats more than 4 characters."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from dlsys_server.training.notebook import text_of
from jupyter_dlsys.contract.preflight import Finding

from .subject import Subject, finding

KNOWN = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "an API key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "a PyPI token": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "a private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
    "a password in an address": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"{}]{1,80}:[^\s/:@'\"{}]{4,200}@",
}
PATTERNS = {what: re.compile(pattern) for what, pattern in KNOWN.items()}
NAMED = re.compile(
    r"(?i)\b\w{0,40}(?:passw(?:or)?d|passphrase|secret|token(?!i)|api_?key|access_?key|credential)\w{0,20}"
    r"[\"']?\]?\s{0,4}(?::\s{0,4}str\s{0,4})?[=:]\s{0,4}[\"']([^\"'\n]{8,400})[\"']"
)
PLACEHOLDER = re.compile(
    r"(?i)^(?:<.*>|\{.*\}|\$.*|x+|\*+|\.+)$|your|change.?me|placeholder|example|dummy|secret$|token$"
    r"|password$|^https?://|\s"
)
LEAST_BITS = 3.0
LONGEST_LINE = 4000
MAX_TEXT = 2**20
"""Characters that are looked at, of code and text together."""


def look(subject: Subject) -> Iterator[Finding]:
    """One finding for each line that holds one, in code and in text cells."""
    for index, text in _texts(subject):
        for number, line in enumerate(text.splitlines()):
            if found := _secret_in(line[:LONGEST_LINE]):
                what, value = found
                yield finding(
                    "likely-secret",
                    "warning",
                    f"This looks like {what} ({value[:4]}…). Whoever may see the job can read it, "
                    "and the platform keeps it: take it out, and revoke it if it was shared.",
                    index,
                    number,
                )


def _texts(subject: Subject) -> Iterator[tuple[int, str]]:
    notebook = subject.codes.notebook
    if notebook is None:
        yield 0, subject.body.source.content[:MAX_TEXT]
        return
    left = MAX_TEXT
    for index, cell in enumerate(notebook["cells"]):
        text = text_of(cell)[:left]
        left -= len(text)
        yield index, text


def _secret_in(line: str) -> tuple[str, str] | None:
    for what, pattern in PATTERNS.items():
        if found := pattern.search(line):
            return what, "" if "address" in what else found[0]
    named = NAMED.search(line)
    if named and not PLACEHOLDER.search(named[1]) and _bits(named[1]) >= LEAST_BITS:
        return "a password or token", named[1]
    return None


def _bits(text: str) -> float:
    """Shannon entropy of its characters, in bits each."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())
