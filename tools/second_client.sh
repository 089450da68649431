#!/bin/sh
# Makes the environment of a second Alpaca client, for the tests of the simulator. The project never imports from it.
# usage: tools/second_client.sh [FOLDER] [PYTHON]
set -eu

cd "$(dirname "$0")/.."
venv=${1:-.venv-second}
python=${2:-.venv/bin/python}
# The client as it is, with the libraries of its time; its own pin of msgpack, which only its streams use, has no wheel
# for this Python.
client="alpaca-trade-api==3.2.0"
libraries="requests>=2.32,<3 urllib3<2 pandas>=2.2,<3 numpy<3 websocket-client<2 websockets<11 msgpack>=1.0.3,<2 \
aiohttp>=3.8.3,<4 PyYAML>=6.0.1,<7 deprecation==2.1.0"
mark="$venv/.installed"

[ -f "$mark" ] && [ "$(cat "$mark")" = "$client $libraries" ] && exit 0
[ -x "$python" ] || { echo "second_client: $python is not there; run make setup first." >&2; exit 1; }
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m venv --clear "$venv"
# Git must not see it, whatever the folder is called.
echo '*' >"$venv/.gitignore"
install() {
    if "$python" -m uv --version >/dev/null 2>&1 &&
        UV_LINK_MODE=${UV_LINK_MODE:-copy} "$python" -m uv pip install --quiet --python "$venv/bin/python" "$@"; then
        return
    fi
    "$venv/bin/python" -m pip install --quiet "$@"
}
# shellcheck disable=SC2086  # a list of requirements
install $libraries
install --no-deps "$client"
printf '%s' "$client $libraries" >"$mark"
echo "Ready: $venv"
