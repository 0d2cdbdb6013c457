"""The wheel: what a user installs, not what lies in the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VIEWS = sorted(path.stem for path in (ROOT / "js" / "views").glob("*.tsx"))

SHOW = """
import pathlib
import residscope as rs

home = pathlib.Path(rs.__file__).parent
experiment = rs.Experiment(
    rs.load_model("demo"),
    "When Mary and John went to the store, John gave a drink to",
    answers=(" Mary", " John"),
)
heads = rs.HeadAttribution(experiment)
bundle = heads._repr_mimebundle_()
data = bundle[0] if isinstance(bundle, tuple) else bundle
assert "application/vnd.jupyter.widget-view+json" in data, data
assert str(heads._esm) == (home / "static" / "head_attribution.js").read_text()
print(home)
"""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command and return its output; a failure shows what it said."""
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_bundle_the_demo_model_and_the_types(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert VIEWS
    assert {f"residscope/static/{view}.js" for view in VIEWS} <= names
    assert "residscope/py.typed" in names
    assert "residscope/data/demo/model.safetensors" in names
    assert "residscope/data/demo/tokenizer.json" in names


def test_a_widget_shows_from_the_installed_wheel(wheel: Path, tmp_path: Path):
    site = tmp_path / "site"
    install = ("--no-deps", "--no-index", "--disable-pip-version-check", "--target", site)
    run("-m", "pip", "install", *install, wheel, cwd=tmp_path)
    home = run("-c", SHOW, cwd=tmp_path, PYTHONPATH=str(site)).split()[-1]
    assert Path(home) == site / "residscope"
