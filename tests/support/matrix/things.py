"""What callers ask for: things of a project, and their doubles that are not there."""

from __future__ import annotations

from dataclasses import dataclass

NAMED_BY = {
    "project": ("project",),
    "member": ("name",),
    "upload": ("upload",),
    "dataset": ("name",),
    "tag": ("name", "tag"),
    "snapshot": ("hash",),
    "chunk": ("sha256",),
    "job": ("id",),
    "schedule": ("id",),
    "run": ("run_id",),
    "model": ("name",),
    "alias": ("name", "alias"),
    "endpoint": ("name",),
    "key": ("name", "token"),
}
"""The fields that say which thing of a kind it is."""
ULID = "01k00000000000000000000000"
ABSENT = {
    "id": ULID,
    "upload": ULID,
    "token": ULID,
    "run_id": "0" * 32,
    "hash": "sha256:" + "0" * 64,
    "sha256": "0" * 64,
}


@dataclass(frozen=True)
class Thing:
    """A thing, by the fields that a path may name."""

    kind: str
    owner: str
    fields: dict[str, str]

    def double(self) -> Thing:
        """One of the same kind that was never there."""
        keys = {key: ABSENT.get(key, "never-there") for key in NAMED_BY[self.kind]}
        return Thing(self.kind, "", {**self.fields, **keys})

    def named_here(self, other: Thing) -> Thing:
        """This one, asked for where `other` of its kind is: the rest of a path is the other's."""
        keys = {key: self.fields[key] for key in NAMED_BY[self.kind]}
        return Thing(self.kind, "", {**other.fields, **keys})
