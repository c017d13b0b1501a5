"""What the root helper refuses: other accounts at its socket, folders that are not the platform's,
users that are no people. The platform's account sends it all, as if it had been broken into."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.people import Helper, accounts, as_account, python_for

pytestmark = pytest.mark.integration
JOB, OTHER = "01J" + "0" * 23, "01J" + "1" * 23
ASK = """
import json, socket, sys
path, *requests = sys.argv[1:]
for request in requests:
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(path)
            with open("log", "ab") as log:
                socket.send_fds(line, [request.encode() + b"\\n"], [log.fileno()])
            print(line.makefile().readline().strip() or "closed", flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)
"""


class Bench:
    """The helper alone, an attempts folder, and who speaks to it."""

    def __init__(self, folder: Path, helper: Helper, platform: str, ann: str, bob: str) -> None:
        self.folder, self.helper, self.root = folder, helper, folder / "jobs"
        self.platform, self.ann, self.bob = platform, ann, bob
        self.python = ""

    def ask(self, *requests: Any, account: str = "") -> list[Any]:
        """Answers to requests, one connection each."""
        told = [r if isinstance(r, str) else json.dumps(r) for r in requests]
        spool = self.folder / f"of-{account or self.platform}"
        spool.mkdir(exist_ok=True)
        numbers = pwd.getpwnam(account or self.platform)
        os.chown(spool, numbers.pw_uid, numbers.pw_gid)
        done = subprocess.run(
            [self.python, "-c", ASK, str(self.helper.socket), *told],
            **as_account(account or self.platform),
            cwd=spool,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [json.loads(x) if x.startswith("{") else x for x in done.stdout.splitlines()]

    def start(self, **changed: Any) -> dict[str, Any]:
        request = {"verb": "start", "job": JOB, "attempt": 1, "user": self.ann}
        return {**request, "env": {}, "limits": {}, **changed}

    def attempt(self, job: str = JOB, number: int = 1) -> Path:
        """A prepared folder, the platform's; its `job`."""
        own = self.root / job / str(number) / "job"
        (own / "work").mkdir(parents=True)
        (own / "job.json").write_text("{}")
        numbers = pwd.getpwnam(self.platform)
        for path in (self.root / job, own.parent, own, *own.iterdir()):
            os.chown(path, numbers.pw_uid, numbers.pw_gid)
            path.chmod(0o711 if path.is_dir() else 0o600)
        return own

    def untouched(self, *paths: Path) -> bool:
        people = {pwd.getpwnam(name).pw_uid for name in (self.ann, self.bob)}
        return not any(path.lstat().st_uid in people for path in paths)


@pytest.fixture(scope="module")
def bench(session_root: Path) -> Iterator[Bench]:
    session_root.chmod(0o711)
    folder = Path(tempfile.mkdtemp(prefix="r", dir=session_root))
    folder.chmod(0o711)
    (folder / "jobs").mkdir(mode=0o711)
    with accounts("dlq", "ann", "bob") as (platform, ann, bob):
        numbers = pwd.getpwnam(platform)
        os.chown(folder / "jobs", numbers.pw_uid, numbers.pw_gid)
        python, env = python_for(platform)
        helper = Helper(folder, folder / "jobs", platform, python, env)
        helper.start()
        found = Bench(folder, helper, platform, ann, bob)
        found.python = python
        yield found
        helper.stop()


@pytest.fixture(autouse=True)
def emptied(bench: Bench) -> Iterator[None]:
    yield
    subprocess.run(["rm", "-rf", *map(str, bench.root.iterdir())], check=True)


def test_only_the_platforms_account_is_heard(bench: Bench) -> None:
    hello = {"verb": "hello"}
    assert bench.ask(hello)[0]["root"] == str(bench.root)
    assert bench.ask(hello, bench.start(), account=bench.ann) == ["PermissionError"] * 2
    assert bench.ask(hello, account="nobody") == ["PermissionError"]
    [heard] = bench.ask(hello, account="root")  # may open it, and is not heard
    assert heard in ("closed", "BrokenPipeError", "ConnectionResetError")
    assert bench.helper.socket.stat().st_mode & 0o777 == 0o600


def test_only_people_can_have_jobs(bench: Bench) -> None:
    own = bench.attempt()
    wrong = ["root", bench.platform, "nobody", "daemon", "www-data", "no-such-user", "", "../x", 0]
    answers = bench.ask(*(bench.start(user=user) for user in wrong))
    assert all("error" in answer for answer in answers), answers
    assert "account of the system" in answers[0]["error"]
    assert bench.untouched(own, *own.iterdir())


