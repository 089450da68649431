#!/bin/sh
# Makes the virtual environment and installs the locked set into it. Called by `make setup`.
# usage: tools/setup.sh FOLDER [PYTHON]
set -eu

venv=$1
asked=${2:-}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

fail() {
    printf 'make setup: %s\n' "$*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "$asked" ]; then
        is_new_enough "$asked" || fail "$asked is not a Python 3.11 or newer. Name another with: make setup PYTHON=/path/to/python3.11"
        echo "$asked"
        return
    fi
    # 3.11 first: the lock was made for it.
    for name in python3.11 python3.12 python3.13 python3 python; do
        if is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer was found. Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.11), or name it with: make setup PYTHON=/path/to/python3.11"
}

if ! is_new_enough "$venv/bin/python"; then
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$python cannot make virtual environments. On Debian and Ubuntu run: apt-get install python3-venv"
    echo "Making $venv with $("$python" --version 2>&1)"
    "$python" -m venv --clear "$venv" || fail "could not make $venv. Is the disk full, or the folder read-only?"
fi

inside="$venv/bin/python"
"$inside" -m pip --version >/dev/null 2>&1 || "$inside" -m ensurepip --upgrade >/dev/null

# uv is several times faster; pip does the same work where uv is not to be had or cannot reach the index pip is set to.
if ! "$inside" -m uv --version >/dev/null 2>&1; then
    "$inside" -m pip install --quiet uv || echo "uv could not be installed; going on with pip, which takes longer."
fi
install() {
    if "$inside" -m uv --version >/dev/null 2>&1; then
        UV_LINK_MODE=${UV_LINK_MODE:-copy} "$inside" -m uv pip install --quiet --compile-bytecode --python "$inside" "$@" && return
        echo "uv did not succeed; trying the same with pip."
    fi
    "$inside" -m pip install --quiet "$@"
}

echo "Installing the locked set into $venv (a few minutes the first time)"
install -r requirements.lock || fail "the locked packages could not be installed; the lines above say why. Check the network and free disk space (about 2 GB), then run make setup again"
install --no-deps --no-build-isolation -e . || fail "the project itself could not be installed; the lines above say why"

# What is compiled now no later process has to wait for: first to byte code, which halves the time of every start...
"$inside" -m compileall -q qtw_lab || echo "The byte code could not be written; every start will take longer."
# ...then to machine code.
"$inside" -m qtw_lab.backtest.warm || echo "The simulation could not be compiled ahead; its first use will take longer."
"$inside" -m qtw_lab.live.warm || echo "The realtime engine could not be compiled ahead; its first start will take longer."

# JupyterLab asks a server on the internet for news unless told otherwise.
settings="$venv/share/jupyter/lab/settings"
mkdir -p "$settings"
cp tools/overrides.json "$settings/overrides.json"
echo "Ready. Next: make demo"
