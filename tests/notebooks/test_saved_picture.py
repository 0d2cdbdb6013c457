"""What is left of a workbench in a notebook that was executed where nobody looked on, and saved."""

from __future__ import annotations

import base64
import re
import struct
from xml.etree import ElementTree

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernels import FORKED
from tests.waits import LONGEST

CELLS = [
    """import residscope as rs
model = rs.load_model("demo")
prompt = "When Mary and John went to the store, John gave a drink to"
exp = rs.Experiment(model, prompt, answers=(" Mary", " John"))""",
    # TransformerLens' own answer.
    """import torch
with torch.no_grad():
    logits = model(model.to_tokens(prompt))[0, -1]
right, wrong = model.to_single_token(" Mary"), model.to_single_token(" John")
print(float(logits[right] - logits[wrong]), float(logits.softmax(0)[right]))""",
    "rs.Workbench(exp)",
]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def saved(kernels, tmp_path_factory):
    """The notebook as it lies on the disk when all has ended."""
    file = tmp_path_factory.mktemp("saved") / "workbench.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=LONGEST, startup_timeout=LONGEST, kernel_name=FORKED).execute()
    nbformat.write(notebook, file)
    return nbformat.read(file, as_version=4)


@pytest.fixture(scope="module")
def pictures(saved):
    """The still picture of the last cell, by MIME type."""
    (picture,) = [output.data for output in saved.cells[-1].outputs if "image/png" in output.data]
    return picture


@pytest.fixture(scope="module")
def drawn(pictures):
    """The drawn picture, out of the page that JupyterLab shows."""
    source = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', pictures["text/html"])[1]
    return ElementTree.fromstring(base64.b64decode(source))


@pytest.fixture(scope="module")
def sections(drawn):
    """All that is written in the picture, by the title of the view that it stands in."""
    sections = {}
    for text in drawn.iter(f"{SVG}text"):
        if text.get("font-weight"):
            title = text.text
            sections[title] = ""
        else:
            sections[title] += "".join(text.itertext()) + " "
    return sections


# More than the facts and the sentence have, which stand around an empty drawing too; the maps have shades alone.
LEAST_NUMBERS = {"Prompt": 1, "Heads": 10, "Attention": 2, "Head": 12, "Logit lens": 6, "Layers": 12, "Head maps": 0}


def test_every_view_of_a_workbench_in_the_last_cell_is_saved_with_its_numbers(sections):
    assert list(sections) == list(LEAST_NUMBERS)
    numbers = {title: len(re.findall(r"\d\.\d\d", said)) for title, said in sections.items()}
    assert {title: (numbers[title], least) for title, least in LEAST_NUMBERS.items() if numbers[title] < least} == {}
    assert all(f"L3H{head} " in sections["Head maps"] for head in range(8))
    assert all("run 1 " in said for said in sections.values())


def test_the_saved_numbers_are_the_models_own(saved, sections, pictures):
    difference, probability = map(float, saved.cells[1].outputs[0].text.split())
    value = f"{difference:.2f}"
    assert f"·Mary − ·John = {value} logits" in sections["Prompt"]
    for title in ("Heads", "Layers"):
        assert f"sum {value} = {value} ✓" in sections[title]
    assert f"·Mary is ahead of ·John by {value} logits" in sections["Logit lens"]
    assert probability > 0.999
    assert "·Mary leads with >0.99;" in sections["Logit lens"]
    assert f"·Mary − ·John = {value} logits" in pictures["text/plain"]


def test_the_saved_pixels_have_the_shape_of_the_drawing(pictures, drawn):
    shape = struct.unpack(">II", base64.b64decode(pictures["image/png"])[16:24])
    drawing = [1.5 * int(drawn.get(side)) for side in ("width", "height")]
    assert shape == pytest.approx(drawing, abs=1)
