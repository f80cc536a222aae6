# shellcheck shell=bash
# A virtual machine under qemu: Debian's kernel, emulated unless the processor has virtualisation. Everything about it
# that differs from the other kind (uml.sh).

# The kernel modules besides ZFS that the guest needs: its disks, network, random numbers and clock.
QEMU_MODULES=(virtio_pci virtio_net virtio_blk virtio-rng rtc-cmos)

# What the build needs on this machine.
QEMU_BUILD_PACKAGES=(gcc make bc bison flex libelf-dev kmod cpio xz-utils)

qemu_programs() { echo qemu-system-x86_64:qemu-system-x86; }

qemu_kernel_version() {
  apt_ours apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: linux-image-\([0-9].*\)/\1/p' | head -n 1
}

qemu_kernel_packages() { echo "linux-image-$1"; }

qemu_install_tools() { apt_install "${QEMU_BUILD_PACKAGES[@]}" "linux-headers-$1"; }

qemu_configure_options() {
  echo "--with-linux=/usr/src/linux-headers-${2%-cloud-amd64}-common --with-linux-obj=/usr/src/linux-headers-$2"
}

# Puts the ZFS modules beside the kernel's own and keeps those that the guest loads, with all that they depend on.
qemu_collect() {
  local work=$1 kernel=$2 module file
  local tree=$work/kernel/lib/modules/$kernel result=$work/result
  mkdir -p "$tree/extra" "$result/modules"
  # Two since OpenZFS 2.2, nine before.
  while read -r file; do strip -g -o "$tree/extra/${file##*/}" "$file"; done < <(find "$work"/source/usr/src/zfs-*/module -name "*.ko")
  /sbin/depmod -b "$work/kernel" "$kernel"
  for module in "${QEMU_MODULES[@]}" zfs; do
    /sbin/modprobe -d "$work/kernel" -S "$kernel" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/load-order" # the rest is "builtin": nothing to load
  while read -r file; do
    cp "$file" "$result/modules/"
    case $file in
      */extra/*) basename "$file" >>"$result/modules/zfs-load-order" ;;
      *) basename "$file" >>"$result/modules/load-order" ;;
    esac
  done <"$work/load-order"
  cp "$work/kernel/boot/vmlinuz-$kernel" "$result/vmlinuz"
}

qemu_pack() { zstd -q -3 -T0; }

# A word of the command line of this machine's process, and of no other's.
qemu_mark() { qemu_disk_option 0; }

qemu_disk_option() {
  local path=$STATE/disk$1.raw
  # A comma in a path is doubled in qemu's options.
  printf 'if=none,id=d%s,file=%s,format=raw,cache=unsafe,discard=unmap' "$1" "${path//,/,,}"
}

# KVM only where the processor has it: /dev/kvm is there on machines where qemu then crashes or crawls.
qemu_is_fast() { [[ -w /dev/kvm ]] && grep -Eqw 'vmx|svm' /proc/cpuinfo; }

qemu_accelerator() {
  if qemu_is_fast; then
    echo '-machine q35,accel=kvm -cpu host'
  else
    # Emulated, a plain processor is the faster one: what uses AVX where it finds it is slower for it. AES is faster as
    # an instruction.
    echo '-machine q35 -accel tcg,thread=multi -cpu Nehalem,+aes,+pclmulqdq,+rdrand'
  fi
}

# Two machines with two processors each, emulated on two cores, get half as much done as with one each: they wait for
# one another's locks.
qemu_processors() { echo "${ZFS_VM_PROCESSORS:-$(($(nproc) > 2 ? 2 : 1))}"; }

# The machine's devices: what a saved memory must find again when it is restored.
# norandmaps: qemu keeps what it has translated of a program by the address at which that runs. With addresses that
# differ from run to run it translates every program again: commands take two to four times as long.
# maxcpus: for a machine that can never have more than one processor, qemu before 8.1 leaves out memory barriers that
# its own threads need (qemu commit c914d46d0a64). A disk's interrupt then gets lost at times, and the machine hangs.
qemu_devices() {
  local accelerator processors
  read -ra accelerator < <(qemu_accelerator)
  processors=$(qemu_processors)
  printf '%s\n' "${accelerator[@]}" -smp "$processors,maxcpus=$((processors > 1 ? processors : 2))" \
    -m "${ZFS_VM_MEMORY:-2048}" -nodefaults -display none -no-reboot -rtc base=utc \
    -device virtio-net-pci,netdev=n,romfile= -device virtio-blk-pci,drive=d0 \
    -device virtio-blk-pci,drive=d1 -object rng-random,id=r,filename=/dev/urandom -device virtio-rng-pci,rng=r \
    -append 'console=ttyS0 quiet panic=-1 oops=panic mitigations=off norandmaps init_on_alloc=0 cgroup_disable=memory'
}

# With a second argument: from that memory, and not from the beginning.
qemu_boot() {
  local image=$1 memory=${2:-} port forward='' guest
  local -a devices incoming=()
  while read -r guest port; do forward+=",hostfwd=tcp:127.0.0.1:$port-:$guest"; done <"$STATE/ports"
  rm -f "$MONITOR".{in,out}
  mkfifo -m 600 "$MONITOR".{in,out}
  [[ -z $memory ]] || incoming=(-incoming "exec:zstd -dcq '$memory'")
  mapfile -t devices < <(qemu_devices)
  qemu-system-x86_64 -name "zsm-$NAME" -daemonize -pidfile "$STATE/pid" \
    -netdev "user,id=n$forward" -drive "$(qemu_disk_option 0)" -drive "$(qemu_disk_option 1)" \
    -chardev "pipe,id=m,path=${MONITOR//,/,,}" -mon chardev=m,mode=control \
    -chardev "file,id=c,path=${CONSOLE//,/,,}" -serial chardev:c \
    -kernel "$image/vmlinuz" -initrd "$image/initrd" \
    "${devices[@]}" "${incoming[@]}" \
    9>&- </dev/null >"$STATE/start.log" 2>&1
}

# Sends qemu one command and prints its answer; fails if that is an error, or does not come.
qemu_ask() {
  local answer id=$RANDOM$RANDOM
  {
    printf '{"execute":"qmp_capabilities"}\n{%s,"id":"%s"}\n' "$1" "$id" >&7
    while read -r -t 20 answer <&8; do
      [[ $answer == *"\"id\": \"$id\""* ]] || continue
      printf '%s\n' "$answer"
      [[ $answer != *'"error"'* ]]
      return
    done
    return 1
  } 7<>"$MONITOR.in" 8<>"$MONITOR.out"
}

# The file for the memory of such a machine. Disks of another size would be other devices to it.
qemu_memory_file() {
  local image=$1 what
  what=$(qemu_devices; qemu-system-x86_64 --version; stat -c %s "$STATE"/disk?.raw)
  printf '%s/memory-%s.zst' "$image" "$(printf '%s' "$what" | sha256sum | cut -c1-12)"
}

# Saves the memory of a machine that has just booted, before ZFS is loaded and any disk is read (see guest/zsm-begin).
# A machine that cannot be saved still runs.
qemu_save() {
  local file=$1 new
  new=$(mktemp "$file.XXXXXX")
  qemu_ask '"execute":"stop"' >/dev/null
  if qemu_migrate "$new" && zstd -q -1 -f "$new" -o "$new.zst"; then
    mv "$new.zst" "$file"
  else
    say "the memory of machine '$NAME' could not be saved: its next start will boot it again (log: $STATE/start.log)"
  fi
  qemu_ask '"execute":"cont"' >/dev/null || machine_fail_to_start 'did not resume after its memory was saved'
  rm -f "$new" "$new.zst"
}

qemu_migrate() {
  local tries
  qemu_ask '"execute":"migrate-set-parameters","arguments":{"max-bandwidth":10000000000}' >/dev/null || return 1
  qemu_ask "\"execute\":\"migrate\",\"arguments\":{\"uri\":\"exec:cat > '$1'\"}" >/dev/null || return 1
  for ((tries = 0; tries < 200; tries++)); do
    case $(qemu_ask '"execute":"query-migrate"') in
      *'"status": "completed"'*) return 0 ;;
      *'"status": "failed"'* | '') return 1 ;;
    esac
    sleep 0.1
  done
  return 1
}

# `cont` while qemu still reads the memory would leave a machine that does not answer.
qemu_resume() {
  local tries
  for ((tries = 0; tries < 400; tries++)); do
    case $(qemu_ask '"execute":"query-status"') in
      *'"status": "paused"'*) break ;;
      *'"status": "inmigrate"'*) sleep 0.05 ;;
      *) return 1 ;;
    esac
  done
  qemu_ask '"execute":"cont"' >/dev/null
}

# Starts from a saved memory; fails, with no machine left, if that does not work for whatever reason.
qemu_restore() {
  local image=$1 memory=$2
  machine_boot_with_retries "$image" "$memory" && qemu_resume &&
    machine_write_ssh_config "$(machine_port 22)" && machine_answers 20 && (machine_connect) && machine_begin && return
  say "machine '$NAME' could not be restored from $memory: booting it (log: $STATE/start.log)"
  machine_kill KILL 10 || die "machine '$NAME' (pid $(machine_pid)) does not end, even when killed"
  machine_forget
  rm -f "$memory"
  return 1
}

qemu_start() {
  local image=$1 memory
  memory=$(qemu_memory_file "$image")
  HOW=restored
  if [[ -n $FRESH || ! -s $memory ]] || ! qemu_restore "$image" "$memory"; then
    HOW=booted
    machine_must_boot "$image"
    qemu_save "$memory"
    machine_must_begin
  fi
}
