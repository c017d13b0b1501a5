"""A dataset in a notebook: its versions, schema with statistics, label balance, rows."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from jupyter_dlsys.client.client import Client
from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.client.inputs import default_client
from jupyter_dlsys.client.views import cells, table_html
from jupyter_dlsys.widgets import drawing

ROWS = 20


class DatasetWidget:
    """Display it as the last line of a cell; `box` is the ipywidget to put into a layout."""

    def __init__(self, name: str, client: Client | None = None) -> None:
        self._client = default_client(client)
        self.name, _, wanted = name.partition("@")
        self.dataset = self._client.datasets.show(self.name)
        self._title, self._about = widgets.HTML(), widgets.HTML()
        self._schema, self._rows, self._history = widgets.HTML(), widgets.HTML(), widgets.HTML()
        versions = self._client.datasets.history(self.name, limit=200)
        self._choice = widgets.Dropdown(
            options=[(f"v{v.version} {v.message}"[:60], v.version) for v in versions],
            description="Version",
        )
        self._choice.observe(self._chosen, names="value")
        self._history.value = table_html([cells(v) for v in versions]) if versions else ""
        tabs = widgets.Tab([self._schema, self._rows, self._history])
        tabs.titles = ("Columns", "Rows", "Versions")
        self._message = widgets.HTML()
        self.box = widgets.VBox(
            [widgets.HBox([self._title, self._choice]), self._message, self._about, tabs]
        )
        self._title.value = f"<b>{escape(self.name)}</b> {escape(self.dataset.kind)}"
        if versions:
            self._show(wanted or "latest")

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.box)  # type: ignore[no-untyped-call]

    def _chosen(self, change: dict[str, Any]) -> None:
        self._show(f"v{change['new']}")

    def _show(self, ref: str) -> None:
        try:
            version = self._client.datasets.version(self.name, ref)
            rows = self._client.datasets.rows(self.name, f"v{version.version}", limit=ROWS)
        except DlsysError as error:
            self._message.value = drawing.log(str(error).splitlines())
            return
        self._message.value = ""
        self._choice.unobserve_all("value")
        self._choice.value = version.version
        self._choice.observe(self._chosen, names="value")
        about = drawing.amount(version.rows, version.bytes)
        self._about.value = f"{about}{drawing.balance(version.statistics.labels)}"
        types = {column.name: column.type for column in version.columns}
        self._schema.value = drawing.statistics(version.statistics.columns, types)
        self._rows.value = rows._repr_html_()
