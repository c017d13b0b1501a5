"""Environment variables that jobs may and may not set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

BEFORE_IMPORT = (
    "OMP_",
    "MKL_",
    "OPENBLAS_",
    "GOTO_",
    "NUMEXPR_",
    "KMP_",
    "GOMP_",
    "CUDA_",
    "NVIDIA_",
    "NCCL_",
    "CUBLAS_",
    "TORCH_",
    "PYTORCH_",
    "TORCHINDUCTOR_",
    "XLA_",
    "TF_",
    "JAX_",
    "LD_",
    "MALLOC_",
    "PYTHON",
    "ARROW_",
)
"""Prefixes of variables that libraries or the interpreter read once, when they are loaded: a job
that sets one of them needs a fresh process."""


def needs_fresh_process(names: Iterable[str]) -> str:
    """The first of these variable names that is read at import; '' when there is none."""
    return next((name for name in names if name.startswith(BEFORE_IMPORT)), "")


PRIVATE = ("DLSYS_", "JUPYTERHUB_", "JPY_", "JUPYTER_", "MLFLOW_", "AWS_", "PG")
"""Prefixes of variables that are a platform's or a server's own: settings, tokens, passwords."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a job may see."""
    return {name: value for name, value in environment.items() if not name.startswith(PRIVATE)}
