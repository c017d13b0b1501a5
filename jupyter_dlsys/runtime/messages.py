"""Client of the kernel: its messages become events and outputs, its end is understood."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType
from typing import Any

from nbclient.exceptions import DeadKernelError
from nbclient.util import run_sync
from papermill.clientwrap import PapermillNotebookClient

from .events import BATCH_SECONDS, Spool
from .kernel import Launch
from .manager import Manager, tolerated
from .widgets import WidgetStates

SOFT = 7.0  # seconds for a cell to end after an interrupt; of the ten until the kill


class Stopped(BaseException):
    """Asked to stop, and the running cell did not end by an interrupt."""


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Kernel messages become events; consecutive text is one output, up to a limit."""

    def __init__(self, manager: Manager, spool: Spool, launch: Launch, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self.spool = spool
        self.launch = launch
        self.widgets = WidgetStates(spool)
        self.widgets_timer: asyncio.TimerHandle | None = None
        self.stopping = False
        self.in_cell = False
        self.interrupting: asyncio.Future[None] | None = None
        self.kernel_exit: int | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def create_kernel_manager(self) -> Any:
        self.km = self.launch.manager()
        return self.km

    def papermill_execute_cells(self) -> None:
        self.spool.phase("running")
        self.spool.progress(0, self.nb_man.total)
        super().papermill_execute_cells()

    # ---- messages ---------------------------------------------------------------------------
    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        self.loop = asyncio.get_running_loop()
        if msg["msg_type"] == "update_display_data":
            self._spool_update(msg, cell_index)
        result = super().process_message(msg, cell, cell_index)
        if self.spool.waiting:
            self.loop.call_later(BATCH_SECONDS, self.spool.flush)
        return result

    def _spool_update(self, msg: Any, cell_index: int) -> None:
        content = msg["content"]
        output = {
            "output_type": "display_data",
            "data": content["data"],
            "metadata": content.get("metadata") or {},
        }
        display_id = (content.get("transient") or {}).get("display_id")
        self.spool.output(cell_index, output, update_display_id=display_id)

    def handle_comm_msg(self, outs: Any, msg: Any, cell_index: int) -> None:
        super().handle_comm_msg(outs, msg, cell_index)
        self.widgets.hear(msg)
        self._tell_widgets_soon(cell_index)

    def on_comm_open_jupyter_widget(self, msg: Any) -> Any:
        try:
            return super().on_comm_open_jupyter_widget(msg)
        except KeyError:  # a widget that does not say which it is; nbclient expects all to
            return None

    def _tell_widgets_soon(self, cell_index: int) -> None:
        wait = self.widgets.due()
        if wait is not None and self.widgets_timer is None and self.loop is not None:
            self.widgets_timer = self.loop.call_later(wait, self._tell_widgets, cell_index)

    def _tell_widgets(self, cell_index: int) -> None:
        if self.widgets_timer is not None:
            self.widgets_timer.cancel()
            self.widgets_timer = None
        self.widgets.tell(cell_index)

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        hooks = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if hooks:  # goes into a widget
            super().output(outs, msg, display_id, cell_index)
            self.widgets.change(hooks[-1].comm_id, {"outputs": hooks[-1].outputs})
            return self._tell_widgets_soon(cell_index)
        content = msg["content"]
        if msg["msg_type"] == "stream":
            text = self.spool.stream(cell_index, content["name"], content["text"])
            return self._text(outs, msg, text, cell_index)
        out = super().output(outs, msg, display_id, cell_index)
        if out is not None and out.output_type == "error":
            self._spool_error(cell_index, out)
        elif out is not None:
            more = {"display_id": display_id} if display_id else {}
            self.spool.output(cell_index, out, **more)
        return out

    def _text(self, outs: Any, msg: Any, text: str, cell_index: int) -> Any:
        if not text:
            return None
        last = outs[-1] if outs and not self.clear_before_next_output else None
        name = msg["content"]["name"]
        if last is not None and last.output_type == "stream" and last.name == name:
            last.text += text
            return last
        msg["content"]["text"] = text
        return super().output(outs, msg, None, cell_index)

    def _spool_error(self, cell_index: int, out: Any) -> None:
        if tolerated(self.nb.cells[cell_index], out.ename, out.evalue):
            self.spool.output(cell_index, out)
        elif not self.stopping:
            self.spool.error(cell_index, out.ename, out.evalue, list(out.traceback))

    def clear_output(self, outs: Any, msg: Any, cell_index: int) -> None:
        if not self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            self.spool.clear(cell_index, bool(msg["content"].get("wait")))
        super().clear_output(outs, msg, cell_index)

    # ---- life and end of the kernel ---------------------------------------------------------
    async def async_execute_cell(self, *args: Any, **kwargs: Any) -> Any:
        self.loop = asyncio.get_running_loop()
        self.in_cell = True
        self.widgets.cell_starts()
        try:
            return await super().async_execute_cell(*args, **kwargs)
        finally:
            self.in_cell = False
            self._tell_widgets(kwargs.get("cell_index", args[1] if len(args) > 1 else 0))
            if self.stopping:
                self.shutdown_kernel = "immediate"

    # PapermillNotebookClient calls the synchronous twin, which nbclient binds to its own method
    def execute_cell(self, *args: Any, **kwargs: Any) -> Any:
        if self.stopping:
            raise Stopped
        return run_sync(self.async_execute_cell)(*args, **kwargs)

    async def _async_poll_kernel_alive(self) -> None:
        saver = asyncio.ensure_future(self._autosave())
        try:
            await super()._async_poll_kernel_alive()
        finally:
            saver.cancel()

    async def _autosave(self) -> None:
        """Also what a cell printed before it went silent gets saved."""
        while True:
            await asyncio.sleep(max(1.0, self.nb_man.job.autosave_seconds))
            self.nb_man.autosave_cell()

    async def _async_check_alive(self) -> None:
        try:
            await super()._async_check_alive()
        except DeadKernelError:
            await self._note_exit()
            raise

    async def _async_cleanup_kernel(self) -> None:
        await self._note_exit()  # it may have been killed before it ever answered
        await super()._async_cleanup_kernel()

    async def _note_exit(self) -> None:
        if self.km.provisioner is not None:
            self.kernel_exit = await self.km.provisioner.poll()

    def stop(self, number: int, _frame: FrameType | None) -> None:
        """SIGTERM: interrupt the cell, so that the notebook is saved with what it shows. SIGINT:
        the same, and the cell has time to save a checkpoint."""
        if self.stopping:
            return
        self.stopping = True
        if not self.in_cell or self.loop is None or self.km is None:
            raise Stopped
        manager = self.km

        def interrupt() -> None:
            self.interrupting = asyncio.ensure_future(manager.interrupt_kernel())

        self.loop.call_soon_threadsafe(interrupt)
        signal.signal(signal.SIGALRM, self._give_up)
        seconds = min(3.0, self.nb_man.job.grace / 3 or 0.1)
        signal.setitimer(signal.ITIMER_REAL, SOFT if number == signal.SIGINT else seconds)

    def _give_up(self, _signal: int, _frame: FrameType | None) -> None:
        if self.in_cell:
            self.shutdown_kernel = "immediate"
            raise Stopped
