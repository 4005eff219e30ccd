#!/usr/bin/env bash
# Installs what scripts/dependencies.txt lists: Debian packages, and Python packages into .venv. Quick when all is there.
# Usage: scripts/setup.sh [--cuda] [--optional]   --cuda adds CUDA's compiler, headers and libraries, for machines without NVIDIA's toolkit
# (1.3 GB; the build finds them there); --optional adds the packages that only comparisons need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly list=scripts/dependencies.txt venv=.venv

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
section() { awk -v want="[$1]" '/^[[:space:]]*(#|$)/ {next} /^\[/ {on = ($0 == want); next} on' "$list"; }

missing_debian_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | awk '$1 == "installed" {print $2}')
  comm -23 <(section debian | sort -u) <(sort -u <<<"$installed")
}

install_debian_packages() {
  local -a root=() missing
  if ! command -v dpkg-query >/dev/null; then
    say "this is not a Debian or Ubuntu system; it has to provide: $(section debian | tr '\n' ' ')"
    return
  fi
  mapfile -t missing < <(missing_debian_packages)
  ((${#missing[@]} == 0)) && return
  say "missing Debian packages: ${missing[*]}"
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! sudo -v; then
      fail "neither root nor sudo. Ask an administrator to run: apt-get install --no-install-recommends ${missing[*]}"
    fi
    root=(sudo)
  fi
  local -a apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  say "updating the package lists"
  "${apt[@]}" update -q
  "${apt[@]}" install -y -q --no-install-recommends "${missing[@]}" || fail "apt-get could not install: ${missing[*]}"
}

# Python 3.11 or newer that can make environments; the system's first, then whatever `python3` is.
find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  fail "no Python 3.11 or newer with the modules venv and ensurepip (Debian package python3-venv)"
}

# Prints the pins of stdin that the environment does not hold.
missing_pins() {
  "$venv/bin/python" -c '
import sys
from importlib import metadata
for pin in sys.stdin.read().split():
    name, version = pin.split("==")
    try:
        held = metadata.version(name)
    except metadata.PackageNotFoundError:
        held = None
    if held != version:
        print(pin)'
}

install_python_packages() {
  local name=$1 python stamp hash
  shift
  hash=$(sha256sum "$list" | cut -d' ' -f1)
  stamp=$venv/kiln_$name.stamp
  if [[ -x $venv/bin/python && -f $stamp && $(<"$stamp") == "$hash" ]] && "$venv/bin/python" -c ''; then
    return
  fi
  if ! { [[ -x $venv/bin/python ]] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python)
    say "making the environment $venv with $python"
    "$python" -m venv --clear "$venv"
  fi
  local -a missing
  mapfile -t missing < <(section "$name" | missing_pins)
  if ((${#missing[@]} > 0)); then
    say "installing into $venv: ${missing[*]}"
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@" "${missing[@]}" ||
      fail "pip could not install: ${missing[*]}"
  fi
  echo "$hash" >"$stamp"
}

optional=false cuda=false
for argument in "$@"; do
  case $argument in
    --cuda) cuda=true ;;
    --optional) optional=true ;;
    -h | --help)
      sed -n '2,/^set /{/^#/s/^# //p}' scripts/setup.sh
      exit 0
      ;;
    *) fail "unknown argument '$argument'; known: --cuda, --optional" ;;
  esac
done
install_debian_packages
install_python_packages python --no-deps
if $cuda; then
  install_python_packages python-cuda --no-deps
  say "programs find CUDA's libraries with LD_LIBRARY_PATH=$(echo "$PWD/$venv"/lib/python3*/site-packages/nvidia/{cu13,cudnn}/lib | tr ' ' :)"
fi
if $optional; then install_python_packages python-optional; fi
say "all dependencies are there"
