"""A database that does not answer is said plainly, whatever the library calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dlsys_server.api.problems import install_problem_handlers, status_of
from dlsys_server.core.database import Database

BROKEN_OFF = DBAPIError("SELECT 1", {}, Exception("closed"), connection_invalidated=True)
AWAY = [OperationalError("SELECT 1", {}, Exception("refused")), PoolTimeout("pool"), BROKEN_OFF]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_it_is_a_503_with_a_hint(error: Exception) -> None:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert answer.headers["retry-after"] and answer.json()["hint"]
    assert status_of(error) == (503, "database-unavailable")


def test_a_mistake_of_ours_is_not_hidden_behind_it() -> None:
    assert status_of(IntegrityError("INSERT", {}, Exception("twice")))[0] == 500


def test_who_finds_no_free_connection_is_told_so_soon(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}", 1, pool_seconds=0.1)
    with database.read() as busy:
        busy.execute(text("SELECT 1"))
        with pytest.raises(PoolTimeout), database.read() as session:
            session.execute(text("SELECT 1"))
    database.close()
