#!/usr/bin/env bash
# continue.sh FOLDER TOKEN…: sends the rest of a stream for each token, into FOLDER/1.rest, FOLDER/2.rest, and so on.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder"
for token in "$@"; do
  : $((number = ${number:-0} + 1))
  zfs send -t "$token" >"$folder/$number.rest"
done
