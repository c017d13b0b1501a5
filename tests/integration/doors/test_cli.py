"""The `dlsys` command against a real platform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_dlsys.client import embedded
from tests.support.doors import answer, run_cli, run_cli_process

pytestmark = pytest.mark.integration
CSV = "text,label\n(^_^),happy\n(T_T),sad\n(>_<),angry\n:),happy\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to commit and to submit."""
    found = tmp_path_factory.mktemp("files")
    (found / "tweets.csv").write_text(CSV)
    (found / "bad.csv").write_text("text,label\nhi,happy\nho,sad,more\n")
    (found / "train.py").write_text(
        "import json, os, mlflow, helper\n"
        "lr = json.loads(os.environ['DLSYS_PARAMETERS'])['lr']\n"
        "mlflow.log_metric('loss', lr)\nprint('learned', lr)\n"
    )
    (found / "fail.py").write_text("raise ValueError('no good')\n")
    (found / "helper.py").write_text("")
    return found


def test_up_keeps_it_up_and_down_ends_it(environment: dict[str, str], home: Path) -> None:
    assert run_cli_process(environment, "up").returncode == 0
    found = embedded.running(home)
    assert found is not None
    assert found.idle_seconds == 0
    assert answer(run_cli_process(environment, "up", "--json"))["url"] == found.url  # type: ignore[index]
    assert embedded.running(home) == found
    assert run_cli_process(environment, "down").returncode == 0
    assert not embedded.alive(home)
    assert "No platform runs" in run_cli_process(environment, "down").stdout


def test_data_from_commit_to_export(environment: dict[str, str], folder: Path) -> None:
    csv = str(folder / "tweets.csv")
    done = run_cli(environment, "datasets", "commit", "tweets", csv, "-m", "first", "-t", "a=b")
    assert done.returncode == 0, done.stderr
    assert "tweets@v1: 4 rows added" in done.stdout
    assert answer(run_cli(environment, "datasets", "commit", "tweets", csv, "--json"))["rows"] == 8  # type: ignore[index]
    shown = run_cli(environment, "datasets", "show", "tweets@v1").stdout
    for words in ("text-classification", "happy", "angry", "a=b"):
        assert words in shown
    assert "(^_^)" in run_cli(environment, "datasets", "head", "tweets", "-n", "2").stdout
    assert run_cli(environment, "datasets", "tag", "tweets@v1", "gold").returncode == 0
    moved = run_cli(environment, "datasets", "tag", "tweets@v2", "gold")
    assert (moved.returncode, "Hint:" in moved.stderr) == (4, True)
    parts = folder / "parts"
    frozen = answer(
        run_cli(environment, "datasets", "snapshot", "tweets@gold", "--split", "0.5,0.5",
                "--to", str(parts), "--json")
    )  # fmt: skip
    assert frozen["hash"].startswith("sha256:")  # type: ignore[index]
    assert {p.name for p in parts.iterdir()} >= {"snapshot.json", "train-00000.parquet"}
    target = folder / "out.csv"
    assert (
        run_cli(environment, "datasets", "export", "tweets@v1", "-o", str(target)).returncode == 0
    )
    assert target.read_text().count("happy") == 2
    assert run_cli(environment, "datasets", "rm", "tweets", "--yes").returncode == 0
    assert run_cli(environment, "datasets", "show", "tweets").returncode == 3


def test_a_policy_is_shown_and_changed(environment: dict[str, str], folder: Path) -> None:
    (folder / "p.csv").write_text("name,email,age\nAda,a@x,36\n")
    assert run_cli(environment, "datasets", "commit", "people", str(folder / "p.csv")).stdout
    command = ("datasets", "policy", "people")
    options = ("--mask", "email:hash", "--mask", "name:redact:data-scientist", "--export", "nobody")
    rows = ("--filter", "viewer, data-engineer: age >= 18", "--group", "marketing")
    made = answer(run_cli(environment, *command, *options, *rows, "--json"))
    assert isinstance(made, dict)
    assert (made["visibility"], made["groups"], made["export"]) == ("groups", ["marketing"], [])
    assert made["masks"] == [
        {"column": "email", "method": "hash", "roles": ["maintainer"]},
        {"column": "name", "method": "redact", "roles": ["data-scientist"]},
    ]
    assert made["filters"] == [{"roles": ["viewer", "data-engineer"], "where": "age >= 18"}]
    told = run_cli(environment, *command, "--visibility", "project").stdout
    assert "nobody" in told and "age >= 18" in told and "you may not export" in told
    refused = run_cli(
        environment, "datasets", "export", "people", "--to", str(folder / "p.parquet")
    )
    assert refused.returncode != 0 and "may not be exported" in refused.stderr
    cleared = answer(run_cli(environment, *command, "--clear", "--export", "all", "--json"))
    assert isinstance(cleared, dict) and not cleared["masks"] and cleared["export"] is None
    wrong = run_cli(environment, *command, "--mask", "email:hash:boss")
    assert "there is no role 'boss'" in wrong.stderr
    assert answer(run_cli(environment, "datasets", "list", "--shared", "--json")) == []


