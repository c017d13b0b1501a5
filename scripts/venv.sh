#!/bin/sh
# Make a virtual environment with pip: usage scripts/venv.sh PYTHON FOLDER
# Debian and Ubuntu keep the venv module in a package of its own; as root it is installed.
set -eu
python=$1
folder=$2
[ ! -x "$folder/bin/pip" ] || exit 0

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3-venv </dev/null
  else
    echo "This Python has no venv module. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi
exec "$python" -m venv "$folder"
