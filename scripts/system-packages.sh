#!/bin/sh
# The Debian packages that the tests use: a browser, fonts for its screenshots, PostgreSQL, a sandbox.
# As root on Debian they are installed. Elsewhere tests that need one are skipped, with CI=true refused.
set -eu
wanted="bubblewrap chromium fonts-noto-cjk fonts-noto-color-emoji postgresql"

if command -v dpkg-query >/dev/null 2>&1; then
  missing=""
  for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
  done
  [ -n "$missing" ] || exit 0
else
  missing=" $wanted"
fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing$missing"
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1   # RUNLEVEL: start no service
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing </dev/null
elif [ "${CI:-}" = true ]; then
  echo "These packages are needed and this is not root on Debian:$missing" >&2
  exit 1
else
  echo "Not installed:$missing"
  echo "Tests that need them are skipped, or use what PyPI has. On Debian or Ubuntu: sudo apt-get install$missing"
fi
