"""What `import residscope` costs and names."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import residscope

HEAVY = ("torch", "transformer_lens", "circuitsvis", "plotly")


def loaded_after(code: str) -> list[str]:
    """Return which of the heavy libraries a fresh interpreter holds after the code."""
    code = f"{code}\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import residscope") == []


def test_views_load_neither_of_the_plotting_libraries():
    heavy = loaded_after("from residscope import HeadAttribution, AttentionPattern, LogitLens")
    assert not {"circuitsvis", "plotly"} & set(heavy)


@pytest.mark.parametrize("name", residscope.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(residscope, name) is not None
    assert name in dir(residscope)


def test_the_garbage_collector_is_left_as_it_was():
    code = "import gc, residscope; {}; residscope.Selection; assert gc.isenabled() == {}"
    for before, collects in (("pass", True), ("gc.disable()", False)):
        subprocess.run([sys.executable, "-c", code.format(before, collects)], check=True)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="HeadAttributions"):
        _ = residscope.HeadAttributions


def test_the_version_is_the_distributions():
    assert residscope.__version__ == metadata.version("residscope")
