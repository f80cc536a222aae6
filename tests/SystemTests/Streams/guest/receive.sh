#!/usr/bin/env bash
# receive.sh STREAM BASE CUT…: cuts the receive of a stream after so many bytes, continues it from the stored stream by
# the token that ZFS keeps, and compares what is received with a receive that was not cut. BASE: file of the full stream
# it is incremental to, or "-".
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
stream=$1 base=$2
shift 2
folder=$(dirname "$stream")

prepare() {
  destroy "$pool/copy"
  [[ $base == - ]] || zfs receive -u "$pool/copy" <"$base"
}

describe() {
  local snapshot
  snapshot=$(zfs list -H -o name -t snapshot -s createtxg "$pool/copy" | tail -n 1 | cut -d@ -f2)
  "$here/describe.sh" "$pool/copy" "$snapshot"
}

prepare
zfs receive -u "$pool/copy" <"$stream"
describe >"$folder/expected"
for cut in "$@"; do
  prepare
  if head -c "$cut" "$stream" | zfs receive -s -u "$pool/copy" 2>"$folder/notes"; then
    echo "not cut at $cut"
    exit 1
  fi
  token=-
  zfs list "$pool/copy" >/dev/null 2>&1 && token=$(zfs get -H -o value receive_resume_token "$pool/copy")
  if [[ $token == - ]]; then
    echo "nothing kept $cut"
    continue
  fi
  zfs-restore stream resume-receive "$token" "$stream" >"$folder/rest"
  zfs receive -s -u "$pool/copy" <"$folder/rest"
  describe | diff "$folder/expected" - >"$folder/notes" || {
    echo "differs after $cut:"
    head -n 20 "$folder/notes"
    exit 1
  }
  echo "same $cut, of $(stat -c %s "$stream") bytes $(stat -c %s "$folder/rest")"
done
destroy "$pool/copy"
