"""All probes: which there are, what each should be answered, and what it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx

from dlsys_server.access.scopes import JOB_OPERATIONS, OPERATIONS, Scope

from .callers import HERE, THERE, Caller
from .recipes import RECIPES, R
from .things import Thing
from .world import GUEST, OTHER, World

NO_PROJECT, PERSONAL = "never-there", f"u-{OTHER}"
PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Probe:
    """One question: who asks for what, about which thing, in which project."""

    operation: str
    number: int
    recipe: R
    caller: Caller
    case: str
    project: str
    thing: Thing | None
    refusal: str = ""
    """Code that the answer has to have."""
    expected: int = 0

    @property
    def does(self) -> bool:
        """Whether it should be let through to its thing."""
        return self.expected == self.recipe.done and not self.refusal

    def __str__(self) -> str:
        about = f" of {self.thing.owner}" if self.thing and self.thing.owner else ""
        return f"{self.operation}#{self.number} by {self.caller.label}, {self.case}{about}"


def recipes_of(operation: str) -> tuple[R, ...]:
    found = RECIPES[operation]
    return found if isinstance(found, tuple) else (found,)


def unfit(operations: dict[str, tuple[str, str]]) -> list[str]:
    """Operations without a recipe, or whose recipe leaves a parameter of the path open."""
    wrong = []
    for name, (_, path) in sorted(operations.items()):
        if name not in RECIPES:
            wrong.append(f"{name}: no recipe in tests/support/matrix/recipes.py")
            continue
        for recipe in recipes_of(name):
            needed = set(PARAMETER.findall(path)) - {"project"}
            if needed and not recipe.of:
                wrong.append(f"{name}: its recipe has no thing for {sorted(needed)}")
    return wrong


def all_probes(world: World, callers: list[Caller]) -> Iterator[Probe]:
    """Every operation by every caller about every thing."""
    for operation, (_, path) in sorted(world.operations.items()):
        for number, recipe in enumerate(recipes_of(operation)):
            for caller in callers:
                for case, project, thing in _cases(world, path, recipe, caller):
                    probe = Probe(operation, number, recipe, caller, case, project, thing)
                    yield _with_expectation(probe, world)


def _cases(
    world: World, path: str, recipe: R, caller: Caller
) -> Iterator[tuple[str, str, Thing | None]]:
    """Own, of another member, of another project (asked for here and there), not there."""
    if "{project}" not in path and "{project}" not in str(recipe.query):
        thing = world.thing(recipe.of, OTHER, HERE) if recipe.of else None
        yield "of the platform", HERE, thing
    elif not recipe.of:
        yield "in the project", HERE, None
        yield "in another project", THERE, None
        if not caller.brief:
            yield "in somebody's own project", PERSONAL, None
            yield "in no project", NO_PROJECT, None
    else:
        yield from _cases_of_thing(world, recipe, caller)


def _cases_of_thing(
    world: World, recipe: R, caller: Caller
) -> Iterator[tuple[str, str, Thing | None]]:
    shared = world.thing(recipe.of, OTHER, HERE)
    foreign = world.thing(recipe.of, GUEST, THERE)
    yield "shared", HERE, shared
    yield "of another project", THERE, foreign
    if caller.brief:
        return
    yield "in no project", NO_PROJECT, shared
    yield "not there", HERE, shared.double()
    if caller.kind == "nobody":
        return
    yield "in somebody's own project", PERSONAL, shared
    yield "of another project, asked for here", HERE, foreign.named_here(shared)
    if (recipe.of, caller.user, HERE) in world.things:
        yield "own", HERE, world.things[recipe.of, caller.user, HERE]


def _with_expectation(probe: Probe, world: World) -> Probe:
    status, code = _expected(probe, world.operations[probe.operation][0])
    return replace(probe, expected=status, refusal=code)


def _expected(probe: Probe, method: str) -> tuple[int, str]:
    """From the table of roles and the rules; the second is the code of a refusal."""
    caller, needed, recipe = probe.caller, OPERATIONS[probe.operation], probe.recipe
    if probe.operation == "system.health":
        return recipe.done, ""
    if caller.kind == "nobody":
        return 401, "unauthenticated"
    if probe.case == "of the platform":
        return _anywhere(caller, needed, recipe)
    if "{project}" in str(recipe.query):  # the guard knows no project there
        return _in_query(probe, needed)
    rights = caller.rights(probe.project)
    if not rights:
        return 404, "no-such-project"
    of_job = caller.kind == "job" and probe.operation in JOB_OPERATIONS
    if (needed not in rights or recipe.also not in {None, *rights}) and not of_job:
        return 403, "missing-scope"
    return _of_thing(probe)


def _anywhere(caller: Caller, needed: Scope, recipe: R) -> tuple[int, str]:
    allowed = needed is Scope.OPEN or needed in caller.ceiling
    return (recipe.done, "") if allowed else (403, "missing-scope")


def _in_query(probe: Probe, needed: Scope) -> tuple[int, str]:
    caller = probe.caller
    if needed not in caller.ceiling:
        return 403, "missing-scope"
    if caller.administrates:
        return probe.recipe.done, ""
    if not caller.rights(probe.project):
        return 404, "no-such-project"
    held = needed in caller.rights(probe.project)
    return (probe.recipe.done, "") if held else (403, "missing-scope")


def _of_thing(probe: Probe) -> tuple[int, str]:
    thing, recipe = probe.thing, probe.recipe
    if thing is None:
        return recipe.done, ""
    if probe.caller.kind == "program" and recipe.rule is not None:
        return recipe.rule(probe.caller, thing) or recipe.done, ""
    here = {"own", "shared"} | ({"of another project"} if probe.caller.guest else set())
    if probe.caller.administrates:
        here.add("of another project")
    if probe.case not in here:
        return recipe.missing, ""
    ruled = recipe.rule(probe.caller, thing) if recipe.rule else None
    return (recipe.done, "") if ruled is None else (ruled, "")


# -- asking


@dataclass(frozen=True)
class Answer:
    """What came back; `text` without what the two things that are compared are called."""

    status: int
    code: str
    text: str


def ask(world: World, probe: Probe) -> Answer:
    """Send a probe."""
    method, path = world.operations[probe.operation]
    thing, recipe = probe.thing, probe.recipe
    if recipe.fresh and probe.does and thing is not None:
        thing = world.make(recipe.of, thing.owner or probe.caller.user, probe.project)
    fields = {**(thing.fields if thing else {}), "project": probe.project}
    request = world.http.build_request(
        method,
        _filled(path, fields),
        params=_filled(recipe.query, fields),
        json=_filled(recipe.body, fields),
        content=recipe.content,
        headers=probe.caller.headers,
    )
    answer = world.http.send(request, stream=True)
    try:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return Answer(answer.status_code, "", "")
        answer.read()
    finally:
        answer.close()
    return _read(answer, fields)


def _filled(value: Any, fields: dict[str, str]) -> Any:
    if isinstance(value, str):
        return PARAMETER.sub(lambda found: fields[found[1]], value)
    if isinstance(value, dict):
        return {key: _filled(one, fields) for key, one in value.items()}
    return [_filled(one, fields) for one in value] if isinstance(value, list) else value


def _read(answer: httpx.Response, fields: dict[str, str]) -> Answer:
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    if not is_problem:
        return Answer(answer.status_code, "", answer.text if answer.status_code < 300 else "?")
    found = answer.json()
    found.pop("request_id", None)
    text = str(sorted(found.items()))
    for name in sorted(fields, key=lambda name: -len(fields[name])):
        text = re.sub(rf"\b{re.escape(fields[name][:12])}[\w:-]*", f"<{name}>", text)
    return Answer(answer.status_code, str(found["code"]), text)
