"""Waiting until the worker has done all that it was asked, which views do not wait for, and reading what it sent."""

import json

from safetensors.numpy import load

from residscope.experiment import source_of
from residscope.fixed import Fixed
from residscope.live.worker import Priority


def settle(experiment):
    """Wait until all jobs are done that were there before, whatever they are for."""
    # A job may hand over another.
    for _turn in range(3):
        ticket = source_of(experiment).ask("settle", lambda _ticket: None, Priority.STILL)
        assert ticket.wait(100)


def filled(view):
    """Return a view once it shows all that it will of the newest run."""
    if not isinstance(view.experiment, Fixed):
        view.experiment.wait()
        settle(view.experiment)
    return view


def read(data):
    """Return the run, what is said, and the arrays of a payload."""
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    return int(metadata["run"]), json.loads(metadata["info"]), load(data)


def answers(view):
    """Return what was answered last, by key: (the error or what is said, the arrays)."""
    if not view._answer:
        return {}
    _, info, arrays = read(view._answer)
    found = {}
    for at, one in enumerate(info["answers"]):
        own = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{at}.")}
        found[one["key"]] = (one["error"] or one["info"], own)
    return found


def asked(view, *keys, run=None):
    """Ask as the browser does, and return the answers."""
    run = view.experiment.status.run if run is None else run
    number = (view._ask or {}).get("id", 0) + 1
    view.set_state({"_ask": {"id": number, "run": run, "keys": list(keys)}})
    filled(view)
    return answers(view)
