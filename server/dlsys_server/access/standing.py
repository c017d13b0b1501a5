"""How a caller stands in a project: what may be done, and in one wording why the rest may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlsys_server.core.errors import Forbidden
from jupyter_dlsys.contract.access import Permission

from .principals import Principal
from .roles import ROLES, that_allow
from .scopes import OPERATIONS, Scope


@dataclass(frozen=True)
class Standing:
    """A caller in a project, and who gives roles there."""

    caller: Principal
    project: str
    maintainers: Sequence[str]

    def permissions(self) -> list[Permission]:
        """Every operation of the table, by name."""
        return [self._permission(operation) for operation in sorted(OPERATIONS)]

    def refusal(self, operation: str) -> Forbidden:
        """What a caller is told who did it nevertheless."""
        needed = OPERATIONS[operation]
        return Forbidden(
            f"{operation} {self._why_not(needed)}.",
            code="missing-scope",
            hint=f"`dlsys projects permissions {self.project}` shows what you may do.",
        )

    def _permission(self, operation: str) -> Permission:
        needed = OPERATIONS[operation]
        allowed = self.caller.may(needed, None if needed is Scope.ADMIN else self.project)
        return Permission(
            operation=operation,
            allowed=allowed,
            needs=next(iter(that_allow(needed)), None),
            words="" if allowed else self._why_not(needed),
        )

    def _why_not(self, needed: Scope) -> str:
        wanted = that_allow(needed)
        ask = " or ".join(self.maintainers[:3]) or "an administrator of the platform"
        if not wanted:
            return "needs an administrator of the platform"
        if any(needed in ROLES[role] for role in self.caller.roles.get(self.project, ())):
            return (
                f"needs the right '{needed.value}', which your token does not have: "
                "ask an administrator of the platform"
            )
        return f"needs role {wanted[0]} in {self.project}: ask {ask}"
