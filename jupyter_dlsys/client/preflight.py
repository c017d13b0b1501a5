"""What a look before the start found: in words, and what follows from it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from jupyter_dlsys.client.connection import Connection
from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.contract.jobs import SubmitRequest
from jupyter_dlsys.contract.preflight import Finding, PreflightReport


class PreflightWarning(UserWarning):
    """Something that may go wrong with a submission."""


class PreflightFailed(DlsysError):
    """A look before the start found what would make the job fail; nothing was submitted."""

    code, exit_code = "preflight-failed", 4

    def __init__(self, report: PreflightReport, *, is_script: bool = False) -> None:
        self.report = report
        wrong = [f for f in report.findings if f.severity == "error"]
        count = "One thing" if len(wrong) == 1 else f"{len(wrong)} things"
        super().__init__(
            f"{count} would make the job fail, so it was not submitted:\n"
            + "\n".join(f"  {line(finding, is_script)}" for finding in wrong),
            hint="Mend this, or submit it without a look (--no-preflight, preflight=False).",
        )

    def as_dict(self) -> dict[str, Any]:
        """For `--json`: with all findings."""
        return {**super().as_dict(), "report": self.report.model_dump(mode="json")}


def look(connection: Connection, body: SubmitRequest) -> PreflightReport:
    """What would go wrong with a submission to the connection's project."""
    return connection.send(PreflightReport, "POST", connection.path("jobs", "preflight"), body)


def look_first(connection: Connection, body: SubmitRequest) -> None:
    """Warn of what may go wrong with a submission.

    Raises:
        PreflightFailed: something will.
    """
    report, is_script = look(connection, body), body.source.path.endswith(".py")
    if not report.ok:
        raise PreflightFailed(report, is_script=is_script)
    for finding in report.findings:
        if finding.severity == "warning":
            warnings.warn(line(finding, is_script), PreflightWarning, stacklevel=3)


def where(finding: Finding, is_script: bool = False) -> str:
    """'cell 3, line 2' as people count, or ''. A script has only lines."""
    place = finding.place
    if place is None:
        return ""
    parts = [] if is_script else [f"cell {place.cell + 1}"]
    parts += [] if place.line is None else [f"line {place.line + 1}"]
    return ", ".join(parts)


def line(finding: Finding, is_script: bool = False) -> str:
    """Where, what, and what mends it, in one line."""
    place = where(finding, is_script)
    mend = finding.fix
    text = f"{place}: {finding.message}" if place else finding.message
    if mend is None:
        return text
    return f"{text} → {mend.command or mend.label}"


def counts(findings: Sequence[Finding]) -> str:
    """'1 error, 2 warnings' or 'nothing'."""
    words = {"error": "error", "warning": "warning", "info": "note"}
    found = [(sum(f.severity == s for f in findings), word) for s, word in words.items()]
    said = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in found if n]
    return ", ".join(said) or "nothing"
