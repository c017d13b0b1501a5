"""A job in a notebook: state, progress, live curves, the tail of the log, a button to stop it."""

from __future__ import annotations

import threading
import time
from html import escape
from typing import Any

import ipywidgets as widgets

from jupyter_dlsys.client.client import Client
from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.client.inputs import default_client
from jupyter_dlsys.client.picture import Picture
from jupyter_dlsys.client.results import Job
from jupyter_dlsys.client.words import seconds, state
from jupyter_dlsys.widgets import drawing

PER_SECOND = 4
LOG_LINES = 12
STYLES = {"succeeded": "success", "failed": "danger", "lost": "danger", "cancelled": "warning"}


class JobWidget:
    """Follows a job in the background, over restarts of the platform, until it has ended.

    Display it as the last line of a cell. `box` is the ipywidget to put into a layout.
    """

    def __init__(self, job: Job | str, client: Client | None = None) -> None:
        self._client = default_client(client)
        self.job = self._client.jobs.show(job)
        self.picture = Picture(state=self.job.state, reason=self.job.reason)
        self._closed = threading.Event()
        self._title = widgets.HTML()
        self._bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="240px"))
        self._stop = widgets.Button(description="Stop", icon="stop", tooltip="Stop this job")
        self._stop.on_click(self._cancel)
        self._curves, self._log = widgets.HTML(), widgets.HTML()
        head = widgets.HBox([self._title, self._bar, self._stop])
        self.box = widgets.VBox([head, self._curves, self._log])
        self._draw()
        self._thread = threading.Thread(target=self._follow, name="dlsys-job", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following; the job goes on."""
        self._closed.set()
        self.box.close()

    def wait(self, timeout: float | None = None) -> Job:
        """Wait for the job to end."""
        return self._client.jobs.wait(self.job, timeout, check=False)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)  # type: ignore[no-untyped-call]

    def _follow(self) -> None:
        drawn = 0.0
        try:
            for event in self._client.jobs.watch(self.job):
                if self._closed.is_set():
                    return
                self.picture.apply(event)
                if time.monotonic() - drawn > 1 / PER_SECOND:
                    drawn = time.monotonic()
                    self._draw()
            self.job = self._client.jobs.show(self.job)
            self._draw()
        except DlsysError as error:
            self._log.value = drawing.log(str(error).splitlines())

    def _draw(self) -> None:
        picture = self.picture
        job = self.job.model_copy(update={"state": picture.state, "reason": picture.reason})
        took = (job.finished_at - job.started_at) if job.finished_at and job.started_at else None
        after = f" · {seconds(took.total_seconds())}" if took else ""
        self._title.value = f"<b>{escape(job.name)}</b> {escape(state(job))}{after}"
        self._bar.max, self._bar.value = max(1, picture.total), picture.done
        self._bar.bar_style = STYLES.get(picture.state, "info")
        self._bar.description = f"{picture.done}/{picture.total}" if picture.total else ""
        self._stop.disabled = picture.ended
        self._curves.value = drawing.curves(picture.curves)
        self._log.value = drawing.log(picture.tail(LOG_LINES))

    def _cancel(self, _button: Any) -> None:
        try:
            self._client.jobs.cancel(self.job)
        except DlsysError as error:
            self._log.value = drawing.log(str(error).splitlines())
