#!/usr/bin/env bash
# merge-large-dnode.sh: a file system of a version before 5 with large dnodes. Before ffde77051c (July 2026, openzfs
# #18773) zfs receive loses blocks of its files that an incremental stream does not repeat. What is received of the
# merged stream must have them, whatever the version of ZFS.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
work=/tmp/merge-large-dnode

clean() { for d in large chain whole; do destroy "$pool/$d"; done; }
trap 'rm -rf "$work"; clean' EXIT
clean
mkdir -p "$work"

write() { dd if=/dev/urandom of="/$pool/large/file" bs=128k "$@" conv=notrunc status=none; }
zfs create -o version=4 -o dnodesize=1k -o recordsize=128k "$pool/large"
write count=8
zfs snapshot "$pool/large@1"
write count=1
zfs snapshot "$pool/large@2"
write seek=3 count=1
zfs snapshot "$pool/large@3"
zfs send "$pool/large@1" >"$work/s1.zfs"
for i in 2 3; do zfs send -i "@$((i - 1))" "$pool/large@$i" >"$work/s$i.zfs"; done

for i in 1 2 3; do zfs receive -u "$pool/chain" <"$work/s$i.zfs"; done
zfs-restore stream merge "$work"/s{1,2,3}.zfs | zfs receive -u "$pool/whole"
for d in chain whole; do
  zfs mount "$pool/$d" 2>/dev/null || [[ $(zfs get -H -o value mounted "$pool/$d") == yes ]]
done
cmp "/$pool/large/file" "/$pool/whole/file"
cmp -s "/$pool/large/file" "/$pool/chain/file" && chain=complete || chain=lossy
echo "ok $chain"
