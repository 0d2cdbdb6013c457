"""One thread, the newest job of a kind wins, and every job ends for those who wait."""

import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from residscope.live.worker import Cancelled, Priority, Replaced, Worker


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
    run = worker.submit("run", lambda _ticket: ran.append("run"), replaces=lambda kind: kind == "show")
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
    worker = Worker("test", lambda ticket: told.append(ticket.progress))

    def job(ticket):
        for number in range(100):
            clock[0] += 0.01
            ticket.step("layer", number, 100)

    assert worker.submit("run", job).wait(10)
    worker.close()
    assert told.pop() is None, "it has ended"
    assert 9 <= len(told) <= 10
    assert told[0][0] == "layer"


def test_a_closed_worker_takes_no_jobs(worker):
    worker.close()
    with pytest.raises(RuntimeError, match="closed: make a new one"):
        worker.submit("run", lambda _ticket: None)


def test_a_click_during_a_long_job_that_yields_is_answered_before_the_job_ends(worker):
    started, answered = threading.Event(), threading.Event()

    def sweep(_ticket):
        started.set()
        while not answered.is_set():
            yield

    long = worker.submit("sweep", sweep, Priority.SWEEP)
    assert started.wait(30)
    assert worker.submit("click", lambda _ticket: answered.set()).wait(30)
    assert long.wait(30)
    assert long.error is None


def test_the_most_urgent_job_goes_on_at_each_yield_and_of_two_alike_the_older_one(worker):
    order, go_on = [], threading.Event()

    def job(name, turns=2):
        def run(_ticket):
            for _turn in range(turns):
                order.append(name)
                yield

        return run

    worker.submit("gate", lambda _ticket: go_on.wait() and None)
    tickets = [worker.submit(f"{one.name} {at}", job(one.name), one) for at in (1, 2) for one in reversed(Priority)]
    go_on.set()
    assert all(ticket.wait(30) for ticket in tickets)
    assert order == [one.name for one in Priority for _ in range(4)]


def test_a_job_may_become_less_urgent(worker):
    order, go_on = [], threading.Event()

    def lens(ticket):
        order.append("column")
        ticket.priority = Priority.REST
        yield
        order.append("rest")

    worker.submit("gate", lambda _ticket: go_on.wait() and None)
    tickets = [
        worker.submit("lens", lens, Priority.FIRST),
        worker.submit("heads", lambda _ticket: order.append("heads"), Priority.FIRST),
    ]
    go_on.set()
    assert all(ticket.wait(30) for ticket in tickets)
    assert order == ["column", "heads", "rest"]


def test_what_a_job_yields_is_there_before_it_ends(worker):
    go_on = threading.Event()

    def job(_ticket):
        yield "half"
        go_on.wait()
        yield "whole"

    ticket = worker.submit("job", job)
    assert ticket.wait_for_partial(30)
    assert (ticket.partial, ticket.done) == ("half", False)
    go_on.set()
    assert ticket.wait(30)
    assert ticket.partial == "whole"


def endless(tidied):
    """Return a job that goes on until it is stopped, and then tidies up."""

    def job(_ticket):
        try:
            while True:
                yield
        finally:
            tidied.append(threading.current_thread())

    return job


def test_cancel_of_one_job_leaves_the_others_and_what_was_begun_is_tidied_up(worker):
    tidied = []
    first, second = (worker.submit(kind, endless(tidied), Priority.SWEEP) for kind in ("one", "two"))
    assert first.wait_for_partial(30)
    assert not second.wait_for_partial(0), "the older of two alike goes on"
    worker.cancel(first.version)
    assert first.wait(30)
    assert second.wait_for_partial(30)
    assert type(first.error) is Cancelled
    assert not second.done
    assert tidied == [worker._thread]


def test_a_newer_run_stops_all_older_jobs_but_those_that_tell_of_it(worker):
    tidied, told, go_on = [], [], threading.Event()
    lens = worker.submit("lens", endless(tidied), Priority.REST)
    assert lens.wait_for_partial(30)
    worker.submit("gate", lambda _ticket: go_on.wait() and None, Priority.RUN)
    tell = worker.submit("told", lambda _ticket: told.append(1), Priority.STILL)
    still = worker.submit("still", endless(tidied), Priority.STILL)
    run = worker.submit("run", lambda _ticket: None, Priority.RUN, replaces=lambda kind: kind not in ("told", "gate"))
    go_on.set()
    assert all(ticket.wait(30) for ticket in (lens, still, run, tell))
    assert [type(ticket.error) for ticket in (lens, still)] == [Replaced, Replaced]
    assert (run.error, tell.error, told) == (None, None, [1])
    assert tidied == [worker._thread], "the other was never begun"


def test_an_error_after_a_yield_is_kept_and_told_once():
    told = []
    worker = Worker("test", lambda ticket: told.append(ticket.error))

    def job(_ticket):
        yield
        raise ZeroDivisionError

    ticket = worker.submit("job", job)
    assert ticket.wait(30)
    worker.close()
    assert [type(error) for error in told] == [ZeroDivisionError]
    with pytest.raises(ZeroDivisionError):
        ticket.raise_error()


def test_a_worker_that_is_closed_ends_what_it_has_begun():
    tidied = []
    worker = Worker("test", lambda *_: None)
    ticket = worker.submit("job", endless(tidied))
    assert ticket.wait_for_partial(30)
    worker.close()
    assert ticket.wait(30)
    worker._thread.join(30)
    assert tidied == [worker._thread]


AT_WORK = """
import sys
import threading
from contextlib import contextmanager
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
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, said, "")


def test_what_stands_around_a_turn_fails_the_job_and_not_the_thread():
    failures = iter([True, False])

    @contextmanager
    def around():
        if next(failures):
            raise ZeroDivisionError("struck")
        yield

    worker = Worker("test", lambda *_: None, around)
    first = worker.submit("one", lambda _ticket: None)
    assert first.wait(10)
    assert isinstance(first.error, ZeroDivisionError)
    second = worker.submit("two", lambda _ticket: None)
    assert second.wait(10)
    assert second.error is None
    worker.close()
