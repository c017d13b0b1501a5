"""The job engine without processes: real rows, folders, locks and leases; pretended supervisors."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from dlsys_server.access.quotas import QuotaService
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.peers import Peers
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import LocalStore
from dlsys_server.metadata.lineage import LineageService
from dlsys_server.training.accounts import Accounts
from dlsys_server.training.announcing import Announcer
from dlsys_server.training.attempts import Attempts
from dlsys_server.training.checkpoints import Checkpoints
from dlsys_server.training.closing import Closer
from dlsys_server.training.dispatching import Dispatcher
from dlsys_server.training.durations import Durations
from dlsys_server.training.finishing import Finisher
from dlsys_server.training.gathering import Gatherer
from dlsys_server.training.keeping import Keeper
from dlsys_server.training.launching import Launcher
from dlsys_server.training.leading import Leadership
from dlsys_server.training.placing import Workers
from dlsys_server.training.queueing import Limits
from dlsys_server.training.quota_gate import Gate
from dlsys_server.training.repeating import Repeater
from dlsys_server.training.scheduler import Scheduler
from dlsys_server.training.settling import Settler
from dlsys_server.training.sharing import Shares
from dlsys_server.training.slots import Capacity
from dlsys_server.training.stopping import Stopper
from dlsys_server.training.tables import JobRow
from dlsys_server.training.turns import Turns

USER = getpass.getuser()
WORKER = "here"


class Supervisors:
    """Supervisors that were started, come up late or never, and hold the real lock of an attempt
    while user code "runs"."""

    def __init__(self) -> None:
        self.pending: list[Path] = []
        self.alive: dict[tuple[str, int], IO[str]] = {}
        self.ran: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def arrive(self, folder: Path) -> None:
        """What `runtime/supervisor` does from its start to the user's code."""
        if not (folder / "spec.json").exists() and not (folder / "pid").exists():
            return
        lock = (folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return
        if (folder / "result.json").exists():
            lock.close()
        elif (folder / "pid").exists():
            self._end(folder, lock, "lost", "The supervisor died.")
        else:
            (folder / "pid").write_text("1")
            if (folder / "cancel").exists():
                self._end(folder, lock, "cancelled", "Cancelled before it started.")
                return
            key = (folder.parent.name, int(folder.name))
            with self._lock:
                self.ran.append(key)
                self.alive[key] = lock

    def kill(self, key: tuple[str, int]) -> None:
        """kill -9 of one and all that it watches."""
        self.alive.pop(key).close()

    def finish(self, root: Path, key: tuple[str, int], reason: str | None) -> None:
        """The user's code ends, or its cancel is heard."""
        folder = root / key[0] / str(key[1])
        if (folder / "cancel").exists():
            reason = "cancelled"
        self._end(folder, self.alive.pop(key), reason, reason or "Finished")

    def _end(self, folder: Path, lock: IO[str], reason: str | None, message: str) -> None:
        result = {"exit_code": 0, "reason": reason, "message": message, "finished_at": time.time()}
        part = folder / "result.part"
        part.write_text(json.dumps(result))
        part.rename(folder / "result.json")
        lock.close()


class PretendedAttempts(Attempts):
    """Real folders; starting a supervisor only notes that one will come up."""

    supervisors: Supervisors
    at_once = False

    def launch(self, job: JobRow) -> None:
        folder = self.folder(job)
        if self.at_once:
            self.supervisors.arrive(folder)
        else:
            self.supervisors.pending.append(folder)


class Metadata:
    """MLflow that always answers."""

    def ready(self) -> bool:
        return True

    def start_run(self, *_: Any) -> str:
        return new_id()

    def finish_run(self, *_: Any) -> None:
        return None


class Engine:
    """One database and one attempts folder; as many schedulers as one likes."""

    def __init__(self, folder: Path, database: Database, cpus: float = 2) -> None:
        self.database, self.capacity = database, Capacity(cpus, 8 * 2**30, ("0",))
        self.supervisors = Supervisors()
        self.events = EventLog(database)
        self.announcer = Announcer(self.events)
        self.store = LocalStore(folder / "store")
        self.attempts = self._attempts(folder)
        self.keeper = Keeper(self.store, self.attempts, folder / "cache")
        self.checkpoints = Checkpoints(self.keeper, self.attempts)
        self.stopper = Stopper(database, self.announcer)
        gate = Gate(database, QuotaService(database, {}), Durations(database))
        self.repeater = Repeater(database, self.announcer, self.checkpoints, gate)
        self.bundle = self.store.put(json.dumps({"files": {"a.py": "print(1)"}}).encode())
        self.caller = SimpleNamespace(name=USER)

    def _attempts(self, folder: Path) -> PretendedAttempts:
        warm = SimpleNamespace(why_cold=lambda job: "", launch=lambda *_: "")
        attempts = PretendedAttempts(Settings(home=folder), warm, Accounts(""))  # type: ignore[arg-type]
        attempts.supervisors = self.supervisors
        attempts.root.mkdir(exist_ok=True)
        return attempts

    def scheduler(self, holder: str, worker: str = WORKER, seconds: float = 15) -> Scheduler:
        """A new one, as a platform that starts makes it."""
        database, attempts, metadata = self.database, self.attempts, Metadata()
        leadership = Leadership.of(database, worker, holder, seconds)
        own = leadership.own_database
        launcher = Launcher(
            own,
            self.checkpoints,
            self.announcer,
            None,  # type: ignore[arg-type]
            metadata,  # type: ignore[arg-type]
            LineageService(database),
            lambda: "http://nowhere",
        )
        finisher = Finisher(own, self.keeper, self.announcer, self.capacity)
        closer = Closer(own, attempts, metadata, self.checkpoints, worker)  # type: ignore[arg-type]
        settler = Settler(own, launcher, finisher, closer, self.announcer, worker)
        workers = Workers(Peers(database, worker), self.capacity)
        turns = Turns(workers, Limits, Durations(database), Shares(database, self.capacity))
        dispatcher = Dispatcher(leadership, Gatherer(), turns, launcher, self.announcer)
        return Scheduler(leadership, self.capacity, launcher, settler, dispatcher)

    def submit(self, **values: Any) -> str:
        """A queued job; its id."""
        fields: dict[str, Any] = {
            "id": new_id(),
            "project": "default",
            "owner": USER,
            "name": "a",
            "state": "queued",
            "reason": "Waiting to start",
            "kind": "script",
            "source": "a.py",
            "source_hash": "sha256:0",
            "bundle_sha": self.bundle,
            "parameters": {},
            "inputs": {},
            "cpus": 1.0,
            "gpus": 0,
            "gpu_ids": [],
            "artifacts": [],
            "gpu_share": 1.0,
            "after": [],
            "variables": {},
            "cold": False,
            "start_reason": "",
            "attempt": 1,
            "revision": 0,
            "priority": 0,
            "retries": 0,
            "run_closed": False,
            "progress_done": 0,
            "progress_total": 0,
            "spool_offset": 0,
            "created_at": clock.now(),
        }
        row = JobRow(**{**fields, **values})
        with self.database.write() as session:
            session.add(row)
            session.flush()
            self.announcer.changed(session, row.id)
        return str(row.id)

    def own(self, key: tuple[str, int]) -> Path:
        """The folder that belongs to an attempt's process."""
        return self.attempts.own(JobRow(id=key[0], attempt=key[1]))

    def spool(self, key: tuple[str, int], number: int) -> None:
        """The job tells something."""
        event = {"seq": number, "t": time.time(), "topic": "job.log", "payload": {"n": number}}
        with (self.own(key) / "events.jsonl").open("a") as out:
            out.write(json.dumps(event) + "\n")

    def checkpoint(self, key: tuple[str, int], step: int) -> None:
        """The job writes a checkpoint, as `dlsys.checkpoint` does."""
        folder = self.own(key) / "checkpoints"
        number = len(os.listdir(folder)) + 1
        (folder / f"{number:08d}-step-{step}").mkdir()
        (folder / f"{number:08d}-step-{step}" / "state").write_text(str(step))
