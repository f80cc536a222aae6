# Sourced by ./bench: 65,000 backups of 300 datasets listed, and a rotation of them planned, by a real zfs-server with its catalogue.

rotation_rounds=${ZSM_BENCH_ROUNDS:-5}

bench_rotation() {
  local -a settings=(BIND_ADDRESS=127.0.0.1 PORT=0 "DATA_DIR=$scratch/rotation")
  local key url pid round label
  command -v python3 >/dev/null || { apt-get -q update && apt-get -q -y install --no-install-recommends python3; } >&2
  key=$(add_client bench)
  rotation_start
  kill "$pid" && wait "$pid" || true # it has made the catalogue
  python3 benchmarks/Rotation/fill.py "$scratch/rotation/metadata.db"
  rotation_start
  local ask="curl -sS --fail-with-body -o /dev/null -H 'X-Client-ID: bench' -H 'X-API-Key: $key'"
  local policy='{"dry_run":true,"rotation_policy":{"keep_hourly":24,"keep_daily":7,"keep_weekly":4,"keep_monthly":12}}'
  for ((round = 0; round <= rotation_rounds; round++)); do
    benchmarks/measure "$ask $url/snapshots" "$pid" >>"$scratch/rotation-list"
    benchmarks/measure "$ask -d '$policy' $url/rotate" "$pid" >>"$scratch/rotation-plan"
    ((round > 0)) || rm "$scratch"/rotation-{list,plan}
  done
  kill "$pid"
  printf '%-34s %9s %9s %16s\n' '65,000 backups of 300 datasets' 'wall s' 'cpu s' 'server RSS MiB'
  for label in list plan; do
    awk -v l="$label" -v w="$(cut -d' ' -f1 "$scratch/rotation-$label" | median)" -v c="$(cut -d' ' -f2 "$scratch/rotation-$label" | median)" -v r="$(awk '{ print $NF }' "$scratch/rotation-$label" | median)" \
      'BEGIN { printf "  %-32s %9.2f %9.2f %16.1f\n", l == "list" ? "listed" : "planned, with all reasons", w, c, r }'
  done
  mkdir -p artifacts/bench
  printf '{"name":"rotation","list_seconds":%s,"plan_seconds":%s}\n' "$(cut -d' ' -f1 "$scratch/rotation-list" | median)" "$(cut -d' ' -f1 "$scratch/rotation-plan" | median)" >artifacts/bench/rotation.json
}

# Sets pid and url of bench_rotation.
rotation_start() {
  env "${settings[@]}" artifacts/bin/zfs-server >"$scratch/rotation.log" 2>&1 &
  pid=$!
  url=$(url_of_server "$scratch/rotation.log" "$pid")
}
