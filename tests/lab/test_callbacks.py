"""Views that callbacks make anew at each move: in a real JupyterLab nothing of the moves before is left."""

import time

import pytest

from tests.lab.workbench import python

SETUP = """
import threading
import weakref
import ipywidgets
from IPython.display import clear_output, display
from ipywidgets.widgets.widget import _instances
import residscope as rs

model = rs.load_model("demo")

def made(move):
    global last
    row = rs.Row([rs.TokenStrip(rs.Experiment(model, "When Mary and John went to the store, John" + " gave" * move))])
    last = weakref.ref(row)
    return row

def held():
    return [len(_instances), sum(thread.name == "residscope" for thread in threading.enumerate())]
"""
WAYS = {
    "interact": """
@ipywidgets.interact(move=(0, 99))
def show(move=0):
    display(made(move))

def go(move):
    show.widget.children[0].value = move
""",
    "a button": """
out, button, moves = ipywidgets.Output(), ipywidgets.Button(), [0]

@button.on_click
def clicked(_button):
    with out:
        clear_output(wait=True)
        display(made(moves[0]))

def go(move):
    moves[0] = move
    button.click()

display(out)
go(0)
""",
    "observe": """
slider, box = ipywidgets.IntSlider(), ipywidgets.VBox()

@slider.observe
def moved(change):
    if change["name"] == "value":
        box.children = [made(slider.value)]

def go(move):
    slider.value = move

display(box)
go(1)
""",
}


@pytest.mark.timeout(300)
def test_moves_of_views_made_in_callbacks_leave_nothing_of_the_one_before(lab):
    page = lab.open([SETUP, *WAYS.values()])
    lab.run_all()
    end = time.monotonic() + 240
    for cell, way in enumerate(WAYS, 1):
        # Each cell has its own `go`.
        lab.run_cell(cell)
        before = python(lab, "held()")
        for move in range(2, 12):
            lab.execute(f"go({move})")
        # The page tells the kernel what an output shows when it shows it.
        while (now := python(lab, "held()")) != before and time.monotonic() < end:
            page.wait_for_timeout(100)
        assert now == before, way
        assert python(lab, "last().comm is not None"), way
