"""Whatever fails, wherever it fails: it is told, nothing is left behind, and the next answer is right."""

import dis
import functools
import itertools
import json
import random
import re
import sys
import threading
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load

import residscope as rs
from residscope import views
from residscope.experiment import source_of
from residscope.live.worker import Cancelled
from residscope.models.twin import twin_of
from residscope.views.base import View
from tests import tiny
from tests.settled import settle

PROMPTS = ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park", "one two one"]
VIEWS = [getattr(views, name) for name in views.__all__ if issubclass(getattr(views, name), View)]
SOURCE = Path(rs.__file__).parent
FAULTS = [RuntimeError, KeyboardInterrupt, torch.OutOfMemoryError, Cancelled]
ROUNDS = 50


class World:
    """One experiment with these views."""

    def __init__(self, kinds):
        self.model = tiny.bridge("llama")
        self.experiment = rs.Experiment(self.model, PROMPTS[0], (" Mary", " John"))
        self.views = [kind(self.experiment) for kind in kinds]
        self.experiment.wait()  # TransformerLens sets some hooks of its own in the first run
        self._usual = self._hooks()

    def _hooks(self):
        with twin_of(self.model).use() as twin:
            return hooks_of(twin) + hooks_of(self.model)

    def settle(self):
        """Wait until the worker has done all it was asked, which it does not do if it hangs."""
        settle(self.experiment)

    def ask(self, prompt):
        """Ask for a run, and return what reading it raised, once all is settled."""
        self.experiment.update(prompts=prompt)
        error = None
        try:
            self.experiment.wait()
        except BaseException as raised:  # noqa: BLE001 - whatever it is
            error = raised
        self.settle()
        return error

    def answer(self):
        """Return all numbers of the newest run, as read in Python and as sent by each view."""
        trace = self.experiment.trace
        sent = {type(view).__name__: numbers(view._data, trace.number) for view in self.views}
        return {"value": trace.target_value.numpy(), "heads": trace.head_attribution().numpy(), **sent}

    def answers_as(self, fresh):
        """Tell whether the newest run's numbers are those of a fresh experiment."""
        return all(same(found, fresh[name]) for name, found in self.answer().items())

    def all_show_it(self):
        return all(view._shown == source_of(self.experiment).number for view in self.views)

    def told(self):
        status = self.experiment.status
        said = [status._error["message"]] if status._error else [job["error"] for job in status._jobs if job["error"]]
        return said[0] if said else None

    def left_behind(self):
        """Name what a fault has left: hooks, a held lock, a thread, a word on screen."""
        left = list(self._hooks() - self._usual)
        left += [] if is_free(twin_of(self.model)) else ["lock"]
        status = self.experiment.status
        return left + [told for told in (status._error, *status._jobs) if told is not None]


def is_free(twin):
    """Tell whether another thread can have the twin."""
    got = []

    def take():
        got.append(twin.lock.acquire(blocking=False))
        if got[0]:
            twin.lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join(30)
    return got == [True]


def hooks_of(model):
    """Count the hooks on each module."""
    inside = [(f"original.{name}", module) for name, module in model.original_model.named_modules()]
    return Counter({name: hooks_on(module) for name, module in [*model.named_modules(), *inside]})


def hooks_on(module):
    return len(module._forward_pre_hooks) + len(module._forward_hooks) + len(module._backward_hooks)


def numbers(data, run):
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    assert int(metadata["run"]) == run
    return {**load(data), "info": metadata["info"]}


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return np.array_equal(one, other, equal_nan=True) if isinstance(one, np.ndarray) else one == other


@pytest.fixture(scope="module")
def fresh():
    """What fresh experiments with every view say of each prompt."""
    answers = {}
    for prompt in PROMPTS:
        world = World(VIEWS)
        assert world.ask(prompt) is None
        answers[prompt] = world.answer()
        world.experiment.close()
    return answers


@pytest.fixture(scope="module", params=[VIEWS], ids=["every view"])
def shared(request):
    world = World(request.param)
    yield world
    world.experiment.close()


@pytest.fixture
def world(shared, fresh):
    """A world whose next answer must be right, with nothing left behind."""
    threads = threading.active_count()
    yield shared
    assert shared.ask(PROMPTS[1]) is None
    assert shared.left_behind() == []
    assert shared.answers_as(fresh[PROMPTS[1]])
    assert threading.active_count() <= threads


@pytest.fixture(scope="module")
def sites(shared):
    return sites_of(shared)


without_views = pytest.mark.parametrize("shared", [()], ids=["no view"], indirect=True)


class Calls:
    """Lists the calls of residscope's functions below the experiment on the worker, and lets one of them fail.

    Attributes:
        made: the functions called, in order.
    """

    def __init__(self, world, fail_at=None, fault=None):
        self.made = []
        self._world, self._fail_at, self._fault = world, fail_at, fault

    def __enter__(self):
        self._profile(self._called)
        return self

    def __exit__(self, *_error):
        self._profile(None)

    def _profile(self, called):
        assert source_of(self._world.experiment).ask("profile", lambda _ticket: sys.setprofile(called)).wait(60)

    def _called(self, frame, event, _argument):
        site = site_of(frame.f_code)
        if event != "call" or site is None:
            return
        self.made.append(site)
        if self._fail_at == (site, self.made.count(site)):
            strike(self._world, self._fault)


