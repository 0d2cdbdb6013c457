"""A refusal in a saved notebook: one sentence, under the name that a program would catch it by."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

SETUP = """
import residscope as rs
experiment = rs.Experiment(rs.load_model("demo"), "When Mary and John went to the store")
"""
REFUSED = {
    'rs.load_model("./nowhere")': "there is no model in ",
    "rs.Experiment('demo', 'When Mary')": "a model is a TransformerBridge",
    'experiment.prompts = ""': "prompts has an empty text",
    "experiment.selection.update(head='9.9')": "no run shown has L9H9",
}


def test_a_stored_refusal_is_one_sentence_under_its_public_name():
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *REFUSED)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=100, kernel_name="python3", allow_errors=True).execute()
    setup, *refused = notebook.cells
    assert setup.outputs == []
    for cell, sentence in zip(refused, REFUSED.values(), strict=True):
        (output,) = cell.outputs
        assert output.ename == "InputError"
        assert output.evalue.startswith(sentence)
        assert output.traceback == [f"InputError: {output.evalue}"]
