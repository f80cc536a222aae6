# shellcheck shell=bash
# The "zfs" build step: a kernel, the ZFS modules built for it, and ZFS's own tools. What differs from one kind of
# machine to another is in qemu.sh and uml.sh. The result is a folder: vmlinuz or linux, modules/ (all that the guest
# loads), root/ (unpacked ZFS tools), versions.

# What changes the result of the build changes the key: the functions that it runs.
module_key_of() {
  local kind=$1
  declare -f module_fetch module_compile "${kind}_kernel_packages" "${kind}_configure_options" "${kind}_collect"
  if [[ $kind == uml ]]; then
    declare -f uml_compile_kernel
    cat "$VM_TOOLS"/uml/*
  fi
}

module_key() { printf '%s-%s' "$KIND" "$(module_key_of "$KIND" | sha256sum | cut -c1-12)"; }

# Prints the finished folder for the scripts as they are now, or nothing.
module_find() {
  local folder newest=''
  for folder in "$VM_CACHE"/zfs-*-"$(module_key)"; do
    [[ -e $folder/versions && (-z $newest || $folder -nt $newest) ]] && newest=$folder
  done
  printf '%s' "$newest"
}

# Finds what would be built now, as "KERNEL ZFS RELEASE", for instance "6.1.0-40-cloud-amd64 2.3.2-2~bpo12+2 bookworm".
module_versions() {
  local release kernel zfs
  release=$(<"$APT_DIR/codename")
  kernel=$("${KIND}_kernel_version")
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
  # shellcheck disable=SC2046 # the names are words
  apt_download "$work/kernel-debs" $("${KIND}_kernel_packages" "$kernel")
  version_in_release "$release" apt_download "$work/debs" "zfs-dkms=$zfs" "zfsutils-linux=$zfs" \
    "${libraries[@]/%/=$zfs}"
  mkdir -p "$work/kernel" "$work/source" "$work/result/root"
  for package in "$work"/kernel-debs/*.deb; do dpkg-deb -x "$package" "$work/kernel"; done
  for package in "$work"/debs/*.deb; do
    case ${package##*/} in
      zfs-dkms_*) dpkg-deb -x "$package" "$work/source" ;;
      *) dpkg-deb -x "$package" "$work/result/root" ;;
    esac
  done
  rm -r "$work"/{kernel-debs,debs}
}

module_compile() {
  local work=$1 kernel=$2
  cd "$work"/source/usr/src/zfs-* || return
  # shellcheck disable=SC2046 # the options are words
  ./configure --with-config=kernel "TEST_JOBS=$(nproc)" $("${KIND}_configure_options" "$work" "$kernel")
  make -s "-j$(nproc)"
}

module_build() {
  local kernel zfs release folder work
  packages_ready
  read -r kernel zfs release < <(module_versions) ||
    die "no kernel or no zfs-dkms${ZFS:+ $ZFS} in the package lists. Log: $BUILD_LOG"
  folder=$VM_CACHE/zfs-${zfs//[^0-9A-Za-z.-]/_}-${kernel//[^0-9A-Za-z.-]/_}-$(module_key)
  work=$(mktemp -d "$VM_CACHE/work.XXXXXX")
  logged "installing what the build needs" "${KIND}_install_tools" "$kernel"
  logged "fetching Linux $kernel and ZFS $zfs" module_fetch "$work" "$kernel" "$zfs" "$release"
  [[ $KIND != uml ]] || logged 'building the kernel (some 4 minutes on 2 cores, once)' uml_compile_kernel "$work"
  logged 'building the ZFS module (some 7 minutes on 2 cores, once)' module_compile "$work" "$kernel"
  logged 'collecting kernel, modules and tools' "${KIND}_collect" "$work" "$kernel"
  printf 'kernel %s\nzfs %s\nrelease %s\n' "$kernel" "$zfs" "$release" >"$work/result/versions"
  rm -rf "$folder"
  mv "$work/result" "$folder"
  rm -rf "$work"
}
