#!/usr/bin/env bash
# check.sh KIND SEED: proves on real ZFS that merging a random history changes nothing: what is received of the merged streams equals
# what is received of the chain, in every file, attribute, object and GUID; the next incremental applies; a scrub finds nothing.
set -euo pipefail
kind=$1 seed=$2
here=$(dirname "$0")
work=/tmp/merge-$kind-$seed

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

clean() { for d in look described origin chain full part; do destroy tank/$d; done; }
trap 'rm -rf "$work"; clean' EXIT
clean
mkdir -p "$work"

"$here/history.sh" "$kind" "$seed" "$work"
receive() { zfs receive -u "$@"; }
merge() { zfs-restore stream merge "$@"; }

for i in 1 2 3 4 5; do receive tank/chain <"$work/s$i.zfs"; done
merge "$work"/s{1,2,3,4,5}.zfs | receive tank/full
receive tank/part <"$work/s1.zfs"
merge "$work"/s{2,3,4}.zfs >"$work/m.zfs"
zfs-restore stream verify "$work/m.zfs" >/dev/null
receive tank/part <"$work/m.zfs"
receive tank/part <"$work/s5.zfs"

compare() {
  local snapshot=$1 with=() d
  [[ ${2:-} ]] && with=("$2")
  "$here/describe.sh" tank/chain "$snapshot" "${with[@]}" >"$work/chain.txt"
  for d in full part; do
    "$here/describe.sh" tank/$d "$snapshot" "${with[@]}" >"$work/$d.txt"
    diff "$work/chain.txt" "$work/$d.txt" | head -n 20 && cmp -s "$work/chain.txt" "$work/$d.txt" ||
      { echo "$kind $seed: $d differs from the chain at $snapshot"; exit 1; }
  done
}

compare s5
for d in chain full part; do receive tank/$d <"$work/s6.zfs"; done
compare s6 with-key
# A merge of merged streams is one as well.
merge "$work"/s{1,2}.zfs >"$work/m12.zfs"
merge "$work"/s{3,4,5,6}.zfs >"$work/m36.zfs"
destroy tank/full
merge "$work/m12.zfs" "$work/m36.zfs" | receive tank/full
destroy tank/part
merge "$work"/s{1,2,3,4,5,6}.zfs | receive tank/part
compare s6 with-key
echo "ok $kind $seed: $(wc -l <"$work/chain.txt") lines, $(cat "$work"/s?.zfs | wc -c) bytes"
