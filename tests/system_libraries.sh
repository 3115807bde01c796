#!/bin/sh
# MediaPipe loads libEGL and libGLESv2, OpenCV libGL and glib. Install what is missing where that is
# possible (Debian and its relatives, as root); say what is missing where it is not.
set -eu

missing=
for pair in libEGL.so.1:libegl1 libGLESv2.so.2:libgles2 libGL.so.1:libgl1 libglib-2.0.so.0:libglib2.0-0; do
    ldconfig -p 2>/dev/null | grep -q "${pair%%:*} " || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet --quiet
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends $missing
else
    echo "error: system libraries are missing. Install them first: sudo apt-get install$missing" >&2
    exit 6
fi
