#!/bin/sh
# All lints of the tree; see run.py --help for what a finished build adds.
exec python3 -B "$(dirname "$0")/run.py" "$@"
