"""What the code of a job tries when it is up to no good; each must be refused.

Under the root helper: a real job as a person of her own, beside a job of another person, on the
machine of the platform. (The agent's jobs are in `test_agent.py`: on another machine, as it were.)
"""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from tests.support import files
from tests.support.people import PROJECT, Setting, processes_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TRIES = r"""
import ctypes, json, os, pathlib, signal, socket, sys, urllib.error, urllib.request

about = json.loads(os.environ["DLSYS_PARAMETERS"])
done = []

def attempt(what, act):
    try:
        act()
        done.append(what)
    except (OSError, urllib.error.URLError):
        pass

def look(path):
    path = pathlib.Path(path)
    return os.listdir(path) if os.path.isdir(path) else path.read_bytes()

def scribble(path):
    with open(path, "ab") as file:
        file.write(b"x")

attempt("control", lambda: look("/etc/passwd"))
for path in about["paths"]:
    attempt(f"read {path}", lambda: look(path))
    if os.path.isdir(path):
        attempt(f"made a file in {path}", lambda: scribble(os.path.join(path, "mine")))
        attempt(f"renamed {path}", lambda: os.rename(path, path + ".x"))
    else:
        attempt(f"wrote {path}", lambda: scribble(path))
        attempt(f"linked {path}", lambda: os.link(path, "linked"))
        attempt(f"chmod {path}", lambda: os.chmod(path, 0o777))
libc = ctypes.CDLL(None, use_errno=True)

def traced(pid):
    if libc.ptrace(16, pid, None, None) != 0:  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), "ptrace")

for name, pid in about["pids"].items():
    for file in ("environ", "mem", "maps", "fd", "cwd/x", "root/etc/shadow"):
        attempt(f"read {file} of {name}", lambda: look(f"/proc/{pid}/{file}"))
    attempt(f"traced {name}", lambda: traced(pid))
    for number in (0, signal.SIGCONT, signal.SIGSTOP, signal.SIGKILL):
        attempt(f"sent {number} to {name}", lambda: os.kill(pid, number))
    attempt(f"slowed {name}", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
for path in about["sockets"]:
    def talk():
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(path)
    attempt(f"spoke at {path}", talk)
attempt("became root", lambda: os.setuid(0))
attempt("took a group", lambda: os.setgroups([0]))
if os.system("su -c true </dev/null >/dev/null 2>&1") == 0:
    done.append("asked su")
status = pathlib.Path("/proc/self/status").read_text()
if "NoNewPrivs:\t1" not in status:
    done.append("may gain rights")
for line in status.splitlines():
    if line.startswith(("CapPrm", "CapEff")) and int(line.split()[1], 16):
        done.append(line)
open_files = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
              if os.path.exists(f"/proc/self/fd/{fd}")]
foreign = [f for f in open_files if about["home"] in f]
done += [f"has {f} open" for f in foreign]
private = ("JUPYTERHUB_", "AWS_", "PG", "DLSYS_HUB", "DLSYS_HOME")
secrets = [k for k in os.environ if k.startswith(private)]
done += [f"has {k} in its environment" for k in secrets]

url, token = os.environ["DLSYS_URL"], os.environ["DLSYS_TOKEN"]
def ask(path, method="GET", data=None):
    request = urllib.request.Request(f"{url}/api/v1{path}", method=method, data=data, headers={
        "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    return urllib.request.urlopen(request).read()

assert json.loads(ask("/whoami"))["kind"] == "job"
for path in about["routes"]:
    attempt(f"asked {path}", lambda: ask(path))
attempt("cancelled another job", lambda: ask(about["cancel"], "POST", b"{}"))
attempt("submitted", lambda: ask(about["submit"], "POST", json.dumps(
    {"source": {"path": "a.py", "content": "print(1)"}}).encode()))
print("DONE", json.dumps(done))
print("TOKEN", token)
"""

BOB = "import os, time\nprint('up', flush=True)\ntime.sleep(60)"


def told(setting: Setting, job: str) -> dict[str, str]:
    lines = setting.team.said(setting.ann, job).splitlines()
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if " " in line}


