"""Every way to install agrees: pyproject.toml, the lock, conda, Binder, Debian."""

import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec

LOCKED_EXTRAS = ("backtest", "research", "search", "dask", "live", "redis", "dashboards", "dev")


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def locked(root):
    lines = (root / "requirements.lock").read_text().splitlines()
    return {line.split("==")[0]: line.split("==")[1] for line in lines}


def direct(project, extras) -> list[Requirement]:
    listed = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [Requirement(line) for line in listed]


def dependencies(root, name) -> tuple[dict[str, str], dict[str, Requirement]]:
    """Conda bounds by name, and pip requirements by name, of an environment file."""
    listed = yaml.safe_load((root / name).read_text())["dependencies"]
    by_pip = [Requirement(line) for entry in listed if isinstance(entry, dict) for line in entry["pip"]]
    by_conda = [entry for entry in listed if isinstance(entry, str)]
    split = [re.match(r"([\w.-]+)\s*(.*)", entry).groups() for entry in by_conda]
    return dict(split), {canonicalize_name(need.name): need for need in by_pip}


def test_the_lock_is_a_sorted_list_of_exact_versions(root):
    lines = (root / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.+!]+", line)] == []
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])
    assert len({line.split("==")[0] for line in lines}) == len(lines)


def test_the_lock_has_every_direct_dependency_within_its_bounds(project, locked):
    for need in direct(project, LOCKED_EXTRAS):
        version = locked.get(canonicalize_name(need.name))
        assert version is not None, f"{need.name} is not locked; run: make lock"
        assert need.specifier.contains(version, prereleases=True), (
            f"{need} excludes the locked {version}; run: make lock"
        )


def test_the_makefile_locks_the_extras_that_the_lock_is_checked_for(root):
    [extras] = re.findall(r"^EXTRAS := (.*)$", (root / "Makefile").read_text(), flags=re.MULTILINE)
    assert tuple(extras.split()) == LOCKED_EXTRAS


def test_deriving_the_environment_files_again_changes_nothing(tool):
    assert {p.name: p.read_text() == text for p, text in tool("derive").derived().items()} == {"environment.yml": True}


def test_a_stale_environment_file_is_noticed(tool, root, tmp_path):
    derive = tool("derive")
    for name in ("pyproject.toml", "requirements.lock"):
        changed = (root / name).read_text().replace('"typer>=0.20"', '"typer>=0.21"')
        (tmp_path / name).write_text(changed)
    text = derive.derived(tmp_path)[tmp_path / "environment.yml"]
    assert '  - "typer >=0.21"\n' in text
    assert text != (root / "environment.yml").read_text()


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_conda_understands_every_line(root, name):
    environment = yaml.safe_load((root / name).read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    by_conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert "pip" in by_conda
    for entry in by_conda:
        assert MatchSpec(entry, strict=True).name is not None


@pytest.mark.parametrize(
    ("name", "extras"),
    [("environment.yml", LOCKED_EXTRAS), ("binder/environment.yml", LOCKED_EXTRAS[:-1])],
)
def test_the_environment_has_exactly_the_dependencies_of_pyproject(root, project, locked, tool, name, extras):
    derive = tool("derive")
    by_conda, by_pip = dependencies(root, name)
    needs = {canonicalize_name(need.name): need for need in direct(project, extras)}
    spelt = {derive.CONDA_NAMES.get(need, need): need for need in needs}
    assert SpecifierSet(project["requires-python"]).contains(by_conda.pop("python").lstrip("="))
    assert by_conda.pop("pip") == ""
    assert {spelt[conda] for conda in by_conda} | set(by_pip) == set(needs)
    assert not {spelt[conda] for conda in by_conda} & set(by_pip)
    for conda, bounds in by_conda.items():
        assert SpecifierSet(bounds) == needs[spelt[conda]].specifier
    for need, pinned in by_pip.items():
        assert str(pinned.specifier) == f"=={locked[need]}"
        assert pinned.extras == needs[need].extras


def test_the_table_of_pip_only_packages_has_no_stale_name(project, tool):
    derive = tool("derive")
    everything = {canonicalize_name(need.name) for need in direct(project, project["optional-dependencies"])}
    assert derive.PIP_ONLY.union(derive.CONDA_NAMES) <= everything


def test_binder_installs_the_project_without_its_dependencies(root):
    script = (root / "binder/postBuild").read_text()
    assert script.startswith("#!/usr/bin/env bash\n")
    assert re.search(r"pip install .*--no-deps .*-e \.", script)


@pytest.mark.parametrize("name", ["binder/apt.txt", ".ci/apt.txt"])
def test_lists_of_system_packages_name_one_package_a_line(root, name):
    lines = (root / name).read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line)] == []


def test_binder_is_not_asked_for_chromium(root):
    # Binder's images are Ubuntu, which has no such package: one unknown name fails the whole build.
    assert "chromium" not in (root / "binder/apt.txt").read_text()


@pytest.mark.parametrize("name", [".ci/run", "binder/postBuild", "tools/system.sh"])
def test_bash_scripts_parse(root, name):
    subprocess.run(["bash", "-n", str(root / name)], check=True)


def test_setup_refuses_an_old_python_and_says_what_to_do(root, tmp_path):
    old = tmp_path / "python3.8"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    command = ["sh", str(root / "tools/setup.sh"), str(tmp_path / "venv"), str(old)]
    done = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "not a Python 3.11 or newer" in done.stderr
    assert "make setup PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_setup_without_any_python_says_how_to_get_one(root, tmp_path):
    shell = subprocess.run(["sh", "-c", "command -v sh"], capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run(
        [shell, str(root / "tools/setup.sh"), str(tmp_path / "venv")],
        check=False, cwd=root, env={"PATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no Python 3.11 or newer was found" in done.stderr


def test_setup_where_venv_is_missing_names_the_package(root, tmp_path):
    bare = tmp_path / "python3.11"  # new enough, but the import of ensurepip and venv fails
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *) exit 0;; esac\n')
    bare.chmod(0o755)
    command = ["sh", str(root / "tools/setup.sh"), str(tmp_path / "venv"), str(bare)]
    done = subprocess.run(command, check=False, cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
