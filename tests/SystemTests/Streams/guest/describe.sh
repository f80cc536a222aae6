#!/usr/bin/env bash
# describe.sh DATASET SNAPSHOT [files]: prints what can be told of a received snapshot: its GUID, the digest of what zfs
# sends of it, and that of its records but for holes and free objects: a file that is all hole may have more or fewer
# levels of them, and how far the free objects behind the last one reach depends on when they were written.
# With "files" also contents and attributes of every file, for which an encrypted one needs its key.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
dataset=$1 snapshot=$2

echo "guid $(zfs get -Hp -o value guid "$dataset@$snapshot")"
raw=()
[[ $(zfs get -H -o value encryption "$dataset") == off ]] || raw=(-w)
zfs rename -u "$dataset" "$pool/described" 2>/dev/null || zfs rename "$dataset" "$pool/described"
zfs send "${raw[@]}" -L "$pool/described@$snapshot" >/tmp/described
zfs rename -u "$pool/described" "$dataset" 2>/dev/null || zfs rename "$pool/described" "$dataset"
echo "records $(zstream dump -v </tmp/described | grep -vE '^FREE |^FREEOBJECTS |checksum = |DRR_FREE |Total' | sha256sum)"
echo "send $(sha256sum </tmp/described)"
rm /tmp/described

[[ ${3:-} == files ]] || exit 0
# A clone is looked at, since even to mount a received dataset would change it.
volume=''
[[ $(zfs get -H -o value type "$dataset") != volume ]] || volume=yes
if [[ ${#raw[@]} != 0 && $(zfs get -H -o value keystatus "$dataset") != available ]]; then
  zfs load-key -L file:///tmp/history-key "$dataset"
fi

if [[ $volume ]]; then
  zfs clone "$dataset@$snapshot" "$pool/look"
  wait_for "/dev/zvol/$pool/look"
  sha256sum <"/dev/zvol/$pool/look"
else
  zfs clone -o mountpoint=/tmp/look -o readonly=on "$dataset@$snapshot" "$pool/look"
  cd /tmp/look
  find . -mindepth 1 -printf '%p %y %i %m %n %U %G %s %T@ %C@ %l\n' | sort
  getfattr -R -h -d -m - -e hex . 2>/dev/null | sed '/^$/d' | md5sum # there may be none
  getfacl -R -n . 2>/dev/null | md5sum
  find . -type f -print0 | sort -z | xargs -0 -r sha256sum
  cd /
fi
destroy "$pool/look"
