#!/bin/sh
# First process of node1, inside its own mount, PID, UTS and network namespaces: what it mounts nobody else sees.
set -eu
folder=$1
mount --make-rprivate /
for file in passwd group shadow nsswitch.conf hosts; do
    mount --bind "$folder/etc/$file" "/etc/$file"
done
mount --bind "$folder/home" /home
mount -t tmpfs -o mode=755,size=1m tmpfs /run
mkdir -p /run/sshd
echo node1 >/proc/sys/kernel/hostname
exec /usr/sbin/sshd -D -e -f "$folder/sshd_config"
