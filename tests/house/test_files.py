"""What must not be in the repository is not in it."""

import json
import re

import pytest

# Put together from parts, so that this file does not find itself; "me" is nobody.
MACHINE_PATHS = re.compile(
    "|".join(["/" + part for part in (r"root/\w", r"home/(?!me\b)\w", r"work/\w", r"Users/(?!me\b)\w", "opt/wheels")])
)
REGISTRIES = re.compile("|".join(name.replace("~", r"\.") for name in (
    "pypi~" + "org", "python" + "hosted~", "anaconda~" + "org", "conda~" + "anaconda", "npmjs~" + "org",
    "prefix~" + "dev",
)))  # fmt: skip


def text_of(path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_path_of_somebodys_machine(root, files):
    assert [str(p.relative_to(root)) for p in files if MACHINE_PATHS.search(text_of(p))] == []


def test_no_file_names_a_package_registry(root, files):
    assert [str(p.relative_to(root)) for p in files if REGISTRIES.search(text_of(p))] == []


def test_lock_and_environment_files_hold_no_address_at_all(root):
    names = ("requirements.lock", "environment.yml", "binder/environment.yml", "binder/apt.txt", ".ci/apt.txt")
    assert [name for name in names if re.search(r"://|^\s*--|@ ", text_of(root / name), flags=re.MULTILINE)] == []


def test_no_notebook_is_committed_with_outputs(root, files):
    dirty = []
    for path in (p for p in files if p.suffix == ".ipynb"):
        cells = [cell for cell in json.loads(text_of(path))["cells"] if cell["cell_type"] == "code"]
        if any(cell["outputs"] or cell["execution_count"] is not None for cell in cells):
            dirty.append(str(path.relative_to(root)))
    assert dirty == []


def test_no_secret_and_no_large_file_is_in_the_repository(files, tool):
    guard = tool("guard")
    assert [fault for path in files for fault in guard.faults(path)] == []


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("key = 'PK" + "A1B2C3D4E5F6G7H8I9'", "an Alpaca key id"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
        ("AWS=AKIA" + "IOSFODNN7ABCDEFG", "an AWS key id"),
        ("token: gh" + "p_" + "a1B2" * 9, "a GitHub token"),
        ("ALPACA_API_SECRET_KEY=" + "a8Jk2mQ9xZ7cV4bN1sD6fG3hW5eR0tY", "an assigned secret"),
        ('"password": "' + "q1W2e3R4t5Y6u7I8o9P0aSdF" + '"', "an assigned secret"),
        ("redis://user:" + "x9Kq2mV7nB4z@host:6379", "a password in an address"),
    ],
)
def test_a_secret_is_recognised_with_its_line(tool, line, kind):
    assert list(tool("guard").secrets_in(f"first\n{line}\n")) == [(2, kind)]


@pytest.mark.parametrize(
    "line",
    [
        "ALPACA_API_SECRET_KEY=",
        "secret = settings.secret('ALPACA_API_SECRET_KEY')",
        "api_key = os.environ['SOME_VERY_LONG_ENVIRONMENT_VARIABLE_NAME']",
        "token = next_page_token_from_the_last_response",
        "fingerprint = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae'",
        "password: a-very-long-but-human-pass-phrase",
        "key = 'PK" + "A1B2C3D4E5F6G7H8I9'  # not a secret: made up for a test",
    ],
)
def test_what_only_resembles_a_secret_passes(tool, line):
    assert list(tool("guard").secrets_in(line)) == []


def test_the_guard_refuses_a_file_of_settings_and_a_large_file(tool, tmp_path, capsys):
    settings, large = tmp_path / ".env", tmp_path / "prices.csv"
    settings.write_text("A=1\n")
    large.write_bytes(b"1" * 700_000)
    assert tool("guard").main([str(settings), str(large), str(tmp_path / "absent")]) == 1
    said = capsys.readouterr().err
    assert "holds keys" in said
    assert "700,000 bytes is over the limit of 600,000" in said


def test_the_guard_never_repeats_the_secret(tool, tmp_path, capsys):
    secret = "a8Jk2mQ9xZ7c" + "V4bN1sD6fG3hW5eR0tY"
    (tmp_path / "config.py").write_text(f"api_key = '{secret}'\n")
    assert tool("guard").main([str(tmp_path / "config.py")]) == 1
    assert secret not in capsys.readouterr().err
