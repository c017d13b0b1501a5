"""The socket: who may speak is asked of the kernel; each connection gets a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import signal
import socket
import stat
import struct
import sys

from . import keeper, rules, scope

SOCKET = "/run/dlsys-launcher/socket"
PEER = struct.Struct("3i")
HEAR_S = 5.0
MOST_BYTES = 4 * 2**20
MOST_DESCRIPTORS = 8


def main() -> None:
    """Entry point of `dlsys-launcher`."""
    if sys.argv[1:] == [scope.BECOME]:
        scope.go_on()
    found, path = settings(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    os.umask(0o077)
    python_path = os.environ.get("PYTHONPATH")
    os.environ.clear()
    if python_path:  # only where it was not started with -I
        os.environ["PYTHONPATH"] = python_path
    listener = listen(path, found)
    sys.stderr.write(f"dlsys-launcher: for uid {found.uid} below {found.root} at {path}\n")
    try:
        while True:
            accept(listener, found)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def settings(words: list[str]) -> tuple[rules.Rules, str]:
    """What the command line says, checked."""
    parser = argparse.ArgumentParser(prog="dlsys-launcher", description=__doc__)
    parser.add_argument("--root", required=True, help="the platform's DLSYS_ATTEMPTS_FOLDER")
    parser.add_argument("--account", required=True, help="the platform's account")
    parser.add_argument("--socket", default=SOCKET, help="DLSYS_LAUNCHER_SOCKET of the platform")
    parser.add_argument("--group", default="", help="only people in this group")
    parser.add_argument("--least-uid", type=int, default=1000, help="people's numbers begin here")
    parser.add_argument("--systemd", action="store_true", help="each job in a scope of its own")
    given = parser.parse_args(words)
    if os.geteuid() != 0:
        parser.error("it has to run as root, to start jobs as other accounts")
    try:
        account = pwd.getpwnam(given.account)
    except KeyError:
        parser.error(f"there is no account {given.account}")
    if account.pw_uid == 0 or account.pw_gid == 0:
        parser.error("the platform must not be root")
    if given.least_uid < 1:
        parser.error("--least-uid has to be 1 or more")
    if os.path.realpath(given.root) != given.root:
        parser.error(f"--root has to be a full path without links, not {given.root}")
    state = os.path.dirname(os.path.abspath(given.socket))
    return (
        rules.Rules(
            root=given.root,
            uid=account.pw_uid,
            gid=account.pw_gid,
            least_uid=given.least_uid,
            group=given.group,
            state=os.path.join(state, "running"),
            systemd=given.systemd,
        ),
        os.path.abspath(given.socket),
    )


def listen(path: str, found: rules.Rules) -> socket.socket:
    """The socket, in a folder of root's; the platform's group may connect."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o711)  # noqa: S103  (the platform has to reach the socket)
    if os.stat(folder).st_uid != 0:
        sys.exit(f"dlsys-launcher: {folder} is not root's")
    os.makedirs(found.state, mode=0o700, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    listener.bind(path)  # 0700 by the umask, until it is the platform's
    os.chown(path, found.uid, found.gid)
    os.chmod(path, 0o600)
    listener.listen(64)
    return listener


def accept(listener: socket.socket, found: rules.Rules) -> None:
    """One connection, in a process of its own."""
    connection, _ = listener.accept()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    with connection:
        if peer(connection) != found.uid:
            return
        if os.fork() == 0:
            status = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                os.setsid()
                listener.close()
                status = converse(connection, found)
            finally:
                os._exit(status)


def peer(connection: socket.socket) -> int:
    """Number of the account at the other end."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    return int(PEER.unpack(told)[1])


def converse(connection: socket.socket, found: rules.Rules) -> int:
    """Read the request and answer it; the exit status."""
    connection.settimeout(HEAR_S)
    data, descriptors = b"", list[int]()
    while not data.endswith(b"\n"):
        part, more, _, _ = socket.recv_fds(
            connection, 1 << 16, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        data, descriptors = data + part, [*descriptors, *more]
        if not part or len(data) > MOST_BYTES:
            return 1
    log = descriptors[0] if len(descriptors) == 1 else -1
    try:
        if log >= 0 and not stat.S_ISREG(os.fstat(log).st_mode):
            raise rules.Refused("The log is no file")
        request = rules.read(json.loads(data))
    except (ValueError, RecursionError, rules.Refused) as error:
        connection.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return 0
    connection.settimeout(None)
    return keeper.answer(connection, request, log, found)


if __name__ == "__main__":
    main()
