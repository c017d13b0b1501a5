"""Script jobs, and the inputs that both kinds get."""

from __future__ import annotations

import time

from jupyter_dlsys.runtime.inputs import variable

from .conftest import Attempt, alive, wait_for


def logged(attempt: Attempt, stream: str) -> str:
    return "".join(e["text"] for e in attempt.events("job.log") if e["stream"] == stream)


def test_a_script_gets_its_parameters_and_is_streamed(attempt: Attempt) -> None:
    attempt.script(
        "import argparse, json, os, sys, pathlib\n"
        "p = argparse.ArgumentParser(); p.add_argument('--lr', type=float)\n"
        "p.add_argument('--name'); p.add_argument('--sizes', type=json.loads)\n"
        "a = p.parse_args()\nprint(a.lr, a.name, a.sizes, os.getcwd())\n"
        "print(json.loads(os.environ['DLSYS_PARAMETERS']))\nprint('oops', file=sys.stderr)\n"
        "pathlib.Path(os.environ['DLSYS_OUTPUT_DIR'], 'x').write_text('1')\n",
        parameters={"lr": 0.1, "name": "a b", "sizes": [1, 2]},
    )
    result = attempt.run()
    assert result["reason"] is None, attempt.read("log")
    first, second = logged(attempt, "stdout").splitlines()
    assert first == f"0.1 a b [1, 2] {attempt.own / 'work'}"
    assert second == "{'lr': 0.1, 'name': 'a b', 'sizes': [1, 2]}"
    assert logged(attempt, "stderr") == "oops\n"
    assert (attempt.own / "outputs" / "x").read_text() == "1"
    assert "0.1 a b" in attempt.read("log")
    cells = [(e["index"], e["phase"], e["ok"]) for e in attempt.events("job.cell")]
    assert cells == [(0, "start", None), (0, "end", True)]
    assert attempt.events("job.progress")[-1] == {"done": 1, "total": 1}


def test_a_failing_script_names_the_error(attempt: Attempt) -> None:
    result = attempt.script("def f():\n    raise KeyError('lr')\nf()").run()
    assert (result["reason"], result["exit_code"]) == ("user-error", 1)
    assert result["message"] == "train.py failed: KeyError: 'lr'"
    (error,) = attempt.events("job.error")
    assert (error["ename"], error["evalue"]) == ("KeyError", "'lr'")
    assert any("in f" in line for line in error["traceback"])


def test_exit_code_of_a_script(attempt: Attempt) -> None:
    result = attempt.script("import sys; sys.exit(5)").run()
    assert (result["exit_code"], result["reason"]) == (5, "user-error")
    assert result["message"] == "train.py ended with exit code 5"


def test_a_script_flood_is_bounded(attempt: Attempt) -> None:
    attempt.script("for i in range(200_000): print('y' * 99)")
    assert attempt.run()["reason"] is None
    assert (attempt.own / "events.jsonl").stat().st_size < 6_500_000
    assert logged(attempt, "stdout").endswith("the rest is not kept\n")


def test_a_script_may_save_itself_when_cancelled(attempt: Attempt) -> None:
    attempt.script(
        "import os, signal, sys, time\n"
        "def end(*_):\n    open('saved', 'w').close(); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, end)\nopen('pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(300)"
    )
    attempt.launch()
    pid = attempt.number("job/work/pid")
    (attempt.folder / "cancel").touch()
    assert attempt.finish(10)["reason"] == "cancelled"
    assert (attempt.own / "work" / "saved").exists()
    assert not alive(pid)


def test_text_of_a_script_comes_at_once(attempt: Attempt) -> None:
    attempt.script(
        "import pathlib, time\nprint('epoch 1')\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.02)"
    )
    attempt.launch()
    wait_for(lambda: "epoch 1" in logged(attempt, "stdout"))
    (attempt.own / "work" / "go").touch()
    assert attempt.finish()["reason"] is None


def test_a_script_ends_though_its_daemon_holds_the_pipe(attempt: Attempt) -> None:
    attempt.script(
        "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nprint('x')"
    )
    began = time.monotonic()
    assert attempt.run()["reason"] is None
    assert time.monotonic() - began < 10


def test_names_of_input_variables() -> None:
    assert variable("data") == "DLSYS_INPUT_DATA"
    assert variable("my-data.2") == "DLSYS_INPUT_MY_DATA_2"


def test_an_input_that_cannot_be_had_is_named(attempt: Attempt) -> None:
    attempt.script("print('never')", inputs={"data": {"no": "snapshot"}})
    result = attempt.run()
    assert result["reason"] == "launch-failed"
    assert "'data' could not be prepared" in result["message"]
    assert logged(attempt, "stdout") == ""


def test_input_names_stay_in_their_folder(attempt: Attempt) -> None:
    result = attempt.script("print('never')", inputs={"../../etc": {}}).run()
    assert result["reason"] == "launch-failed"
    assert not (attempt.folder.parent / "etc").exists()
