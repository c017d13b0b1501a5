"""CPUs, memory and GPUs: whether there are as many, and whether the code uses them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dlsys_server.training.tree import text_argument
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.preflight import Finding, Fix

from .subject import Subject, finding

GPU_LIBRARIES = frozenset(
    {
        "torch",
        "tensorflow",
        "jax",
        "cupy",
        "cudf",
        "cuml",
        "numba",
        "lightning",
        "pytorch_lightning",
    }
    | {"transformers", "fastai", "keras", "xgboost", "lightgbm", "catboost", "paddle", "mxnet"}
    | {"diffusers", "accelerate", "ultralytics", "vllm", "pycuda", "triton", "timm"}
)


def look(subject: Subject) -> Iterator[Finding]:
    """What can never start, and GPUs that are asked for and not used or the other way round."""
    refusal = subject.refusal
    if refusal is not None:
        problems = refusal.errors or [FieldProblem(message=refusal.detail)]
        for problem in problems:
            yield _impossible(problem, refusal.code)
    if not subject.is_python or any(cell.tree is None for cell in subject.cells):
        return
    if subject.body.resources.gpus and not GPU_LIBRARIES & set(subject.info.imports):
        text = "The job asks for a GPU, but the code imports nothing that uses one."
        fix = Fix(label="Ask for none", action="set-resource", target="gpus", value="0")
        yield finding("gpu-unused", "info", text, fix=fix)
    if not subject.body.resources.gpus:
        yield from _cuda_without_gpu(subject)


def _impossible(problem: FieldProblem, code: str) -> Finding:
    text = problem.message if code == "refused" else f"The job {problem.message}."
    field = problem.field.removeprefix("resources.")
    option = {"memory_bytes": "memory"}.get(field, field)
    if field not in ("cpus", "gpus", "memory_bytes"):
        return finding(code, "error", text)
    fits = problem.expected or "0"
    in_bytes = int(fits.removesuffix("M")) << 20 if field == "memory_bytes" else None
    unit = {"cpus": "CPUs", "gpus": "GPUs", "memory_bytes": "of memory"}[field]
    fix = Fix(
        label=f"Ask for {fits} {unit}" if fits != "0" else f"Ask for no {unit}",
        action="set-resource",
        target=field,
        value=fits if in_bytes is None else str(in_bytes),
        command=f"--{option} {fits}",
    )
    return finding(code, "error", text, fix=fix)


def _cuda_without_gpu(subject: Subject) -> Iterator[Finding]:
    if any("is_available" in cell.text for cell in subject.cells):
        return
    for cell, call, name in subject.calls:
        last = name.rpartition(".")[2]
        given = text_argument(call, "device")
        names_cuda = given is not None and str(given.value).startswith("cuda")
        if (last == "cuda" and isinstance(call.func, ast.Attribute)) or (
            names_cuda and last in ("to", "device", "tensor", "zeros", "ones", "randn", "empty")
        ):
            text = "This needs a GPU, and the job asks for none: it sees no GPU at all."
            fix = None
            if subject.capacity.gpus:
                fix = Fix(
                    label="Ask for one GPU",
                    action="set-resource",
                    target="gpus",
                    value="1",
                    command="--gpus 1",
                )
            severity = "info" if cell.tolerated else "warning"
            yield finding("gpu-needed", severity, text, cell, cell.line_of(call), fix)  # type: ignore[arg-type]
            return
