"""Jobs in their owners' own servers: real agents as two people, a platform that reaches neither."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.people import (
    PROJECT,
    Team,
    accounts,
    as_account,
    hub_api,
    processes_of,
    python_for,
)
from tests.support.platform import notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow]
COMMAND = "from jupyter_dlsys.cli.main import main; main()"


class Agents:
    """A platform and an agent for each person, with a home of their own."""

    def __init__(self, team: Team, ann: str, bob: str, env: dict[str, str]) -> None:
        self.team, self.ann, self.bob, self.env = team, ann, bob, env
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def home(self, person: str) -> Path:
        return self.team.home.parent / f"home-{person}"

    def start(self, person: str, token: str = "") -> subprocess.Popen[bytes]:
        home = self.home(person)
        home.mkdir(exist_ok=True)
        shutil.chown(home, person, pwd.getpwnam(person).pw_gid)
        home.chmod(0o700)
        env = {
            **os.environ,
            **self.env,
            "HOME": str(home),
            "DLSYS_URL": self.team.url,
            "DLSYS_TOKEN": token or f"of-{person}",
            "DLSYS_AGENT_FOLDER": str(home / "agent"),
            "SECRET_OF": person,
        }
        with (self.team.home.parent / f"agent-{person}.log").open("ab") as log:
            self.running[person] = subprocess.Popen(
                [self.team.python, "-c", COMMAND, "agent"],
                **as_account(person),
                cwd=home,
                env=env,
                stdout=log,
                stderr=log,
            )
        return self.running[person]

    def stop(self, person: str, number: int = signal.SIGTERM) -> None:
        process = self.running.pop(person)
        process.send_signal(number)
        process.wait(20)


@pytest.fixture(scope="module")
def agents(session_root: Path) -> Iterator[Agents]:
    session_root.chmod(0o711)
    folder = Path(tempfile.mkdtemp(prefix="g", dir=session_root))
    folder.chmod(0o711)
    with accounts("dla", "ann", "bob") as (platform, ann, bob), hub_api([ann, bob]) as url:
        python, env = python_for(platform)
        settings = {"DLSYS_LAUNCHER": "agent", "DLSYS_CPUS": "2", "DLSYS_AGENT_LOST_SECONDS": "20"}
        settings["DLSYS_GPUS"] = "0,1"  # slots only
        team = Team(folder / "p", [ann, bob], platform, JUPYTERHUB_API_URL=url, **settings, **env)
        team.python = python
        team.start()
        found = Agents(team, ann, bob, env)
        for person in (ann, bob):
            found.start(person)
        yield found
        for person in list(found.running):
            found.stop(person)
        team.stop()
        left = processes.end_leftovers(folder)
        assert not left, "left behind:\n" + "\n".join(left)


def artifacts(agents: Agents, person: str, job: str) -> list[str]:
    with agents.team.of(person) as api:
        found = api.get(f"/projects/{PROJECT}/jobs/{job}/artifacts").json()
        return [a["path"] for a in found]


def lines(agents: Agents, person: str, job: str) -> str:
    """What a script printed, from the events: each as often as it came."""
    with agents.team.of(person) as api:
        path = f"/projects/{PROJECT}/jobs/{job}/events"
        events = api.get(path, params={"limit": 5000}).json()
    return "".join(e["payload"]["text"] for e in events if e["topic"] == "job.log")


def test_a_job_runs_where_its_owner_is(agents: Agents) -> None:
    source = notebook(
        "import getpass, os, pathlib\nprint(getpass.getuser(), os.environ['SECRET_OF'])",
        "import mlflow\nmlflow.log_metric('m', 3)",
        "pathlib.Path(os.environ['DLSYS_OUTPUT_DIR'], 'a b.txt').write_text('x' * 5_000_000)\n"
        "pathlib.Path(os.environ['DLSYS_OUTPUT_DIR'], 'empty').touch()\n"
        "pathlib.Path(os.environ['DLSYS_OUTPUT_DIR'], 'closed').touch(0)",
    )
    job = agents.team.run(agents.bob, source, "t.ipynb")
    assert job["state"] == "succeeded", job["reason"]
    assert job["metrics"] == {"m": 3.0}
    assert job["start"]["mode"] == "cold" and "Jupyter server" in job["start"]["reason"]
    assert artifacts(agents, agents.bob, job["id"]) == ["a b.txt", "empty"]
    with agents.team.of(agents.bob) as api:
        path = f"/projects/{PROJECT}/jobs/{job['id']}"
        done = api.get(f"{path}/notebook").json()
        assert len(api.get(f"{path}/artifacts/a b.txt").content) == 5_000_000
        assert "outputs/closed was not kept: it cannot be read." in api.get(f"{path}/log").text
    said = "".join(done["cells"][0]["outputs"][0]["text"])
    assert said.strip() == f"{agents.bob} {agents.bob}"
    kept = agents.home(agents.bob) / "agent" / "attempts" / job["id"]
    agents.team.wait(lambda: not kept.exists(), "the agent to forget it", 15)


def test_a_job_reads_its_inputs_with_its_own_token(agents: Agents) -> None:
    with agents.team.of(agents.ann) as api:
        api.post(f"/projects/{PROJECT}/datasets", json={"name": "rows", "kind": "generic"})
        up = api.post(f"/projects/{PROJECT}/uploads", params={"filename": "a.csv"}).json()
        upload = f"/projects/{PROJECT}/uploads/{up['id']}"
        api.put(upload, params={"offset": 0}, content=b"x\n1\n2\n")
        body = {"files": [{"upload": up["id"]}]}
        answer = api.post(f"/projects/{PROJECT}/datasets/rows/commits", json=body)
        assert answer.status_code < 300, answer.text
    source = (
        "import os\nimport pyarrow.parquet as pq\n"
        "file = os.environ['DLSYS_INPUT_DATA'] + '/all-00000.parquet'\n"
        "print('rows', pq.read_table(file).num_rows)\n"
        "print('TOKEN', os.environ['DLSYS_TOKEN'])"
    )
    job = agents.team.run(agents.ann, source, inputs={"data": {"dataset": "rows"}})
    said = agents.team.said(agents.ann, job["id"])
    assert job["state"] == "succeeded", (job["reason"], said)
    assert "rows 2" in said
    late = {"Authorization": f"Bearer {said.split('TOKEN ')[1].split()[0]}"}
    with agents.team.of(agents.ann) as api:
        assert api.get("/whoami", headers=late).status_code == 401


SLEEP = "import subprocess, time\nsubprocess.Popen(['sleep', '78'], start_new_session=True)\n" + (
    "print('up', flush=True)\ntime.sleep(78)"
)


def test_a_cancel_is_obeyed_within_two_seconds(agents: Agents) -> None:
    job = agents.team.running(agents.ann, SLEEP)
    before = len(processes_of(agents.ann))
    began = time.monotonic()
    with agents.team.of(agents.ann) as api:
        api.post(f"/projects/{PROJECT}/jobs/{job}/cancel")
    assert agents.team.ended(agents.ann, job)["state"] == "cancelled"
    took = time.monotonic() - began
    assert took < 5, took  # two, and three for a busy machine
    agents.team.wait(lambda: len(processes_of(agents.ann)) <= before - 3, "its processes to end")


COUNT = "import time\nprint('up', flush=True)\nfor i in range(300):\n    print(i, flush=True)\n" + (
    "    time.sleep(0.04)"
)


def test_nothing_is_lost_or_repeated_when_the_platform_is_killed(agents: Agents) -> None:
    job = agents.team.running(agents.bob, COUNT)
    for _ in range(2):
        time.sleep(1)
        agents.team.kill()
        time.sleep(1)
        agents.team.start(wait_for_mlflow=False)
    done = agents.team.ended(agents.bob, job)
    assert done["state"] == "succeeded", done["reason"]
    assert done["attempt"] == 1
    assert lines(agents, agents.bob, job).split() == ["up", *map(str, range(300))]


def test_a_server_that_is_gone_loses_its_job_which_is_tried_again(agents: Agents) -> None:
    source = (
        "import os, sys, time\nimport jupyter_dlsys as dlsys\n"
        "print('found', dlsys.last_checkpoint() and dlsys.last_checkpoint().step)\n"
        "if os.environ['DLSYS_ATTEMPT'] == '2':\n    sys.exit(0)\n"
        "with dlsys.checkpoint(step=7) as folder:\n    (folder / 'w').write_text('x')\n"
        "print('up', flush=True)\ntime.sleep(100)"
    )
    job = agents.team.running(agents.ann, source, retries=1)
    agents.stop(agents.ann, signal.SIGKILL)
    agents.team.wait(lambda: not processes_of(agents.ann), "the job to end with its server", 15)
    waits = agents.team.ended(agents.ann, job, "queued")
    assert "lost" in waits["reason"] or "gone" in waits["reason"], waits["reason"]
    with agents.team.of(agents.ann) as api:
        path = f"/projects/{PROJECT}/jobs/{job}"
        agents.team.wait(lambda: "server" in api.get(path).json()["reason"], "words", 60)
    agents.start(agents.ann)
    done = agents.team.ended(agents.ann, job)
    assert (done["state"], done["attempt"]) == ("succeeded", 2), done["reason"]


SAVES = """
import time
import jupyter_dlsys as dlsys
last = dlsys.last_checkpoint()
print("found", last and (last / "a" / "words").read_text())
try:
    while last is None:
        time.sleep(0.1)
