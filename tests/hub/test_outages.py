"""Hub, proxy, PostgreSQL and S3, each stopped and killed under load, and started again.

What was acknowledged is there afterwards and whole; users see plain messages meanwhile; endpoints
go on answering; jobs are not lost; everything recovers by itself, the platform is never restarted.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from tests.support import processes
from tests.support.hub import need_hub
from tests.support.installation import Team, team_on
from tests.support.load import Load

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.s3, pytest.mark.postgres]
AWAY_SECONDS = 3.0
RECOVERY_SECONDS = 60.0
LONGEST_SECONDS = 60.0
STEADY = """
import time, mlflow
for step in range(10):
    mlflow.log_metric("step", step, step=step)
    time.sleep(0.4)
"""


@pytest.fixture(scope="module")
def team(session_root: Path) -> Iterator[Team]:
    need_hub()
    folder = Path(tempfile.mkdtemp(prefix="out", dir=session_root))
    for open_to_jobs in (session_root, folder):
        open_to_jobs.chmod(0o711)
    with ExitStack() as stack:
        yield stack.enter_context(team_on(folder))
    left = processes.end_leftovers(folder)
    left = [line for line in left if "configurable-http-proxy" not in line]  # outlives its hub
    left += cullers_in(folder)
    assert not left, "left behind:\n" + "\n".join(left)


def cullers_in(folder: Path) -> list[str]:
    """A service of the hub has nothing of our environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if "jupyterhub_idle_culler" in command and folder in Path(process.cwd()).parents:
                found.append(command)
                process.kill()
    return found


@pytest.mark.parametrize("part", ["hub", "proxy", "postgresql", "s3"])
def test_a_part_goes_and_comes_back(team: Team, part: str) -> None:
    """Stopped, and killed when all work again."""
    platform_before = team.platform.process.pid if team.platform.process else 0
    recovered = {}
    with Load(team) as load:
        load.until_all_did_something()
        steady = load.submit(STEADY)
        team.platform.wait(lambda: load.state(steady) == "running", "the job to run", 60)
        for how in ("stop", "kill"):
            getattr(team.parts[part], how)()
            time.sleep(AWAY_SECONDS)
            team.parts[part].start()
            back = time.monotonic()
            load.until_all_succeed(RECOVERY_SECONDS)
            recovered[how] = round(time.monotonic() - back, 1)
        load.stop()
        load.check_answers(part, LONGEST_SECONDS)
        load.check_acknowledged(steady)
    assert team.platform.process is not None and team.platform.process.poll() is None
    assert team.platform.process.pid == platform_before
    print(f"{part}: seconds to recover {recovered}; {load.summary()}")
