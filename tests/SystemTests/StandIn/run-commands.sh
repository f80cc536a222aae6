#!/bin/sh
# Runs each line of a list of commands and prints what came of it: its exit code, its output, its error output.
# usage: run-commands.sh AREA LIST    (AREA: a dataset that does not exist yet; it is destroyed at the end)
# The lines may use $D, the area, $F, an empty directory, and the functions below.
D=$1 LIST=$2 F=$(mktemp -d)
export LC_ALL=C

# replicate SNAPSHOT DATASET: what other programs do, with the snapshot's properties.
# fill DATASET FILE MEBIBYTES: random data, on the disk when it returns.
if [ -n "$ZFS_STANDIN" ]; then
  fill() { zfs stand-in write "$1" "$2" "$(($3 << 20))"; }
  replicate() { zfs stand-in replicate "$1" "$2"; }
else
  replicate() { zfs send -p "$1" | zfs receive -u "$2"; }
  fill() { head -c "$3M" /dev/urandom > "/$1/$2" && sync; }
fi
# token DATASET: its receive_resume_token.
token() { zfs get -H -p -o value receive_resume_token "$1"; }
# part BYTES FILE: the stream's beginning. That nobody reads its end is no fault, whatever is done with SIGPIPE.
part() { head -c "$1" "$2" 2> /dev/null; }
# announced FILE: whether a stream's BEGIN says that it is compressed, raw, embedded (drr_versioninfo, bits 24, 26, 18).
announced() { od -An -tu1 -j 18 -N 2 "$1" | awk '{ print $2 % 2, int($2 / 4) % 2, int($1 / 4) % 2 }'; }
# damaged FILE: the stream with one byte changed in the middle.
damaged() {
  middle=$(($(wc -c < "$1") / 2))
  part $middle "$1"
  tail -c +$((middle + 1)) "$1" 2> /dev/null | head -c 1 | tr '\000-\377' '\001-\377\000'
  tail -c +$((middle + 2)) "$1" 2> /dev/null
}

zfs create "$D" || exit 1
number=0
while IFS= read -r line; do
  case $line in '' | '#'*) continue ;; esac
  number=$((number + 1))
  eval "$line" > "$F/.out" 2> "$F/.err" < /dev/null
  code=$?
  printf '=== %s\n--- %s\n' "$line" "$code"
  cat "$F/.out"
  echo ---
  cat "$F/.err"
done < "$LIST"
zfs list -H -o name -t snapshot -r "$D" | while read -r snapshot; do zfs release keep "$snapshot" 2> /dev/null; done
zfs destroy -R "$D"
rm -rf "$F"
