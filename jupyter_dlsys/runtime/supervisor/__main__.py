"""`python -S -E …/runtime/supervisor ATTEMPT_DIR [WHY_COLD]`: starts its job as a new program.

With --probe instead of a folder: prints as JSON which limits can be held by control groups.
Exit status: 0 = there is a verdict, 75 = another supervisor runs this attempt.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial


def probe() -> dict[str, bool]:
    """Which limits control groups hold here, found by making them."""
    from jupyter_dlsys.runtime.supervisor import cgroups

    groups = cgroups.make(2**30, 1000)
    groups.close()
    return {"memory": groups.memory is not None, "processes": groups.processes is not None}


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(here)))
    from jupyter_dlsys.runtime.supervisor.attempt import WHY_COLD, main, start_cold

    if sys.argv[1] == "--probe":
        print(json.dumps(probe()))  # noqa: T201
        sys.exit(0)
    why = os.environ[WHY_COLD] = " ".join(sys.argv[2:])
    sys.exit(main(sys.argv[1], partial(start_cold, why)))
