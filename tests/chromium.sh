#!/bin/sh
# The page's tests need a Chromium. Install Debian's where there is none and that is possible (as root).
set -eu

command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends chromium
else
    echo "error: there is no chromium. Install it first: sudo apt-get install chromium" >&2
    exit 6
fi
