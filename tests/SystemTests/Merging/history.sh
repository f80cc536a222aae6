#!/usr/bin/env bash
# history.sh KIND SEED FOLDER: makes a dataset tank/origin with a random history of six snapshots, and writes to FOLDER the streams
# s1.zfs (full) to s6.zfs (each incremental to the one before it). KIND: plain, compressed, volume, raw, raw-volume.
set -euo pipefail
export LC_ALL=C.UTF-8
kind=$1 seed=$2 out=$3
here=$(dirname "$0")
RANDOM=$((seed % 32768))

pick() { local -a of=("$@"); echo "${of[RANDOM % $#]}"; }

key=/tmp/history-key
head -c 32 /dev/zero | tr '\0' k >"$key"
declare -a options=(-o atime=off) send=()
case $kind in
  plain) send=(-L) ;;
  compressed) send=(-L -c -e) options+=(-o "compression=$(pick lz4 zstd)") ;;
  raw*) send=(-w) options+=(-o encryption=aes-256-gcm -o keyformat=raw -o "keylocation=file://$key" -o "compression=$(pick lz4 off)") ;;
esac
[[ $kind == plain && $((RANDOM % 3)) == 0 ]] && send=()

if [[ $kind == *volume ]]; then
  zfs create -V 16M -o volblocksize=8K "${options[@]/-o atime=off/}" tank/origin 2>/dev/null ||
    zfs create -V 16M -o volblocksize=8K $([[ $kind == raw* ]] && echo "-o encryption=aes-256-gcm -o keyformat=raw -o keylocation=file://$key") tank/origin
  place=/dev/zvol/tank/origin
  for ((i = 0; i < 100; i++)); do [[ -b $place ]] && break; sleep 0.1; done
else
  zfs create "${options[@]}" -o acltype=posix -o "xattr=$(pick sa sa on)" -o "recordsize=$(pick 4K 16K 128K 1M)" \
    -o "dnodesize=$(pick legacy auto 1k 4k)" tank/origin
  place=/tank/origin
fi

for ((i = 1; i <= 6; i++)); do
  perl "$here/mutate.pl" $((seed * 10 + i)) "$((10 + RANDOM % 40))" "$place" 2>/dev/null
  if [[ $kind != *volume ]]; then
    # Mounted anew, a file system gives the numbers of deleted objects to new ones.
    case $((RANDOM % 4)) in
      0) zfs set "recordsize=$(pick 4K 16K 128K 1M)" tank/origin ;;
      1) zfs set "dnodesize=$(pick legacy auto 1k 2k 4k 16k)" tank/origin ;;
      2) zfs set "compression=$(pick off lz4 zstd gzip)" tank/origin ;;
      3) zfs set "xattr=$(pick sa on)" tank/origin ;;
    esac
    zfs unmount tank/origin && zfs mount tank/origin
  else
    sync
  fi
  zfs snapshot "tank/origin@s$i"
  declare -a base=()
  ((i == 1)) || base=(-i "@s$((i - 1))")
  zfs send "${send[@]}" "${base[@]}" "tank/origin@s$i" >"$out/s$i.zfs"
done
