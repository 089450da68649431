"""What `qtw doctor` finds: real files, real sockets on loopback, the installed distribution's own metadata."""

import gzip
import http.server
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from packaging.requirements import Requirement

from qtw_lab.core import Settings
from qtw_lab.lab import doctor


class WiderSettings(Settings):
    """The settings with the addresses that later rooms bring."""

    redis_url: str | None = None
    ollama_endpoint: str | None = None


def settings(**given: object) -> Settings:
    return Settings(_env_file=None, **given)


def found(what: str, given: Settings) -> doctor.Finding:
    return next(finding for finding in doctor.examine(given) if finding.what == what)


@contextmanager
def answering(reply: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a loopback server that treats each connection with `reply`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    reply(link)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


@pytest.fixture
def no_port() -> int:
    """A loopback port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY", "QTW_STORAGE_DIR", "QTW_KEYRING"):
        monkeypatch.delenv(name, raising=False)


def test_the_whole_examination_ends_within_two_seconds_and_finds_this_python():
    began = time.perf_counter()
    findings = doctor.examine(settings())
    assert time.perf_counter() - began < 2
    assert doctor.Finding("Python", "ok", ".".join(map(str, sys.version_info[:3]))) in findings


def test_whatever_is_not_ok_comes_with_its_mend():
    assert all(finding.mend for finding in doctor.examine(settings()) if finding.state != "ok")


def test_no_thing_is_reported_twice():
    names = [finding.what for finding in doctor.examine(settings())]
    assert len(set(names)) == len(names)


def test_the_core_and_the_test_tools_are_found_with_their_versions():
    core, dev = found("core libraries", settings()), found("extra dev", settings())
    assert core.state == dev.state == "ok"
    assert "numpy " in core.detail
    assert f"pytest {pytest.__version__}" in dev.detail


def test_the_doctor_imports_no_library_it_looks_for():
    heavy = ("numba", "vectorbt", "bokeh", "sklearn", "plotly", "cv2", "duckdb", "ipykernel", "skfolio", "keyring")
    code = (
        "import sys; from qtw_lab.core import Settings; from qtw_lab.lab.doctor import examine; "
        "before = set(sys.modules); examine(Settings()); "
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_an_absent_library_of_an_extra_is_optional_and_names_the_extra():
    finding = doctor.library_finding("extra live", "live", [Requirement("no-such-thing-here>=1"), Requirement("numpy")])
    assert finding.state == "optional"
    assert finding.detail == "not installed: no-such-thing-here"
    assert finding.mend.endswith("-m pip install 'qtw-lab[live]'")


def test_an_absent_library_of_the_core_is_missing():
    assert doctor.library_finding("core libraries", "", [Requirement("no-such-thing-here")]).state == "missing"


def test_a_library_of_a_wrong_version_is_missing_even_in_an_extra():
    finding = doctor.library_finding("extra live", "live", [Requirement("numpy<1")])
    assert finding.state == "missing"
    assert "is not <1" in finding.detail


def test_a_distribution_whose_module_is_gone_counts_as_absent(monkeypatch):
    monkeypatch.setitem(doctor._MODULES, "numpy", "no_such_module_here")
    assert doctor.installed_version("numpy") is None


def test_a_module_without_a_distribution_counts_as_absent():
    assert doctor.installed_version("json") is None


def test_a_storage_folder_that_does_not_exist_yet_is_fine_and_is_not_made(tmp_path):
    folder = tmp_path / "a" / "b"
    finding = found("storage folder", settings(qtw_storage_dir=folder))
    assert finding.state == "ok"
    assert "made when first used" in finding.detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_storage_on_or_below_a_file_is_missing(tmp_path, inside):
    (tmp_path / "file").write_text("in the way")
    finding = found("storage folder", settings(qtw_storage_dir=tmp_path / "file" / inside))
    assert finding.state == "missing"
    assert "QTW_STORAGE_DIR" in finding.mend


def test_a_nearly_full_disk_is_missing(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10**10, 10**10 - 5 * 10**8, 5 * 10**8))
    finding = found("free disk", settings(qtw_storage_dir=tmp_path))
    assert finding.state == "missing"
    assert finding.detail == "0.50 GB, less than 1 GB"


def test_the_bundled_prices_are_readable():
    assert found("prices of bokeh_sampledata", settings()).state == "ok"


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip at all", gzip.compress(b"a,b\n1,2\n" * 500)[:-9], gzip.compress(b"a,b\n")],
    ids=["empty", "no gzip", "cut off", "no rows"],  # the bytes hold the time of day, and would name two tests
)
def test_a_broken_bundled_file_is_missing(tmp_path, monkeypatch, content):
    package = tmp_path / "broken_prices"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "prices.csv.gz").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "_BUNDLED", (("broken_prices", "prices.csv.gz", ""),))
    [finding] = doctor.bundled_data(settings())
    assert finding.state == "missing"
    assert "--force-reinstall broken_prices" in finding.mend


def test_a_package_of_prices_that_is_not_installed_is_optional_only_if_an_extra_brings_it(monkeypatch):
    monkeypatch.setattr(doctor, "_BUNDLED", (("absent_a", "x.gz", ""), ("absent_b", "x.gz", "backtest")))
    assert [finding.state for finding in doctor.bundled_data(settings())] == ["missing", "optional"]


@pytest.mark.parametrize("spec", [None, "{", "[]", '{"argv": []}', '{"argv": ["/elsewhere/bin/python"]}'])
def test_a_kernel_that_would_not_start_this_python_is_missing(tmp_path, monkeypatch, spec):
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path))
    folder = tmp_path / "share" / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    if spec is not None:
        (folder / "kernel.json").write_text(spec)
    [finding] = doctor.kernel(settings())
    assert finding.state == "missing"
    assert finding.mend.endswith("-m ipykernel install --sys-prefix")


@pytest.mark.parametrize("program", ["python", sys.executable])
def test_a_kernel_of_this_python_is_ok(tmp_path, monkeypatch, program):
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path))
    folder = tmp_path / "share" / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(f'{{"argv": ["{program}", "-m", "ipykernel_launcher"]}}')
    assert [finding.state for finding in doctor.kernel(settings())] == ["ok"]


def test_a_program_is_found_on_the_path_or_optional(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {finding.state for finding in doctor.programs(settings())} == {"optional"}
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert found("Tesseract", settings()) == doctor.Finding("Tesseract", "ok", str(program))


def test_without_alpaca_keys_they_are_optional():
    assert found("Alpaca keys", settings()).state == "optional"


def test_one_alpaca_key_without_the_other_is_missing():
    finding = found("Alpaca keys", settings(alpaca_api_key_id="PKID"))
    assert finding.state == "missing"
    assert "ALPACA_API_SECRET_KEY" in finding.detail


def test_keys_and_passwords_are_never_shown(no_port):
    secret = "n0t-to-be-seen"
    given = WiderSettings(
        _env_file=None,
        alpaca_api_key_id=secret,
        alpaca_api_secret_key=secret,
        redis_url=f"redis://user:{secret}@127.0.0.1:{no_port}/0",
        ollama_endpoint=f"http://user:{secret}@127.0.0.1:{no_port}",
    )
    findings = doctor.examine(given)
    assert next(f for f in findings if f.what == "Alpaca keys").state == "ok"
    assert secret not in repr(findings)


def test_a_service_without_a_setting_of_its_own_is_not_mentioned():
    assert "Ollama" not in {finding.what for finding in doctor.examine(settings())}


def test_a_service_that_is_not_configured_is_optional_and_not_contacted():
    given = WiderSettings(_env_file=None)
    assert [found(what, given).state for what in ("Redis", "Ollama")] == ["optional", "optional"]


@pytest.mark.parametrize(
    ("reply", "state", "detail"),
    [
        (b"+PONG\r\n", "ok", "answers"),
        (b"-NOAUTH Authentication required.\r\n", "ok", "asks for a password"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "missing", "something other than Redis"),
        (b"", "missing", "something other than Redis"),
    ],
)
def test_redis_is_known_by_its_answer_to_ping(reply, state, detail):
    heard = []

    def pong(link: socket.socket) -> None:
        heard.append(link.recv(64))
        link.sendall(reply)

    with answering(pong) as port:
        finding = found("Redis", WiderSettings(_env_file=None, redis_url=f"redis://127.0.0.1:{port}/0"))
    assert heard == [b"PING\r\n"]
    assert finding.state == state
    assert detail in finding.detail


def test_a_server_that_is_not_there_is_missing(no_port):
    finding = found("Redis", WiderSettings(_env_file=None, redis_url=f"redis://127.0.0.1:{no_port}"))
    assert finding.state == "missing"
    assert finding.mend == "redis-server --bind 127.0.0.1"


def test_servers_that_accept_and_stay_mute_do_not_hold_up_the_examination():
    quiet = threading.Event()
    with answering(lambda link: quiet.wait(4)) as one, answering(lambda link: quiet.wait(4)) as two:
        given = WiderSettings(
            _env_file=None, redis_url=f"redis://127.0.0.1:{one}", ollama_endpoint=f"http://127.0.0.1:{two}"
        )
        began = time.perf_counter()
        states = [finding.state for finding in doctor.examine(given) if finding.what in ("Redis", "Ollama")]
        took = time.perf_counter() - began
        quiet.set()
    assert states == ["missing", "missing"]
    assert took < 2


@pytest.mark.parametrize("address", ["http://", "http://host:port", "://", "http://127.0.0.1:99999", "http://[::1"])
def test_an_address_that_is_none_is_missing_not_a_crash(address):
    assert found("Ollama", WiderSettings(_env_file=None, ollama_endpoint=address)).state == "missing"


@pytest.mark.parametrize(
    ("body", "state"), [(b'{"version": "0.9.1"}', "ok"), (b"<html>", "missing"), (b"[]", "missing"), (b"{}", "missing")]
)
def test_ollama_is_known_by_its_version(body, state):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/api/version" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        finding = found("Ollama", WiderSettings(_env_file=None, ollama_endpoint=f"127.0.0.1:{server.server_port}"))
        server.shutdown()
        thread.join()
    assert finding.state == state
