"""The top level is as the architecture says, and the papers agree with the code."""

import configparser
import re
import tomllib

import pytest

import qtw_lab

PLANNED = (
    "qtw_lab", "tests", "tools", "environment.yml", "pyproject.toml", "requirements.lock", "Makefile", "README.md",
    "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".importlinter", ".pre-commit-config.yaml",
    ".env.example", ".ci/run", ".ci/apt.txt", ".gitignore",
    "binder/environment.yml", "binder/apt.txt", "binder/postBuild",
)  # fmt: skip


@pytest.mark.parametrize("name", PLANNED)
def test_the_top_level_has_what_a_newcomer_looks_for(root, name):
    assert (root / name).exists()


@pytest.mark.parametrize("name", [".ci/run", "binder/postBuild", "tools/setup.sh"])
def test_scripts_can_be_executed(root, name):
    assert (root / name).stat().st_mode & 0o111


def test_the_licence_is_the_whole_apache_2_0(root):
    text = (root / "LICENSE").read_text()
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", text)
    assert "END OF TERMS AND CONDITIONS" in text
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"


def test_package_pyproject_and_changelog_name_the_same_version(root):
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert qtw_lab.__version__ == declared == newest[1]


def placed_rooms(root) -> dict[str, bool]:
    """Every room of the layer contract; True where it is marked as planned."""
    contract = configparser.ConfigParser()
    contract.read(root / ".importlinter")
    layers = contract["importlinter:contract:layers"]["layers"].replace("|", "\n").split()
    return {layer.strip("()"): layer.startswith("(") for layer in layers}


def test_the_map_in_contributing_has_every_room_and_marks_those_to_come(root, rooms):
    rows = re.findall(r"^\| `(\w+)`( \(coming\))? \|", (root / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    drawn = {room: bool(coming) for room, coming in rows}
    placed = set(placed_rooms(root)) - {"__main__"}
    assert set(drawn) == placed
    assert {room for room, coming in drawn.items() if not coming} == rooms


def test_the_layer_contract_takes_parentheses_off_rooms_that_exist(root, rooms):
    planned = {room for room, is_planned in placed_rooms(root).items() if is_planned}
    assert not planned & rooms
    text = (root / ".importlinter").read_text()
    assert not {room for room in rooms if f"qtw_lab.{room}.**\n" in text}


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_between_the_papers_lead_somewhere(root, name):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (root / name).read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (root / link).exists()] == []


def test_both_readmes_have_the_same_code_commands_and_settings(root):
    english, chinese = ((root / name).read_text() for name in ("README.md", "README.zh-CN.md"))

    def code(text: str) -> list[str]:
        blocks = re.findall(r"```(\w+)\n(.*?)```", text, flags=re.DOTALL)
        # Comments are translated, code is not.
        return [re.sub(r"\s*#.*", "", body) for language, body in blocks if language in ("bash", "python")]

    assert code(english) == code(chinese)
    assert set(re.findall(r"`([A-Z_]{6,})`", english)) == set(re.findall(r"`([A-Z_]{6,})`", chinese))
    assert len(re.findall(r"^## ", english, flags=re.MULTILINE)) == len(
        re.findall(r"^## ", chinese, flags=re.MULTILINE)
    )
