"""The files for systemd, Helm and Kubernetes: well-formed, and their safety is still there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.hub import FOLDER

UNITS = sorted((FOLDER / "systemd").glob("*.service"))
MANIFESTS = sorted((FOLDER / "kubernetes").glob("*.yaml"))
VALUES = FOLDER / "helm" / "values.yaml"
CHART_SCHEMA = "TEST_HELM_CHART"
"""Folder of the chart (its values.yaml and values.schema.yaml), which no package index has."""


def objects(kind: str = "") -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from (
            d for d in yaml.safe_load_all(path.read_text("utf-8")) if kind in ("", d["kind"])
        )


def test_kubernetes_objects_fit_its_schemas() -> None:
    import kubernetes_validate

    found = [o for o in objects() if not o["apiVersion"].startswith("ray.io/")]
    assert len(found) >= 10
    for one in found:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    broken = next(objects("Deployment")) | {"spec": {"replica": 1}}
    with pytest.raises(Exception, match=r"selector|template|replica"):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


def test_pods_run_as_nobody_in_particular_without_powers() -> None:
    pods = [o["spec"]["template"]["spec"] for o in objects("Deployment")]
    for ray in objects("RayCluster"):
        groups = [ray["spec"]["headGroupSpec"], *ray["spec"]["workerGroupSpecs"]]
        pods += [group["template"]["spec"] for group in groups]
    assert len(pods) == 4
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
    platform = next(objects("Deployment"))["spec"]["template"]["spec"]
    assert platform["automountServiceAccountToken"] is False


def test_every_namespace_of_a_project_is_limited() -> None:
    projects = {
        o["metadata"]["name"]
        for o in objects("Namespace")
        if o["metadata"]["labels"].get("dlsys/kind") == "project"
    }
    assert projects
    for kind in ("ResourceQuota", "LimitRange", "NetworkPolicy"):
        assert {o["metadata"]["namespace"] for o in objects(kind)} >= projects, kind


def test_every_namespace_denies_what_is_not_named() -> None:
    closed = {
        o["metadata"]["namespace"]
        for o in objects("NetworkPolicy")
        if o["spec"]["podSelector"] == {} and set(o["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    }
    assert closed == {o["metadata"]["name"] for o in objects("Namespace")}
    for policy in objects("NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            assert rule.get("to"), policy["metadata"]["name"]
            assert "0.0.0.0/0" not in str(rule)


def test_no_secret_is_in_a_file() -> None:
    assert list(objects("Secret")) == []
    for path in [*MANIFESTS, VALUES, *UNITS]:
        text = path.read_text("utf-8")
        assert not re.search(r"(?i)(token|secret|password)\s*[:=]\s*['\"]?[\w/+]{16,}", text), path


def test_users_pods_reach_only_the_platform_beside_the_hub() -> None:
    policy = yaml.safe_load(VALUES.read_text("utf-8"))["singleuser"]["networkPolicy"]
    rules = policy["egressAllowRules"]
    assert policy["enabled"] is True
    assert not (rules["nonPrivateIPs"] or rules["privateIPs"] or rules["cloudMetadataServer"])
    platform = next(objects("Deployment"))["spec"]["template"]["metadata"]["labels"]
    [rule] = policy["egress"]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["to"]] == [platform]


def test_the_charts_values_and_the_manifests_name_each_other_rightly() -> None:
    values = yaml.safe_load(VALUES.read_text("utf-8"))
    service = next(objects("Service"))
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    address = f"http://{name}:{port}"
    assert values["hub"]["services"]["dlsys"]["url"] == address
    assert values["hub"]["extraEnv"]["DLSYS_PLATFORM_URL"] == address
    assert values["singleuser"]["extraEnv"]["DLSYS_URL"] == f"{address}/services/dlsys"
    assert "apiToken" not in values["hub"]["services"]["dlsys"]
    mounted = {Path(f["mountPath"]).name for f in values["hub"]["extraFiles"].values()}
    assert all((FOLDER / name).is_file() for name in mounted)


@pytest.mark.skipif(CHART_SCHEMA not in os.environ, reason="not applicable: no chart given")
def test_the_values_fit_the_charts_schema() -> None:
    import jsonschema

    chart = Path(os.environ[CHART_SCHEMA])
    merged = yaml.safe_load((chart / "values.yaml").read_text("utf-8"))
    _merge(merged, yaml.safe_load(VALUES.read_text("utf-8")))
    for file in merged["hub"]["extraFiles"].values():
        file["stringData"] = "by --set-file"
    schema = yaml.safe_load((chart / "values.schema.yaml").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(merged)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    """`systemd-analyze verify` where there is one, with a program that exists."""
    text = unit.read_text("utf-8")
    command = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE).group(1)  # type: ignore[union-attr]
    assert command == "/opt/dlsys/bin/python"
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    assert parser["Install"]["WantedBy"] == "multi-user.target"
    assert parser["Service"]["UMask"] == "0077"
    if (analyze := shutil.which("systemd-analyze")) is None:
        return
    copy = tmp_path / unit.name
    copy.write_text(text.replace(command, "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not complaints, complaints


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
