"""Every target explains itself, and every recipe can be read by make."""

import importlib
import os
import re
import subprocess

import pytest

TARGETS = (
    "help", "setup", "system", "demo", "lab", "dashboards", "lint", "check", "test", "test-full", "bench", "notebooks",
    "lock", "derive", "clean",
)  # fmt: skip


def make(root, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-C", str(root), "--no-print-directory", *arguments], env=environment,
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout


def test_the_makefile_has_the_planned_targets_and_no_silent_one(root):
    text = (root / "Makefile").read_text()
    assert tuple(re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[1].split()) == TARGETS
    assert {name for name, *_ in re.findall(r"^([a-z][a-z-]*):(.*)$", text, flags=re.MULTILINE)} == set(TARGETS)


def test_help_explains_every_target_and_is_what_make_alone_does(root):
    shown = dict(re.findall(r"^  make ([a-z-]+) +(\S.*)$", make(root, "help"), flags=re.MULTILINE))
    assert set(shown) == set(TARGETS)
    assert make(root) == make(root, "help")


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("help", "clean", "setup", "system")])
def test_every_other_target_makes_the_environment_first(root, target):
    plan = make(root, "-n", target, "VENV=no-such-folder")
    assert 'tools/setup.sh "no-such-folder"' in plan.splitlines()[0]
    assert "no-such-folder/bin/" in plan


def test_the_lab_is_opened_with_outputs_masked_by_a_hook_that_is_there(root):
    [command] = [line for line in make(root, "-n", "lab").splitlines() if "jupyter lab" in line]
    hook = re.search(r" --ContentsManager\.pre_save_hook=(\S+) ", command)[1]
    module, _, name = hook.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_clean_keeps_the_environment_and_the_results(root):
    plan = make(root, "-n", "clean")
    removed = re.search(r"^rm -rf (.*)$", plan, flags=re.MULTILINE)[1].split()
    assert not {".venv", "artifacts", ".env", "."} & set(removed)
    assert "-path ./.venv -prune" in plan
    assert "-path ./artifacts -prune" in plan
