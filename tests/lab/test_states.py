"""States that need a kernel to be in: computing, cancelled, failed, fetching."""

import pytest

SETUP = """
import threading
import residscope as rs
import residscope.runs.trace as rt
model = rs.load_model("demo")
exp = rs.Experiment(model, "When Mary and John went to the store, John gave a drink to", (" Mary", " John"))
heads, pattern = rs.HeadAttribution(exp), rs.AttentionPattern(exp)
record, gate, fail = rt.record, threading.Event(), []

def held(*args, step, **options):
    if fail:
        raise RuntimeError(fail[0])
    def held_step(done, total):
        while not gate.wait(0.02):
            step(done, total)
        step(done, total)
    return record(*args, step=held_step, **options)

rt.record = held
gate.set()
exp.selection.update(head="1.1")
"""


@pytest.fixture
def page(lab):
    page = lab.open([SETUP, "rs.Row([heads, pattern])"])
    lab.run_all()
    page.locator(".rs-say", has_text="L1H1 at").wait_for()
    return page


def test_a_long_run_shows_its_progress_and_can_be_cancelled(lab, page):
    run = page.locator(".rs-run").first.inner_text()
    lab.execute("gate.clear(); exp.update(prompts='When Tom and Anna went to the park, Anna gave a book to')")
    page.get_by_text("layer 1 of 4").first.wait_for()
    lab.screenshot("computing")
    page.get_by_role("button", name="Cancel").first.click()
    page.locator(".rs-error", has_text="Cancelled").first.wait_for()
    assert page.locator(".rs-run").first.inner_text() == run, "the last picture stays"
    lab.screenshot("cancelled")
    lab.execute("gate.set(); exp.update(); exp.trace")
    page.locator(".rs-run", has_text="run 3").first.wait_for()
    assert page.locator(".rs-error").count() == 0


def test_an_error_stands_under_the_last_picture(lab, page):
    lab.execute("fail.append('the card is on fire'); exp.update()")
    page.locator(".rs-error", has_text="the card is on fire").first.wait_for()
    assert page.locator(".rs-run").first.inner_text() == "run 1"
    lab.screenshot("error")
    lab.execute("fail.clear(); exp.update(); exp.trace")
    page.locator(".rs-run", has_text="run 3").first.wait_for()
    assert page.locator(".rs-error").count() == 0


def test_large_patterns_are_fetched_and_the_wait_is_said(lab, page):
    lab.execute("rt.PATTERN_BYTES = 10; exp.update(); exp.trace")
    page.locator(".rs-run", has_text="run 2").last.wait_for()
    page.locator(".rs-say", has_text="L1H1 at").wait_for()
    lab.execute(
        "send, answer = pattern._answer_to, threading.Event()\n"
        "pattern._answer_to = lambda *asked: (answer.wait(), send(*asked))[1]\n"
        "exp.selection.update(head='2.5')"
    )
    page.locator(".rs-say", has_text="L2H5 is waiting for the kernel").wait_for()
    lab.execute("answer.set()")
    page.locator(".rs-say", has_text="L2H5 at").wait_for()
