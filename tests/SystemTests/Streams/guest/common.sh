# shellcheck shell=bash
# Sourced by the scripts of this folder, which run on the ZFS machine. POOL: a pool that may be used freely (tank).
set -euo pipefail
export LC_ALL=C.UTF-8
# shellcheck disable=SC2034 # used by those that source this
here=$(dirname "$0")
# shellcheck disable=SC2034
pool=${POOL:-tank}

# A snapshot that was mounted, or a volume that was looked at, stays busy for a moment.
destroy() {
  local i
  for ((i = 0; i < 100; i++)); do
    zfs list "$1" >/dev/null 2>&1 || return 0
    zfs destroy -R "$1" 2>/dev/null && return
    sleep 0.1
  done
  zfs destroy -R "$1"
}

# The device of a volume appears a moment after the volume.
wait_for() {
  local i
  for ((i = 0; i < 100; i++)); do [[ -b $1 ]] && return; sleep 0.1; done
  echo "$1 does not appear" >&2
  return 1
}