@pytest.mark.parametrize(
    "changed",
    [
        {"job": "../" + JOB},
        {"job": "/etc"},
        {"job": JOB + "/../" + JOB},
        {"job": "." * 26},
        {"attempt": "1/../../../../etc"},
        {"attempt": -1},
        {"attempt": True},
        {"attempt": 2},
        {"job": OTHER},
        {"env": {"A=B": "x"}},
        {"env": {"A": "x\0y"}},
        {"env": []},
        {"limits": {"memory": -1}},
        {"limits": {"command": 1}},
        {"verb": "run"},
    ],
)
def test_what_is_no_request_is_refused(bench: Bench, changed: dict[str, Any]) -> None:
    own = bench.attempt()
    [answer] = bench.ask(bench.start(**changed))
    assert "error" in answer, answer
    assert bench.untouched(own, *own.iterdir())


def test_nonsense_does_not_end_it(bench: Bench) -> None:
    answers = bench.ask("x", "[]", "[" * 100_000, '{"verb": null}', '"start"')
    assert all("error" in answer for answer in answers), answers
    assert bench.ask({"verb": "hello"})[0]["launcher"] == 1


def test_links_lead_nowhere(bench: Bench) -> None:
    elsewhere = bench.folder / "elsewhere"
    (elsewhere / "1" / "job").mkdir(parents=True, exist_ok=True)
    own = bench.attempt(OTHER)
    (bench.root / JOB).symlink_to(elsewhere)
    assert "error" in bench.ask(bench.start())[0]
    (bench.root / JOB).unlink()
    (bench.root / JOB).symlink_to(OTHER)
    assert "error" in bench.ask(bench.start())[0]
    (own / "leads").symlink_to("/etc/passwd")
    [answer] = bench.ask(bench.start(job=OTHER))
    assert "neither file nor folder" in answer["error"]
    (own / "leads").unlink()
    os.mkfifo(own / "pipe")
    assert "neither file nor folder" in bench.ask(bench.start(job=OTHER))[0]["error"]
    assert bench.untouched(own, elsewhere / "1" / "job", Path("/etc/passwd"))


def test_only_what_is_the_platforms_is_given_away(bench: Bench) -> None:
    own = bench.attempt()
    roots = own / "roots.txt"
    roots.write_text("root's")
    assert "not the platform's" in bench.ask(bench.start())[0]["error"]
    roots.unlink()
    secret = bench.folder / "of-the-platform.txt"
    secret.write_text("x")
    numbers = pwd.getpwnam(bench.platform)
    os.chown(secret, numbers.pw_uid, numbers.pw_gid)
    os.link(secret, own / "second-name.txt")
    assert "not the platform's" in bench.ask(bench.start())[0]["error"]
    (own / "second-name.txt").unlink()
    os.chown(own, pwd.getpwnam(bench.bob).pw_uid, -1)
    assert "error" in bench.ask(bench.start())[0]
    os.chown(own, numbers.pw_uid, -1)
    own.parent.chmod(0o777)
    assert "alone" in bench.ask(bench.start())[0]["error"]
    assert bench.untouched(secret)


def test_giving_back_changes_only_files_of_that_person(bench: Bench) -> None:
    own = bench.attempt()
    ann, platform = pwd.getpwnam(bench.ann), pwd.getpwnam(bench.platform)
    for path in (own, *own.iterdir()):
        os.chown(path, ann.pw_uid, platform.pw_gid)
    secret = bench.folder / "roots-secret"
    secret.write_text("x")
    secret.chmod(0o600)
    os.link(secret, own / "linked")
    (own / "outside").symlink_to(secret)
    hidden = own / "deep"
    hidden.mkdir(mode=0o700)
    (hidden / "x").write_text("x")
    (hidden / "x").chmod(0o4700)
    for path in (hidden, hidden / "x"):
        os.chown(path, ann.pw_uid, ann.pw_gid)
    (hidden / "x").chmod(0o4700)
    assert bench.ask({"verb": "give-back", "job": JOB, "attempt": 1}) == [{"given": True}]
    assert (secret.stat().st_mode & 0o777, secret.stat().st_gid) == (0o600, 0)
    assert (hidden / "x").stat().st_mode & 0o7777 == 0o770
    assert (hidden / "x").stat().st_gid == platform.pw_gid
