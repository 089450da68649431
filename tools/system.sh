#!/usr/bin/env bash
# Installs the system packages the tests need (binder/apt.txt, .ci/apt.txt) where that is possible: as root, with apt-get.
# Anywhere else it says what is missing and goes on; the tests that need it then fail and say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted() { # packages named in the lists, comments and blank lines left out
  sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' binder/apt.txt .ci/apt.txt
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

retried() { # three attempts, because mirrors have bad moments
  local attempt
  for attempt in 1 2 3; do
    "$@" && return
    echo "system packages: attempt $attempt failed: $*" >&2
    sleep $((attempt * 5))
  done
  return 1
}

install_system_packages() {
  command -v apt-get >/dev/null || { echo "system packages: no apt-get here; system packages are left alone"; return; }
  local as_root=() missing=() package
  for package in $(wanted); do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      echo "system packages: not root, so these stay missing: ${missing[*]} (tests that need them will say so)" >&2
      return 0
    fi
    as_root=(sudo -n)
  fi
  echo "system packages: installing ${missing[*]}"
  retried "${as_root[@]}" apt-get update -q &&
    retried "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${missing[@]}"
}

install_system_packages ||
  echo "system packages: could not be installed; going on, tests that need them will say so" >&2
