"""One thread, the newest job of a kind wins, and every job ends for those who wait."""

import subprocess
import sys
import threading

import pytest

from residscope.live.worker import Cancelled, Replaced, Worker


@pytest.fixture
def worker():
    worker = Worker("test", lambda *_: None)
    yield worker
    worker.close()


def test_a_newer_job_stops_the_running_one_and_replaces_the_waiting_ones(worker):
    started, go_on, ran = threading.Event(), threading.Event(), []

    def slow(ticket):
        started.set()
        go_on.wait()
        ticket.check()
        ran.append("slow")

    first = worker.submit("run", slow)
    started.wait()
    middle = worker.submit("run", lambda _ticket: ran.append("middle"))
    last = worker.submit("run", lambda _ticket: ran.append("last"))
    go_on.set()
    assert all(ticket.wait(10) for ticket in (first, middle, last))
    assert ran == ["last"]
    assert isinstance(first.error, Replaced)
    assert isinstance(middle.error, Replaced)
    assert last.error is None
    assert first.version < middle.version < last.version


def test_jobs_of_other_kinds_are_left_alone_unless_replaced(worker):
    started, go_on, ran = threading.Event(), threading.Event(), []

    def hold(_ticket):
        started.set()
        go_on.wait()

    worker.submit("hold", hold)
    started.wait()
    show = worker.submit("show", lambda _ticket: ran.append("show"))
    fetch = worker.submit("fetch", lambda _ticket: ran.append("fetch"))
    run = worker.submit("run", lambda _ticket: ran.append("run"), replaces=("show",))
    go_on.set()
    assert all(ticket.wait(10) for ticket in (show, fetch, run))
    assert ran == ["fetch", "run"]
    assert isinstance(show.error, Cancelled)


def test_an_error_is_kept_and_the_thread_lives_on(worker):
    failed = worker.submit("run", lambda _ticket: 1 / 0)
    assert failed.wait(10)
    assert isinstance(failed.error, ZeroDivisionError)
    fine = worker.submit("run", lambda _ticket: None)
    assert fine.wait(10)
    assert fine.error is None


def test_cancel_stops_at_the_next_step(worker):
    started, steps = threading.Event(), []

    def job(ticket):
        for number in range(10**9):
            ticket.step("layer", number, 10**9)
            steps.append(number)
            started.set()

    ticket = worker.submit("run", job)
    started.wait()
    worker.cancel()
    assert ticket.wait(10)
    assert type(ticket.error) is Cancelled


def test_progress_is_told_at_most_ten_times_a_second(monkeypatch):
    told, clock = [], [0.0]
    monkeypatch.setattr("residscope.live.worker.time.monotonic", lambda: clock[0])
    worker = Worker("test", lambda *what: told.append(what))

    def job(ticket):
        for number in range(100):
            clock[0] += 0.01
            ticket.step("layer", number, 100)

    assert worker.submit("run", job).wait(10)
    worker.close()
    assert 9 <= len(told) <= 11
    assert told[0][0] == "layer"


def test_a_closed_worker_takes_no_jobs(worker):
    worker.close()
    with pytest.raises(RuntimeError, match="closed: make a new one"):
        worker.submit("run", lambda _ticket: None)


AT_WORK = """
import sys
import threading
import torch
from residscope.live.worker import Cancelled, Worker

started = threading.Event()

def compute():
    torch.nn.functional.linear(torch.ones(64, 64), torch.ones(64, 64)).relu().sum().item()
    started.set()

def many_steps(ticket):
    while True:
        ticket.check()
        compute()

def one_step(ticket):
    while not is_stopped(ticket):
        compute()
    for _ in range(100_000):
        compute()
    print("ended")

def is_stopped(ticket):
    try:
        ticket.check()
    except Cancelled:
        return True

Worker("test", lambda *_: None).submit("run", {job})
started.wait()
sys.exit({code})
"""


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize(("job", "said"), [("many_steps", ""), ("one_step", "ended\n")])
def test_a_program_that_ends_in_the_middle_of_a_job_ends_well(job, said, code):
    program = AT_WORK.format(job=job, code=code)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, said, "")
