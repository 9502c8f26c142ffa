#!/bin/sh
# Usage: libssh_wraps.sh NM ARCHIVE TABLE
# ld's --wrap acts only on references between objects: each symbol of TABLE must be defined in the one object and
# undefined in the others that TABLE names, else a wrap would silently do nothing.
set -eu
nm=$1 archive=$2 table=$3
symbols=$("$nm" -A "$archive" 2>/dev/null) || { echo "$0: cannot read $archive" >&2; exit 2; }
bad=0
checked=0
while read -r symbol defined users; do
    case $symbol in '' | '#'*) continue ;; esac
    for object in "$defined:T" $(echo "$users" | tr , '\n' | sed 's/$/:U/'); do
        kind=${object#*:}
        # Object names end in .c.o or .c.obj; nm -A prints "archive:object:address kind symbol".
        if ! printf '%s\n' "$symbols" | grep -Eq ":${object%:*}\.c\.o(bj)?:[0-9a-f ]* $kind $symbol\$"; then
            echo "$0: $symbol is not '$kind' in object ${object%:*} of $archive: the wrap would not act" >&2
            bad=1
        fi
    done
    checked=$((checked + 1))
done <"$table"
[ "$checked" -gt 0 ] || { echo "$0: $table names no symbol" >&2; exit 2; }
exit $bad