def test_errors_are_plain_words_with_a_status(environment: dict[str, str], folder: Path) -> None:
    bad = run_cli(environment, "datasets", "commit", "bad", str(folder / "bad.csv"))
    assert bad.returncode == 4, bad.stderr
    assert "row 2" in bad.stderr
    assert "ho,sad,more" in bad.stderr
    gone = run_cli(environment, "jobs", "show", "nothing")
    assert gone.returncode == 3
    told = run_cli(environment, "models", "show", "nothing", "--json")
    assert told.returncode == 3
    assert json.loads(told.stderr)["error"]["status"] == 404
    assert run_cli(environment, "submit", str(folder / "none.ipynb")).returncode == 2
    for done in (bad, gone, told):
        assert "Traceback" not in done.stderr


def test_a_job_from_submit_to_lineage(environment: dict[str, str], folder: Path) -> None:
    done = run_cli(environment, "submit", str(folder / "train.py"), "-p", "lr=0.25", "--watch")
    assert done.returncode == 0, done.stderr
    assert "loss=0.25" in done.stdout
    jobs = answer(run_cli(environment, "jobs", "--json"))
    job = jobs[0]["id"]  # type: ignore[index]
    assert job in run_cli(environment, "jobs").stdout
    assert "learned 0.25" in run_cli(environment, "jobs", "logs", job).stdout
    lines = run_cli(environment, "jobs", "watch", job, "--json").stdout.splitlines()
    assert json.loads(lines[-1])["payload"]["state"] == "succeeded"
    run = answer(run_cli(environment, "jobs", "show", job, "--json"))["run_id"]  # type: ignore[index]
    curves = answer(run_cli(environment, "runs", "metrics", run, "--json"))
    assert curves[0]["key"] == "loss"  # type: ignore[index]
    assert "train.py" in run_cli(environment, "lineage", f"job/{job}", "--up").stdout


def test_a_failed_job_is_status_1_and_shows_why(environment: dict[str, str], folder: Path) -> None:
    done = run_cli(environment, "submit", str(folder / "fail.py"), "--watch")
    assert done.returncode == 1
    assert "no good" in done.stdout + done.stderr
    late = run_cli(environment, "submit", "--timeout", "0.5", "--watch", "-p", "x=1",
                   str(sleeper(folder)))  # fmt: skip
    assert late.returncode == 124, late.stderr


def sleeper(folder: Path) -> Path:
    path = folder / "sleep.py"
    path.write_text("import time\nx = 0\ntime.sleep(60)\n")
    return path


def test_the_platform_tells_about_itself(environment: dict[str, str]) -> None:
    assert "admin" in run_cli(environment, "whoami").stdout
    assert "default" in run_cli(environment, "projects").stdout
    assert "CPUs" in run_cli(environment, "workers").stdout
    parts = answer(run_cli(environment, "health", "--json"))["parts"]  # type: ignore[index]
    assert {"database", "store", "mlflow"} <= {part["name"] for part in parts}
    events = run_cli(environment, "events", "--since", "0", "-n", "1", "--json")
    assert json.loads(events.stdout)["seq"] >= 1


def test_doctor_finds_nothing_wrong_and_says_so_when_something_is(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = run_cli(environment, "doctor")
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout
    (tmp_path / "home").mkdir(mode=0o755)
    open_to_all = run_cli({**environment, "DLSYS_HOME": str(tmp_path / "home")}, "doctor")
    assert "chmod 700" in open_to_all.stdout


def test_an_unknown_endpoint_is_not_found(environment: dict[str, str]) -> None:
    assert "No endpoint yet" in run_cli(environment, "endpoints").stdout
    assert run_cli(environment, "endpoints", "show", "none").returncode == 3
    assert run_cli(environment, "deploy", "none@champion").returncode == 3
