"""Jobs of another account: what they may not touch. Only root can run them."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

import dlsys_server
import jupyter_dlsys
from tests.support import processes
from tests.support.platform import RunningPlatform, notebook

pytestmark = pytest.mark.integration
ACCOUNT = "nobody"


def usable_python() -> tuple[str, dict[str, str]] | None:
    """An interpreter that the account can run too, and its environment: ours, or the system's of
    the same version with our libraries (ours may lie in a home folder)."""
    if os.geteuid() != 0:
        return None
    ours = {str(Path(m.__file__).parents[1]) for m in (jupyter_dlsys, dlsys_server)}
    libraries = os.pathsep.join([*sorted(ours), sysconfig.get_path("purelib")])
    system = "/usr/bin/python3"
    return next(
        (
            found
            for found in ((sys.executable, {}), (system, {"PYTHONPATH": libraries}))
            if runs(*found)
        ),
        None,
    )


def runs(python: str, environment: dict[str, str]) -> bool:
    numbers = pwd.getpwnam(ACCOUNT)
    try:
        done = subprocess.run(
            [
                python,
                "-c",
                "import sys, papermill, ipykernel, jupyter_dlsys.runtime.runner\n"
                f"assert sys.version_info[:2] == {sys.version_info[:2]}",
            ],
            user=numbers.pw_uid,
            group=numbers.pw_gid,
            extra_groups=[],
            cwd="/",
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def guarded(session_root: Path):
    found = usable_python()
    if found is None:
        pytest.skip("not applicable: only root can run jobs as an account that can run our Python")
    home = Path(tempfile.mkdtemp(prefix="a", dir=session_root))
    session_root.chmod(0o711)
    running = RunningPlatform(home, DLSYS_JOB_ACCOUNT=ACCOUNT, **found[1])
    running.python = found[0]
    running.start()
    yield running
    running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


def printed(platform: RunningPlatform, job: dict) -> str:
    cells = platform.get(f"/jobs/{job['id']}/notebook")["cells"]
    return "".join("".join(o.get("text", "")) for c in cells for o in c.get("outputs", []))


LOOK = """
import os, pathlib
print("I am", os.getuid(), os.geteuid(), os.getgroups(), pathlib.Path.home())
for name in ("secret", "db.sqlite", "platform.json", "store", "attempts", "logs"):
    path = pathlib.Path(home) / name
    try:
        os.listdir(path) if path.is_dir() else path.read_bytes()
        print("READ", name)
    except (PermissionError, FileNotFoundError):
        pass
try:
    os.setuid(0)
    print("BECAME root")
except PermissionError:
    pass
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat(f"/proc/{pid}").st_uid == os.getuid():
            continue
        pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        print("READ the environment of", pid)
    except OSError:
        pass
pathlib.Path(os.environ["DLSYS_OUTPUT_DIR"], "kept.txt").write_text("kept")
os.symlink(pathlib.Path(home) / "secret", pathlib.Path(os.environ["DLSYS_OUTPUT_DIR"], "stolen"))
import mlflow
mlflow.log_metric("m", 1)
"""


@pytest.mark.parametrize("cold", [True, False])
def test_code_of_a_job_has_no_rights_of_the_platform(guarded: RunningPlatform, cold: bool):
    if not cold:
        guarded.wait(
            lambda: guarded.api.get("/workers").json()[0]["warm"]["parked"], "a kernel to park", 120
        )
    job = guarded.submit(
        notebook(LOOK, parameters="home = ''"), parameters={"home": str(guarded.home)}, cold=cold
    )
    done = guarded.wait_for(job["id"])
    log = guarded.api.get(f"/projects/default/jobs/{job['id']}/log").text
    assert done["state"] == "succeeded", (done["reason"], log)
    assert done["start"]["mode"] == ("cold" if cold else "parked"), done["start"]
    assert done["account"] == ACCOUNT
    said = printed(guarded, job)
    uid = pwd.getpwnam(ACCOUNT).pw_uid
    assert f"I am {uid} {uid}" in said
    assert "READ" not in said, said
    assert "BECAME" not in said
    assert [a["path"] for a in guarded.get(f"/jobs/{job['id']}/artifacts")] == ["kept.txt"]
    assert done["metrics"] == {"m": 1.0}


def test_health_says_whose_rights_jobs_have(guarded: RunningPlatform):
    parts = guarded.api.get("/health").json()["parts"]
    words = next(p for p in parts if p["name"] == "isolation")
    assert ACCOUNT in words["message"]
    assert words["state"] == "ok", words


@pytest.fixture(scope="module")
def sandboxed(session_root: Path):
    from shutil import which

    if which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    home = Path(tempfile.mkdtemp(prefix="b", dir=session_root))
    running = RunningPlatform(home, DLSYS_SANDBOX="bwrap").start()
    yield running
    running.stop()
    assert not processes.end_leftovers(home)


def test_a_sandboxed_job_sees_only_its_own_folder(sandboxed: RunningPlatform):
    job = sandboxed.submit(
        notebook(
            "import os, pathlib\nhome = pathlib.Path(home)\n"
            "print(sorted(p.name for p in home.iterdir()), len(os.listdir('/tmp')))\n"
            "try:\n    pathlib.Path('/etc/dlsys-was-here').write_text('x'); print('WROTE')\n"
            "except OSError as error:\n    print('refused')\n"
            "print(len([p for p in os.listdir('/proc') if p.isdigit()]), 'processes')\n"
            "import mlflow; mlflow.log_metric('m', 1)\n"
            "pathlib.Path(os.environ['DLSYS_OUTPUT_DIR'], 'kept').write_text('1')",
            parameters="home = ''",
        ),
        parameters={"home": str(sandboxed.home)},
    )
    done = sandboxed.wait_for(job["id"])
    assert done["state"] == "succeeded", done["reason"]
    assert done["start"]["mode"] == "cold" and "sandbox" in done["start"]["reason"]
    said = printed(sandboxed, job)
    assert "['attempts'] " in said, said
    assert "WROTE" not in said and "refused" in said
    assert done["metrics"] == {"m": 1.0}
    assert [a["path"] for a in sandboxed.get(f"/jobs/{job['id']}/artifacts")] == ["kept"]
