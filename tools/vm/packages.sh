# shellcheck shell=bash
# The "guest" build step: the Debian programs of the virtual machine, unpacked into one folder.

# Not wanted in a machine that lives in memory: documents, translations, package management, start-up scripts.
GUEST_LEFT_OUT=(
  usr/share/{bash-completion,bug,common-licenses,debconf,doc,doc-base,info,initramfs-tools,lintian,locale,man,menu}
  usr/share/{perl5,pixmaps,zoneinfo}
  usr/lib/{systemd,udev,tmpfiles.d,sysusers.d,x86_64-linux-gnu/gconv,x86_64-linux-gnu/security}
  usr/lib/x86_64-linux-gnu/perl-base/unicore/lib
  usr/bin/{debconf*,dpkg*,perl5*,openssl,c_rehash,localedef}
  etc/{init.d,cron.daily,systemd,default,pam.d,debconf.conf,rc*}
  var
)

GUEST_KEY=$(hash_files "$VM_TOOLS/packages.sh" "$VM_TOOLS/guest/packages")

guest_find() {
  local folder=$VM_CACHE/guest-$GUEST_KEY
  [[ -d $folder ]] && printf '%s' "$folder"
  return 0
}

guest_fetch() {
  local work=$1 release=$2 package
  local -a packages
  mapfile -t packages < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$VM_TOOLS/guest/packages")
  version_in_release "$release" apt_download_with_dependencies "$work/debs" "${packages[@]}"
  mkdir -p "$work/root/usr"/{bin,sbin,lib,lib64}
  for package in bin sbin lib lib64; do ln -s "usr/$package" "$work/root/$package"; done
  # dpkg-deb -x would put real folders in place of these links.
  for package in "$work"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$work/root"
  done
}

guest_prune() {
  local root=$1 pattern
  for pattern in "${GUEST_LEFT_OUT[@]}"; do
    # shellcheck disable=SC2086 # the patterns are meant to expand
    (cd "$root" && rm -rf $pattern)
  done
  cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
  rm -r "$root/usr/share/ca-certificates"
}

guest_build() {
  local work release folder=$VM_CACHE/guest-$GUEST_KEY
  work=$(mktemp -d "$VM_CACHE/work.XXXXXX")
  packages_ready
  release=$(version_guest_release "$(sed -n 's/^release //p' "$(module_find)/versions")")
  logged "fetching the guest's programs" guest_fetch "$work" "$release"
  logged "unpacking the guest's programs" guest_prune "$work/root"
  rm -rf "$folder"
  mv "$work/root" "$folder"
  rm -rf "$work"
}
