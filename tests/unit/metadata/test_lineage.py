"""The lineage graph: written once, walked with caps, never out of the project."""

from __future__ import annotations

import pytest

from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput, NotFound
from dlsys_server.metadata.lineage import NEIGHBOURS, LineageService
from tests.support.datasets import ANN


@pytest.fixture
def lineage(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    database.migrate()
    yield LineageService(database)
    database.close()


def node(lineage, session, type, name, version="", project="default"):
    return lineage.record(
        session, project=project, type=type, name=name, version=version, actor="ann"
    )


@pytest.fixture
def chain(lineage):
    with lineage.database.write() as session:
        ids = [
            node(lineage, session, *what)
            for what in [
                ("dataset_version", "tweets", "v1"),
                ("snapshot", "sha256:aa"),
                ("run", "r1"),
                ("model_version", "intent", "v1"),
                ("deployment", "intent"),
            ]
        ]
        for source, target, kind in zip(
            ids, ids[1:], ["derived_from", "consumed", "registered_as", "deployed_as"], strict=False
        ):
            lineage.link(session, source, target, kind)
            lineage.link(session, source, target, kind)
    return ids


def names(graph):
    return {n.name for n in graph.nodes}


def test_up_shows_the_past_down_the_future(lineage, chain):
    up = lineage.show(ANN, "default", "model/intent@v1", "up", 8, 100)
    assert names(up) == {"intent@v1", "r1", "sha256:aa", "tweets@v1"}
    assert len(up.edges) == 3
    down = lineage.show(ANN, "default", "model/intent@1", "down", 8, 100)
    assert names(down) == {"intent@v1", "intent"}
    both = lineage.show(ANN, "default", "run/r1", "both", 8, 100)
    assert len(both.nodes) == 5 and not both.truncated


def test_depth_and_limit_are_kept_and_told(lineage, chain):
    near = lineage.show(ANN, "default", "deployment/intent", "up", 1, 100)
    assert names(near) == {"intent", "intent@v1"} and near.truncated
    few = lineage.show(ANN, "default", "deployment/intent", "up", 8, 2)
    assert len(few.nodes) == 2 and few.truncated


def test_a_node_with_many_neighbours_says_how_many_more(lineage, chain):
    with lineage.database.write() as session:
        for index in range(NEIGHBOURS + 7):
            run = node(lineage, session, "run", f"x{index}")
            lineage.link(session, chain[1], run, "consumed")
    graph = lineage.show(ANN, "default", "snapshot/sha256:aa", "down", 1, 500)
    [root] = [n for n in graph.nodes if n.id == graph.root]
    assert root.more == 8


def test_circles_end(lineage, chain):
    with lineage.database.write() as session:
        lineage.link(session, chain[4], chain[0], "derived_from")
    assert len(lineage.show(ANN, "default", "run/r1", "down", 8, 100).nodes) == 5


def test_other_projects_are_not_shown(lineage, chain):
    with lineage.database.write() as session:
        theirs = node(lineage, session, "run", "secret", project="other")
        lineage.link(session, chain[0], theirs, "consumed")
    assert "secret" not in names(lineage.show(ANN, "default", "dataset/tweets@v1", "down", 8, 100))
    with pytest.raises(NotFound):
        lineage.show(ANN, "default", "run/secret", "both", 8, 100)
    with pytest.raises(NotFound):
        lineage.show(ANN, "default", "dlsys://other/run/secret", "both", 8, 100)


def test_nonsense_is_explained(lineage, chain):
    with pytest.raises(InvalidInput, match="not a reference"):
        lineage.show(ANN, "default", "whatever", "up", 8, 100)
