#!/bin/sh
# Makes the environment of the benchmarks' other tools. The project never imports from it.
# usage: tools/bench_setup.sh [FOLDER] [PYTHON]
set -eu

cd "$(dirname "$0")/.."
venv=${1:-.venv-bench}
python=${2:-.venv/bin/python}
wanted=tests/benchmarks/requirements.txt
mark="$venv/.installed"

cmp -s "$wanted" "$mark" && exit 0
[ -x "$python" ] || { echo "bench_setup: $python is not there; run make setup first." >&2; exit 1; }
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m venv --clear "$venv"
# Git must not see it, whatever the folder is called.
echo '*' >"$venv/.gitignore"
if "$python" -m uv --version >/dev/null 2>&1 &&
    UV_LINK_MODE=${UV_LINK_MODE:-copy} "$python" -m uv pip install --quiet --python "$venv/bin/python" -r "$wanted"; then
    :
else
    "$venv/bin/python" -m pip install --quiet -r "$wanted"
fi
cp "$wanted" "$mark"
echo "Ready: $venv"