except KeyboardInterrupt:
    time.sleep(3)  # longer than a plain cancel waits
    with dlsys.checkpoint(step=7) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "words").write_text("all of it")
        (folder / "large").write_bytes(bytes(5_000_000))
    print("saved")
    raise
"""


def test_when_gpu_hours_run_out_a_job_saves_and_its_retry_goes_on(agents: Agents) -> None:
    limits = f"/quotas/user/{agents.ann}"
    assert agents.team.api.put(limits, json={"gpu_hours": 20 / 3600}).status_code == 200
    job = agents.team.run(
        agents.ann, notebook(SAVES), "t.ipynb", resources={"gpus": 1, "cpus": 1}, retries=1
    )
    assert (job["state"], job["exit_reason"]) == ("cancelled", "quota"), job["reason"]
    assert job["reason"].startswith(f"Stopped: {agents.ann} has used ")
    assert [a["exit_reason"] for a in job["attempts"]] == ["quota"]
    path = f"/projects/{PROJECT}/jobs/{job['id']}"
    with agents.team.of(agents.ann) as api:
        events = api.get(f"{path}/events", params={"limit": 5000}).json()
        topics = [e["topic"] for e in events if e["topic"].startswith("quota.")]
        assert topics == ["quota.near", "quota.exceeded"]
        assert "at the limit this job is stopped" in lines(agents, agents.ann, job["id"])
        outputs = json.dumps(api.get(f"{path}/notebook").json()["cells"][0]["outputs"])
        assert "found None" in outputs and "saved" in outputs and "KeyboardInterrupt" in outputs
        assert api.post(f"{path}/retry").json()["code"] == "quota-exceeded"
        assert agents.team.api.put(limits, json={"gpu_hours": 1}).status_code == 200
        again = api.post(f"{path}/retry").json()["id"]
        done = agents.team.ended(agents.ann, again)
        assert done["state"] == "succeeded", done["reason"]
        assert done["attempts"][0]["checkpoint"] == 7
        said = api.get(f"/projects/{PROJECT}/jobs/{again}/notebook").json()["cells"][0]["outputs"]
    assert "found all of it" in json.dumps(said)
    agents.team.api.delete(limits)


def test_jobs_wait_for_their_owners_server(agents: Agents) -> None:
    agents.stop(agents.bob)
    try:
        job = agents.team.begin(agents.bob, "print('ran')")["id"]
        path = f"/projects/{PROJECT}/jobs/{job}"
        with agents.team.of(agents.bob) as api:
            wanted = f"a Jupyter server of {agents.bob}"
            agents.team.wait(lambda: wanted in api.get(path).json()["reason"], "words", 20)
        assert agents.team.run(agents.ann, "print(1)")["state"] == "succeeded"
    finally:
        agents.start(agents.bob)
    assert agents.team.ended(agents.bob, job)["state"] == "succeeded"


def test_an_agent_gets_nothing_of_others(agents: Agents) -> None:
    """What bob's server could ask for when bob writes his own agent."""
    job = agents.team.running(agents.ann, SLEEP)
    mine = (agents.home(agents.ann) / "agent" / "id").read_text()
    with agents.team.of(agents.bob) as api:
        for agent in ("0" * 32, mine):
            at = f"/agents/{agent}/attempts/{job}/1"
            verdict = {"exit_code": 0, "finished_at": 1.0}
            told: list[Any] = [
                api.post(f"{at}/take"),
                api.get(f"{at}/files/source/t.py"),
                api.put(f"{at}/files/log", params={"offset": 0}, content=b"x"),
                api.post(f"{at}/finish", json=verdict),
            ]
            assert {t.status_code for t in told} == {404}, [t.text for t in told]
        stolen = api.post(f"/agents/{mine}/poll", json={"wait_seconds": 0})
        assert stolen.status_code == 404
        own = api.post(f"/agents/{'1' * 32}/poll", json={"wait_seconds": 0})
        assert own.json() == {"take": [], "cancel": [], "patience": {}, "drop": []}
    with agents.team.of(agents.ann) as api:
        at = f"/agents/{mine}/attempts/{job}/1"
        for path in ("../../spec.json", "job.json", "outputs/../../x", "source/x", "/etc/passwd"):
            path = path.replace("..", "%2e%2e")
            sent = api.put(f"{at}/files/{path}", params={"offset": 0, "total": 1}, content=b"x")
            assert sent.status_code in (400, 404, 405), (path, sent.status_code, sent.text)
        assert api.get(f"{at}/files/%2e%2e/spec.json").status_code in (400, 404)
        other = f"/agents/{'2' * 32}/attempts/{job}/1"
        assert api.post(f"{other}/take").status_code == 409
        api.post(f"/projects/{PROJECT}/jobs/{job}/cancel")
    assert agents.team.ended(agents.ann, job)["state"] == "cancelled"


