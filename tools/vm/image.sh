# shellcheck shell=bash
# The "image" build step: the file system that the virtual machine boots into, and the key to log in with.
# The result is a folder: vmlinuz (or linux and uml-run), initrd, key, bin/zstream.

IMAGE_KEY=$(hash_files "$VM_TOOLS"/{packages,image}.sh "$VM_TOOLS"/guest/*)

image_folder() { printf '%s' "$VM_CACHE/image-$IMAGE_KEY-$(module_key)"; }

image_find() {
  local folder
  folder=$(image_folder)
  [[ -e $folder/initrd ]] && printf '%s' "$folder"
  return 0
}

image_copy_zfs() {
  local zfs=$1 root=$2 part
  for part in {,usr/}sbin {,usr/}lib/udev/zvol_id {,usr/}lib/x86_64-linux-gnu usr/lib/zfs-linux \
    usr/share/zfs/compatibility.d etc/zfs; do
    if [[ -e $zfs/root/$part ]]; then
      (cd "$zfs/root" && tar -c "$part") | tar -x --keep-directory-symlink -C "$root"
    fi
  done
  mkdir -p "$root/modules"
  cp "$zfs"/modules/* "$root/modules/"
}

image_write_etc() {
  local root=$1
  cp "$VM_TOOLS/guest/init" "$root/init"
  cp "$VM_TOOLS/guest/inittab" "$VM_TOOLS/guest/mdev.conf" "$root/etc/"
  install -D -t "$root/usr/local/sbin" "$VM_TOOLS"/guest/zsm-*
  mkdir -p "$root"/{dev,proc,sys,run,tmp,mnt,var/{log,tmp,lib,cache},usr/local/bin,etc/dropbear}
  ln -sfn ../run "$root/var/run"
  printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' 'nobody:x:65534:65534:nobody:/:/bin/false' \
    'backup:x:1000:1000:backup:/home/backup:/bin/bash' >"$root/etc/passwd"
  printf '%s\n' 'root:x:0:' 'tty:x:5:' 'disk:x:6:' 'nogroup:x:65534:' 'backup:x:1000:' >"$root/etc/group"
  printf '%s\n' 'root:*:19000:0:99999:7:::' 'backup:*:19000:0:99999:7:::' >"$root/etc/shadow"
  printf '%s\n' /bin/sh /bin/bash >"$root/etc/shells"
  printf '127.0.0.1 localhost\n10.0.2.2 host\n' >"$root/etc/hosts"
  echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
  printf '%s\n' 'passwd: files' 'group: files' 'shadow: files' 'hosts: files dns' >"$root/etc/nsswitch.conf"
  # The same host id at every boot: pools that lost their machine are then not foreign to the next one.
  printf '\x5a\x53\x4d\x01' >"$root/etc/hostid"
}

# Two users, one key. bash reads .bashrc for commands that come over ssh too.
image_write_homes() {
  local root=$1 key=$2 home
  for home in "$root/root" "$root/home/backup"; do
    mkdir -p "$home/.ssh"
    chmod 700 "$home" "$home/.ssh"
    cp "$key.pub" "$home/.ssh/authorized_keys"
    # .NET programs make threads as for two processors, whether the machine has them or not: races are found either way.
    printf 'export LANG=C.UTF-8 DOTNET_PROCESSOR_COUNT=2\n' >"$home/.bashrc"
  done
}

# Every library that a program of the guest names must be in it: better to fail here than in a test.
image_check_libraries() {
  local root=$1 file missing=''
  local -A there=()
  while read -r file; do there[${file##*/}]=1; done < <(find "$root" -name '*.so*')
  while read -r file; do
    [[ -n ${there[$file]:-} ]] || missing+=" $file"
  done < <(find "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" -type f \( -perm -u+x -o -name '*.so*' \) -print0 |
    xargs -0 readelf -d 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
  [[ -z $missing ]] || {
    echo "libraries missing in the guest:$missing (add their packages to tools/vm/guest/packages)"
    return 1
  }
}

image_add_applets() {
  local root=$1 applet
  # Before the applets: busybox's shell would run its own find, stat and so on in place of the real ones.
  ln -sfn dash "$root/usr/bin/sh"
  for applet in $("$root/usr/bin/busybox" --list); do
    [[ -e $root/usr/bin/$applet || -e $root/usr/sbin/$applet ]] || ln -s busybox "$root/usr/bin/$applet"
  done
}

# Ownership: whatever user builds, the files in the guest are root's, but for the second user's home.
image_pack() {
  local root=$1 to=$2
  (cd "$root" && {
    find . -path ./home/backup -prune -o -print0 | cpio -0 -o -H newc -R 0:0 --quiet
    find ./home/backup -print0 | cpio -0 -o -H newc -R 1000:1000 --quiet
  }) | "${KIND}_pack" >"$to"
}

# `zstream` reads streams without any kernel module, so tests on this machine can use it too; it runs with the guest's
# libraries and asks nothing of this machine's.
image_write_zstream() {
  local file=$1 zfs=$2 guest=$3 program
  program=$(cd "$zfs/root" && find . -path '*sbin/zstream' | head -n 1)
  mkdir -p "$(dirname "$file")"
  {
    echo '#!/bin/sh'
    # shellcheck disable=SC2016 # for the wrapper to expand
    echo 'cache=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")'
    echo "zfs=\$cache/${zfs##*/}/root guest=\$cache/${guest##*/}/usr/lib/x86_64-linux-gnu"
    # shellcheck disable=SC2016 # for the wrapper to expand
    echo 'exec "$guest/ld-linux-x86-64.so.2" --library-path "$zfs/lib/x86_64-linux-gnu:$zfs/usr/lib/x86_64-linux-gnu:$guest" \'
    echo "  \"\$zfs/${program#./}\" \"\$@\""
  } >"$file"
  chmod +x "$file"
}

image_assemble() {
  local work=$1 zfs=$2 guest=$3 root=$1/root
  mkdir -p "$work/image"
  cp -a "$guest" "$root"
  ssh-keygen -q -t ed25519 -N '' -C zfs-vm -f "$work/image/key"
  image_copy_zfs "$zfs" "$root"
  image_write_etc "$root"
  image_write_homes "$root" "$work/image/key"
  image_add_applets "$root"
  image_check_libraries "$root"
  image_pack "$root" "$work/image/initrd"
  find "$zfs" -maxdepth 1 '(' -name vmlinuz -o -name linux -o -name uml-run ')' -exec cp -t "$work/image" {} +
  image_write_zstream "$work/image/bin/zstream" "$zfs" "$guest"
}

image_build() {
  local folder work
  folder=$(image_folder)
  work=$(mktemp -d "$VM_CACHE/work.XXXXXX")
  logged "making the machine's file system" image_assemble "$work" "$(module_find)" "$(guest_find)"
  rm -rf "$folder"
  mv "$work/image" "$folder"
  rm -rf "$work"
}
