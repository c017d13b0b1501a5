"""schemathesis: whatever is sent, no operation fails inside, and each answer is as documented.

Every operation of openapi.json is asked with inputs that fit its schema and inputs that do not,
about real things and made-up ones, with the identity of a laptop and of a hub. The seed is fixed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.version_info < (3, 11):
    pytest.skip("not applicable: schemathesis needs Python 3.11", allow_module_level=True)
schemathesis = pytest.importorskip("schemathesis", reason="not installed: make install")

import hypothesis as hp  # noqa: E402
import requests  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis import Case, GenerationMode  # noqa: E402
from schemathesis.checks import CHECKS, not_a_server_error  # noqa: E402

from tests.support import processes  # noqa: E402
from tests.support.matrix.fuzzed import Fuzzed, started  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.slow]
DOCUMENT = json.loads((Path(__file__).parents[3] / "openapi.json").read_text())
EXAMPLES = {"embedded": 6, "hub": 3}
"""Inputs of each kind for each operation."""
LOOKS = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok() for found in SCHEMA.get_all_operations()
}


def _deletes_last(name: str) -> tuple[bool, str]:
    return OPERATIONS[name].method.upper() == "DELETE", name


@pytest.fixture(scope="module", params=list(EXAMPLES))
def platform(request: pytest.FixtureRequest, session_root: Path) -> Iterator[Fuzzed]:
    home = Path(tempfile.mkdtemp(prefix="f", dir=session_root))
    with started(home, request.param) as found:
        yield found
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


@pytest.mark.parametrize("name", sorted(OPERATIONS, key=_deletes_last))
def test_no_input_makes_it_fail(platform: Fuzzed, name: str) -> None:
    with requests.Session() as session:
        session.trust_env = False

        @hp.seed(20260101)
        @hp.settings(
            max_examples=EXAMPLES[platform.identity],
            deadline=None,
            database=None,
            phases=[hp.Phase.explicit, hp.Phase.generate],
            suppress_health_check=list(hp.HealthCheck),
        )
        @hp.given(case=_cases(name, platform))
        def send(case: Case) -> None:
            _send(session, platform, name, case)

        send()


def _cases(name: str, platform: Fuzzed) -> st.SearchStrategy[Case]:
    """Made-up things and real ones; of the real ones all other inputs are made up."""
    operation = OPERATIONS[name]
    fixed: dict[str, Any] = {"query": {"jobs": "refuse"}} if name == "system.shutdown" else {}
    kinds = [operation.as_strategy(mode, **fixed) for mode in MODES]
    for real in platform.paths_of(name):
        kinds += [operation.as_strategy(mode, path_parameters=real, **fixed) for mode in MODES]
    return st.one_of(kinds)


def _send(session: requests.Session, platform: Fuzzed, name: str, case: Case) -> None:
    if name == "system.events":
        _open_and_close(session, platform, case)
        return
    answer = case.call(base_url=platform.url, session=session, headers=platform.headers, timeout=30)
    not_ready = name == "deployments.predict" and answer.status_code == 503
    looks = [*CHECKS.get_by_names(LOOKS), *([] if not_ready else [not_a_server_error])]
    case.validate_response(answer, checks=looks)


def _open_and_close(session: requests.Session, platform: Fuzzed, case: Case) -> None:
    """A stream that has no end."""
    request = case.as_transport_kwargs(base_url=platform.url, headers=platform.headers)
    with session.request(**{**request, "stream": True, "timeout": 10}) as answer:
        assert answer.status_code < 500, answer.text
