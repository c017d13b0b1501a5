"""What the Tab key offers after %dlsys."""

from __future__ import annotations

import pytest

from jupyter_dlsys import magics
from jupyter_dlsys.cli import options


def offered(text: str) -> list[str]:
    incomplete = text.rpartition(" ")[2]
    return magics.complete(text, incomplete)


def test_verbs_and_sub_verbs() -> None:
    assert offered("%dlsys su") == ["submit"]
    assert {"bind", "project"} <= set(offered("%dlsys "))
    assert "datasets" in offered("%dlsys ")
    assert offered("%dlsys datasets com") == ["commit"]
    assert "watch" in offered("%dlsys jobs ")
    assert "bind" not in offered("%dlsys jobs ")


def test_options() -> None:
    assert offered("%dlsys submit x.ipynb --wa") == ["--watch"]
    assert "--json" in offered("%dlsys datasets list --")


def test_values_come_from_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name, self.tags, self.version, self.id = name, {"gold": 1}, 2, name

    class Fake:
        def list(self, *_: object, **__: object) -> list[Named]:
            return [Named("tweets"), Named("digits")]

    class FakeClient:
        datasets = jobs = models = Fake()

    monkeypatch.setattr(options, "_running_client", FakeClient)
    assert offered("%dlsys datasets commit tw") == ["tweets"]
    assert offered("%dlsys datasets show tweets@") == ["tweets@gold", "tweets@v2"]
    assert offered("%dlsys jobs show ") == ["tweets", "digits"]
    assert offered("%dlsys submit x.ipynb -d data=di") == [
        "data=digits",
        "data=digits@gold",
        "data=digits@v2",
    ]


def test_completion_never_fails_or_starts_a_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError

    monkeypatch.setattr(options, "_running_client", broken)
    assert offered("%dlsys datasets show ") == []
