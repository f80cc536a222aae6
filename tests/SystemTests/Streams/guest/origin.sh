#!/usr/bin/env bash
# origin.sh KIND SEED FOLDER: what history.sh makes, of three snapshots, in an empty folder; and bookmark.zfs,
# incremental to a bookmark.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
kind=$1 seed=$2 out=$3
destroy "$pool/copy"
destroy "$pool/origin"
rm -rf "$out"
mkdir -p "$out"
"$here/history.sh" "$kind" "$seed" "$out" 3
zfs bookmark "$pool/origin@s2" "$pool/origin#s2"
options=(-L)
case $kind in
  compressed) options=(-L -c -e) ;;
  raw*) options=(-w) ;;
esac
zfs send "${options[@]}" -i '#s2' "$pool/origin@s3" >"$out/bookmark.zfs"
