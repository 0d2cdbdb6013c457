"""Browsers that hold what the kernel has told them, to compare with what the kernel holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import comm
from comm.base_comm import BaseComm

if TYPE_CHECKING:
    import pytest

    from residscope.live.widget import Widget


class FrontEnd:
    """Two pages on one kernel: one acts, the other looks on.

    Attributes:
        acting: the state of each model as the acting page has it, by model id.
        looking: the same of the page that looks on, which hears of the other's changes by echo.
        heard: the messages from the kernel, in order, as (model id, kind, state).
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acting: dict[str, dict[str, Any]] = {}
        self.looking: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[str, str, dict[str, Any]]] = []
        hear = self._hear

        class Recorded(BaseComm):
            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):  # noqa: ARG002
                if msg_type != "comm_close":
                    hear(self.comm_id, data, buffers or [])

        monkeypatch.setattr(comm, "create_comm", Recorded)

    def says(self, widget: Widget, state: dict[str, Any]) -> None:
        """Change a model in the acting page, which tells the kernel."""
        self.acting[widget.model_id].update(state)
        widget.set_state(state)

    def differences(self, widget: Widget) -> list[str]:
        """Name the traits of which a page believes something else than what the kernel holds."""
        truth = {name: _plain(value) for name, value in widget.get_state().items()}
        pages = (self.acting[widget.model_id], self.looking[widget.model_id])
        return [name for name, value in truth.items() if any(page[name] != value for page in pages)]

    def _hear(self, model: str, data: dict[str, Any], buffers: list[Any]) -> None:
        # What the kernel's packer does to a message; it fails for what no browser could read.
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        state = _plain(data["state"])
        for path, buffer in zip(data["buffer_paths"], buffers, strict=True):
            (name,) = path
            state[name] = bytes(buffer)
        kind = data.get("method", "open")
        self.heard.append((model, kind, state))
        if kind != "echo_update":
            self.acting.setdefault(model, {}).update(state)
        self.looking.setdefault(model, {}).update(state)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bytes) else json.loads(json.dumps(value))
