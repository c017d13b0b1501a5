"""Notebook jobs, with the real papermill and the real ipykernel."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Attempt, alive, code, wait_for


def test_a_notebook_runs_and_tells_everything(attempt: Attempt) -> None:
    attempt.notebook(
        code("lr = 0.5\nname = 'a'", "parameters"),
        {"cell_type": "markdown", "id": "m", "source": "# Title", "metadata": {}},
        "import os, helper\nprint(f'lr={lr} name={name}', helper.VALUE, os.getcwd())",
        "open(os.environ['DLSYS_OUTPUT_DIR'] + '/model.txt', 'w').write('weights')\n6 * 7",
        parameters={"lr": 0.1, "name": 'quote "q" é'},
    )
    (attempt.own / "source" / "helper.py").write_text("VALUE = 'from-helper'\n")
    result = attempt.run()
    assert result["reason"] is None, attempt.read("log")
    work = attempt.own / "work"
    assert attempt.text(3) == f'lr=0.1 name=quote "q" é from-helper {work}\n'
    assert (attempt.own / "outputs" / "model.txt").read_text() == "weights"

    phases = [e["phase"] for e in attempt.events("job.phase")]
    assert phases == ["preparing-inputs", "starting-kernel", "running", "saving"]
    cells = [(e["index"], e["phase"], e["ok"]) for e in attempt.events("job.cell")]
    assert cells == [(i, *x) for i in (0, 1, 3, 4) for x in (("start", None), ("end", True))]
    assert all(e["seconds"] > 0 for e in attempt.events("job.cell") if e["phase"] == "end")
    progress = [(e["done"], e["total"]) for e in attempt.events("job.progress")]
    assert progress == [(n, 4) for n in range(5)]
    answers = [e["output"] for e in attempt.events("job.output") if e["cell"] == 4]
    assert answers[0]["output_type"] == "execute_result"
    assert answers[0]["data"]["text/plain"] == "42"
    every = attempt.events()
    assert [e["seq"] for e in every] == list(range(1, len(every) + 1))
    executed = attempt.executed()
    assert executed[3]["outputs"][0]["text"] == attempt.text(3).splitlines(keepends=True)
    assert executed[4]["execution_count"] == 4


def test_a_failing_cell_names_the_error_and_keeps_the_notebook(attempt: Attempt) -> None:
    attempt.notebook("print('before')", "raise ValueError('bad lr')", "print('never')")
    result = attempt.run()
    assert result["reason"] == "user-error"
    assert result["message"] == "ValueError: bad lr (cell 2)"
    assert result["exit_code"] != 0
    (error,) = attempt.events("job.error")
    assert (error["cell"], error["ename"], error["evalue"]) == (1, "ValueError", "bad lr")
    assert "\x1b[" in "".join(error["traceback"])
    ends = [(e["index"], e["ok"]) for e in attempt.events("job.cell") if e["phase"] == "end"]
    assert ends == [(0, True), (1, False)]
    cells = attempt.executed()
    assert len(cells) == 3
    assert cells[0]["outputs"][0]["text"] == ["before\n"]
    assert cells[1]["outputs"][0]["ename"] == "ValueError"
    assert cells[2]["outputs"] == []


def test_a_tolerated_error_does_not_fail_the_job(attempt: Attempt) -> None:
    attempt.notebook(code("1 / 0", "raises-exception"), "print('after')")
    assert attempt.run()["reason"] is None
    assert attempt.text(1) == "after\n"
    assert attempt.events("job.error") == []
    assert attempt.events("job.output")[0]["output"]["ename"] == "ZeroDivisionError"


def test_sys_exit_zero_ends_the_notebook_well(attempt: Attempt) -> None:
    attempt.notebook("import sys; sys.exit(0)", "print('never')")
    assert attempt.run()["reason"] is None
    assert "never" not in attempt.text()


def test_streams_updates_clears_and_large_bundles(attempt: Attempt) -> None:
    attempt.notebook(
        "import sys\nfor i in range(3):\n    print(f'\\r{i}/3', end='', file=sys.stderr)",
        "from IPython.display import display, clear_output\n"
        "h = display('one', display_id='the-id')\nh.update('two')\nclear_output(wait=True)\n"
        "display({'image/png': 'A' * 1_200_000, 'text/plain': '<Figure>'}, raw=True)",
    )
    assert attempt.run()["reason"] is None, attempt.read("log")
    assert attempt.text(0) == "\r0/3\r1/3\r2/3"
    first, update, clear, figure = [e for e in attempt.events("job.output") if e["cell"] == 1]
    assert first["display_id"] == update["update_display_id"] == "the-id"
    assert update["output"]["data"]["text/plain"] == "'two'"
    assert clear["clear"] is True
    plain = "<Figure> … (1.2 MB image/png kept in the notebook)"
    assert figure["output"]["data"] == {"text/plain": plain}
    kept = attempt.executed()[1]["outputs"]
    assert len(kept[-1]["data"]["image/png"]) == 1_200_000


def test_text_comes_while_the_cell_runs(attempt: Attempt) -> None:
    attempt.notebook(
        "import time, pathlib\nprint('epoch 1', flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.02)"
    )
    attempt.launch()
    wait_for(lambda: "epoch 1" in attempt.text())
    assert not (attempt.folder / "result.json").exists()
    (attempt.own / "work" / "go").touch()
    assert attempt.finish()["reason"] is None


def test_a_silent_cell_is_autosaved(attempt: Attempt) -> None:
    attempt.notebook("print('x' * 10, flush=True)\nimport time; time.sleep(60)", autosave_seconds=1)
    attempt.launch()
    wait_for(
        lambda: (
            (attempt.own / "notebook.ipynb").exists()
            and "xxxxxxxxxx" in str(attempt.executed()[0]["outputs"])
        )
    )
    (attempt.folder / "cancel").touch()
    attempt.finish()


def test_a_print_flood_is_bounded(attempt: Attempt) -> None:
    attempt.notebook("for i in range(200_000): print('y' * 99)", "print('next cell')")
    assert attempt.run()["reason"] is None
    size = (attempt.own / "events.jsonl").stat().st_size
    assert 5_000_000 < size < 6_500_000
    assert attempt.text(0).endswith("the rest is not kept\n")
    assert attempt.text(1) == "next cell\n"
    assert (attempt.own / "notebook.ipynb").stat().st_size < 6_500_000


def test_no_display_of_a_burst_is_dropped(attempt: Attempt) -> None:
    attempt.notebook("from IPython.display import display\nfor i in range(3000): display(i)")
    assert attempt.run()["reason"] is None
    shown = [e["output"]["data"]["text/plain"] for e in attempt.events("job.output")]
    assert shown == [str(i) for i in range(3000)]
    assert len(attempt.executed()[0]["outputs"]) == 3000


def test_cancel_interrupts_saves_and_ends_the_kernel(attempt: Attempt) -> None:
    attempt.notebook(
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\n"
        "print('so far', flush=True)\ntime.sleep(300)"
    )
    attempt.launch()
    kernel = attempt.number("job/work/pid")
    wait_for(lambda: "so far" in attempt.text())
    began = time.monotonic()
    (attempt.folder / "cancel").touch()
    result = attempt.finish()
    assert time.monotonic() - began < 2
    assert (result["reason"], result["message"]) == ("cancelled", "Cancelled")
    assert not alive(kernel)
    assert "so far" in str(attempt.executed()[0]["outputs"])
    assert attempt.events("job.error") == []


def test_cancel_of_a_cell_that_ignores_the_interrupt_still_saves(attempt: Attempt) -> None:
    attempt.notebook(
        "import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('so far', flush=True)\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(300)",
        grace=3,
    )
    attempt.launch()
    kernel = attempt.number("job/work/pid")
    wait_for(lambda: "so far" in attempt.text())
    (attempt.folder / "cancel").touch()
    result = attempt.finish()
    assert (result["reason"], result["message"]) == ("cancelled", "Cancelled")
    assert not alive(kernel)
    assert "so far" in str(attempt.executed()[0]["outputs"])


def test_cancel_while_the_kernel_starts(attempt: Attempt) -> None:
    attempt.notebook("print('never')")
    attempt.launch()
    wait_for(lambda: "starting-kernel" in [e["phase"] for e in attempt.events("job.phase")])
    (attempt.folder / "cancel").touch()
    result = attempt.finish(5)
    assert result["reason"] in ("cancelled", None)  # it may have been quicker


@pytest.mark.kill
def test_a_killed_kernel_is_named(attempt: Attempt) -> None:
    attempt.notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    result = attempt.run()
    assert result["reason"] == "killed"
    assert result["message"] == (
        "The kernel was killed by signal 9 (probably out of memory) in cell 1"
    )
    assert (attempt.own / "notebook.ipynb").exists()


@pytest.mark.kill
def test_the_kernel_ends_when_the_runner_dies(attempt: Attempt) -> None:
    attempt.notebook(
        "import os, time\nopen('pid', 'w').write(f'{os.getpid()}')\n"
        "open('runner', 'w').write(f'{os.getppid()}')\ntime.sleep(300)"
    )
    supervisor = attempt.launch()
    kernel, runner = attempt.number("job/work/pid"), attempt.number("job/work/runner")
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: not alive(runner) and not alive(kernel), 10)
    assert attempt.run()["reason"] == "lost"


def test_time_limit_of_a_notebook(attempt: Attempt) -> None:
    attempt.notebook("import time; time.sleep(300)", timeout=4)
    result = attempt.run()
    assert result["reason"] == "timeout"
    assert attempt.executed()


def test_sockets_are_private(attempt: Attempt) -> None:
    attempt.notebook(
        "import glob, json, os, sys\nf = sys.argv[sys.argv.index('-f') + 1]\n"
        "info = json.load(open(f))\n"
        "print(info['transport'], oct(os.stat(os.path.dirname(info['ip'])).st_mode & 0o777))"
    )
    assert attempt.run()["reason"] is None
    assert attempt.text() == "ipc 0o700\n"
    assert not (attempt.own / "k").exists()


def test_missing_kernel_falls_back_with_a_warning(attempt: Attempt) -> None:
    attempt.notebook("print('ran')", kernelspec={"name": "my-conda", "language": "python"})
    assert attempt.run()["reason"] is None
    assert attempt.text() == "ran\n"
    assert "my-conda" in attempt.events("job.log")[0]["text"]


def test_requested_kernel_must_exist(attempt: Attempt) -> None:
    result = attempt.notebook("1", kernel_name="ghost").run()
    assert result["reason"] == "launch-failed"
    assert "'ghost'" in result["message"]
    assert "python3" in result["message"]


@pytest.mark.parametrize(
    ("ends", "reason"), [("kill -9 $$", "killed"), ("exit 3", "launch-failed")]
)
def test_a_kernel_killed_while_it_starts_is_no_wrong_kernel(
    attempt: Attempt, tmp_path: Path, ends: str, reason: str
) -> None:
    spec = {"argv": ["/bin/sh", "-c", ends], "display_name": "x", "language": "python"}
    folder = tmp_path / "jupyter" / "kernels" / "brief"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    env = {"JUPYTER_PATH": str(tmp_path / "jupyter")}
    result = attempt.notebook("1", kernel_name="brief", env=env).run()
    assert result["reason"] == reason, result


def test_kernel_of_another_language_is_not_replaced_by_python(attempt: Attempt) -> None:
    result = attempt.notebook("1", kernelspec={"name": "ir", "language": "R"}).run()
    assert (result["reason"], "'ir'" in result["message"]) == ("launch-failed", True)


def test_no_notebook(attempt: Attempt) -> None:
    result = attempt.job("notebook", "nb.ipynb", "{}").run()
    assert result["reason"] == "user-error"
    assert "nb.ipynb is not a notebook" in result["message"]


def test_unknown_parameter_is_told(attempt: Attempt) -> None:
    attempt.notebook(code("lr = 1", "parameters"), "print(lr)", parameters={"lr": 2, "other": 3})
    assert attempt.run()["reason"] is None
    assert "unknown parameter: other" in str(attempt.events("job.log"))
    assert attempt.text() == "2\n"


@pytest.mark.slow
def test_mlflow_continues_the_given_run(attempt: Attempt) -> None:
    """With the environment that the platform gives, nothing else is needed."""
    import mlflow

    uri = f"sqlite:///{attempt.folder / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("e", artifact_location=str(attempt.folder / "art"))
    run = client.create_run(experiment).info.run_id
    env = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_RUN_ID": run}
    attempt.notebook("import mlflow\nmlflow.log_metric('loss', 0.25, step=3)", env=env)
    assert attempt.run(120)["reason"] is None, attempt.events("job.error")
    assert client.get_run(run).data.metrics == {"loss": 0.25}


def test_the_runner_does_not_load_what_costs_seconds() -> None:
    """rfc3987_syntax alone is over a second of every job; mlflow and torch are the kernel's."""
    check = (
        "import sys, jupyter_dlsys.runtime.notebook\n"
        "assert sys.modules['rfc3987_syntax'] is None\n"
        "print([m for m in ('mlflow', 'torch', 'pandas', 'dlsys_server') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