@functools.cache
def site_of(code):
    path = Path(code.co_filename)
    inside = path.is_relative_to(SOURCE) and path.stem not in ("experiment", "worker", "synced")
    return f"{path.stem}.{code.co_qualname}" if inside and not code.co_name.endswith(("comp>", "expr>")) else None


def strike(world, fault):
    if fault is Cancelled:
        world.experiment.cancel()
    else:
        raise fault("struck")


def sites_of(world):
    """Return the functions that a run calls, with how often."""
    with Calls(world) as calls:
        assert world.ask(PROMPTS[0]) is None
    return Counter(calls.made)


@without_views
def test_a_fault_in_each_layer_and_each_hook_of_a_run_in_turn_leaves_the_next_answer_right(world, fresh):
    hooks = {site: often for site, often in sites_of(world).items() if re.search(r"recording.*lambda|gather", site)}
    places = [(site, at) for site, often in hooks.items() for at in range(1, often + 1)]
    assert len(places) > 8 * tiny.LAYERS
    for place, fault in zip(places, itertools.cycle(FAULTS), strict=False):
        with Calls(world, place, fault):
            assert isinstance(world.ask(PROMPTS[0]), fault)
        assert world.ask(PROMPTS[2]) is None
        assert world.left_behind() == []
        assert world.answers_as(fresh[PROMPTS[2]])


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_fault_anywhere_in_a_run_is_told_and_the_next_answer_is_right(world, fresh, seed, sites):
    chance, fault = random.Random(seed), FAULTS[seed % len(FAULTS)]
    site = chance.choice(sorted(sites))
    with Calls(world, (site, chance.randint(1, sites[site])), fault):
        error = world.ask(PROMPTS[0])
    assert error is None or isinstance(error, fault)
    assert world.all_show_it() or world.told() or fault is KeyboardInterrupt
    assert world.ask(PROMPTS[2]) is None
    assert world.left_behind() == []
    assert world.answers_as(fresh[PROMPTS[2]])


@pytest.mark.parametrize("fault", FAULTS[:3], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
def test_a_view_that_fails_is_told_of_and_takes_no_other_down(world, monkeypatch, kind, fault):
    (broken,) = [view for view in world.views if isinstance(view, kind)]
    with monkeypatch.context() as patched:
        patched.setattr(broken, "_payloads", lambda *_: strike(world, fault))
        assert world.ask(PROMPTS[0]) is None
    assert [view for view in world.views if view._shown != world.experiment.trace.number] == [broken]
    assert world.told() == "struck"


class Interrupt:
    """Interrupts this thread at one of the instructions where Python itself would.

    Attributes:
        places: the instructions met in some functions, in order; one may come many times.
    """

    # Signals are looked for after these, and after no other.
    CHECKED = ("CALL", "RESUME", "JUMP_BACKWARD")

    def __init__(self, within, at=None):
        self.places, self._within, self._at, self._before = [], within, at, {}

    def __enter__(self):
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_error):
        sys.settrace(None)
        self._before.clear()

    def _trace(self, frame, event, _argument):
        code = frame.f_code
        if not self._within(code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            if self._before.get(frame, "").startswith(self.CHECKED):
                self.places.append((code, frame.f_lasti))
                if len(self.places) == self._at:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            self._before[frame] = instructions(code)[frame.f_lasti]
        return self._trace


@functools.cache
def instructions(code):
    return {one.offset: one.opname for one in dis.get_instructions(code)}


def interrupted(job, within, at):
    """Do a job and be interrupted; when this returns, nothing holds the interrupt's frames any more."""
    try:
        with Interrupt(within, at):
            job()
    except KeyboardInterrupt:
        return True
    return False


def sets_hooks(code):
    ours = code.co_filename.endswith("recording.py") and code.co_qualname.startswith(("record", "_record"))
    return ours or code.co_name in ("run_with_hooks", "add_hook_to_point", "apply_hooks", "add_hook", "remove_hooks")


def takes_the_lock(code):
    return code.co_filename.endswith(("twin.py", "contextlib.py"))


@without_views
def test_an_interrupt_anywhere_in_a_question_leaves_nothing_behind(world):
    def ask():
        world.experiment.run(prompts=PROMPTS[0])

    with Interrupt(sets_hooks) as whole:
        ask()
    times = defaultdict(list)
    for at, place in enumerate(whole.places, 1):
        times[place].append(at)
    chance = random.Random(0)
    assert len(times) > 40
    for at in times.values():
        assert interrupted(ask, sets_hooks, chance.choice(at))
        assert world.left_behind() == []


@without_views
def test_an_interrupt_anywhere_in_taking_the_twin_gives_it_back(world):
    def take():
        with twin_of(world.model).use():
            pass

    with Interrupt(takes_the_lock) as whole:
        take()
    for at in range(1, len(whole.places) + 1):
        assert interrupted(take, takes_the_lock, at)
        assert is_free(twin_of(world.model))
