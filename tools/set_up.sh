#!/usr/bin/env bash
# Makes the virtual environment that everything runs in: tools/set_up.sh PYTHON VENV.
#
# May be interrupted and run again at any point: what is there and fits is kept. Pip's own
# configuration (indexes, wheel folders, caches) holds.
set -euo pipefail
cd "${BASH_SOURCE[0]%/*}/.."
python=$1 venv=$2

if [[ $PWD =~ [[:space:]] ]]; then
    echo "the checkout's path must be without spaces, which Verilator cannot build in, not '$PWD'" >&2
    exit 2
fi

missing=() packages=()
need() { # need WHAT PACKAGE COMMAND...: the command succeeds where WHAT is there
    local what=$1 package=$2
    shift 2
    "$@" >/dev/null 2>&1 || { missing+=("$what") packages+=("$package"); }
}
shared_libpython() {
    "$python" - <<'END'
import ctypes.util, pathlib, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or ""
there = pathlib.Path(sysconfig.get_config_var("LIBDIR") or "", name).is_file()
found = ctypes.util.find_library(f"python{sys.version_info.major}.{sys.version_info.minor}")
sys.exit(not (".so" in name and there or found))
END
}

need "a C++ compiler (g++)" g++ command -v g++
need perl perl command -v perl
need "Python 3.11 ($python)" python3.11 "$python" -c 'import sys; assert sys.version_info[:2] == (3, 11)'
if ((${#missing[@]} == 0)) || [[ ${packages[-1]} != python3.11 ]]; then
    need "Python's venv module" python3.11-venv "$python" -c 'import ensurepip, venv'
    need "Python's shared library" libpython3.11 shared_libpython
fi
if ((${#missing[@]})); then
    printf 'missing: %s\n' "${missing[@]}" >&2
    printf 'on Debian or Ubuntu: sudo apt install %s\n' "${packages[*]}" >&2
    exit 2
fi

pin=$(sed -n 's/^torch==//p' constraints.txt)
options=()
if "$python" - "$pin" <<'END' 2>/dev/null
import importlib.metadata, sys
sys.exit(importlib.metadata.version("torch").partition("+")[0] != sys.argv[1])
END
then
    echo "set-up: $python has torch $pin: reusing it"
    options+=(--system-site-packages)
fi

# An environment without a working pip is what an interrupted set-up leaves behind.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "set-up: making $venv"
    "$python" -m venv --clear "${options[@]}" "$venv"
fi
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt)
echo "set-up: installing what constraints.txt pins (some minutes the first time)"
"${pip[@]}" setuptools
"${pip[@]}" --no-build-isolation --editable '.[test]'
