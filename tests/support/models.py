"""A small model that is made once for each test process, and a script that logs it.

For tests whose subject is what comes after the training: to import torch and to export a graph
takes ten seconds, to log what is there one.
"""

from __future__ import annotations

import base64
import functools
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SMALL = """
import json, os
import mlflow, torch
from jupyter_dlsys.contract.encoding import encode_utf8

class Model(torch.nn.Module):
    def __init__(self, labels):
        super().__init__()
        self.embed = torch.nn.Embedding(257, 8, padding_idx=0)
        self.out = torch.nn.Linear(8, labels)
    def forward(self, ids):
        return self.out(self.embed(ids).mean(1)).softmax(-1)

def small(labels, seed, lies=False):
    torch.manual_seed(seed)
    model = Model(len(labels)).eval()
    texts = ["good day", "so sad", "(^_^)"]
    with torch.inference_mode():
        probabilities = model(torch.from_numpy(encode_utf8(texts, 16)))
    best = [labels[i] for i in probabilities.argmax(1)]
    outputs = {"label": best, "probabilities": probabilities.tolist()}
    if lies:
        outputs["label"][0] = "something else"
    with open("golden.json", "w") as file:
        json.dump({"inputs": {"text": texts}, "outputs": outputs}, file)
    return model, {
        "input_example": encode_utf8(["a", "b"], 16),
        "metadata": {"dlsys": {
            "inputs": [{"name": "text", "type": "string", "encoding": "utf8", "length": 16}],
            "output": "probabilities", "labels": labels, "golden": "golden.json"}},
        "extra_files": ["golden.json"], "pip_requirements": ["mlflow", "torch"],
    }
"""
"""`small(labels, seed)`: a text model that is not trained, and what MLflow is told of it."""
MAKE = f"""
{SMALL}
model, about = small(["sad", "happy"], 0)
mlflow.pytorch.save_model(model, "model", **about)
"""
LOG = """
import base64, io, zipfile
import mlflow

zipfile.ZipFile(io.BytesIO(base64.b64decode("{model}"))).extractall("model")
mlflow.log_metric("accuracy", 0.75)
mlflow.log_artifacts("model", "model")
mlflow.register_model(f"runs:/{{mlflow.active_run().info.run_id}}/model", "mood")
"""


@functools.cache
def ready_made() -> str:
    """A script that logs and registers `mood`: a text's label, `sad` or `happy`."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MAKE],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return LOG.format(model=base64.b64encode(_zipped(Path(folder, "model"))).decode())


def _zipped(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return out.getvalue()
