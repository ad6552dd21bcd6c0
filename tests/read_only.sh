#!/bin/sh
# Usage: read_only.sh REPOSITORY COMMAND ..., in a mount namespace of its own. Runs the command where nothing can be
# written but /tmp, which is new and holds 512 MB, as in a micro of Deta Space. The certificate of the tests goes along.
set -eu
repository=$1
shift
authority=$(cat "$SSL_CERT_FILE")
mount --bind "$repository" /mnt
mount -t tmpfs -o size=512m tmpfs /tmp
mkdir -p "$repository" # it may lie in /tmp
mount --bind /mnt "$repository"
findmnt --raw --noheadings --output TARGET,FSTYPE | while read -r place type; do
  case $place:$type in
  /tmp:* | *:proc | *:sysfs | *:dev* | *:cgroup* | *:mqueue) ;;
  *) mount -o remount,bind,ro "$place" 2>/dev/null || : ;; # what could not is found out below
  esac
done
for place in / "$repository" "$HOME" /var/tmp /run; do
  if touch "$place/.written" 2>/dev/null; then
    echo "$place can be written" >&2
    exit 1
  fi
done
printf '%s\n' "$authority" >/tmp/authority.pem
export SSL_CERT_FILE=/tmp/authority.pem
exec "$@"
