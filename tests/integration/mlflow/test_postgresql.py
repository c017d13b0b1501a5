"""MLflow in the platform's own PostgreSQL database, in a schema of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy

from dlsys_server.metadata.mlflow.child import MlflowChild
from dlsys_server.metadata.mlflow.client import MlflowClient


@pytest.mark.postgres
async def test_mlflow_keeps_to_its_schema(postgres_url: str, tmp_path: Path) -> None:
    child = MlflowChild(tmp_path / "m", str(tmp_path / "a"), database_url=postgres_url)
    client = MlflowClient(lambda: child.socket, child.secret)
    await child.start()
    try:
        assert await child.ready(120), (tmp_path / "m" / "mlflow.log").read_text()[-2000:]
        run_id = await client.create_run("ws-a", "alice", "exp", "first")
        await client.log_params("ws-a", run_id, {"lr": "0.1"})
        await client.finish_run("ws-a", run_id)
        found = await client.get_run("ws-a", run_id)
        assert found["info"]["status"] == "FINISHED"
        assert found["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    finally:
        await client.close()
        await child.stop()
    engine = sqlalchemy.create_engine(postgres_url)
    inspector = sqlalchemy.inspect(engine)
    assert inspector.get_table_names(schema="public") == []
    assert "runs" in inspector.get_table_names(schema="mlflow")
    engine.dispose()