TRIES = """
import json, os, pathlib, signal
about, done = json.loads(os.environ["DLSYS_PARAMETERS"]), []
def attempt(what, act):
    try:
        act()
        done.append(what)
    except OSError:
        pass
def look(path):
    return os.listdir(path) if os.path.isdir(path) else pathlib.Path(path).read_bytes()
attempt("control", lambda: look("/etc/passwd"))
for path in about["paths"]:
    attempt(f"read {path}", lambda: look(path))
for pid in about["pids"]:
    attempt(f"environ of {pid}", lambda: look(f"/proc/{pid}/environ"))
    attempt(f"signal to {pid}", lambda: os.kill(pid, 0))
private = ("JUPYTERHUB_", "AWS_", "DLSYS_AGENT", "DLSYS_HOME")
done += [name for name in os.environ if name.startswith(private)]
done += [name for name, text in os.environ.items() if text == about["token"]]
print("DONE", json.dumps(done))
"""


def test_nothing_of_others_is_within_reach(agents: Agents) -> None:
    team, bobs = agents.team, agents.home(agents.bob) / "agent"
    other = team.running(agents.bob, SLEEP)
    assert team.process is not None
    names = ("secret", "db.sqlite", "audit.key", "store")
    about = {
        "paths": [
            *(str(team.home / name) for name in names),
            *(str(p) for p in (team.root, team.root / other / "1" / "spec.json")),
            *(str(p) for p in (bobs, bobs / "id", bobs / "attempts" / other / "1" / "log")),
        ],
        "pids": [team.process.pid, *processes_of(agents.bob)],
        "token": f"of-{agents.ann}",
    }
    job = team.run(agents.ann, TRIES, parameters=about)
    said = team.said(agents.ann, job["id"])
    assert json.loads(said.split("DONE ")[1].splitlines()[0]) == ["control"], said
    with team.of(agents.bob) as api:
        api.post(f"/projects/{PROJECT}/jobs/{other}/cancel")
    team.ended(agents.bob, other)


def test_workers_say_who_starts_jobs(agents: Agents) -> None:
    with agents.team.of(agents.ann) as api:
        [worker] = api.get("/workers").json()
        parts = {p["name"]: p["message"] for p in api.get("/health").json()["parts"]}
    assert worker["isolation"]["launcher"] == "agent"
    assert "2 people have one now" in parts["launcher"]
