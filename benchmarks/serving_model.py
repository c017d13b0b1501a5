"""A small text classifier as an MLflow folder in pt2, with the signature as its only contract."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

CLASSES, TOKENS, VOCABULARY, WIDTH = 4, 64, 257, 64
BODY = json.dumps({"inputs": [[(7 * i) % VOCABULARY for i in range(TOKENS)]]}).encode()
"""One row of int64 tokens; MLflow's scoring server and our gateway both take it as it is."""


def save(folder: Path) -> Path:
    """Embedding, mean, linear, softmax: int64 [n, 64] to float32 [n, 4]."""
    import mlflow.pytorch
    import numpy as np
    import torch
    from torch import nn

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, WIDTH, padding_idx=0)
            self.out = nn.Linear(WIDTH, CLASSES)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.out(self.embedding(tokens).mean(1))
            return scores.softmax(-1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's and torch's
        mlflow.pytorch.save_model(
            Words().eval(),
            str(folder),
            input_example=np.zeros((2, TOKENS), np.int64),
            pip_requirements=["mlflow", "torch"],
        )
    return folder
