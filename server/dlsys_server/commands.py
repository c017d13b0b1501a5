"""`python -m dlsys_server migrate|backup|restore`: the arguments, and what is said meanwhile."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from dlsys_server.core.backup.progress import Tell
from dlsys_server.core.errors import Broken, DlsysError
from dlsys_server.core.logs import configure_logging
from dlsys_server.core.settings import Settings

from . import operating

DONE, FAILED, INTERRUPTED = 0, 1, 130


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The commands beside serving, each with its options."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="instead of serving")
    migrate = commands.add_parser("migrate", help="bring the databases to this program's schema")
    migrate.add_argument("--check", action="store_true", help="only tell; status 1 when due")
    backup = commands.add_parser("backup", help="copy databases and store into a folder")
    backup.add_argument("folder", metavar="DEST", type=Path)
    restore = commands.add_parser("restore", help="put a backup in place")
    restore.add_argument("folder", metavar="SRC", type=Path)
    restore.add_argument("--replace", action="store_true", help="move what is there aside")
    restore.add_argument("--check", action="store_true", help="only verify the backup")
    for command in (migrate, backup, restore):
        command.add_argument("--json", action="store_true", help="a JSON object a line")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Do one command; its exit status."""
    configure_logging("warning")
    os.umask(0o077)
    tell = _json if options.json else _text
    try:
        good = _run(settings, options, tell)
    except DlsysError as error:
        tell(_failure(error))
        return FAILED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        hint = "Look at the disk, and at the owner of the folder."
        detail = f"{error.strerror or error}{where}."
        tell(_failure(Broken(detail, code="file-failed", hint=hint)))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE if good else FAILED


def _run(settings: Settings, options: argparse.Namespace, tell: Tell) -> bool:
    if options.command == "migrate":
        return operating.migrate(settings, tell, check=options.check)
    folder = options.folder.expanduser().resolve()
    if options.command == "backup":
        return operating.backup(settings, folder, tell)
    return operating.restore(settings, folder, tell, replace=options.replace, check=options.check)


def _failure(error: DlsysError) -> dict[str, Any]:
    return {
        "event": "failed",
        "code": error.code,
        "status": error.status,
        "detail": error.detail,
        "hint": error.hint,
    }


def _json(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _text(event: dict[str, Any]) -> None:
    if event["event"] == "failed":
        sys.stderr.write(f"{event['detail']}\nHint: {event['hint']}\n")
    elif event["event"] == "progress":
        left = event["seconds_left"]
        line = f"{event['phase']}: {event['files']:,} of {event['files_total']:,} files"
        line += f", {event['bytes']:,} of {event['bytes_total']:,} bytes"
        line += f", {left} s left" if left else ""
        sys.stderr.write((line if event["files_total"] else event["phase"]) + "\n")
    else:
        for name, value in event.items():
            if name != "event":
                sys.stdout.write(f"{name}: {value}\n")
