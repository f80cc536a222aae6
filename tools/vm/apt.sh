# shellcheck shell=bash
# Debian's packages through package lists of our own, so that contrib and backports, which the machine's own apt may not
# have, can be used without changing the machine's apt. The mirror is the one that the machine's apt uses.

APT_DIR=$VM_CACHE/apt

# Prints "URI SUITE KEYRING" for each Debian source of the machine, from both kinds of apt source file.
apt_machine_sources() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -r $file ]] && apt_read_deb822 "$file"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -r $file ]] && apt_read_one_line "$file"
  done
  return 0
}

apt_read_deb822() {
  awk '
    function flush(   u, s, i, j, nu, ns, key) {
      if (types ~ /(^| )deb( |$)/ && enabled !~ /^(no|false|0)$/) {
        nu = split(uris, u, " "); ns = split(suites, s, " ")
        key = (signed ~ /^\//) ? signed : "-"
        if (nu > 0) for (j = 1; j <= ns; j++) print u[1], s[j], key
      }
      types = uris = suites = signed = ""; enabled = "yes"
    }
    BEGIN { enabled = "yes" }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    { name = tolower($0); sub(/:.*/, "", name); value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
    name == "types" { types = value }
    name == "uris" { uris = value }
    name == "suites" { suites = value }
    name == "signed-by" { signed = value }
    name == "enabled" { enabled = tolower(value) }
    END { flush() }
  ' "$1"
}

apt_read_one_line() {
  awk '
    $1 == "deb" {
      key = "-"; line = $0; sub(/^deb[ \t]+/, "", line)
      if (line ~ /^\[/) {
        options = line; sub(/\].*/, "", options); sub(/^\[[^]]*\][ \t]*/, "", line)
        if (match(options, /signed-by=[^ \],]+/)) key = substr(options, RSTART + 10, RLENGTH - 10)
      }
      split(line, field, /[ \t]+/); print field[1], field[2], key
    }
  ' "$1"
}

# Prints one line for our own sources list. A source without a keyring of its own uses Debian's.
apt_source_line() {
  local uri=$1 suite=$2 keyring=$3 components=$4
  if [[ $keyring == - && -r /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  fi
  if [[ $keyring == - ]]; then
    printf 'deb %s %s %s\n' "$uri" "$suite" "$components"
  else
    printf 'deb [signed-by=%s] %s %s %s\n' "$keyring" "$uri" "$suite" "$components"
  fi
}

apt_write_sources() {
  local codename=$1 uri suite keyring found='' seen=' '
  while read -r uri suite keyring; do
    suite=${suite%/}
    [[ $seen == *" $suite "* ]] && continue
    case $suite in
      "$codename")
        found=yes
        apt_source_line "$uri" "$suite" "$keyring" 'main contrib'
        apt_source_line "$uri" "$codename-backports" "$keyring" 'main contrib'
        ;;
      "$codename-updates" | "$codename-security") apt_source_line "$uri" "$suite" "$keyring" main ;;
      *) continue ;;
    esac
    seen+="$suite "
  done < <(apt_machine_sources)
  [[ -n $found ]]
}

# Makes our package lists ready: once per build run.
apt_prepare() {
  local codename
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && [[ ${ID:-} == debian ]] && echo "${VERSION_CODENAME:-}") || true
  [[ -n $codename ]] || {
    echo "this build needs Debian (12 or newer): /etc/os-release names another system"
    return 1
  }
  mkdir -p "$APT_DIR/lists/partial" "$APT_DIR/cache/archives/partial" "$APT_DIR/no-parts"
  apt_write_sources "$codename" >"$APT_DIR/sources.list" || {
    echo "no apt source for Debian $codename found under /etc/apt: add one, then run this again"
    return 1
  }
  echo "$codename" >"$APT_DIR/codename"
  apt_ours apt-get update
}

# Makes the package lists of another release ready, from the mirror that has this machine's own: suites given.
apt_prepare_release() {
  local release=$1 codename uri suite keyring APT_DIR=$APT_DIR
  shift
  codename=$(<"$APT_DIR/codename")
  APT_DIR+=-$release
  mkdir -p "$APT_DIR/lists/partial" "$APT_DIR/cache/archives/partial" "$APT_DIR/no-parts"
  read -r uri suite keyring < <(apt_machine_sources | awk -v own="$codename" '{ sub(/\/$/, "", $2) } $2 == own')
  for suite; do apt_source_line "$uri" "$suite" "$keyring" 'main contrib'; done >"$APT_DIR/sources.list"
  echo "$release" >"$APT_DIR/codename"
  apt_ours apt-get update
}

# Runs an apt tool with our sources and lists; what is installed and how packages are pinned stay the machine's.
apt_ours() {
  local tool=$1
  shift
  DEBIAN_FRONTEND=noninteractive "$tool" -q \
    -o "Dir::Etc::sourcelist=$APT_DIR/sources.list" -o "Dir::Etc::sourceparts=$APT_DIR/no-parts" \
    -o "Dir::State::lists=$APT_DIR/lists" -o "Dir::Cache=$APT_DIR/cache" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root \
    -o Acquire::Retries=5 -o Acquire::Languages=none -o DPkg::Lock::Timeout=600 "$@"
}

# Installs packages on this machine, without touching any that are there.
apt_install() {
  # shellcheck disable=SC2016 # for the inner shell to expand
  as_root env VM_CACHE="$VM_CACHE" APT_DIR="$APT_DIR" bash -c '
    set -euo pipefail
    . "$0"
    apt_ours apt-get install -y --no-install-recommends --no-upgrade "$@"
  ' "$VM_TOOLS/apt.sh" "$@"
}

# Downloads packages (not their dependencies) into a folder.
apt_download() {
  local folder=$1
  shift
  mkdir -p "$folder"
  (cd "$folder" && apt_ours apt-get download "$@")
}

# Downloads packages and everything they depend on into a folder, whatever this machine has installed.
apt_download_with_dependencies() {
  local folder=$1
  shift
  mkdir -p "$folder/partial"
  : >"$folder/status"
  apt_ours apt-get install -y --no-install-recommends --download-only \
    -o "Dir::State::status=$folder/status" -o "Dir::Cache::archives=$folder" \
    -o Debug::NoLocking=true "$@"
}

# The version that would be taken of a package; with a suite, the version in that suite.
apt_version() {
  local package=$1 suite=${2:-}
  apt_ours apt-cache show ${suite:+-t "$suite"} --no-all-versions "$package" | sed -n 's/^Version: //p' | head -n 1
}
