#!/bin/sh
# Starts the bastion's daemon inside its network namespace, with the lab's names instead of the machine's.
# usage: bastion_init.sh NAMES_FOLDER PROGRAM [ARGUMENT...]
set -eu
names=$1
shift
mount --make-rprivate /
for file in hosts resolv.conf nsswitch.conf passwd; do
    [ ! -e "/etc/$file" ] || [ ! -e "$names/$file" ] || mount --bind "$names/$file" "/etc/$file"
done
exec "$@"
