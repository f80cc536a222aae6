# shellcheck shell=bash
# Other versions of OpenZFS than the one that a machine has unless another is asked for (--zfs). Each comes from the
# Debian release that has it, is built for the kernel of this machine's release, and is kept in a directory of its own.

# Debian releases, oldest first, each with the suites in which versions are looked for.
RELEASES=('bookworm bookworm bookworm-backports' 'trixie trixie trixie-backports')

# The version asked for; empty for the usual one.
ZFS=${ZFS_VM_ZFS:-}

# The usual version, as it was built; nothing if it was not.
version_usual() {
  local module
  module=$(module_find)
  [[ -z $module ]] || sed -n 's/^zfs \([^-]*\).*/\1/p' "$module/versions"
}

# From here on, everything is that version's.
version_use() {
  [[ -n $ZFS ]] || return 0
  [[ $ZFS =~ ^[0-9]+(\.[0-9]+){2}$ ]] || die "not a version of OpenZFS: '$ZFS' (for instance 2.1.11)"
  if [[ $(version_usual) == "$ZFS" ]]; then
    ZFS=
  else
    VM_CACHE=$CACHE_ROOT/vm-$ZFS
    APT_DIR=$VM_CACHE/apt
  fi
}

# Runs a command with the package lists of a release.
version_in_release() {
  local release=$1 APT_DIR=$APT_DIR
  shift
  [[ $release == "$(<"$APT_DIR/codename")" ]] || APT_DIR+=-$release
  "$@"
}

# Reads the package lists of all releases besides this machine's. One that cannot be had has no versions.
version_prepare() {
  local entry release
  for entry in "${RELEASES[@]}"; do
    release=${entry%% *}
    # shellcheck disable=SC2086 # the suites are words
    [[ $release == "$(<"$APT_DIR/codename")" ]] || apt_prepare_release "$release" ${entry#* } ||
      rm -rf "$APT_DIR-$release"
  done
}

# Prints "VERSION RELEASE SUITE" for each package of OpenZFS that the lists have, for instance "2.3.9-0+deb13u1 trixie
# trixie"; of each suite the newest first.
version_packages() {
  local entry release
  for entry in "${RELEASES[@]}"; do
    release=${entry%% *}
    [[ $release == "$(<"$APT_DIR/codename")" || -d $APT_DIR-$release ]] || continue
    version_in_release "$release" apt_ours apt-cache madison zfs-dkms |
      awk -F ' *[|] *' -v release="$release" '{ split($3, source, /[ \/]+/); print $2, release, source[length(source) - 3] }'
  done
}

# Prints "VERSION RELEASE" of the version asked for.
version_find() {
  version_packages |
    awk -v want="$ZFS" '{ version = $1; sub(/-.*/, "", version) } version == want { print $1, $2 }' | head -n 1
}

# The newer one of this machine's release and of the one that a version is from: it has the libraries for the tools of
# both.
version_guest_release() {
  local own release=$1 entry newest=''
  own=$(<"$APT_DIR/codename")
  for entry in "${RELEASES[@]}"; do
    case ${entry%% *} in "$own" | "$release") newest=${entry%% *} ;; esac
  done
  echo "${newest:-$own}"
}

# The newest version of each suite, one a line, oldest first.
versions_list() {
  mkdir -p "$CACHE_ROOT"
  VM_CACHE=$CACHE_ROOT/vm-versions
  APT_DIR=$VM_CACHE/apt
  mkdir -p "$VM_CACHE"
  # shellcheck disable=SC2034 # for logged
  BUILD_LOG=$VM_CACHE/build.log
  packages_ready
  logged "reading other releases' package lists" version_prepare
  version_packages | awk '!seen[$3]++ { sub(/-.*/, "", $1); print $1 }' | sort -uV
}
