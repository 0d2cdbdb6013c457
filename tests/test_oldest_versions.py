"""The oldest versions that pyproject.toml allows: each can be installed beside the others, and every view works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
DECLARED = [
    Requirement(line) for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]

SHOW = """
import json
import sys
from importlib.metadata import version

import residscope as rs
from residscope import views

experiment = rs.Experiment(
    rs.load_model("demo"),
    ["When Mary and John went to the store, John gave a drink to", "Tom met Anna at the park"],
    answers=[(" Mary", " John"), (" Tom", " Anna")],
)
experiment.selection.update(head="1.2", row=0)
assert all(check.ok for check in experiment.trace.sum_check())
boxes = {"Row", "Column"}
for name in sorted(set(views.__all__) - boxes):
    view = getattr(rs, name)(experiment)
    assert len(view._data) > 8, name
    assert "application/vnd.jupyter.widget-view+json" in view._repr_mimebundle_()[0], name
    assert view.to_png().startswith(b"\\x89PNG"), name
    assert view.to_svg().startswith("<svg"), name
    assert view.to_plotly().data, name
    assert len(view.to_frame()), name
assert rs.AttentionPattern(experiment).to_circuitsvis().data
assert rs.Workbench(experiment).to_png().startswith(b"\\x89PNG")
experiment.close()
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def lowest(requirement: Requirement) -> str:
    """Return the version that a requirement begins at."""
    (version,) = (one.version for one in requirement.specifier if one.operator == ">=")
    return version


def pinned(name: str) -> str:
    """Return the version that development uses."""
    (version,) = (
        line.partition("==")[2]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line.startswith(f"{name}==")
    )
    return version


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_every_view_of_the_demo_works_with_the_oldest_versions_of_all_that_is_declared(tmp_path: Path):
    # torch alone stays as it is here: each of its older versions brings gigabytes of CUDA. What all these ask for
    # comes as pip chooses it: beside them the versions of constraints.txt cannot be installed.
    versions = {one.name: lowest(one) for one in DECLARED} | {"torch": pinned("torch")}
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    # wheel: transformer-lens asks for a package that ships as source for an older setuptools.
    wanted = ["wheel", *(f"{name}=={version}" for name, version in versions.items())]
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, *wanted], check=True)
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([python, "-c", SHOW, *versions], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    installed = json.loads(done.stdout.splitlines()[-1])
    assert {name: Version(version) for name, version in versions.items()} == {
        name: Version(Version(version).base_version) for name, version in installed.items()
    }
