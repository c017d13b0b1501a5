"""Every route that MLflow has, with what to send to it: ``python routes.py FOLDER``, as JSON lines.

The routes come from the running app's own tables, so that those of a new version are there too. The
values are names in braces for things of alice (see test_every_path.py), chosen by the names of the
fields. FOLDER is that of an MLflow child that has been started already.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlsys_server.metadata.mlflow import environment

VALUES: list[tuple[str, Any]] = [
    (r"run_(?:uu)?ids?$|^run_uuid$|^runs$", "{run}"),
    (r"experiment_ids?$", "{exp}"),
    (r"^experiment_name$", "{exp_name}"),
    (r"model_ids?$", "{model}"),
    (r"^(?:model_)?name$|^registered_model", "{name}"),
    (r"^new_name$", "{name}-renamed"),
    (r"version", "1"),
    (r"metric_keys?$", "{metric}"),
    (r"^key$|tag_key|^tag_names?$", "note"),
    (r"^alias$", "champion"),
    (r"^path$|^stages$", None),
    (r"^artifact_(?:file_)?path$", "{file}"),
    (r"^artifact_path_rest$", "{place}/{file}"),
    (r"^source$|_uri$", "models:/{model}"),
    (r"^filter(?:_string)?$|^order_by$|^field_name$|page_token$|artifact_location", None),
    (r"workspace", "{project}"),
    (r"^username$", "alice"),
    (r"max_results|count|limit", 10),
]


def value(name: str, default: Any) -> Any:
    return next((found for pattern, found in VALUES if re.search(pattern, name)), default)


def message(descriptor: Any, depth: int = 0) -> dict[str, Any]:
    """A body for a protobuf message: each field filled."""
    body: dict[str, Any] = {}
    for field in descriptor.fields:
        one: Any
        if field.message_type is not None:
            if depth > 2 or field.message_type.GetOptions().map_entry:
                continue
            one = message(field.message_type, depth + 1)
        elif field.enum_type is not None:
            one = _choice([found.name for found in field.enum_type.values])
        else:
            kind = {field.CPPTYPE_STRING: "x", field.CPPTYPE_BOOL: True}.get(field.cpp_type, 1)
            one = value(field.name, kind)
            one = 1 if isinstance(kind, int) and isinstance(one, str) else one
        if one is not None:
            body[field.name] = [one] if _repeated(field) else one
    return body


def _choice(names: list[str]) -> str:
    """What shows most."""
    return "ALL" if "ALL" in names else names[0]


def _repeated(field: Any) -> bool:
    found = getattr(field, "is_repeated", None)
    return bool(found if found is not None else field.label == field.LABEL_REPEATED)


EVERYTHING = {
    "run_id": "{run}", "run_uuid": "{run}", "run_ids": ["{run}"], "experiment_id": "{exp}",
    "experiment_ids": ["{exp}"], "name": "{name}", "version": "1", "path": "{file}",
    "metric_key": "{metric}", "metric_keys": ["{metric}"], "model_id": "{model}", "max_results": 9,
    "trace_id": "tr-1", "request_id": "tr-1", "filename": "x.txt", "artifact_file_path": "{file}",
    "key": "note", "value": "v", "username": "alice", "workspace_name": "{project}",
    "experiment_name": "{exp_name}",
}  # fmt: skip
"""For routes without a protobuf message."""


def templates() -> dict[tuple[str, str], dict[str, Any]]:
    from mlflow.server.handlers import get_endpoints

    found = {}
    for path, handler, methods in get_endpoints(lambda request_class: request_class):
        descriptor = getattr(handler, "DESCRIPTOR", None)
        if descriptor is not None:
            for method in methods:
                found[method, re.sub(r"<[^>]*>", "*", path)] = message(descriptor)
    for door in ("api", "ajax-api"):
        found["GET", f"/{door}/2.0/mlflow-artifacts/artifacts"] = {"path": "{place}"}
    return found


def flask_and_fastapi() -> Iterator[tuple[str, str]]:
    import mlflow.server
    from mlflow.server.auth import create_app

    app = create_app()
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path
    yield from (("GET", path) for path in ("/openapi.json", "/docs", "/redoc"))
    for rule in mlflow.server.app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield method, path


def filled(path: str) -> str:
    """Path parameters as values: of an artifact's path that of alice's file."""

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name == "artifact_path":
            return "{place}/{file}"
        return str(value(name, "x"))

    return re.sub(r"\{(\w+)\}", fill, path)


def graphql() -> Iterator[dict[str, Any]]:
    """A query for each field of the root types, with all that hangs below."""
    from graphql import GraphQLNonNull, get_named_type, is_leaf_type
    from mlflow.server.graphql.graphql_schema_extensions import schema

    def selection(kind: Any, depth: int) -> str:
        parts = []
        for name, field in kind.fields.items():
            inner = get_named_type(field.type)
            if any(isinstance(a.type, GraphQLNonNull) for a in field.args.values()):
                continue
            if is_leaf_type(inner):
                parts.append(name)
            elif depth < 7 and (below := selection(inner, depth + 1)):
                parts.append(f"{name} {below}")
        return f"{{ {' '.join(parts)} }}" if parts else ""

    def argument(kind: Any, name: str) -> Any:
        inner = get_named_type(kind)
        if is_leaf_type(inner):
            plain = re.sub(r"([A-Z])", r"_\1", name).lower()
            found = value(plain, {"Boolean": True, "Int": 1}.get(inner.name, "x"))
            if hasattr(inner, "values"):
                found = None
        else:
            pairs = ((key, argument(f.type, key)) for key, f in inner.fields.items())
            found = {key: given for key, given in pairs if given is not None}
        many = "[" in str(kind) and not isinstance(found, list)
        return [found] if many and found is not None else found

    built = schema.graphql_schema
    for word, root in (("query", built.query_type), ("mutation", built.mutation_type)):
        for name, field in (root.fields if root else {}).items():
            declared = ", ".join(f"${key}: {arg.type}" for key, arg in field.args.items())
            passed = ", ".join(f"{key}: ${key}" for key in field.args)
            below = selection(get_named_type(field.type), 0)
            text = f"{word} Q({declared}) {{ {name}({passed}) {below} }}"
            given = {key: argument(arg.type, key) for key, arg in field.args.items()}
            yield {"operationName": "Q", "query": text, "variables": given}


def main(folder: Path) -> None:
    database = environment.databases(folder, None)
    os.environ.update(environment.mlflow_environment(folder, database, str(folder)))
    bodies = templates()
    for method, path in sorted(set(flask_and_fastapi())):
        body = bodies.get((method, re.sub(r"\{\w+\}", "*", path)), EVERYTHING)
        print(json.dumps({"method": method, "path": filled(path), "body": body}))
    for query in graphql():
        print(json.dumps({"method": "POST", "path": "/graphql", "body": query}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
