#!/usr/bin/env bash
# describe.sh DATASET SNAPSHOT: prints all that can be told of a received snapshot: contents and attributes of every file, and the
# digest of what zfs sends of it, in which every object and block shows. Encrypted datasets are described without their key as well.
set -euo pipefail
export LC_ALL=C.UTF-8
dataset=$1 snapshot=$2

echo "guid $(zfs get -Hp -o value guid "$dataset@$snapshot")"
raw=()
[[ $(zfs get -H -o value encryption "$dataset") == off ]] || raw=(-w)
zfs rename -u "$dataset" tank/described 2>/dev/null || zfs rename "$dataset" tank/described
echo "send $(zfs send "${raw[@]}" -L tank/described@"$snapshot" | sha256sum)"
zfs rename -u tank/described "$dataset" 2>/dev/null || zfs rename tank/described "$dataset"

# A clone is looked at, since even to mount a received dataset would change it.
volume=''
[[ $(zfs get -H -o value type "$dataset") != volume ]] || volume=yes
if [[ ${#raw[@]} != 0 ]]; then
  [[ ${3:-} == with-key ]] || exit 0
  [[ $(zfs get -H -o value keystatus "$dataset") == available ]] || zfs load-key -L file:///tmp/history-key "$dataset"
fi

if [[ $volume ]]; then
  zfs clone "$dataset@$snapshot" tank/look
  for ((i = 0; i < 100; i++)); do [[ -b /dev/zvol/tank/look ]] && break; sleep 0.1; done
  sha256sum </dev/zvol/tank/look
else
  zfs clone -o mountpoint=/tmp/look -o readonly=on "$dataset@$snapshot" tank/look
  cd /tmp/look
  find . -mindepth 1 -printf '%p %y %i %m %n %U %G %s %T@ %C@ %l\n' | sort
  getfattr -R -h -d -m - -e hex . 2>/dev/null | grep -v '^$' | md5sum
  getfacl -R -n . 2>/dev/null | md5sum
  find . -type f -print0 | sort -z | xargs -0 -r sha256sum
  cd /
fi
for ((i = 0; i < 100; i++)); do zfs destroy tank/look 2>/dev/null && exit; sleep 0.1; done
zfs destroy tank/look
