# Sourced by ./bench: a backup and a restore beside the pipelines of a compressor and curl that people use instead.

transfer_rounds=${ZSM_BENCH_ROUNDS:-5}
transfer_sizes=${ZSM_BENCH_TRANSFER_GIB:-1 4 16}

transfer_tools() {
  local -a missing=()
  local tool
  for tool in pigz:pigz igzip:isal zstd:zstd curl:curl python3:python3; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
  done
  ((${#missing[@]} == 0)) || { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"; } >&2
}

# A real stream of some 2 GiB of mixed data, made once: programs and libraries, text, random.
transfer_stream() {
  local file=$cache/mixed-large.zfs
  if [[ ! -s $file ]]; then
    mkdir -p "$cache"
    {
      ZFS_VM_DISK_SIZE=5G ./zfs-vm start --name bench-large
      ZFS_VM_DISK_SIZE=5G ./zfs-vm reset --name bench-large
      ./zfs-vm ssh --name bench-large -- 'zfs create -o recordsize=128k tank/mixed && cd /tank/mixed && head -c 300M /dev/urandom > random && yes "some words that compress well" | head -c 300M > text'
      # tar has more to give: that it ends by a closed pipe is no failure.
      { tar -C / -cf - usr/lib usr/bin usr/share 2>/dev/null || true; } | head -c 1700M | ./zfs-vm ssh --name bench-large -- 'cat > /tank/mixed/files && zfs snapshot tank/mixed@bench'
      ./zfs-vm ssh --name bench-large -- 'zfs send -L tank/mixed@bench' >"$file.partial"
      ./zfs-vm stop --name bench-large
    } >&2
    mv "$file.partial" "$file"
  fi
  echo "$file"
}

# What the stand-in for zfs must say of a stream's snapshot, as its BEGIN does. usage: transfer_facts FILE BYTES
transfer_facts() {
  echo "BENCH_GUID=$(od -An -j 40 -N 8 -t u8 "$1" | tr -d ' ') BENCH_CREATED=$(od -An -j 24 -N 8 -t u8 "$1" | tr -d ' ') BENCH_BYTES=$2"
}

# Gives a stream the name of the snapshot that zfs-client makes next, and waits for that second: zfs-client sends no stream
# of another snapshot, and to rename it meanwhile would be measured too. Sets named and named_as. usage: transfer_name FILE
transfer_name() {
  local moment
  named=$scratch/named.zfs
  while true; do
    moment=$(($(date +%s) + ${naming_takes:-2}))
    named_as=tank/mixed@zsm-manual-$(date -u -d "@$moment" +%F_%TZ)
    "$transfer_streams" rename "$named_as" <"$1" >"$named"
    (($(date +%s) < moment)) && break
    naming_takes=$((${naming_takes:-2} * 2))
  done
  while (($(date +%s) < moment)); do sleep 0.01; done
}

transfer_free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

transfer_discard_start() {
  dotnet publish benchmarks/DiscardServer --configuration Release --use-current-runtime --output artifacts/publish/DiscardServer --verbosity quiet >&2
  discard_port=$(transfer_free_port)
  artifacts/publish/DiscardServer/ZfsSnapshotManager.DiscardServer "$discard_port" 16 >"$scratch/discard.log" 2>&1 &
  discard=$!
  trap 'transfer_stop; rm -rf "$scratch"' EXIT
  until curl -fsS "http://127.0.0.1:$discard_port/snapshots" >/dev/null 2>&1; do
    kill -0 "$discard" || fail 'the discarding server does not start'
    sleep 0.1
  done
}

# A real zfs-server over a folder; sets store, store_url and store_key. usage: transfer_store_start [SETTING…]
transfer_store_start() {
  local -a settings=(BIND_ADDRESS=127.0.0.1 PORT=0 "DATA_DIR=$scratch/store" "$@")
  store_key=$(add_client bench)
  env "${settings[@]}" artifacts/bin/zfs-server >"$scratch/store.log" 2>&1 &
  store=$!
  store_url=$(url_of_server "$scratch/store.log" "$store")
}

transfer_stop() {
  local pid
  for pid in "${discard:-}" "${store:-}"; do [[ -z $pid ]] || kill "$pid" 2>/dev/null || true; done
}

# The command of one backup. usage: transfer_backup URL KEY DATASET SETTING…
transfer_backup() {
  local url=$1 key=$2 dataset=$3
  shift 3
  rm -rf "$scratch/state" && mkdir -p "$scratch/state"
  echo "env CLIENT_ID=bench API_KEY=$key SERVER_URL=$url LOCAL_DATASET=$dataset BENCH_STATE=$scratch/state PATH=$PWD/benchmarks/Transfer:$PATH $* artifacts/bin/zfs-client backup-full --json"
}

transfer_measure() {
  mkdir -p "$scratch/$1"
  benchmarks/measure "$3" ${4:+"$4"} >>"$scratch/$1/$2"
}

transfer_stored_of() { sed -n '$s/ .*//p' "$scratch/discard.log"; }

transfer_send_round() {
  local file=$1 url=http://127.0.0.1:$discard_port facts format try
  facts=$(transfer_facts "$file" "$(stat -c %s "$file")")
  for format in gzip zstd; do
    for try in 1 2 3; do # zfs-client may start a moment too late for the name
      transfer_name "$file"
      transfer_measure send "zfs-client $format" "$(transfer_backup "$url" zsm_x tank/mixed "COMPRESSION=$format" "BENCH_STREAM=$named" "BENCH_NAME=$named_as" "$facts")" && break
      ((try < 3)) || fail 'zfs-client failed three times'
    done
    echo "$(transfer_stored_of)" >"$scratch/size-zfs-client $format"
  done
  transfer_measure send 'pigz -1 | curl' "cat '$file' | pigz -1 | curl -sS -T - $url/discard"
  transfer_measure send 'igzip -1 | curl' "cat '$file' | igzip -1 -c | curl -sS -T - $url/discard"
  transfer_measure send 'zstd -1 -T2 | curl' "cat '$file' | zstd -1 -T2 -c | curl -sS -T - $url/discard"
}

transfer_receive_round() {
  local download="curl -sS --fail-with-body -H 'X-Client-ID: bench' -H 'X-API-Key: $store_key' '$store_url/download?snapshot_id="
  local settings="env CLIENT_ID=bench API_KEY=$store_key SERVER_URL=$store_url"
  transfer_measure receive 'zfs-restore gzip' "$settings artifacts/bin/zfs-restore verify $(transfer_number_of tank/gzip) --json"
  transfer_measure receive 'zfs-restore zstd' "$settings artifacts/bin/zfs-restore verify $(transfer_number_of tank/zstd) --json"
  transfer_measure receive 'curl | pigz -d' "$download$(transfer_id_of tank/gzip)' | pigz -d"
  transfer_measure receive 'curl | igzip -d' "$download$(transfer_id_of tank/gzip)' | igzip -d -c"
  transfer_measure receive 'curl | zstd -d' "$download$(transfer_id_of tank/zstd)' | zstd -d -c"
}

transfer_list() { env CLIENT_ID=bench "API_KEY=$store_key" "SERVER_URL=$store_url" artifacts/bin/zfs-restore list --json | python3 -c 'import json, sys
for number, backup in enumerate(json.load(sys.stdin)["results"], 1): print(number, backup["snapshot_id"], backup["dataset_name"])'; }

transfer_number_of() { transfer_list | awk -v d="$1" '$3 == d { print $1; exit }'; }

transfer_id_of() { transfer_list | awk -v d="$1" '$3 == d { print $2; exit }'; }

# transfer_table NAME BYTES OURS RIVAL…: ratios of OURS against each rival.
transfer_table() {
  local name=$1 bytes=$2 label rows=''
  shift 2
  printf '%-26s %9s %14s %9s\n' "$name" 'wall s' 'cpu s per GiB' 'RSS MiB'
  for label in "$scratch/$name"/*; do
    awk -v l="${label##*/}" -v w="$(cut -d' ' -f1 "$label" | median)" -v c="$(cut -d' ' -f2 "$label" | median)" -v r="$(cut -d' ' -f3 "$label" | median)" -v b="$bytes" \
      'BEGIN { printf "  %-24s %9.2f %14.2f %9.1f\n", l, w, c * 1073741824 / b, r }'
  done
  while (($#)); do
    local ours=$1 rival=$2 wall cpu
    shift 2
    wall=$(awk -v a="$(cut -d' ' -f1 "$scratch/$name/$ours" | median)" -v b="$(cut -d' ' -f1 "$scratch/$name/$rival" | median)" 'BEGIN { printf "%.2f", a / b }')
    cpu=$(awk -v a="$(cut -d' ' -f2 "$scratch/$name/$ours" | median)" -v b="$(cut -d' ' -f2 "$scratch/$name/$rival" | median)" 'BEGIN { printf "%.2f", a / b }')
    printf '  %-20s against %-22s wall %5s  cpu %5s\n' "$ours" "$rival" "$wall" "$cpu"
    rows+="${rows:+,}{\"command\":\"$ours\",\"against\":\"$rival\",\"wall_ratio\":$wall,\"cpu_ratio\":$cpu}"
  done
  echo
  printf '[%s]' "$rows" >"$scratch/$name.json"
}

# Peak memory of client, server and restore over streams of several sizes.
transfer_memory() {
  local gib client server restore rows=''
  printf '%-12s %12s %12s %12s\n' 'RSS MiB' client server restore
  for gib in $transfer_sizes; do
    # A server of its own, with the parts that it has by default; its log tells the next one's address.
    kill "$store" && wait "$store" 2>/dev/null || true
    rm -rf "$scratch/store"
    transfer_store_start
    local make="$transfer_streams make $((gib * 1024))"
    $make | head -c 48 >"$scratch/begin" || true # what it makes more, nobody reads
    client=$(benchmarks/measure "$(transfer_backup "$store_url" "$store_key" "tank/size$gib" COMPRESSION=gzip "'BENCH_MAKE=$make'" "'BENCH_RENAME=$transfer_streams rename'" "$(transfer_facts "$scratch/begin" $((gib << 30)))")" | cut -d' ' -f3)
    server=$(awk '/^VmHWM:/ { printf "%.1f", $2 / 1024 }' "/proc/$store/status")
    restore=$(benchmarks/measure "env CLIENT_ID=bench API_KEY=$store_key SERVER_URL=$store_url artifacts/bin/zfs-restore verify $(transfer_number_of "tank/size$gib") --json" | cut -d' ' -f3)
    printf '%-12s %12s %12s %12s\n' "$gib GiB" "$client" "$server" "$restore"
    rows+="${rows:+,}{\"gibibytes\":$gib,\"client_mib\":$client,\"server_mib\":$server,\"restore_mib\":$restore}"
  done
  printf '[%s]' "$rows" >"$scratch/memory.json"
}

bench_transfer() {
  local file round bytes label
  transfer_tools
  file=$(transfer_stream)
  bytes=$(stat -c %s "$file")
  transfer_streams=$PWD/artifacts/publish/StreamBenchmark/ZfsSnapshotManager.StreamBenchmark
  dotnet publish benchmarks/StreamBenchmark --configuration Release --use-current-runtime --output artifacts/publish/StreamBenchmark --verbosity quiet >&2
  transfer_discard_start
  transfer_store_start PART_SIZE_MIB=16 # as in S3
  for ((round = 0; round <= transfer_rounds; round++)); do
    echo "bench: sending, round $round of $transfer_rounds" >&2
    transfer_send_round "$file"
    ((round > 0)) || rm -rf "$scratch/send" # it warmed the page cache
  done
  for label in gzip zstd; do
    eval "$(transfer_backup "$store_url" "$store_key" "tank/$label" "COMPRESSION=$label" "BENCH_STREAM=$file" "$(transfer_facts "$file" "$bytes")" "'BENCH_RENAME=$transfer_streams rename'")" >"$scratch/answer" || fail "a backup into the store failed: $(<"$scratch/answer")"
  done
  for ((round = 0; round <= transfer_rounds; round++)); do
    echo "bench: receiving, round $round of $transfer_rounds" >&2
    transfer_receive_round
    ((round > 0)) || rm -rf "$scratch/receive"
  done
  echo "stored bytes: zfs-client gzip $(<"$scratch/size-zfs-client gzip"), igzip -1 $(igzip -1 -c <"$file" | wc -c), pigz -1 $(pigz -1 <"$file" | wc -c)"
  echo "              zfs-client zstd $(<"$scratch/size-zfs-client zstd"), zstd -1 $(zstd -q -1 -T2 -c <"$file" | wc -c)"
  transfer_table send "$bytes" 'zfs-client gzip' 'pigz -1 | curl' 'zfs-client gzip' 'igzip -1 | curl' 'zfs-client zstd' 'zstd -1 -T2 | curl'
  transfer_table receive "$bytes" 'zfs-restore gzip' 'curl | pigz -d' 'zfs-restore gzip' 'curl | igzip -d' 'zfs-restore zstd' 'curl | zstd -d'
  transfer_memory
  mkdir -p artifacts/bench
  printf '{"name":"transfer","bytes":%s,"send":%s,"receive":%s,"memory":%s}\n' "$bytes" "$(<"$scratch/send.json")" "$(<"$scratch/receive.json")" "$(<"$scratch/memory.json")" >artifacts/bench/transfer.json
}
