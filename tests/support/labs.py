"""People at their Labs behind a hub, each in a browser of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.support import chromium
from tests.support.hub import ROOT, RunningHub

RESULTS = Path(__file__).parents[1] / "hub" / ".results"


class Person:
    """Somebody who has logged in and has Lab before them."""

    def __init__(self, hub: RunningHub, browser: Browser, name: str) -> None:
        self.name, self.hub = name, hub
        home = hub.state / "homes" / name
        _own_settings(home)
        self.context: BrowserContext = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors = chromium.own_errors(self.page)
        self.page.goto(f"{hub.url}/hub/login?next=%2Fhub%2Fspawn")
        self.page.fill("#username_input", name)
        self.page.fill("#password_input", hub.passwords[name])
        self.page.press("#password_input", "Enter")
        self.page.wait_for_url("**/user/*/lab*", timeout=120_000)
        self.settle()

    def settle(self) -> None:
        """Wait until Lab stands."""
        self.page.wait_for_function("() => !!window.jupyterapp?.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")

    def reload(self) -> None:
        """The page anew, as it was."""
        self.page.reload()
        self.settle()

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a command of the application without waiting for its end."""
        self.page.evaluate(
            "([c, a]) => void window.jupyterapp.commands.execute(c, a)", [name, arguments or {}]
        )

    def may_run(self, command: str) -> bool:
        """Whether a command is enabled."""
        return bool(self.page.evaluate("c => window.jupyterapp.commands.isEnabled(c)", command))

    @property
    def panel(self) -> Any:
        """Our panel in the left area."""
        return self.page.locator("#dlsys-panel")

    @property
    def tab(self) -> Any:
        """The main-area view of ours that is on show."""
        return self.page.locator("#jp-main-dock-panel .jp-dlsys-View:visible")

    @property
    def dialog(self) -> Any:
        """The dialog of ours that is open."""
        return self.page.locator("dialog.jp-dlsys-Modal")

    def theme(self, name: str) -> None:
        """Change the theme and wait until it is on show."""
        self.command("apputils:change-theme", {"theme": name})
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")
        self.page.wait_for_timeout(600)

    def picture(self, name: str) -> None:
        """Keep a screenshot."""
        RESULTS.mkdir(exist_ok=True)
        self.page.screenshot(path=RESULTS / f"{name}.png")


def _own_settings(home: Path) -> None:
    """The bundle that was built last, no news, and the application at hand for tests."""
    bundle = home / "labextensions"
    if bundle.exists():
        return
    bundle.mkdir()
    shutil.copytree(ROOT / "jupyter_dlsys" / "labextension", bundle / "jupyter-dlsys")
    settings = home / ".jupyter" / "labconfig"
    settings.mkdir(parents=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    (settings / "default_setting_overrides.json").write_text(json.dumps(quiet))
    lab = {"extra_labextensions_path": [str(bundle)], "expose_app_in_browser": True}
    (settings.parent / "jupyter_lab_config.json").write_text(json.dumps({"LabApp": lab}))
