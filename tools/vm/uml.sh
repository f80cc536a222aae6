# shellcheck shell=bash
# A virtual machine without emulation: Linux compiled as a program (User-Mode Linux), with OpenZFS's own modules. Its
# programs and its kernel run at the processor's speed; only system calls are slower. It needs no rights, and no
# virtualisation of the processor. Everything about it that differs from the other kind (qemu.sh).

UML_LINUX=linux-source-6.12

UML_BUILD_PACKAGES=(gcc libc6-dev make patch bc bison flex libelf-dev kmod cpio xz-utils)

uml_programs() { echo /usr/lib/x86_64-linux-gnu/libslirp.so.0:libslirp0; }

uml_kernel_version() {
  apt_ours apt-cache policy "$UML_LINUX" | sed -n 's/^ *Candidate: \([0-9].*\)/\1/p'
}

uml_kernel_packages() { echo "$UML_LINUX" libslirp-dev; }

uml_install_tools() { apt_install "${UML_BUILD_PACKAGES[@]}"; }

# `modules` writes Module.symvers, which the build of ZFS reads.
uml_compile_kernel() {
  local work=$1 tree missing
  tar -C "$work" -xf "$work/kernel/usr/src/$UML_LINUX.tar.xz"
  tree=$work/$UML_LINUX
  rm -r "$work/kernel/usr/src"
  patch -d "$tree" -p1 <"$VM_TOOLS/uml/linux.patch"
  make -C "$tree" -s ARCH=um "KCONFIG_ALLCONFIG=$VM_TOOLS/uml/kernel-options" allnoconfig
  # What depends on something that is off is left out without a word.
  missing=$(grep -vxFf "$tree/.config" "$VM_TOOLS/uml/kernel-options" | grep -v '=n$' || true)
  [[ -z $missing ]] || { echo "not in the kernel's configuration: $missing"; return 1; }
  make -C "$tree" -s ARCH=um "-j$(nproc)" linux modules
  gcc -O2 -Wall -Wextra -Werror -o "$work/result/uml-run" "$VM_TOOLS/uml/uml-run.c" \
    -isystem "$work/kernel/usr/include/slirp" /usr/lib/x86_64-linux-gnu/libslirp.so.0
}

uml_configure_options() {
  echo "KERNEL_ARCH=um --with-linux=$1/$UML_LINUX --with-linux-obj=$1/$UML_LINUX"
}

uml_collect() {
  local work=$1 result=$1/result name
  mkdir -p "$result/modules"
  : >"$result/modules/load-order" # disks, network and clock are part of the kernel
  for name in spl zfs; do
    strip -g -o "$result/modules/$name.ko" "$work"/source/usr/src/zfs-*/module/"$name.ko"
    echo "$name.ko" >>"$result/modules/zfs-load-order"
  done
  strip -g -o "$result/linux" "$work/$UML_LINUX/linux"
}

# As it is: nothing has to be unpacked at a start, and all machines share it in the page cache.
uml_pack() { cat; }

# Boots a machine without disks and ends it: whether this works here depends on the processor and on what is allowed.
uml_try() {
  local image=$1 work tries code=1
  work=$(mktemp -d "$VM_CACHE/work.XXXXXX")
  : >"$work/ports"
  if (STATE=$work CONSOLE=$work/console.log; uml_run "$image" mem=512M zsm-try); then
    for ((tries = 0; tries < 600; tries++)); do
      [[ -e $work/pid ]] || break
      sleep 0.1
    done
    if grep -q '^zsm: works' "$work/console.log"; then code=0; fi
  fi
  if ((code != 0)); then tail -n 20 "$work"/*.log; fi
  if [[ -e $work/pid ]]; then kill -9 "$(<"$work/pid")"; fi
  rm -rf "$work"
  return "$code"
}

uml_mark() { echo "$STATE/pid"; }

# The folder for the file that is the machine's memory: in memory if it has enough room and may hold code.
uml_memory_folder() {
  local free=0
  [[ ! -w /dev/shm ]] || free=$(df --output=avail -B1M /dev/shm | tail -n 1)
  if ((free > ${ZFS_VM_MEMORY:-2048} + 256)) && ! findmnt -n -o OPTIONS -T /dev/shm | grep -qw noexec; then
    echo /dev/shm
  else
    echo "$STATE"
  fi
}

# Prints the processor that the fewest machines are bound to. The kernel and its programs are processes that hand over
# to each other at each system call: on one processor that takes 5 us, on two 16.
uml_processor() {
  local -a used=()
  local pid cpu best=0
  for pid in $(pgrep -x uml-run || true); do
    cpu=$(sed -n 's/^Cpus_allowed_list:\t\([0-9]*\)$/\1/p' "/proc/$pid/status" 2>/dev/null) || continue
    [[ -z $cpu ]] || used[cpu]=$((${used[cpu]:-0} + 1))
  done
  for ((cpu = 1; cpu < $(nproc); cpu++)); do
    ((${used[cpu]:-0} >= ${used[best]:-0})) || best=$cpu
  done
  echo "$best"
}

# Disks by names without a path: a comma or colon in one would mean something.
uml_run() {
  local image=$1 guest port
  local -a forward=()
  shift
  while read -r guest port; do forward+=(--forward "$port:$guest"); done <"$STATE/ports"
  (
    cd "$STATE" || exit
    TMPDIR=$(uml_memory_folder) HOME=$STATE taskset -c "$(uml_processor)" \
      "$image/uml-run" --pid "$STATE/pid" --console "$CONSOLE" "${forward[@]}" -- \
      "$image/linux" "initrd=$image/initrd" vec0:transport=fd,fd=3,depth=64 con=null con0=null,fd:1 \
      root=/dev/ram0 rdinit=/init panic=-1 oops=panic quiet "$@"
  ) 9>&- </dev/null >"$STATE/start.log" 2>&1
}

uml_boot() { uml_run "$1" "mem=${ZFS_VM_MEMORY:-2048}M" ubd0=disk0.raw ubd1=disk1.raw; }

# It boots faster than the memory of another could be restored.
uml_start() {
  HOW=booted
  machine_must_boot "$1"
  machine_must_begin
}
