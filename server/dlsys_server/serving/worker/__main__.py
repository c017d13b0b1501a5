"""Entry point: `python -m dlsys_server.serving.worker --fd N --parent PID`.

Started by the gateway only.
"""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from pathlib import Path

from dlsys_server.serving.worker import frames, sandbox


def main() -> int:
    """Import the libraries, wait for a model to load, then answer batches until end of file."""
    parser = argparse.ArgumentParser(prog="dlsys_server.serving.worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    sandbox.confine(options.parent)
    channel = socket.socket(fileno=options.fd)
    channel.set_inheritable(False)
    gc.disable()  # until it answers: what is imported is no garbage

    import torch  # noqa: F401

    from dlsys_server.serving.worker import loop

    channel.sendall(frames.pack({"type": "imported"}))
    return loop.run(channel, Path(os.environ["HOME"]), options.parent)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing to keep: without the second that torch takes to clean up
