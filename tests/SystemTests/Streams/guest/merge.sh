#!/usr/bin/env bash
# merge.sh KIND SEED: proves on real ZFS that merging a random history changes nothing: what is received of the merged
# streams equals what is received of the chain, in every file, attribute, object and GUID; the next incremental applies;
# a scrub finds nothing.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
kind=$1 seed=$2
work=/tmp/merge-$kind-$seed

clean() { for d in look described origin chain whole full part; do destroy "$pool/$d"; done; }
trap 'rm -rf "$work"; clean' EXIT
clean
mkdir -p "$work"

"$here/history.sh" "$kind" "$seed" "$work"
receive() { zfs receive -u "$@"; }
merge() { zfs-restore stream merge "$@"; }

for i in 1 2 3 4 5 6; do receive "$pool/chain" <"$work/s$i.zfs"; done

merge "$work"/s{1,2,3,4,5,6}.zfs | receive "$pool/whole"

# A merge of merged streams is one as well, and takes the next incremental.
merge "$work"/s{1,2}.zfs >"$work/m12.zfs"
merge "$work"/s{3,4,5}.zfs >"$work/m35.zfs"
merge "$work/m12.zfs" "$work/m35.zfs" | receive "$pool/full"

merge "$work"/s{2,3,4}.zfs >"$work/m24.zfs"
zfs-restore stream verify "$work/m24.zfs" >/dev/null
receive "$pool/part" <"$work/s1.zfs"
receive "$pool/part" <"$work/m24.zfs"
receive "$pool/part" <"$work/s5.zfs"
for d in full part; do receive "$pool/$d" <"$work/s6.zfs"; done

# What is encrypted has to be equal in all its structure; else holes may be written in another way.
describe() {
  if [[ $kind == raw* ]]; then "$here/describe.sh" "$@"; else "$here/describe.sh" "$@" | grep -v '^send '; fi
}

describe "$pool/chain" s6 files >"$work/chain.txt"
for d in full part whole; do
  describe "$pool/$d" s6 files >"$work/$d.txt"
  cmp -s "$work/chain.txt" "$work/$d.txt" && continue
  echo "$kind $seed: $d differs from the chain"
  diff "$work/chain.txt" "$work/$d.txt" | head -n 20
  exit 1
done

diff <(describe "$pool/origin" s6 files | grep -vE '^(send|records) ') \
  <(grep -vE '^(send|records) ' "$work/chain.txt") | head -n 20
[[ ${PIPESTATUS[0]} == 0 ]] || { echo "$kind $seed: the chain differs from where it came from"; exit 1; }
zpool scrub -w "$pool"
zpool status -x "$pool" | grep -q 'is healthy' || { zpool status -v "$pool"; exit 1; }
echo "ok $kind $seed: $(wc -l <"$work/chain.txt") lines, $(cat "$work"/s?.zfs | wc -c) bytes"
