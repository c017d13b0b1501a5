"""One process for each attempt, as root: the job is below it, and nothing gets away from there.

It outlives the launcher; it ends when the job has ended, or when nobody is at the other end of its
connection any more, and then nothing of the job is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import traceback
from collections.abc import Iterator
from typing import Any

from jupyter_dlsys.runtime.supervisor import cgroups
from jupyter_dlsys.runtime.supervisor.limits import folder_bytes
from jupyter_dlsys.runtime.supervisor.processes import PR_SET_CHILD_SUBREAPER, Tree, prctl

from . import become, folders, scope
from .rules import Person, Refused, Request, Rules

TICK_S = 0.1
NEVER_FOR_MEMORY = "-1000"


def serve(connection: socket.socket, request: Request, log: int, rules: Rules) -> None:
    """Answer one request; of `start` until the job has ended.

    Raises:
        Refused: it cannot be done.
    """
    if request.verb == "hello":
        _say(connection, launcher=1, root=rules.root, systemd=rules.systemd)
        return
    if request.verb == "give-back":
        with _alone(request, rules), folders.opened(rules, request.job, request.attempt) as own:
            folders.give_back(own, os.fstat(own).st_uid, rules)
        _say(connection, given=True)
        return
    if log < 0:
        raise Refused("A job needs a log")
    person = rules.person(request.user)
    with _alone(request, rules):
        _keep(connection, request, person, log, rules)


@contextlib.contextmanager
def _alone(request: Request, rules: Rules) -> Iterator[None]:
    """One keeper for an attempt."""
    path = os.path.join(rules.state, f"{request.job}.{request.attempt}")
    with open(path, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("This attempt is being run") from None
        try:
            yield
        finally:
            os.unlink(path)


def _keep(
    connection: socket.socket, request: Request, person: Person, log: int, rules: Rules
) -> None:
    own = os.path.join(rules.root, request.job, str(request.attempt), "job")
    _stay()
    with folders.opened(rules, request.job, request.attempt) as folder:
        folders.give(folder, person, rules)
        limits = dict(request.limits)
        made = cgroups.Groups([])
        if not rules.systemd:
            made = cgroups.make(limits.get("memory"), limits.get("processes"))
        tree = Tree(0)
        try:
            tree.main = _start(request, person, own, log, rules, made)
            os.close(log)
            _say(connection, keeper=os.getpid(), pid=tree.main, **_held(tree.main, made, rules))
            _watch(connection, tree, made, own)
        finally:
            over = {"memory": made.out_of_memory(), "processes": made.forks_refused() > 0}
            made.kill()
            tree.kill()
            made.close()
            folders.give_back(folder, person.uid, rules)
        code = tree.exit_code if tree.exit_code is not None else -signal.SIGKILL
        _say(connection, exit=code, over=over)


def _stay() -> None:
    """Be the one whom orphans come to, and the last whom a lack of memory ends."""
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(NEVER_FOR_MEMORY)


def _start(
    request: Request, person: Person, own: str, log: int, rules: Rules, made: cgroups.Groups
) -> int:
    """The job's first process; when it cannot start, why it could not.

    Raises:
        Refused: with that.
    """
    told, tell = os.pipe()  # closed by the exec; what comes before is an error
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(told)
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("0")
            made.join(os.getpid())
            if rules.systemd:
                scope.run(person, request, own, log, keeper)
            become.run(person, request, own, log, keeper)
        except BaseException as error:  # noqa: BLE001  (it must not go on as a second keeper)
            os.write(tell, f"{type(error).__name__}: {error}".encode()[:1000])
        finally:
            os._exit(127)
    os.close(tell)
    with open(told, "rb") as answer:
        if words := answer.read().decode("utf-8", "replace"):
            os.waitpid(pid, 0)
            raise Refused(f"The job's program could not be started: {words}")
    return pid


def _held(pid: int, made: cgroups.Groups, rules: Rules) -> dict[str, str | None]:
    """The control groups that hold its limits."""
    if rules.systemd:
        path = scope.group_of(pid)
        return {"memory": path, "processes": path}
    return {"memory": made.memory, "processes": made.processes}


def _watch(connection: socket.socket, tree: Tree, made: cgroups.Groups, own: str) -> None:
    """Until the job's first process has ended, by itself or because it was asked to."""
    while tree.reap() and tree.exit_code is None:
        if not select.select([connection], [], [], TICK_S)[0]:
            continue
        asked = connection.recv(1)
        if asked == b"T":
            tree.terminate()
        elif asked == b"I":
            tree.terminate(signal.SIGINT)
        elif asked == b"D":
            _say(connection, disk=folder_bytes(own))
        elif asked in (b"K", b""):
            made.kill()
            tree.kill()
            return


def _say(connection: socket.socket, **words: Any) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(words).encode() + b"\n")


def answer(connection: socket.socket, request: Request, log: int, rules: Rules) -> int:
    """`serve`, with refusals as answers. Returns an exit status."""
    try:
        serve(connection, request, log, rules)
    except Refused as error:
        _say(connection, error=str(error))
    except Exception as error:  # noqa: BLE001  (one attempt's trouble is not the launcher's)
        traceback.print_exc()
        _say(connection, error=f"The launcher failed: {type(error).__name__}: {error}")
        return 1
    return 0
