"""Modules that are imported and not installed where the job will run."""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from dlsys_server.training.code import Code
from dlsys_server.training.tree import Index, Scope, dotted, guarded
from jupyter_dlsys.contract.preflight import Finding, Fix, Severity

from .subject import Subject, finding

DISTRIBUTIONS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "google": "protobuf",
    "IPython": "ipython",
    "jwt": "pyjwt",
    "Levenshtein": "levenshtein",
    "lightgbm": "lightgbm",
    "mpl_toolkits": "matplotlib",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "pkg_resources": "setuptools",
    "psycopg2": "psycopg2-binary",
    "pl_bolts": "lightning-bolts",
    "pptx": "python-pptx",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "umap": "umap-learn",
    "usb": "pyusb",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
INSTALL = re.compile(r"\b(?:pip3?|uv pip|conda|mamba)\s+install\s+(.+)")
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Import:
    """Of a top-level module."""

    module: str
    cell: Code
    line: int
    scope: Scope
    optional: bool


def look(subject: Subject) -> Iterator[Finding]:
    """Each missing module once, with the distribution that has it."""
    if not subject.runs_here:
        return
    bundled = {PurePosixPath(m.path).parts[0].removesuffix(".py") for m in subject.body.modules}
    installed_by_it = _installed_by(subject.shell)
    seen: set[str] = set()
    for found in _imports(subject):
        module = found.module
        if module in seen or module in bundled or module in sys.stdlib_module_names:
            continue
        seen.add(module)
        if not subject.installed.has(module):
            yield _told(subject, found, installed_by_it)


def _imports(subject: Subject) -> Iterator[Import]:
    for cell in subject.cells:
        index = cell.tree_index
        nodes: list[tuple[ast.Import | ast.ImportFrom, Scope]] = [
            *index.of(ast.Import),
            *index.of(ast.ImportFrom),
        ]
        if not nodes:
            continue
        optional = guarded(index, "ImportError", "ModuleNotFoundError")
        typing_only = _typing_only(index)
        for node, scope in sorted(nodes, key=lambda pair: pair[0].lineno):
            if id(node) not in typing_only:
                for module in _modules(node):
                    yield Import(module, cell, cell.line_of(node), scope, id(node) in optional)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [node.module.partition(".")[0]] if node.module and not node.level else []


def _typing_only(index: Index) -> set[int]:
    return {
        id(inner)
        for node in index.all(ast.If)
        if dotted(node.test).endswith("TYPE_CHECKING")
        for part in node.body
        for inner in ast.walk(part)
    }


def _installed_by(shell: list[str]) -> set[str]:
    """Distributions that the notebook installs itself, in small letters."""
    return {
        name.lower().replace("_", "-")
        for line in shell
        if (install := INSTALL.search(line))
        for name in REQUIREMENT.findall(install[1])
    }


def _our_own(found: Import, severity: Severity) -> Finding:
    """`dlsys` is the name of the command, and what everybody calls the module."""
    lines = found.cell.text.splitlines()
    line = lines[found.line] if found.line < len(lines) else ""
    new = re.sub(r"^(\s*)import dlsys\s*$", r"\1import jupyter_dlsys as dlsys", line)
    new = re.sub(r"^(\s*)from dlsys\b", r"\1from jupyter_dlsys", new)
    fix = None
    if new != line:
        fix = Fix(label=f"Write '{new.strip()}'", action="replace-line", target="dlsys", value=new)
    text = "There is no module 'dlsys': it is called jupyter_dlsys."
    return finding("missing-package", severity, text, found.cell, found.line, fix)


def _told(subject: Subject, found: Import, installed_by_it: set[str]) -> Finding:
    module = found.module
    distribution = DISTRIBUTIONS.get(module, module.replace("_", "-"))
    severity: Severity = "error" if found.scope == "always" else "warning"
    text = f"'{module}' is not installed where the job runs."
    if distribution.lower() in installed_by_it:
        severity, text = (
            "info",
            f"'{module}' is not installed yet; the notebook installs it itself.",
        )
        return finding("missing-package", severity, text, found.cell, found.line)
    if found.optional or found.cell.tolerated:
        severity = "info"
        text = f"'{module}' is not installed where the job runs; the code can do without it."
    if module == "dlsys":
        return _our_own(found, severity)
    near = difflib.get_close_matches(module, subject.installed.names, 1, 0.8)
    if near and module not in DISTRIBUTIONS:
        text += f" Did you mean '{near[0]}'?"
        return finding("missing-package", severity, text, found.cell, found.line)
    fix = Fix(
        label=f"Install {distribution}",
        action="install-package",
        target=distribution,
        command=f"%pip install {distribution}",
    )
    return finding("missing-package", severity, text, found.cell, found.line, fix)
