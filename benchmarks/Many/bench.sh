# Sourced by ./bench: many clients at once into one server, beside nginx that takes the same bytes as files by WebDAV.

many_rounds=${ZSM_BENCH_ROUNDS:-3}
many_mib=${ZSM_BENCH_MANY_MIB:-1024}
many_s3_mib=256 # the S3 server's store is small
many_clients='1 8 32'

many_tools() {
  local -a missing=()
  local tool
  for tool in nginx:nginx-light curl:curl aws:awscli python3:python3; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
  done
  # RUNLEVEL=1: Debian would start nginx at once, on port 80.
  ((${#missing[@]} == 0)) || { apt-get -q update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"; } >&2
}

# One worker process, which is what writes; sets many_nginx and many_nginx_url.
many_nginx_start() {
  local dir=$scratch/nginx port
  port=$(transfer_free_port)
  mkdir -p "$dir/files" "$dir/temp"
  cat >"$dir/nginx.conf" <<CONFIG
daemon off;
master_process off;
pid $dir/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path $dir/temp;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
  server {
    listen 127.0.0.1:$port;
    root $dir/files;
    dav_methods PUT DELETE;
    create_full_put_path on;
  }
}
CONFIG
  nginx -p "$dir" -c "$dir/nginx.conf" 2>"$scratch/nginx.log" &
  many_nginx=$!
  many_nginx_url=http://127.0.0.1:$port
  until curl -sS -o /dev/null "$many_nginx_url/" 2>/dev/null; do
    kill -0 "$many_nginx" || { cat "$scratch/nginx.log" >&2; fail 'nginx does not start'; }
    sleep 0.1
  done
}

# A zfs-server with fifty clients; sets many_server and many_url. usage: many_server_start DIR [SETTING…]
many_server_start() {
  local dir=$1 client
  shift
  local -a settings=(BIND_ADDRESS=127.0.0.1 PORT=0 "DATA_DIR=$dir" "$@")
  mkdir -p "$dir"
  for client in $(seq 50); do
    printf 'c%s %s\n' "$client" "$(add_client "c$client")"
  done >"$dir.keys"
  env "${settings[@]}" artifacts/bin/zfs-server >"$dir.log" 2>&1 &
  many_server=$!
  many_url=$(url_of_server "$dir.log" "$many_server")
}

many_stop() {
  local pid
  for pid in "${many_server:-}" "${many_nginx:-}"; do
    [[ -z $pid ]] || { kill "$pid" 2>/dev/null && wait "$pid" || true; }
  done
  many_server='' many_nginx=''
}

# usage: many_load LABEL WHAT URL PID CLIENTS AMOUNT [KEYS]
many_load() {
  local label=$1
  shift
  artifacts/publish/ManyClients/ZfsSnapshotManager.ManyClients "$@" >>"$scratch/many-$label"
}

many_median() { cut -d' ' -f"$2" "$scratch/many-$1" | median; }

# usage: many_table STORE MIB
many_table() {
  local store=$1 mib=$2 label clients
  printf '%-44s %9s %14s %9s\n' "$mib MiB into $store" 'MB/s' 'cpu s per GiB' 'RSS MiB'
  for label in server nginx; do
    for clients in $many_clients; do
      [[ -e $scratch/many-$label-$store-$clients ]] || continue
      awk -v l="$label, $clients at once" -v m="$mib" -v w="$(many_median "$label-$store-$clients" 1)" -v c="$(many_median "$label-$store-$clients" 2)" -v r="$(many_median "$label-$store-$clients" 3)" \
        'BEGIN { sub(/^server/, "zfs-server", l); printf "  %-42s %9.0f %14.2f %9.1f\n", l, m * 1.048576 / w, c * 1024 / m, r }'
    done
  done
}

# usage: many_json STORE
many_json() {
  local store=$1 label clients rows=''
  for label in server nginx; do
    for clients in $many_clients; do
      [[ -e $scratch/many-$label-$store-$clients ]] || continue
      rows+="${rows:+,}{\"server\":\"$label\",\"store\":\"$store\",\"clients\":$clients,\"wall_seconds\":$(many_median "$label-$store-$clients" 1),\"cpu_seconds\":$(many_median "$label-$store-$clients" 2),\"peak_mib\":$(many_median "$label-$store-$clients" 3)}"
    done
  done
  echo "$rows"
}

many_directory() {
  local clients round
  many_nginx_start
  many_server_start "$scratch/many"
  for ((round = 0; round <= many_rounds; round++)); do
    for clients in $many_clients; do
      many_load "server-directory-$clients" backups "$many_url" "$many_server" "$clients" "$many_mib" "$scratch/many.keys"
      many_load "nginx-directory-$clients" files "$many_nginx_url" "$many_nginx" "$clients" "$many_mib"
      rm -rf "$scratch/nginx/files"/*
    done
    many_load small small "$many_url" "$many_server" 50 1000 "$scratch/many.keys"
    ((round > 0)) || rm "$scratch"/many-{server,nginx,small}* # only warms
  done
  many_stop
}

many_s3() {
  local clients round line
  while read -r line; do export "${line?}"; done < <(tools/s3-server start radosgw --name bench-many)
  AWS_CONFIG_FILE=$scratch/aws-config AWS_ACCESS_KEY_ID=$S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET_KEY AWS_DEFAULT_REGION=us-east-1 \
    aws --endpoint-url "http://$S3_ENDPOINT" s3 mb s3://bench-many >/dev/null
  many_server_start "$scratch/many-s3" S3_ENABLED=true S3_USE_SSL=false S3_BUCKET=bench-many S3_PART_SIZE_MIB=8
  for ((round = 0; round <= many_rounds; round++)); do
    for clients in $many_clients; do
      many_load "server-s3-$clients" backups "$many_url" "$many_server" "$clients" "$many_s3_mib" "$scratch/many-s3.keys"
    done
    ((round > 0)) || rm "$scratch"/many-server-s3-*
  done
  many_stop
  tools/s3-server stop --name bench-many
}

bench_many() {
  many_tools
  dotnet publish benchmarks/ManyClients --configuration Release --use-current-runtime --output artifacts/publish/ManyClients --verbosity quiet >&2
  trap 'many_stop; tools/s3-server stop --name bench-many >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
  many_directory
  many_table directory "$many_mib"
  printf '%-44s %9s %14s %9s\n' '1,000 incrementals of 100 kB by 50 clients' 'per s' 'cpu ms each' 'RSS MiB'
  awk -v w="$(many_median small 1)" -v c="$(many_median small 2)" -v r="$(many_median small 3)" 'BEGIN { printf "  %-42s %9.0f %14.2f %9.1f\n", "zfs-server", 1000 / w, c, r }'
  echo
  many_s3
  many_table s3 "$many_s3_mib"
  mkdir -p artifacts/bench
  printf '{"name":"many","mib":%s,"mib_s3":%s,"rounds":%s,"small":{"backups":1000,"wall_seconds":%s,"cpu_seconds":%s},"runs":[%s]}\n' \
    "$many_mib" "$many_s3_mib" "$many_rounds" "$(many_median small 1)" "$(many_median small 2)" "$(many_json directory),$(many_json s3)" >artifacts/bench/many.json
}
