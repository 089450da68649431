"""Notebooks saved through the REST API of a real JupyterLab that has the hook."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from qtw_lab.runs.saving import masked

VALUE, SETTING, FILED = "ambient-0123456789", "PK-setting-42", "filed/secret+77"


class Server:
    """JupyterLab, started as `make lab` does but for the browser."""

    def __init__(self, folder: Path, flag: str) -> None:
        (folder / "notebooks").mkdir()
        (folder / ".env").write_text(f"QTW_SMTP_URL={FILED}\n")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.root, self.token, self.log = folder / "notebooks", "test-token-of-the-server", folder / "log"
        given = {"SOME_PASSWORD": VALUE, "ALPACA_API_KEY_ID": SETTING, "JUPYTER_CONFIG_DIR": str(folder / "config"),
                 "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "JUPYTER_PREFER_ENV_PATH": "0",
                 "QTW_STORAGE_DIR": str(folder / "store")}  # fmt: skip
        words = [
            sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={self.port}", "--no-browser",
            "--allow-root", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}", flag,
        ]  # fmt: skip
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, cwd=folder, env={**os.environ, **given}, stderr=log, stdout=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("GET", "")
            except ConnectionRefusedError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text())

    def ask(self, verb: str, path: str, model: object = None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(
            verb, f"/api/contents/{path}", None if model is None else json.dumps(model),
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )  # fmt: skip
        answer = connection.getresponse()
        body = json.loads(answer.read() or b"{}")
        connection.close()
        return answer.status, body

    def save(self, name: str, model: object) -> tuple[int, str]:
        """The status, and what then lies on disk."""
        status, _ = self.ask("PUT", name, model)
        path = self.root / name
        return status, path.read_text() if path.exists() else ""

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    flag = re.search(r"^MASKED := (\S+)$", makefile, flags=re.MULTILINE)[1]
    running = Server(tmp_path_factory.mktemp("server"), flag)
    yield running
    running.close()


def model(*outputs, source="work()", **metadata):
    node = new_notebook(
        cells=[new_code_cell("first()"), new_code_cell(source, outputs=list(outputs))], metadata=metadata
    )
    return {"type": "notebook", "format": "json", "content": node}


def test_a_secret_in_an_output_is_masked_and_the_work_is_saved(server):
    outputs = [
        new_output("stream", text=f"key {VALUE}"),
        new_output(
            "execute_result", {"text/html": f"<b>{SETTING}</b>", "image/png": base64.b64encode(VALUE.encode()).decode()}
        ),
        new_output("error", ename="E", evalue=FILED, traceback=[f"at {FILED}"]),
    ]
    status, kept = server.save("a.ipynb", model(*outputs, source="my_work = 42", widgets={"state": {"v": VALUE}}))
    assert status == 201
    for value in (VALUE, SETTING, FILED, base64.b64encode(VALUE.encode()).decode()):
        assert value not in kept
    assert "key ***SOME_PASSWORD***" in kept
    assert "<b>***ALPACA_API_KEY_ID***</b>" in kept
    assert kept.count("***QTW_SMTP_URL***") == 2
    assert "my_work = 42" in kept
    log = server.log.read_text()
    assert (
        "Masked before a.ipynb was saved: the value of SOME_PASSWORD came out in cell 2, the states of widgets" in log
    )
    assert VALUE not in log


def test_a_notebook_without_secrets_is_saved_as_it_is(server):
    given = model(new_output("stream", text="nothing"), source="a = 1\nb = 2")
    status, kept = server.save("clean.ipynb", given)
    assert status == 201
    assert [cell["source"] for cell in json.loads(kept)["cells"]] == [["first()"], ["a = 1\n", "b = 2"]]
    assert "clean.ipynb" not in "".join(line for line in server.log.read_text().splitlines() if "Masked" in line)


def test_a_secret_in_a_source_stays_the_authors_and_is_named_in_the_log(server):
    status, kept = server.save("typed.ipynb", model(source=f"login({VALUE!r})"))
    assert (status, VALUE in kept) == (201, True)
    assert (
        "In the source of a cell of typed.ipynb: the value of SOME_PASSWORD came out in cell 2"
        in server.log.read_text()
    )


def test_a_notebook_saved_as_text_is_masked_too(server):
    text = json.dumps(model(new_output("stream", text=f"key {VALUE}"))["content"])
    status, kept = server.save("text.ipynb", {"type": "file", "format": "text", "content": text})
    assert (status, VALUE in kept, "***SOME_PASSWORD***" in kept) == (201, False, True)


def test_other_files_are_none_of_its_business(server):
    for name, content in (("a.txt", VALUE), ("half.ipynb", '{"cells": ')):
        assert server.save(name, {"type": "file", "format": "text", "content": content}) == (201, content)


def test_a_checkpoint_holds_no_secret_either(server):
    server.save("kept.ipynb", model(new_output("stream", text=VALUE)))
    assert server.ask("POST", "kept.ipynb/checkpoints")[0] == 201
    copies = list(server.root.rglob(".ipynb_checkpoints/kept*"))
    assert copies
    assert all(VALUE not in copy.read_text() for copy in copies)


def test_what_cannot_be_looked_through_is_not_saved(server):
    broken = {
        "type": "notebook",
        "format": "json",
        "content": {"cells": [3], "metadata": {}, "nbformat": 4, "nbformat_minor": 5},
    }
    status, answer = server.ask("PUT", "broken.ipynb", broken)
    assert status == 400
    assert "broken.ipynb was not saved: it could not be looked through for secrets" in answer["message"]
    assert not (server.root / "broken.ipynb").exists()


def test_a_setting_that_cannot_be_read_leaves_the_other_secrets_masked(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPACA_DATA_FEED", "no such feed")
    monkeypatch.setenv("SOME_PASSWORD", VALUE)
    given = model(new_output("stream", text=VALUE))
    masked(model=given, path="a.ipynb", contents_manager=SimpleNamespace(log=logging.getLogger("test")))
    assert given["content"]["cells"][1]["outputs"][0]["text"] == "***SOME_PASSWORD***"
    assert "Secrets in .env are not masked" in caplog.text