def test_nothing_of_others_is_within_reach(setting: Setting) -> None:
    team = setting.team
    bobs = team.running(setting.bob, BOB)
    attempt = team.root / bobs / "1"
    home = team.home
    paths = [
        *(home / name for name in ("secret", "db.sqlite", "audit.key", "platform.json", "store")),
        *(home / name for name in ("logs", "cache", "uploads", "models", "zygote")),
        *(attempt / name for name in ("spec.json", "log", "pid", "job", "job/events.jsonl")),
        *(attempt / name for name in ("job/work", "job/job.json", "job/source/t.py")),
        team.root,
        team.root / "bell",
        setting.helper.socket,
        setting.helper.socket.parent / "running",
        setting.helper.socket.parent,
    ]
    assert team.process is not None and setting.helper.process is not None
    supervisor = int((attempt / "pid").read_text())
    leader = psutil.Process(int((attempt / "pgid").read_text().split()[0]))
    pids = {
        "the platform": team.process.pid,
        "the helper": setting.helper.process.pid,
        "bob's supervisor": supervisor,
        "bob's keeper": leader.ppid(),
        "bob's job": leader.pid,
        **{f"bob's {pid}": pid for pid in processes_of(setting.bob)},
        **{f"MLflow {p.pid}": p.pid for p in psutil.Process(team.process.pid).children()},
    }
    project = f"/projects/{PROJECT}"
    about = {
        "paths": list(map(str, paths)),
        "pids": pids,
        "sockets": [str(setting.helper.socket), str(home / "platform.sock"), *_sockets(home)],
        "home": str(home),
        "routes": [
            *(project + p for p in ("/datasets", "/jobs", f"/jobs/{bobs}", f"/jobs/{bobs}/log")),
            *("/projects", "/workers", "/events", f"{project}/audit", "/audit"),
            f"{project}/snapshots/01J{'0' * 23}",
        ],
        "cancel": f"{project}/jobs/{bobs}/cancel",
        "submit": f"{project}/jobs",
    }
    job = team.run(setting.ann, TRIES, parameters=about)
    said = told(setting, job["id"])
    assert job["state"] == "succeeded", (job["reason"], said)
    assert json.loads(said["DONE"]) == ["control"]
    with team.of(setting.bob) as api:
        assert api.get(f"{project}/jobs/{bobs}").json()["state"] == "running"
        api.post(f"{project}/jobs/{bobs}/cancel")
    assert team.ended(setting.bob, bobs)["state"] == "cancelled"
    with team.of(setting.ann) as api:
        late = {"Authorization": f"Bearer {said['TOKEN']}"}
        assert api.get("/whoami", headers=late).status_code == 401


def _sockets(home: Path) -> list[str]:
    return [str(path) for path in files.below(home) if path.is_socket()]


LINKS = """
import os, pathlib, shutil
own = pathlib.Path(os.environ["DLSYS_OUTPUT_DIR"]).parent
victim = os.environ["VICTIM"]
shutil.rmtree(own / "outputs")
os.symlink(victim + "/outputs", own / "outputs")
os.unlink(own / "events.jsonl")
os.symlink(victim + "/events.jsonl", own / "events.jsonl")
shutil.rmtree(own / "checkpoints")
os.symlink(victim + "/checkpoints", own / "checkpoints")
os.symlink("/etc/passwd", own / "notebook.ipynb")
print("linked")
"""
VICTIM = """
import os, pathlib, time
import jupyter_dlsys as dlsys
pathlib.Path(os.environ["DLSYS_OUTPUT_DIR"], "bobs-secret.txt").write_text("bob")
with dlsys.checkpoint(step=1) as folder:
    (folder / "weights").write_text("bob")
print("up", flush=True)
time.sleep(60)
"""


def test_the_platform_follows_no_link_out_of_a_jobs_folder(setting: Setting) -> None:
    team = setting.team
    bobs = team.running(setting.bob, VICTIM)
    victim = str(team.root / bobs / "1" / "job")
    job = team.run(setting.ann, LINKS, variables={"VICTIM": victim})
    with team.of(setting.ann) as api:
        path = f"/projects/{PROJECT}/jobs/{job['id']}"
        assert api.get(f"{path}/artifacts").json() == []
        assert "bob" not in api.get(f"{path}/events").text.replace("bobs-", "")
        assert api.get(f"{path}/notebook").status_code == 404
        api.post(f"/projects/{PROJECT}/jobs/{bobs}/cancel")
    team.ended(setting.bob, bobs)
