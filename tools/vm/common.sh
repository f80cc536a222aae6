# shellcheck shell=bash disable=SC2034 # the names set here are for the files that read this one
# Paths, messages and small helpers shared by ./zfs-vm and the build steps in this folder.

VM_TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(cd "$VM_TOOLS/../.." && pwd)
CACHE_ROOT=${ZSM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zfs-snapshot-manager}
VM_CACHE=$CACHE_ROOT/vm

say() { printf 'zfs-vm: %s\n' "$*" >&2; }

die() {
  printf 'zfs-vm: error: %s\n' "$*" >&2
  exit 1
}

# One short hash over the contents of files: the part of a cache key that changes when a build script does.
hash_files() {
  local hash
  hash=$(cat "$@" | sha256sum)
  printf '%s' "${hash:0:12}"
}

# Runs a build step with its output in the log; progress lines go to the terminal through fd 3.
logged() {
  local what=$1 began=$SECONDS
  shift
  say "$what …"
  printf '\n### %s: %s\n' "$(date -u +%FT%TZ)" "$what" >>"$BUILD_LOG"
  # Not `if "$@"`: that would switch `set -e` off inside the step, and a failed command in its middle would go unseen.
  set +e
  (set -e; "$@") >>"$BUILD_LOG" 2>&1 </dev/null
  local code=$?
  set -e
  if ((code != 0)); then
    tail -n 15 "$BUILD_LOG" | sed 's/^/    /' >&2
    die "$what failed (exit code $code). Full log: $BUILD_LOG"
  fi
  say "$what: done ($((SECONDS - began)) s)"
}

# Runs a command as root: directly, or through sudo when there is one.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n "$@"
  else
    echo "this needs root, and there is no sudo: run it as root, or install the packages named above by hand" >&2
    return 1
  fi
}
