"""What is installed, reachable and writable on this machine, and the command that mends each lack."""

from __future__ import annotations

import gzip
import http.client
import importlib.metadata
import importlib.util
import json
import os
import queue
import shutil
import socket
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import SecretStr

from qtw_lab.core import Settings

State = Literal["ok", "missing", "optional"]

DISTRIBUTION: Final = "qtw-lab"
LEAST_PYTHON: Final = (3, 11)
LEAST_FREE_BYTES: Final = 1_000_000_000

#: How long all outside services together may take to answer, in seconds.
PATIENCE: Final = 1.0

#: Distributions whose module is not simply their name with underscores; None: there is no module to find.
_MODULES: Final[dict[str, str | None]] = {
    "alpaca-py": "alpaca",
    "import-linter": "importlinter",
    "opencv-python-headless": "cv2",
    "pandas-stubs": None,
    "py-rattler": "rattler",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "ta-lib": "talib",
    "types-pyyaml": None,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Parameters
    ----------
    what : str
        The thing ("Redis").
    state : {"ok", "missing", "optional"}
        "missing" must be mended before the lab works as described; "optional" is absent and only some work needs it.
    detail : str
        What was found, in a few words; never a secret.
    mend : str
        The command or step that mends it; empty where there is nothing to do.
    """

    what: str
    state: State
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A server that a setting may point to.

    Parameters
    ----------
    what, setting : str
        Its name, and the field of `Settings` that holds its address.
    port : int
        Where it listens unless the address says otherwise.
    greeting : callable
        Host and port in, a few words on what answered out; raises OSError, ValueError or HTTPException if it did not.
    mend : str
        How to start it.
    """

    what: str
    setting: str
    port: int
    greeting: Callable[[str, int], str]
    mend: str


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Everything the lab can use on this machine, found or not, within two seconds.

    Looks at Python, the libraries of each extra, storage, disk, bundled prices, the notebook kernel, programs, keys and
    the servers named in the settings. Libraries are looked up, never imported; only configured hosts are contacted.

    Parameters
    ----------
    settings : Settings
        Where storage is and which servers and keys are set.

    Examples
    --------
    >>> [finding.state for finding in examine(Settings()) if finding.what == "Python"]
    ['ok']
    """
    answers = [_asked(service, settings) for service in SERVICES]
    findings = [finding for check in CHECKS for finding in check(settings)]
    findings += [answer for answer in (wait() for wait in answers) if answer is not None]
    return tuple(findings)


def python_version(_: Settings) -> Iterator[Finding]:
    """Whether Python is new enough."""
    shown = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, LEAST_PYTHON))
    if sys.version_info[:2] >= LEAST_PYTHON:
        yield Finding("Python", "ok", shown)
    else:
        yield Finding("Python", "missing", f"{shown}, older than {wanted}", "make setup PYTHON=python3.11")


def libraries(_: Settings) -> Iterator[Finding]:
    """Whether the core and each extra have their libraries, in versions that fit."""
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
        needs = [Requirement(text) for text in distribution.requires or ()]
    except (importlib.metadata.PackageNotFoundError, InvalidRequirement) as err:
        yield Finding("core libraries", "missing", f"{DISTRIBUTION} is not installed ({err})", _pip("--no-deps -e ."))
        return
    yield library_finding("core libraries", "", [need for need in needs if _applies(need, "")])
    for extra in distribution.metadata.get_all("Provides-Extra") or ():
        own = [need for need in needs if _applies(need, extra) and not _applies(need, "")]
        if own and extra != "all":
            yield library_finding(f"extra {extra}", extra, own)


def library_finding(what: str, extra: str, needs: Iterable[Requirement]) -> Finding:
    """One finding on a group of requirements: all there, none there, or something absent or of a wrong version.

    Parameters
    ----------
    what, extra : str
        What the group is called; the extra that installs it, empty for the core.
    needs : iterable of Requirement
        What must be installed.
    """
    there: list[str] = []
    absent: list[str] = []
    unfit: list[str] = []
    for need in needs:
        version = installed_version(need.name)
        if version is None:
            absent.append(need.name)
        elif not need.specifier.contains(version, prereleases=True):
            unfit.append(f"{need.name} {version} is not {need.specifier}")
        else:
            there.append(f"{need.name} {version}")
    if not absent and not unfit:
        return Finding(what, "ok", ", ".join(there))
    detail = "; ".join([*unfit, *(["not installed: " + ", ".join(absent)] if absent else [])])
    state: State = "optional" if extra and not unfit else "missing"
    return Finding(what, state, detail, _pip(f"'{DISTRIBUTION}[{extra}]'" if extra else f"'{DISTRIBUTION}'"))


def installed_version(name: str) -> str | None:
    """The installed version of a distribution; None if it, or the module it should bring, is not there."""
    module = _MODULES.get(canonicalize_name(name), canonicalize_name(name).replace("-", "_"))
    if module is not None and importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def storage(settings: Settings) -> Iterator[Finding]:
    """Whether the storage folder can be written, by writing to it, and how much room is left."""
    folder = settings.qtw_storage_dir.expanduser().absolute()
    mend = "set QTW_STORAGE_DIR to a folder that can be written"
    ground = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=ground) as trial:
            trial.write(b"trial")
    except OSError as err:
        yield Finding("storage folder", "missing", f"{folder} cannot be written ({err.strerror or err})", mend)
        return
    yield Finding("storage folder", "ok", str(folder) if ground == folder else f"{folder} (made when first used)")
    free = shutil.disk_usage(ground).free
    if free >= LEAST_FREE_BYTES:
        yield Finding("free disk", "ok", f"{free / 1e9:,.1f} GB")
    else:
        wanted = f"{free / 1e9:,.2f} GB, less than {LEAST_FREE_BYTES / 1e9:g} GB"
        yield Finding("free disk", "missing", wanted, "free some space, or " + mend)


#: Bundled prices: package, file within it, the extra that brings it.
_BUNDLED: Final = (
    ("bokeh_sampledata", "_data/stocks.csv.gz", ""),
    ("skfolio", "datasets/data/sp500_dataset.csv.gz", "backtest"),
)


def bundled_data(_: Settings) -> Iterator[Finding]:
    """Whether the price files that come with packages can be read."""
    for package, inside, extra in _BUNDLED:
        what = f"prices of {package}"
        spec = importlib.util.find_spec(package)
        mend = _pip(f"'{DISTRIBUTION}[{extra}]'" if extra else f"'{DISTRIBUTION}'")
        if spec is None or not spec.submodule_search_locations:
            yield Finding(what, "optional" if extra else "missing", "not installed", mend)
            continue
        path = Path(next(iter(spec.submodule_search_locations)), inside)
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                rows = sum(1 for _ in lines) - 1  # to the end, because a truncated file begins well
        except (OSError, EOFError, UnicodeDecodeError, zlib.error) as err:
            rows, fault = 0, str(err)
        else:
            fault = "it is empty"
        if rows > 0:
            yield Finding(what, "ok", f"{inside}, {rows:,} rows")
        else:
            yield Finding(what, "missing", f"{inside} cannot be read: {fault}", _pip(f"--force-reinstall {package}"))


def kernel(_: Settings) -> Iterator[Finding]:
    """Whether notebooks find a kernel, and it is this Python."""
    spec = Path(sys.prefix, "share", "jupyter", "kernels", "python3", "kernel.json")
    if importlib.util.find_spec("ipykernel") is None:
        yield Finding(
            "notebook kernel", "optional", "ipykernel is not installed", _pip(f"'{DISTRIBUTION}[dashboards]'")
        )
        return
    mend = f"{_python()} -m ipykernel install --sys-prefix"
    try:
        program = Path(json.loads(spec.read_text(encoding="utf-8"))["argv"][0])
    except (OSError, ValueError, LookupError, TypeError) as err:
        yield Finding("notebook kernel", "missing", f"no usable {spec} ({type(err).__name__})", mend)
        return
    if program.is_absolute() and program.parent != Path(sys.executable).parent:
        yield Finding("notebook kernel", "missing", f"python3 starts another Python: {program}", mend)
    else:
        yield Finding("notebook kernel", "ok", "python3")


#: Programs: name for people, commands any of which will do, what needs it, Debian's and Homebrew's package.
_PROGRAMS: Final = (
    ("Tesseract", ("tesseract",), "only reading text in chart images needs it", "tesseract-ocr", "tesseract"),
    (
        "Chromium",
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        "only the tests of pages in a browser need it",
        "chromium",
        "--cask chromium",
    ),
)


def programs(_: Settings) -> Iterator[Finding]:
    """Whether programs that are no Python packages are on the path."""
    for what, commands, need, debian, homebrew in _PROGRAMS:
        found = next(filter(None, map(shutil.which, commands)), None)
        mend = f"brew install {homebrew}" if sys.platform == "darwin" else f"sudo apt-get install {debian}"
        yield Finding(what, "ok", found) if found else Finding(what, "optional", f"not found; {need}", mend)


def alpaca_keys(settings: Settings) -> Iterator[Finding]:
    """Whether Alpaca's two keys are set; never what they are."""
    given = {
        "ALPACA_API_KEY_ID": settings.alpaca_api_key_id is not None,
        "ALPACA_API_SECRET_KEY": settings.alpaca_api_secret_key is not None,
    }
    absent = [name for name, is_set in given.items() if not is_set]
    names = " and ".join(absent)
    mend = f"put {names} into .env (see .env.example)"
    if not absent:
        yield Finding("Alpaca keys", "ok", "both are set")
    elif settings.qtw_keyring:
        yield Finding(
            "Alpaca keys", "optional", f"{' and '.join(absent)}: the keyring is asked when a key is needed", mend
        )
    elif len(absent) == 1:
        yield Finding("Alpaca keys", "missing", f"{names} is not set, the other one is", mend)
    else:
        yield Finding("Alpaca keys", "optional", "not set; only Alpaca's data and trading need them", mend)


#: Every look at this machine, in the order people read them.
CHECKS: Final = (python_version, libraries, storage, bundled_data, kernel, programs, alpaca_keys)


def _redis_greeting(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=PATIENCE) as link:
        link.sendall(b"PING\r\n")
        reply = link.recv(64)
    if not reply.startswith((b"+PONG", b"-NOAUTH", b"-DENIED")):
        raise ValueError("something other than Redis answers")
    return "answers" if reply.startswith(b"+") else "answers and asks for a password"


def _ollama_greeting(host: str, port: int) -> str:
    link = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        link.request("GET", "/api/version")
        reply = json.loads(link.getresponse().read(4096))
    finally:
        link.close()
    if not isinstance(reply, dict) or "version" not in reply:
        raise ValueError("something other than Ollama answers")
    return f"answers, version {str(reply['version'])[:20]}"


#: Servers asked for a sign of life, each only if `Settings` has its field and the field is set.
SERVICES: Final = (
    Service("Redis", "redis_url", 6379, _redis_greeting, "redis-server --bind 127.0.0.1"),
    Service("Ollama", "ollama_endpoint", 11434, _ollama_greeting, "ollama serve"),
)


def _asked(service: Service, settings: Settings) -> Callable[[], Finding | None]:
    """Ask `service` in the background; the call that is given back waits for its answer, at most `PATIENCE` seconds."""
    if service.setting not in type(settings).model_fields:
        return lambda: None
    given = getattr(settings, service.setting)
    address = given.get_secret_value() if isinstance(given, SecretStr) else given
    name = service.setting.upper()
    if not address:
        absent = Finding(service.what, "optional", f"{name} is not set", f"{service.mend}, then set {name}")
        return lambda: absent
    box: queue.Queue[Finding] = queue.Queue()
    # A daemon, so that a name server that never answers cannot hold up the end of the program.
    threading.Thread(target=lambda: box.put(_service_finding(service, str(address))), daemon=True).start()

    def wait() -> Finding:
        try:
            return box.get(timeout=PATIENCE)
        except queue.Empty:
            return Finding(service.what, "missing", f"no answer within {PATIENCE:g} s; see {name}", service.mend)

    return wait


def _service_finding(service: Service, address: str) -> Finding:
    """What `service` says at `address`; user name and password in the address are not shown."""
    name = service.setting.upper()
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port or service.port
    except ValueError:
        host, port = None, service.port
    if not host:
        return Finding(service.what, "missing", f"{name} is not an address", f"set {name} to one, with host and port")
    place = f"{host}:{port}"
    try:
        return Finding(service.what, "ok", f"{place} {service.greeting(host, port)}")
    except (OSError, ValueError, http.client.HTTPException) as err:
        return Finding(service.what, "missing", f"{place} does not answer ({err or type(err).__name__})", service.mend)


def _applies(need: Requirement, extra: str) -> bool:
    """Whether a requirement counts on this machine for the given extra."""
    return need.marker is None or need.marker.evaluate({"extra": extra})


def _pip(arguments: str) -> str:
    return f"{_python()} -m pip install {arguments}"


def _python() -> str:
    """The running Python as one types it here: relative if it lies below the working folder."""
    relative = os.path.relpath(sys.executable)
    return sys.executable if relative.startswith(os.pardir) else relative
