# Sourced by ./bench: a stream through zfs-server into a real S3 server and back, beside the same bytes sent straight to it.

s3_name=bench
s3_size=${ZSM_BENCH_S3_MIB:-2048}
s3_rounds=${ZSM_BENCH_ROUNDS:-3}

s3_tools() {
  local -a missing=()
  local tool
  for tool in rclone:rclone aws:awscli restic:restic curl:curl python3:python3; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
  done
  ((${#missing[@]} == 0)) || { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"; } >&2
}

# A right stream of random data, as large as is asked for; made once.
s3_stream() {
  local file=$cache/random-$s3_size.zfs
  if [[ ! -s $file ]]; then
    mkdir -p "$cache"
    dotnet publish benchmarks/StreamBenchmark --configuration Release --use-current-runtime --output artifacts/publish/StreamBenchmark --verbosity quiet >&2
    artifacts/publish/StreamBenchmark/ZfsSnapshotManager.StreamBenchmark make "$s3_size" >"$file.partial"
    mv "$file.partial" "$file"
  fi
  echo "$file"
}

# Starts the S3 server, a bucket for each tool, and zfs-server; sets S3_*, key, url and server.
s3_start() {
  local line
  while read -r line; do export "${line?}"; done < <(tools/s3-server start radosgw --name "$s3_name")
  unset AWS_CA_BUNDLE # rclone stumbles over it, and no TLS is used here
  export AWS_ACCESS_KEY_ID=$S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET_KEY AWS_DEFAULT_REGION=us-east-1
  export RESTIC_REPOSITORY=s3:http://$S3_ENDPOINT/bench-restic RESTIC_PASSWORD=bench RESTIC_CACHE_DIR=$scratch/restic-cache
  export RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Ceph RCLONE_CONFIG_S3_ENDPOINT=http://$S3_ENDPOINT RCLONE_CONFIG_S3_ENV_AUTH=true
  export AWS_CONFIG_FILE=$scratch/aws-config
  for line in zfs aws rclone; do aws --endpoint-url "http://$S3_ENDPOINT" s3 mb "s3://bench-$line" >/dev/null; done
  restic init >/dev/null

  mkdir -p "$scratch/server"
  local -a settings=(S3_ENABLED=true S3_USE_SSL=false S3_BUCKET=bench-zfs BIND_ADDRESS=127.0.0.1 PORT=0 "DATA_DIR=$scratch/server")
  key=$(add_client bench)
  env "${settings[@]}" artifacts/bin/zfs-server >"$scratch/server.log" 2>&1 &
  server=$!
  trap 's3_stop; rm -rf "$scratch"' EXIT
  url=$(url_of_server "$scratch/server.log" "$server")
}

s3_stop() {
  kill "$server" 2>/dev/null || true
  tools/s3-server stop --name "$s3_name" || true
}

s3_curl() { curl -sS --fail-with-body -H 'X-Client-ID: bench' -H "X-API-Key: $key" "$@"; }

# Announces a stream of a dataset and prints where to send it.
s3_announce() { s3_curl -d "{\"dataset_name\":\"tank/$1\",\"compression\":\"none\"}" "$url/upload" | sed -n 's/.*"upload_url": *"\([^"]*\)".*/\1/p'; }

s3_snapshot_of() { s3_curl "$url/snapshots" | tr '{' '\n' | sed -n "s/.*\"snapshot_id\":\"\([^\"]*\)\".*\"dataset_name\":\"tank\/$1\".*/\1/p" | sed 's/ /%20/g'; }

# The store is small: what was measured goes at once, and so does what the gateway only marks as deleted.
s3_clear() {
  aws --endpoint-url "http://$S3_ENDPOINT" s3 rm --recursive --quiet "s3://$1"
  tools/s3-server admin --name "$s3_name" -- gc process --include-all >/dev/null
}

# s3_measure UP|DOWN LABEL COMMAND [PID]
s3_measure() {
  mkdir -p "$scratch/$1"
  benchmarks/measure "$3" ${4:+"$4"} >>"$scratch/$1/$2"
}

s3_round() {
  local round=$1 file=$2 auth path
  auth="-sS --fail-with-body -H 'X-Client-ID: bench' -H 'X-API-Key: $key'"
  path=$(s3_announce "round$round")
  s3_measure up zfs-server "curl $auth -X POST -T - '$url$path' <'$file'" "$server"
  s3_measure down zfs-server "curl $auth '$url/download?snapshot_id=$(s3_snapshot_of "round$round")'" "$server"
  s3_clear bench-zfs/bench/
  s3_measure up 'rclone rcat' "rclone rcat --s3-chunk-size 16M s3:bench-rclone/object <'$file'"
  s3_measure down 'rclone cat' 'rclone cat s3:bench-rclone/object'
  s3_clear bench-rclone
  s3_measure up 'aws s3 cp -' "aws --endpoint-url http://$S3_ENDPOINT s3 cp - s3://bench-aws/object --expected-size $((s3_size << 20)) <'$file'"
  s3_measure down 'aws s3 cp -' "aws --endpoint-url http://$S3_ENDPOINT s3 cp s3://bench-aws/object -"
  s3_clear bench-aws
  s3_measure up 'restic backup --stdin' "restic backup --stdin --stdin-filename object <'$file'"
  s3_measure down 'restic dump' 'restic dump latest object'
  s3_clear bench-restic
  restic init >/dev/null
  rm -rf "$RESTIC_CACHE_DIR"
}

# Four uploads at once, of a quarter each: only the server's memory counts, and the store is small.
s3_four() {
  local file=$1 auth command='' n
  auth="-sS --fail-with-body -H 'X-Client-ID: bench' -H 'X-API-Key: $key'"
  for n in 1 2 3 4; do command+="head -c $(($(stat -c %s "$file"))) '$file' | curl $auth -X POST -T - '$url$(s3_announce "four$n")' & pids+=(\$!); "; done
  benchmarks/measure "pids=(); $command for pid in \"\${pids[@]}\"; do wait \$pid || exit 1; done" "$server" >"$scratch/four"
}

# s3_table NAME: medians, and ratios against the first of each row's best rival.
s3_table() {
  local name=$1 label rows=''
  printf '%-26s %9s %14s %9s %11s\n' "$name, $s3_size MiB" 'wall s' 'cpu s per GiB' 'RSS MiB' 'wall ratio'
  local best
  best=$(for label in "$scratch/$name"/*; do [[ ${label##*/} == zfs-server ]] || cut -d' ' -f1 "$label" | median; done | sort -n | head -n 1)
  for label in "$scratch/$name"/*; do
    local wall cpu rss
    wall=$(cut -d' ' -f1 "$label" | median) cpu=$(cut -d' ' -f2 "$label" | median) rss=$(cut -d' ' -f3 "$label" | median)
    awk -v l="${label##*/}" -v w="$wall" -v c="$cpu" -v r="$rss" -v m="$s3_size" -v b="$best" \
      'BEGIN { printf "  %-24s %9.2f %14.2f %9.1f %11.2f\n", l, w, c * 1024 / m, r, w / b }'
    rows+="${rows:+,}{\"command\":\"${label##*/}\",\"wall_seconds\":$wall,\"cpu_seconds\":$cpu,\"peak_rss_mib\":$rss}"
  done
  echo '  (ratios against the best of the others; zfs-server counts with curl and the server together)'
  echo
  printf '%s' "{\"name\":\"$name\",\"mebibytes\":$s3_size,\"runs\":[$rows]}" >"$scratch/$name.json"
}

bench_s3() {
  local file round
  s3_tools
  file=$(s3_stream)
  s3_start
  for ((round = 1; round <= s3_rounds; round++)); do
    echo "bench: round $round of $s3_rounds" >&2
    s3_round "$round" "$file"
  done
  s3_four "$(s3_size=$((s3_size / 4)) s3_stream)"
  s3_table up
  s3_table down
  echo "zfs-server's peak RSS with four uploads at once: $(cut -d' ' -f3 "$scratch/four") MiB"
  mkdir -p artifacts/bench
  printf '{"name":"s3","up":%s,"down":%s,"four_uploads_peak_rss_mib":%s}\n' "$(<"$scratch/up.json")" "$(<"$scratch/down.json")" "$(cut -d' ' -f3 "$scratch/four")" >artifacts/bench/s3.json
}
