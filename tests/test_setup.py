"""pyproject.toml, requirements.lock, environment.yml and the Makefile against each other."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKED = {
    canonicalize_name(line.split("==")[0]): line.split("==")[1]
    for line in (ROOT / "requirements.lock").read_text().splitlines()
}
EXTRAS = [Requirement(text) for texts in PROJECT["optional-dependencies"].values() for text in texts]
DECLARED = [one for one in [*map(Requirement, PROJECT["dependencies"]), *EXTRAS] if one.name != "intertask"]


def test_the_lock_names_exact_public_versions():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), (
            f"no local tag, hash, address or range: {line}"
        )


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_the_locked_version_satisfies_its_declared_bound(requirement):
    assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)])


OTHER_NAMES = {"mlflow": "mlflow-skinny", "yaml": "pyyaml", "sklearn": "scikit-learn"}
CARRIED = {"IPython", "PIL", "jupyter_server", "nbformat", "safetensors", "tokenizers", "traitlets"}
"""By ipykernel, matplotlib, jupyterlab, papermill, transformers and nbconvert, whose words they are."""
RUN = {"jupyterlab": "`make lab` starts it"}
"""Declared, though no line imports it."""


def test_every_import_of_the_library_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in DECLARED}
    for path in (ROOT / "lib").rglob("*.py"):
        for name in imported(path.read_text()) - CARRIED - {"intertask", "minilanguage"} - set(sys.stdlib_module_names):
            assert canonicalize_name(OTHER_NAMES.get(name, name)) in declared, f"{path.name} imports {name}"


def test_every_dependency_is_imported_by_the_library_or_by_a_notebook():
    sources = [path.read_text() for path in (ROOT / "lib").rglob("*.py")]
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        sources += [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    found = {canonicalize_name(OTHER_NAMES.get(name, name)) for source in sources for name in imported(source)}
    names = [canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]]
    assert not [name for name in names if name not in found | RUN.keys()], "nothing imports these: drop them"


def imported(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in plain + [n.module for n in nodes if isinstance(n, ast.ImportFrom)]}


def test_conda_gives_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, with_pip = environment["dependencies"]
    assert with_pip == {"pip": ["--requirement requirements.lock", "--editable ."]}
    assert Version(python.split("=")[1]) in Requirement(f"python{PROJECT['requires-python']}").specifier


def test_make_installs_the_lock():
    makefile = (ROOT / "Makefile").read_text()
    assert "--requirement requirements.lock" in makefile and "--no-deps --editable ." in makefile


def test_versions_agree():
    import intertask

    assert intertask.__version__ == PROJECT["version"]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_style(command):
    process = subprocess.run([sys.executable, "-m", "ruff", *command, str(ROOT)], capture_output=True, text=True)
    assert process.returncode == 0, process.stdout


def test_every_room_knows_only_rooms_below_it():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / "pyproject.toml"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout


def test_no_two_files_and_no_two_public_things_have_one_name():
    files, names = Counter(), Counter()
    for path in (ROOT / "lib").rglob("*.py"):
        files[path.stem] += path.stem != "__init__"
        names.update(set(defined(ast.parse(path.read_text()))))
    assert not [name for found in (files, names) for name, count in found.items() if count > 1]


def defined(module: ast.Module) -> Iterator[str]:
    """The public names that a module defines at its top: functions, classes and constants."""
    for node in module.body:
        parts = getattr(node, "targets", [getattr(node, "target", None)])
        names = [getattr(node, "name", "")]
        names += [name.id for part in parts if part for name in ast.walk(part) if isinstance(name, ast.Name)]
        yield from (name for name in names if name and not name.startswith("_"))
