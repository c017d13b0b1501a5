"""What is recorded, and who may read it."""

from __future__ import annotations

import pytest

from dlsys_server.access.audit_routes import _filter
from dlsys_server.access.audited import QUESTIONS, AuditedRoute, is_recorded, outcome_of
from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import OPERATIONS, Scope, expand
from dlsys_server.app import ROUTERS
from dlsys_server.core.errors import Forbidden, NotFound
from dlsys_server.metadata.mlflow import audited as mlflow

MANAGES, READS = expand(frozenset({Scope.MANAGE})), expand(frozenset({Scope.READ}))
API = "/api/2.0/mlflow"


def test_no_route_escapes():
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) > 60
    assert [r.path for r in routes if not isinstance(r, AuditedRoute)] == []


def test_all_that_is_no_read_is_recorded_but_questions():
    for router in ROUTERS:
        for route in router.routes:
            (method,) = route.methods
            changes = method not in ("GET", "HEAD") and route.operation_id not in QUESTIONS
            takes_out = route.operation_id in ("datasets.export", "audit.export")
            assert is_recorded(route.operation_id, method) == (changes or takes_out)
    assert set(OPERATIONS) > QUESTIONS


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, "", "allowed"),
        (307, "", "allowed"),
        (403, "forbidden", "refused"),
        (404, "no-such-project", "refused"),
        (404, "no-such-dataset", "failed"),
        (500, "internal-error", "failed"),
    ],
)
def test_outcomes(status, code, outcome):
    assert outcome_of(status, code) == outcome


@pytest.mark.parametrize(
    ("path", "person", "job"),
    [
        (f"{API}/runs/create", True, True),
        (f"{API}/runs/delete", True, True),
        (f"{API}/model-versions/create", True, True),
        (f"{API}/runs/log-batch", True, False),
        (f"{API}/runs/set-tag", True, False),
        ("/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/a.txt", True, False),
        (f"{API}/runs/search", False, False),
        (f"{API}/logged-models/search", False, False),
        (f"{API}/experiments/search-datasets", False, False),
        (f"{API}/registered-models/get-latest-versions", False, False),
        ("/graphql", False, False),
    ],
)
def test_mlflow_calls(path, person, job):
    assert mlflow.is_recorded(path, job=False) is person
    assert mlflow.is_recorded(path, job=True) is job


def test_ids_are_no_part_of_an_mlflow_operation():
    assert mlflow._operation(f"{API}/logged-models/m-0a1b/tags") == "mlflow.logged-models/tags"
    assert mlflow._operation(f"{API}/runs/log-batch") == "mlflow.runs/log-batch"
    assert mlflow._operation("/api/2.0/mlflow-artifacts/artifacts/x") == "mlflow.artifacts"


def test_a_maintainer_sees_its_projects_and_an_administrator_all():
    rights = {"vision": MANAGES, "audio": READS}
    ann = Principal("ann", "user", "vision", rights, MANAGES)
    assert _filter(ann).visible == ("vision",)
    assert _filter(ann, project="vision").project == "vision"
    with pytest.raises(Forbidden):
        _filter(ann, project="audio")
    with pytest.raises(NotFound):
        _filter(ann, project="theirs")
    viewer = Principal("bob", "user", "audio", {"audio": READS}, READS)
    assert _filter(viewer).visible == ()
    root = Principal("root", "user", "vision", rights, expand(frozenset({Scope.ADMIN})))
    assert _filter(root, project="theirs").visible is None
