#!/usr/bin/env bash
# history.sh KIND SEED FOLDER [COUNT]: makes a dataset POOL/origin with a random history of COUNT snapshots (6), and
# writes their streams to FOLDER: s1.zfs is full, each later one incremental to the one before it. KIND: plain,
# compressed, volume, raw, raw-volume.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
kind=$1 seed=$2 out=$3 count=${4:-6}
RANDOM=$((seed % 32768))

pick() { local -a of=("$@"); echo "${of[RANDOM % $#]}"; }

key=/tmp/history-key
head -c 32 /dev/zero | tr '\0' k >"$key"
declare -a options=() send=()
case $kind in
  plain) ((RANDOM % 3 == 0)) || send=(-L) ;;
  compressed) send=(-L -c -e) options=(-o "compression=$(pick lz4 zstd)") ;;
  raw*)
    send=(-w)
    options=(-o encryption=aes-256-gcm -o keyformat=raw -o "keylocation=file://$key" -o "compression=$(pick lz4 off)")
    ;;
esac

case $kind in
  *volume)
    zfs create -V 16M -o volblocksize=16K "${options[@]}" "$pool/origin"
    place=/dev/zvol/$pool/origin
    wait_for "$place"
    changes=8
    ;;
  *)
    zfs create -o atime=off -o acltype=posix -o "xattr=$(pick sa sa on)" -o "recordsize=$(pick 4K 16K 128K 1M)" \
      -o "dnodesize=$(pick legacy auto 1k 4k)" "${options[@]}" "$pool/origin"
    place=$(zfs get -H -o value mountpoint "$pool/origin")
    changes=30
    ;;
esac

# Mounted anew, a file system gives the numbers of deleted objects to new ones.
change_settings() {
  case $((RANDOM % 4)) in
    0) zfs set "recordsize=$(pick 4K 16K 128K 1M)" "$pool/origin" ;;
    1) zfs set "dnodesize=$(pick legacy auto 1k 2k 4k 16k)" "$pool/origin" ;;
    2) zfs set "compression=$(pick off lz4 zstd gzip)" "$pool/origin" ;;
    3) zfs set "xattr=$(pick sa on)" "$pool/origin" ;;
  esac
  zfs unmount "$pool/origin"
  zfs mount "$pool/origin"
}

for ((i = 1; i <= count; i++)); do
  perl "$here/mutate.pl" $((seed * 10 + i)) $((changes / 4 + RANDOM % changes)) "$place" 2>/dev/null
  [[ $kind == *volume ]] || change_settings
  sync
  zfs snapshot "$pool/origin@s$i"
  base=()
  ((i == 1)) || base=(-i "@s$((i - 1))")
  zfs send "${send[@]}" "${base[@]}" "$pool/origin@s$i" >"$out/s$i.zfs"
done
