"""Files that the code names and that will not be there, or will not be kept."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath

from dlsys_server.training.code import Code
from dlsys_server.training.tree import dotted, text_argument
from jupyter_dlsys.contract.preflight import Finding, Fix

from .subject import Subject, finding

READS = frozenset(
    {"open", "read_csv", "read_table", "read_json", "read_parquet", "read_excel", "read_feather"}
    | {"read_pickle", "read_hdf", "read_fwf", "scan_csv", "scan_parquet", "read_ndjson"}
    | {"loadtxt", "genfromtxt", "fromfile", "memmap", "imread", "ImageFolder", "File"}
    | {"listdir", "scandir", "walk", "glob", "iglob", "read_image", "decode_image", "load"}
)
LOADERS = frozenset({"np", "numpy", "torch", "joblib", "pickle", "librosa", "soundfile", "dill"})
"""Of these `load` takes a path; of others it often does not."""
WRITES = frozenset(
    {"to_csv", "to_json", "to_parquet", "to_excel", "to_feather", "to_pickle", "to_hdf"}
    | {"savefig", "savetxt", "savez", "savez_compressed", "imwrite", "imsave", "write_csv"}
    | {"write_parquet", "write_html", "write_image", "save_pretrained", "urlretrieve"}
)
SAVES = frozenset({"np.save", "numpy.save"})
SECOND = frozenset({"torch.save", "joblib.dump", "cv2.imwrite", "urllib.request.urlretrieve"})
"""Calls whose path is not the first argument, except for imwrite."""
FETCHES = frozenset({"extractall", "unpack_archive", "snapshot_download", "hf_hub_download"})
PATHS = frozenset({"Path", "pathlib.Path", "PurePath"})
READING = frozenset({"read_text", "read_bytes", "open", "iterdir", "rglob"})
ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
ABSOLUTE = re.compile(r"^(?:/|~|[A-Za-z]:[\\/])")
SYSTEM = ("/dev/", "/proc/", "/sys/", "/etc/", "/usr/", "/tmp/")  # noqa: S108
KEPT = "Files are kept that lie in the folder DLSYS_OUTPUT_DIR."


def look(subject: Subject) -> Iterator[Finding]:
    """Paths written out: of files that are not sent, of this machine only, and not kept."""
    if not subject.is_python:
        return
    sent = {m.path for m in subject.body.modules} | {subject.body.source.path}
    made = {path for _, call, name in subject.calls if (path := _path_written(call, name))}
    fetches = bool(subject.shell) or any(
        name.rpartition(".")[2] in FETCHES or _downloads(call) for _, call, name in subject.calls
    )
    seen: set[tuple[str, bool]] = set()
    for cell, call, name in subject.calls:
        written = _path_written(call, name)
        node = None if written else _path_read(call, name)
        path = written or (str(node.value) if node else "")
        if not path or (path, bool(written)) in seen or len(path) > 500 or ADDRESS.match(path):
            continue
        seen.add((path, bool(written)))
        if ABSOLUTE.match(path):
            if not path.startswith(SYSTEM):
                yield _absolute(cell, call, path, bool(written))
        elif written:
            yield _not_kept(cell, call, path)
        elif not _there(path, sent | made):
            yield _not_sent(cell, call, path, fetches)


def _path_read(call: ast.Call, name: str) -> ast.Constant | None:
    owner, _, last = name.rpartition(".")
    if last == "load" and owner not in LOADERS:
        return None
    if last in READS and not (
        last == "open" and owner not in ("", "io", "Image", "codecs", "gzip")
    ):
        return text_argument(call, "filepath_or_buffer", "path", "file", "fname", "root")
    if isinstance(call.func, ast.Attribute) and last in READING:
        made = call.func.value
        if isinstance(made, ast.Call) and dotted(made.func) in PATHS:
            return text_argument(made)
    if name in PATHS and (path := text_argument(call)) and ABSOLUTE.match(str(path.value)):
        return path
    return None


def _path_written(call: ast.Call, name: str) -> str:
    """The path that a call writes, when it is written out; '' else."""
    last = name.rpartition(".")[2]
    path: ast.AST | None = None
    if name in SECOND and len(call.args) > 1:
        path = call.args[0 if last == "imwrite" else 1]
    elif last in WRITES or name in SAVES or (last == "open" and _mode(call)):
        path = text_argument(call, "path_or_buf", "path", "fname", "file")
    elif last in ("write_text", "write_bytes") and isinstance(call.func, ast.Attribute):
        made = call.func.value
        path = text_argument(made) if isinstance(made, ast.Call) else None
    if isinstance(path, ast.Constant) and isinstance(path.value, str):
        return path.value
    return ""


def _mode(call: ast.Call) -> bool:
    given = call.args[1:2] + [k.value for k in call.keywords if k.arg == "mode"]
    return any(
        isinstance(m, ast.Constant) and isinstance(m.value, str) and bool(set("wax") & set(m.value))
        for m in given
    )


def _downloads(call: ast.Call) -> bool:
    return any(
        k.arg == "download" and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in call.keywords
    )


def _there(path: str, known: set[str]) -> bool:
    """Sent, written before, or a folder of such a file."""
    clean = PurePosixPath(path)
    if str(clean) in (".", "..") or "*" in path:
        return True
    return any(PurePosixPath(k) == clean or clean in PurePosixPath(k).parents for k in known)


def _absolute(cell: Code, call: ast.Call, path: str, written: bool) -> Finding:
    text = f"'{path}' is a path of one machine. "
    text += KEPT if written else "Bind the data as a dataset, or send the file with the notebook."
    return finding(
        "absolute-path",
        "warning",
        text,
        cell,
        cell.line_of(call),
        _output_fix(cell, call, path) if written else _dataset_fix(path),
    )


def _not_kept(cell: Code, call: ast.Call, path: str) -> Finding:
    text = f"'{path}' is written to the job's own folder, which is removed at its end. {KEPT}"
    fix = _output_fix(cell, call, path)
    return finding("file-not-kept", "info", text, cell, cell.line_of(call), fix)


def _not_sent(cell: Code, call: ast.Call, path: str, fetches: bool) -> Finding:
    text = f"'{path}' is not sent with the job: only the source and its Python modules are."
    if fetches:
        text += " It will be there if the notebook fetches it."
    severity = "info" if fetches or cell.tolerated else "warning"
    fix = _dataset_fix(path)
    return finding("file-not-sent", severity, text, cell, cell.line_of(call), fix)  # type: ignore[arg-type]


def _dataset_fix(path: str) -> Fix:
    stem = re.sub(r"[^a-z0-9._-]+", "-", PurePosixPath(path).stem.lower()).strip("-._") or "data"
    return Fix(
        label="Make it a dataset and bind it",
        action="add-file",
        target=path,
        command=f"dlsys datasets commit {stem[:63]} {shlex.quote(path)} -m 'first version'",
    )


def _output_fix(cell: Code, call: ast.Call, path: str) -> Fix | None:
    """The line with the path put below DLSYS_OUTPUT_DIR (here by hand, where that is not set)."""
    number = cell.line_of(call)
    lines = cell.text.splitlines()
    line = lines[number] if number < len(lines) else ""
    quoted = next((q for q in (f'"{path}"', f"'{path}'") if line.count(q) == 1), None)
    if quoted is None:
        return None
    quote = quoted[0]
    name = PurePosixPath(path.replace("\\", "/")).name or "out"
    if not re.fullmatch(r"[\w. -]+", name):
        return None
    folder = f"os.environ.get({quote}DLSYS_OUTPUT_DIR{quote}, {quote}.{quote})"
    new = line.replace(quoted, f"os.path.join({folder}, {quote}{name}{quote})")
    if not re.search(r"(?m)^\s*import\s.*\bos\b", cell.text):
        if line.rstrip().endswith(":"):
            return None
        indent = line[: len(line) - len(line.lstrip())]
        new = f"{indent}import os; {new.lstrip()}"
    return Fix(label="Use DLSYS_OUTPUT_DIR", action="replace-line", target=path, value=new)
