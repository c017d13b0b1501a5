"""Debian's Chromium, as the browser tests run it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OURS = "extensions/jupyter-dlsys"  # in the address of each script of our extension


@contextmanager
def started() -> Iterator[Browser]:
    """A browser, until the end of the block."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


def own_errors(page: Page) -> list[str]:
    """What goes wrong in our code on this page, as it happens: uncaught errors and printed ones
    that one of our scripts had a part in.  Lab has errors of its own, as when a document is closed
    while its kernel starts."""
    found: list[str] = []

    def thrown(error: Error) -> None:
        if OURS in (error.stack or ""):
            found.append(f"{error.message}\n{error.stack}")

    def printed(message: ConsoleMessage) -> None:
        refused = "Failed to load resource" in message.text  # by the browser: a request's answer
        ours = OURS in message.text or OURS in message.location["url"]
        if message.type == "error" and ours and not refused:
            found.append(message.text)

    page.on("pageerror", thrown)
    page.on("console", printed)
    return found
