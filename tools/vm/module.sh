# shellcheck shell=bash
# The "zfs" build step: a Debian cloud kernel, the ZFS modules built for it, and ZFS's own tools.
# The result is a folder: vmlinuz, modules/ (all that the guest loads), root/ (unpacked ZFS tools), versions.

# The kernel modules besides ZFS that the guest needs: its disks, network, random numbers and clock.
GUEST_MODULES=(virtio_pci virtio_net virtio_blk virtio-rng rtc-cmos)

MODULE_KEY=$(hash_files "$VM_TOOLS/module.sh")

# Prints the finished folder for the scripts as they are now, or nothing.
module_find() {
  local folder newest=''
  for folder in "$VM_CACHE"/zfs-*-"$MODULE_KEY"; do
    [[ -e $folder/versions && (-z $newest || $folder -nt $newest) ]] && newest=$folder
  done
  printf '%s' "$newest"
}

module_install_tools() {
  apt_install gcc make bc bison flex libelf-dev kmod cpio xz-utils "linux-headers-$1"
}

# Finds what would be built now, as "KERNEL ZFS RELEASE", for instance "6.1.0-40-cloud-amd64 2.3.2-2~bpo12+2 bookworm".
module_versions() {
  local release kernel zfs
  release=$(<"$APT_DIR/codename")
  kernel=$(apt_ours apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/.*Depends: linux-image-\([0-9].*\)/\1/p' | head -n 1)
  if [[ -n $ZFS ]]; then
    read -r zfs release < <(version_find) || true
  else
    zfs=$(apt_version zfs-dkms "$release-backports")
  fi
  [[ -n $kernel && -n $zfs ]] || return 1
  echo "$kernel $zfs $release"
}

# The libraries of the ZFS tools; their names tell versions of their own.
module_libraries() {
  version_in_release "$1" apt_ours apt-cache depends "zfsutils-linux=$2" |
    sed -n 's/^ *Depends: \(lib\(zfs\|zpool\|nvpair\|uutil\)[0-9]*linux\)$/\1/p'
}

module_fetch() {
  local work=$1 kernel=$2 zfs=$3 release=$4 package
  local -a libraries
  mapfile -t libraries < <(module_libraries "$release" "$zfs")
  apt_download "$work/debs" "linux-image-$kernel"
  version_in_release "$release" apt_download "$work/debs" "zfs-dkms=$zfs" "zfsutils-linux=$zfs" \
    "${libraries[@]/%/=$zfs}"
  mkdir -p "$work/kernel" "$work/source" "$work/result/root"
  for package in "$work"/debs/*.deb; do
    case ${package##*/} in
      linux-image-*) dpkg-deb -x "$package" "$work/kernel" ;;
      zfs-dkms_*) dpkg-deb -x "$package" "$work/source" ;;
      *) dpkg-deb -x "$package" "$work/result/root" ;;
    esac
  done
  rm -r "$work/debs"
}

module_compile() {
  local work=$1 kernel=$2 source
  source=$(echo "$work"/source/usr/src/zfs-*)
  cd "$source" || return
  ./configure --with-config=kernel \
    --with-linux="/usr/src/linux-headers-${kernel%-cloud-amd64}-common" \
    --with-linux-obj="/usr/src/linux-headers-$kernel"
  make -s "-j$(nproc)"
}

# Puts the ZFS modules beside the kernel's own and keeps those that the guest loads, with all that they depend on.
module_collect() {
  local work=$1 kernel=$2 module file
  local tree=$work/kernel/lib/modules/$kernel result=$work/result
  mkdir -p "$tree/extra" "$result/modules"
  # Two since OpenZFS 2.2, nine before.
  while read -r file; do strip -g -o "$tree/extra/${file##*/}" "$file"; done < <(find "$work"/source/usr/src/zfs-*/module -name "*.ko")
  /sbin/depmod -b "$work/kernel" "$kernel"
  for module in "${GUEST_MODULES[@]}" zfs; do
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

module_build() {
  local kernel zfs release folder work
  packages_ready
  read -r kernel zfs release < <(module_versions) ||
    die "no cloud kernel or no zfs-dkms${ZFS:+ $ZFS} in the package lists. Log: $BUILD_LOG"
  folder=$VM_CACHE/zfs-${zfs//[^0-9A-Za-z.-]/_}-$kernel-$MODULE_KEY
  work=$(mktemp -d "$VM_CACHE/work.XXXXXX")
  logged "installing what the build needs" module_install_tools "$kernel"
  logged "fetching Linux $kernel and ZFS $zfs" module_fetch "$work" "$kernel" "$zfs" "$release"
  logged "building the ZFS module (some 7 minutes on 2 cores, once)" module_compile "$work" "$kernel"
  logged 'collecting kernel, modules and tools' module_collect "$work" "$kernel"
  printf 'kernel %s\nzfs %s\nrelease %s\n' "$kernel" "$zfs" "$release" >"$work/result/versions"
  rm -rf "$folder"
  mv "$work/result" "$folder"
  rm -rf "$work"
}
