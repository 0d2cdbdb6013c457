"""Traits are set on the kernel's threads and on the worker's: nothing is lost, and nobody waits for ever."""

import sys
import threading

import pytest

import residscope as rs
from residscope.experiment import source_of
from residscope.live.shared import Selection, Status
from residscope.runs import trace
from tests import tiny
from tests.frontend import FrontEnd
from tests.settled import settle

PROMPT = "When Mary and John went to the store, John gave a drink to"
SHORT = "Tom met Anna at the park"


@pytest.fixture
def pages(monkeypatch):
    return FrontEnd(monkeypatch)


@pytest.fixture
def hurried():
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def together(*jobs):
    """Run each job on a thread of its own, from one start, and raise what one of them raised."""
    start, errors = threading.Barrier(len(jobs)), []

    def run(job):
        start.wait()
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - raised again
            errors.append(error)

    threads = [threading.Thread(target=run, args=[job], daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


@pytest.mark.usefixtures("hurried")
def test_a_browser_and_two_threads_that_set_a_selection_end_in_agreement(pages):
    selection = Selection()

    def browse():
        for turn in range(2000):
            pages.says(selection, {"depth": turn % 7, "position": turn % 5, "pinned": [f"L{turn}H0"]})

    def update():
        for turn in range(2000):
            selection.update(depth=10 + turn % 7, head=(turn % 3, 0), position=None)

    def assign():
        for turn in range(2000):
            selection.depth = 20 + turn % 7

    together(browse, update, assign)
    assert pages.differences(selection) == []


@pytest.mark.usefixtures("hurried")
def test_no_message_about_a_run_is_lost_while_the_browser_cancels(pages):
    status = Status()

    def work():
        for turn in range(2000):
            with status.hold_sync():
                status.run = turn
                status._header = {"number": turn}
            status._jobs = [{"done": turn}]

    def cancel():
        for turn in range(2000):
            pages.says(status, {"_cancel": turn})

    together(work, cancel)
    assert pages.differences(status) == []
    assert status.run == 1999


def test_observers_see_the_whole_of_one_gesture():
    selection, seen = Selection(), []
    selection.observe(lambda _change: seen.append((selection.head, selection.position)), ["head", "position"])
    selection.update(head="1.1", position=3)
    selection.set_state({"head": [2, 2], "position": 4})
    assert seen == [((1, 1), 3)] * 2 + [((2, 2), 4)] * 2


def test_an_observer_that_fails_keeps_no_other_from_being_told():
    selection, told = Selection(), []

    def fail(_change):
        raise ZeroDivisionError

    selection.observe(fail, "head")
    selection.observe(told.append, "position")
    with pytest.raises(ZeroDivisionError):
        selection.set_state({"head": [1, 1], "position": 3})
    assert [change["new"] for change in told] == [3]
    selection.update(position=4)
    assert len(told) == 2


def test_an_observer_may_wait_for_the_run_in_progress(monkeypatch):
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPT)
    experiment.wait()
    reached, go_on, record = threading.Event(), threading.Event(), trace.record

    def held(*args, **options):
        reached.set()
        go_on.wait()
        return record(*args, **options)

    monkeypatch.setattr("residscope.runs.trace.record", held)
    asked, read = threading.Event(), []

    def observer(_change):
        asked.set()
        read.append(experiment.trace.number)

    experiment.selection.observe(observer, "head")
    experiment.update(prompts=SHORT)
    assert reached.wait(30)
    browser = threading.Thread(target=lambda: experiment.selection.set_state({"head": [1, 1]}), daemon=True)
    browser.start()
    assert asked.wait(30)
    go_on.set()
    browser.join(30)
    assert read == [2], "the run needs the selection that the observer is told of"
    experiment.close()


def test_a_host_that_shares_no_models_is_never_told_an_older_state_after_a_newer_one(pages, monkeypatch):
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPT)
    view = rs.HeadAttribution(experiment)
    pages.says(view, {"_link": "mirror"})
    click = threading.Thread(target=lambda: experiment.selection.update(depth=3), daemon=True)
    mirrored, slow = view._mirrored, threading.current_thread()

    def slowly():
        state = mirrored()
        if threading.current_thread() is slow and click.ident is None:
            click.start()
            click.join(1)  # where it must wait for us, this is all the time that it gets
        return state

    monkeypatch.setattr(view, "_mirrored", slowly)
    experiment.status._jobs = [{"done": 1}]
    click.join(30)
    assert experiment.selection.depth == 3
    assert view._mirror == mirrored()
    assert pages.differences(view) == []
    experiment.close()


def test_a_newer_request_of_a_view_is_not_told_as_a_cancel():
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPT)
    experiment.wait()
    started, go_on = threading.Event(), threading.Event()

    def older(ticket):
        started.set()
        go_on.wait()
        ticket.check()

    source_of(experiment).ask("cells", older)
    assert started.wait(30)
    newer = source_of(experiment).ask("cells", lambda _ticket: None)
    go_on.set()
    assert newer.wait(30)
    assert experiment.status._error is None
    experiment.close()


def test_a_run_that_ends_at_once_is_in_the_history_with_its_value(monkeypatch):
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPT)
    experiment.wait()
    add = experiment.history.add

    def late(run):
        source_of(experiment)._ticket.wait(1)  # all the time that it gets, if it must wait for us
        add(run)

    monkeypatch.setattr(experiment.history, "add", late)
    experiment.update(prompts=SHORT)
    experiment.wait()
    assert experiment.history[-1].value == pytest.approx(experiment.trace.target_value.tolist())
    experiment.close()


def test_a_view_that_is_closed_while_it_takes_a_run_is_no_failure(monkeypatch):
    experiment = rs.Experiment(tiny.bridge("llama"), PROMPT)
    view, other = rs.HeadAttribution(experiment), rs.LayerAttribution(experiment)
    reached, go_on, payload = threading.Event(), threading.Event(), view._payload

    def held(*args):
        reached.set()
        go_on.wait()
        return payload(*args)

    monkeypatch.setattr(view, "_payload", held)
    experiment.update(prompts=SHORT)
    assert reached.wait(30)
    closing = threading.Thread(target=view.close, daemon=True)
    closing.start()
    closing.join(1)  # all the time that it gets, if it must wait for the view
    go_on.set()
    closing.join(30)
    settle(experiment)
    assert experiment.status._error is None
    assert other._shown == experiment.trace.number
    experiment.close()
