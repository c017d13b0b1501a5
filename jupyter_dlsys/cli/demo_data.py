"""The demo's data: kaomoji and digits, out of installed packages, as files of a data engineer."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path

from jupyter_dlsys.client.errors import DlsysError

FIRST_LABELS = ("happy", "sad", "angry")
NEW_LABEL = "surprised"
ATTRIBUTION = (
    "Texts: kaomoji-dataset by Funovate Technology (FontVibe), CC BY 4.0, "
    "https://fontvibe.ai/tools/kaomoji; only the categories "
    f"{', '.join((*FIRST_LABELS, NEW_LABEL))}, without duplicates."
)
DIGITS_ATTRIBUTION = (
    "Pictures: handwritten digits by E. Alpaydin and C. Kaynak (UCI Machine Learning Repository, "
    "CC BY 4.0), 1,797 of them as shipped with scikit-learn."
)
INSTALL = 'Run `make install`, or `pip install "jupyter-dlsys[server,examples]"`.'


class MissingData(DlsysError):
    """A package that holds the demo's data is not installed."""

    code, exit_code = "demo-data-missing", 1


def write_kaomoji(labels: Iterable[str], target: Path) -> int:
    """Texts of these categories as JSON Lines with `text` and `label`; how many.

    Raises:
        MissingData: the package kaomoji-dataset is not installed.
    """
    wanted = set(labels)
    marks = [json.dumps(label) for label in wanted]
    found: dict[str, dict[str, str]] = {}
    # The package's own reader keeps all 82,109 entries with their names in six languages.
    with gzip.open(_kaomoji_file(), "rt", encoding="utf-8") as lines:
        for line in lines:
            if not any(mark in line for mark in marks):
                continue
            entry = json.loads(line)
            text = entry["text"].strip()
            if text and entry["category"] in wanted:
                found.setdefault(text.lower(), {"text": text, "label": entry["category"]})
    with target.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found.values())
    return len(found)


def _kaomoji_file() -> Path:
    spec = importlib.util.find_spec("kaomoji_dataset")
    if spec is None or spec.origin is None:
        raise MissingData("The package kaomoji-dataset is not installed.", hint=INSTALL)
    return Path(spec.origin).parent / "data" / "kaomoji.jsonl.gz"


def write_digits(folder: Path) -> int:
    """Handwritten digits as 8x8 grey PNG files in a folder for each label; how many.

    Raises:
        MissingData: scikit-learn is not installed.
    """
    try:
        from PIL import Image
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingData(f"The package {error.name} is not installed.", hint=INSTALL) from None
    found = load_digits()
    for number, (pixels, label) in enumerate(zip(found.images, found.target, strict=True)):
        target = folder / str(label) / f"{number:04d}.png"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            # 16 steps of grey become 0 to 255.
            Image.fromarray((pixels * (255 / 16)).round().astype("uint8")).save(target)
    return len(found.target)
