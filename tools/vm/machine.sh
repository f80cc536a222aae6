# shellcheck shell=bash
# Starts, stops and talks to one virtual machine. Its state is a folder; NAME is set by ./zfs-vm.

# Ports of the guest that the machine's own ports lead to, besides ssh: for a server that runs in the guest.
GUEST_SERVER_PORTS=(8080 8443)

machine_set_paths() {
  NAME=$1
  [[ $NAME =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "not a name for a machine: '$NAME' (letters, digits, . _ -)"
  STATE=$REPOSITORY/artifacts/vm/$NAME
  CONSOLE=$STATE/console.log
  MONITOR=$STATE/monitor
  SSH_CONFIG=$STATE/ssh_config
  # Not in $STATE: the path of a Unix socket must be short.
  SOCKET_DIR=/tmp/zsm-vm-$EUID
  SOCKET=$SOCKET_DIR/$(printf '%s' "$STATE" | sha256sum | cut -c1-12)
}

# One command at a time per machine. Programs that stay behind must not inherit fd 9: they would keep the lock.
machine_lock() {
  mkdir -p "$STATE"
  exec 9>"$STATE/lock"
  flock -w 300 9 || die "another zfs-vm has been busy with machine '$NAME' for five minutes (lock: $STATE/lock)"
}

# Prints the pid of this machine if that is still what runs under it: pids are used again by others.
machine_pid() {
  local pid
  pid=$(cat "$STATE/pid" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -Fxq -e "$(qemu_mark)" -e "$(uml_mark)" || return 1
  printf '%s' "$pid"
}

machine_make_disks() {
  local disk size=${ZFS_VM_DISK_SIZE:-2G}
  for disk in "$STATE/disk0.raw" "$STATE/disk1.raw"; do
    [[ -e $disk ]] && continue
    truncate -s "$size" "$disk.new" || die "cannot make a disk of size '$size' (ZFS_VM_DISK_SIZE) in $STATE"
    # A partition table from here, since ZFS would wait for a udev that the guest does not have.
    printf 'label: gpt\n,,\n' | sfdisk -q "$disk.new" >"$STATE/sfdisk.log" 2>&1 ||
      die "sfdisk failed: $STATE/sfdisk.log"
    mv "$disk.new" "$disk"
  done
}

# Below the range that the kernel gives out by itself, so that no connection of someone else takes it meanwhile.
machine_free_port() {
  local port tries
  for ((tries = 0; tries < 100; tries++)); do
    port=$((20000 + (RANDOM << 15 | RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die 'found no free port on 127.0.0.1'
}

machine_write_ssh_config() {
  local port=$1
  cat >"$SSH_CONFIG" <<CONFIG
Host zfs-vm
  User root
  ControlPath $SOCKET
Host zfs-vm-backup
  User backup
  ControlPath none
Host zfs-vm zfs-vm-backup
  HostName 127.0.0.1
  Port $port
  IdentityFile "$STATE/key"
  IdentitiesOnly yes
  IdentityAgent none
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  PreferredAuthentications publickey
  LogLevel ERROR
  RequestTTY no
  ControlMaster no
  ConnectTimeout 20
  ServerAliveInterval 20
  ServerAliveCountMax 6
CONFIG
}

# Ports are chosen before the machine takes them, so someone else can be first: then it is tried with others.
machine_boot_with_retries() {
  local tries port guest
  for ((tries = 0; tries < 5; tries++)); do
    rm -f "$STATE/pid" "$CONSOLE"
    : >"$STATE/ports"
    for guest in 22 "${GUEST_SERVER_PORTS[@]}"; do
      port=$(machine_free_port)
      echo "$guest $port" >>"$STATE/ports"
    done
    "${KIND}_boot" "$@" && return
    grep -q 'host forwarding' "$STATE/start.log" || return 1
  done
  return 1
}

machine_must_boot() {
  machine_boot_with_retries "$@" ||
    die "machine '$NAME' did not start: $(tail -n 3 "$STATE/start.log" | tr '\n' ' ')(log: $STATE/start.log)"
  machine_write_ssh_config "$(machine_port 22)"
  machine_wait_for_ssh
}

machine_must_begin() {
  machine_connect
  machine_begin ||
    die "machine '$NAME' runs, but its pools are not there: $(tail -n 3 "$STATE/pools.log" | tr '\n' ' ')
       Look with: ./zfs-vm ssh --name $NAME -- zpool status. Make them anew with: ./zfs-vm reset --hard --name $NAME"
}

machine_port() { awk -v guest="$1" '$1 == guest { print $2 }' "$STATE/ports"; }

# Connections are taken before the guest listens, so only the greeting of the guest's server counts.
machine_greets() {
  local port=$1 line=''
  # shellcheck disable=SC2094
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
  read -r -t 2 line <&3 || true
  exec 3>&-
  [[ $line == SSH-* ]]
}

machine_fail_to_start() {
  say "the last lines of the console ($CONSOLE):"
  tail -n 15 "$CONSOLE" 2>/dev/null | sed 's/^/    /' >&2
  die "machine '$NAME' $1. Try: ./zfs-vm stop --kill --name $NAME, then ./zfs-vm reset --hard --name $NAME"
}

# Waits until the machine answers over ssh; fails if it ends, or needs longer than that.
machine_answers() {
  local port deadline=$((SECONDS + $1))
  port=$(machine_port 22)
  until machine_greets "$port"; do
    machine_pid >/dev/null && ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

machine_wait_for_ssh() {
  machine_answers "${ZFS_VM_BOOT_TIMEOUT:-180}" && return
  machine_pid >/dev/null || machine_fail_to_start 'ended while it was starting'
  machine_fail_to_start 'did not answer over ssh in time'
}

# One ssh connection is kept, so that a command takes a tenth of a second instead of one.
machine_connect() {
  local tries
  mkdir -p "$SOCKET_DIR"
  [[ -O $SOCKET_DIR && ! -L $SOCKET_DIR ]] || die "$SOCKET_DIR belongs to someone else"
  chmod 700 "$SOCKET_DIR"
  ssh -F "$SSH_CONFIG" -O check zfs-vm >/dev/null 2>&1 && return
  rm -f "$SOCKET"
  for ((tries = 0; tries < 5; tries++)); do
    ssh -F "$SSH_CONFIG" -o ControlMaster=yes -o ControlPersist=yes -N -f zfs-vm \
      9>&- </dev/null >/dev/null 2>"$STATE/ssh.log" && return
    machine_pid >/dev/null || break
    sleep 1
  done
  die "cannot log in to machine '$NAME': $(tail -n 1 "$STATE/ssh.log") (log: $STATE/ssh.log, console: $CONSOLE)"
}

machine_run() { ssh -F "$SSH_CONFIG" zfs-vm "$@"; }

# Gives the machine its name, the time, random numbers, ZFS and its pools.
machine_begin() {
  head -c 512 /dev/urandom |
    machine_run "zsm-begin $NAME $(date +%s.%N) && zsm-pools wait" 9>&- >"$STATE/pools.log" 2>&1
}

machine_start() {
  local image pid seconds began=$EPOCHREALTIME
  if pid=$(machine_pid); then
    [[ $(<"$STATE/image") == "$VM_CACHE"/* ]] ||
      die "machine '$NAME' is running with another version of OpenZFS. End it first: ./zfs-vm stop --name $NAME"
    machine_wait_for_ssh
    machine_connect
    say "machine '$NAME' is already running (pid $pid)"
    return
  fi
  build_if_needed
  image=$(image_find)
  machine_make_disks
  install -m 600 "$image/key" "$STATE/key"
  printf '%s\n' "$image" >"$STATE/image"
  "${KIND}_start" "$image"
  seconds=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")
  say "machine '$NAME' is running ($HOW, pid $(machine_pid), $seconds s)"
}

machine_wait_for_end() {
  local tries
  for ((tries = 0; tries < $1 * 10; tries++)); do
    machine_pid >/dev/null || return 0
    sleep 0.1
  done
  return 1
}

machine_kill() {
  local signal=$1 seconds=$2 pid
  pid=$(machine_pid) || return 0
  kill "-$signal" "$pid" 2>/dev/null || true
  machine_wait_for_end "$seconds"
}

machine_forget() {
  ssh -F "$SSH_CONFIG" -O exit zfs-vm >/dev/null 2>&1 || true
  rm -f "$SOCKET" "$STATE/pid" "$STATE/ports"
}

# stop: pools exported, then the power goes. stop --kill: the power goes at once, as in a power cut.
machine_stop() {
  local how=${1:-clean}
  if ! machine_pid >/dev/null; then
    machine_forget
    say "machine '$NAME' is not running"
    return
  fi
  if [[ $how == clean ]]; then
    timeout 30 ssh -F "$SSH_CONFIG" zfs-vm 'zsm-pools export; sync; poweroff -f' 9>&- </dev/null >/dev/null 2>&1 || true
    machine_wait_for_end 15 || say "machine '$NAME' did not end by itself: ending it"
    machine_kill TERM 5 || true
  fi
  machine_kill KILL 10 || die "machine '$NAME' (pid $(machine_pid)) does not end, even when killed"
  machine_forget
  say "machine '$NAME' is stopped"
}

# Empty pools. Those of a machine that works are made anew inside it; else, or with --hard, everything starts from
# nothing.
machine_reset() {
  local how=${1:-quick}
  if [[ $how == quick ]] && machine_pid >/dev/null && [[ $(<"$STATE/image") == "$VM_CACHE"/* ]]; then
    if timeout 60 ssh -F "$SSH_CONFIG" zfs-vm 'zsm-pools wait 2>/dev/null; zsm-pools recreate' \
      9>&- </dev/null >"$STATE/pools.log" 2>&1; then
      say "machine '$NAME' has new, empty pools"
      return
    fi
    say "the pools could not be made anew inside the machine ($(tail -n 1 "$STATE/pools.log"))"
  fi
  machine_stop --kill
  rm -f "$STATE"/disk?.raw
  machine_start
}

machine_require() {
  machine_pid >/dev/null && return
  say "error: machine '$NAME' is not running. Start it with: ./zfs-vm start --name $NAME"
  exit 255
}

# One word is a line for the guest's shell; several are a program and its arguments, which arrive as they are.
machine_ssh() {
  local -a words
  machine_require
  machine_connect
  case $# in
    0) exec ssh -F "$SSH_CONFIG" -t zfs-vm ;;
    1) exec ssh -F "$SSH_CONFIG" zfs-vm "$1" ;;
    *)
      mapfile -d '' -t words < <(printf '%q\0' "$@")
      exec ssh -F "$SSH_CONFIG" zfs-vm "${words[*]}"
      ;;
  esac
}

machine_env_line() { printf '%s=%q\n' "$1" "$2"; }

machine_env() {
  local image port
  machine_require
  image=$(<"$STATE/image")
  machine_env_line ZFS_VM_NAME "$NAME"
  machine_env_line ZFS_VM_SSH "ssh -F $(printf %q "$SSH_CONFIG") zfs-vm"
  machine_env_line ZFS_VM_SSH_CONFIG "$SSH_CONFIG"
  machine_env_line ZFS_VM_SSH_HOST zfs-vm
  machine_env_line ZFS_VM_SSH_PORT "$(machine_port 22)"
  machine_env_line ZFS_VM_HOST_ADDRESS 10.0.2.2
  for port in "${GUEST_SERVER_PORTS[@]}"; do
    machine_env_line "ZFS_VM_PORT_$port" "$(machine_port "$port")"
  done
  machine_env_line ZFS_VM_PID "$(machine_pid)"
  machine_env_line ZFS_VM_CONSOLE "$CONSOLE"
  machine_env_line ZFS_VM_STATE "$STATE"
  machine_env_line ZSTREAM "$image/bin/zstream"
}
