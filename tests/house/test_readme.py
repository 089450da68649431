"""What the readmes tell a newcomer to type works."""

import re

import pytest
from typer.main import get_command

from qtw_lab.cli.app import app
from qtw_lab.core import Facts


def blocks(root, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_python_of_the_readme_runs_and_gives_facts(root, tmp_path, monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))
    strategy, sweep, guarded, judged, ahead = blocks(root, "python")
    assert strategy.rstrip().endswith("result.facts()")
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(strategy, "README.md", "exec"), names)
    facts = names["result"].facts()
    assert isinstance(facts, Facts)
    assert facts["total_return"] == pytest.approx(names["result"].equity.iloc[-1] / 100_000 - 1)
    exec(compile(sweep, "README.md", "exec"), names)
    assert len(names["sweep"].table) >= len(range(5, 60, 5))
    exec(compile(guarded, "README.md", "exec"), names)
    exec(compile(judged, "README.md", "exec"), names)
    assert names["report"].verdict in ("supported", "fragile", "not distinguishable from luck")
    exec(compile(ahead, "README.md", "exec"), names)
    assert names["ahead"].trials == 2 * 11 * len(names["ahead"].windows)  # each symbol is an account of its own
    assert names["guarded"].agreement.agrees


def test_every_make_target_the_papers_name_exists(root):
    known = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), flags=re.MULTILINE))
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        text = (root / name).read_text(encoding="utf-8")
        named = set(re.findall(r"`make ([a-z-]+)", text)) | set(
            re.findall(r"^make ([a-z-]+)", text, flags=re.MULTILINE)
        )
        assert named
        assert named <= known


def commands(command, words=()) -> set[tuple[str, ...]]:
    """Every command of the command line, as the words one types."""
    below = getattr(command, "commands", {})
    return {words} if not below else {path for name, sub in below.items() for path in commands(sub, (*words, name))}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_table_of_commands_is_the_command_line(root, name):
    known = commands(get_command(app))
    spans = re.findall(r"`qtw ([^`]+)`", (root / name).read_text(encoding="utf-8"))
    typed = [tuple(span.split()) for span in spans]
    assert [" ".join(words) for words in typed if words[:1] not in known and words[:2] not in known] == []
    named = {words[:1] if words[:1] in known else words[:2] for words in typed}
    assert {" ".join(words) for words in known - named} == set()
