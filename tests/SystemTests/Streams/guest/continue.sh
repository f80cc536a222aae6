#!/usr/bin/env bash
# continue.sh FOLDER <TOKENS: sends the rest of a stream for each token that comes in, into FOLDER/1, FOLDER/2, and so
# on.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
folder=$1
number=0
rm -rf "$folder"
mkdir -p "$folder"
while read -r token; do
  number=$((number + 1))
  zfs send -t "$token" </dev/null >"$folder/$number"
done
