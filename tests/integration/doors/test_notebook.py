"""%dlsys and the widgets in an IPython shell, against a real platform."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.testing.globalipapp import start_ipython

from jupyter_dlsys import magics
from jupyter_dlsys.client import embedded, inputs
from jupyter_dlsys.client.client import Client
from jupyter_dlsys.widgets.dataset import DatasetWidget
from jupyter_dlsys.widgets.job import JobWidget
from tests.support.doors import end_platform

pytestmark = pytest.mark.integration
ROWS = [{"text": "(^_^)", "label": "happy"}, {"text": "(T_T)", "label": "<b>sad</b>"}] * 5


@pytest.fixture
def shell(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell with the extension loaded."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(inputs, "_session", inputs._Session(client=client))
    found = start_ipython() or get_ipython()  # type: ignore[name-defined]  # noqa: F821
    found.run_line_magic("load_ext", "jupyter_dlsys")
    yield found
    found.run_line_magic("unload_ext", "jupyter_dlsys")


def test_verbs_run_in_the_notebook(
    shell: Any, client: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a b.csv").write_text("text,label\nhi,x\n")
    shell.run_line_magic("dlsys", f"datasets commit spaced '{tmp_path}/a b.csv' -m 'two words'")
    shell.run_line_magic("dlsys", "datasets")
    assert "spaced" in capsys.readouterr().out
    assert client.datasets.history("spaced")[0].message == "two words"


def test_a_wrong_line_shows_plain_words_and_stops_run_all(shell: Any) -> None:
    with pytest.raises(magics.CommandFailed, match="no dataset 'nothing'") as caught:
        magics.magic("datasets show nothing")
    assert all("Traceback" not in line for line in caught.value._render_traceback_())
    with pytest.raises(magics.CommandFailed, match="Hint"):
        magics.magic("nonsense")
    result = shell.run_cell("%dlsys datasets show nothing")
    assert not result.success


def test_bind_says_what_input_gives(shell: Any, client: Client) -> None:
    client.datasets.commit("bound", ROWS)
    shell.run_line_magic("dlsys", "bind data=bound@v1")
    assert len(inputs.input("data").to_pandas()) == 10
    with pytest.raises(magics.CommandFailed, match="data=tweets@v1"):
        magics.magic("bind data")


def test_mlflow_is_pointed_at_the_platform_and_follows_its_restart(
    shell: Any, client: Client, home: Path
) -> None:
    assert os.environ["MLFLOW_TRACKING_URI"] == f"{client.url}/mlflow"
    assert os.environ["MLFLOW_WORKSPACE"] == "default"
    before = os.environ["MLFLOW_TRACKING_TOKEN"]
    end_platform(home)
    after = embedded.join(home)
    shell.run_cell("pass")
    assert os.environ["MLFLOW_TRACKING_TOKEN"] == after.token != before


def test_completion_in_the_shell(shell: Any, client: Client) -> None:
    client.datasets.create("completed")
    line = "%dlsys datasets show compl"
    with provisionalcompleter():
        found = [item.text for item in shell.Completer.completions(line, len(line))]
    assert "completed" in found


def test_a_job_widget_follows_its_job(client: Client, tmp_path: Path) -> None:
    script = tmp_path / "<i>.py"
    script.write_text("import mlflow\nfor i in range(3): mlflow.log_metric('loss', i, step=i)\n")
    widget = JobWidget(client.jobs.submit(script), client)
    assert widget.wait(60).succeeded
    widget._thread.join(20)
    assert not widget._thread.is_alive()
    assert "Done" in widget._title.value
    assert "<i>.py" not in widget._title.value
    assert "<polyline" in widget._curves.value
    assert widget._bar.value == widget._bar.max
    assert widget._stop.disabled


def test_the_stop_button_stops_the_job(client: Client, tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("import time\ntime.sleep(100)\n")
    widget = JobWidget(client.jobs.submit(tmp_path / "long.py"), client)
    widget._stop.click()
    assert widget.wait(60).state == "cancelled"
    widget.close()


def test_a_dataset_widget_shows_versions_columns_and_rows(client: Client) -> None:
    client.datasets.commit("shown", ROWS, message="one")
    client.datasets.commit("shown", ROWS[:2], message="two")
    widget = DatasetWidget("shown", client)
    assert "12 rows" in widget._about.value
    assert "<b>sad</b>" not in widget._about.value + widget._rows.value
    assert "(T_T)" in widget._rows.value
    assert "<svg" in widget._schema.value
    widget._choice.value = 1
    assert "10 rows" in widget._about.value
