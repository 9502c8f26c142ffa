#!/usr/bin/env bash
# Everything that can be checked on one machine: unit, fuzz corpus, attack, lint and integration tests.
set -uo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--quick] [--filter REGEX] [--no-install]
  --quick         smaller transfers and crowds, no clang-tidy, no release build: a few minutes
  --filter REGEX  only tests whose name matches; names are base/test_cursor, fuzz/..., attack/..., lint/..., integration/login/...
  --no-install    do not install missing Debian packages
Builds with AddressSanitizer and UndefinedBehaviorSanitizer into build/asan, and (not with --quick) into build/release.
Needs root: the integration tests make network namespaces. Every test prints a line; the last line is `N passed, N failed`.
TEXT
}

quick=false filter='' install=true
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=true ;;
        --filter) filter=${2:?--filter needs a regular expression}; shift ;;
        --no-install) install=false ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done

passed=0 failed=0 skipped=0
work=$(mktemp -d)
mkfifo "$work/pipe"
child=
clean_up() {
    [ -z "$child" ] || { kill "$child" 2>/dev/null; wait "$child" 2>/dev/null; }
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

close() { # the one line that everybody looks for
    [ "$skipped" = 0 ] || printf '%d skipped, each with its reason above\n' "$skipped"
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
    exit
}
broken() { # a suite that could not even run counts as one failure
    echo "not ok  $1"
    failed=$((failed + 1))
}

# suite TITLE COMMAND...: shows its lines, adds the counts of its closing line.
suite() {
    local title=$1 line began=$SECONDS
    shift
    printf '\n== %s\n' "$title"
    # In the background and waited for, so that a signal reaches the trap at once.
    tee "$work/out" <"$work/pipe" &
    local tee=$!
    "$@" >"$work/pipe" 2>&1 &
    child=$!
    wait "$child"
    child=
    wait "$tee"
    line=$(grep -E "^$title: [0-9]+ passed, [0-9]+ failed" "$work/out" | tail -n 1)
    if [[ $line =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        [[ ! $line =~ ([0-9]+)\ skipped ]] || skipped=$((skipped + BASH_REMATCH[1]))
    else
        broken "$title ended without its closing line"
    fi
    echo "== $title took $((SECONDS - began)) s"
}

build() { # build PRESET [TARGET]
    printf '\n== build %s\n' "$1"
    if ! { cmake --preset "$1" && cmake --build --preset "$1" ${2:+--target "$2"}; } >"$work/build" 2>&1; then
        tail -n 60 "$work/build"
        broken "build $1"
        return 1
    fi
    tail -n 1 "$work/build"
}

run_ctest() {
    CMOCKA_MESSAGE_OUTPUT=STDOUT ctest --test-dir build/asan -j "$(nproc)" --output-junit "$work/ctest.xml" \
        --test-output-size-passed 1000000 --test-output-size-failed 1000000 ${filter:+-R "$filter"} >"$work/ctest" 2>&1
    if [ -s "$work/ctest.xml" ]; then
        python3 -B tests/count_ctest.py "$work/ctest.xml" unit
    else
        tail -n 20 "$work/ctest"
    fi
}

if $install; then
    deploy/install_packages.sh build demo test || { broken "packages"; close; }
    if ! $quick; then # what cannot be had becomes skipped tests
        for group in clients node; do
            deploy/install_packages.sh "$group" || echo "the packages of the group $group cannot be installed"
        done
    fi
fi
build asan || close
if ! $quick; then
    build release programs || close
fi

suite unit run_ctest
if [ -z "$filter" ] || [[ lint =~ $filter ]]; then
    options=(--build build/asan)
    $quick || options+=(--release build/release --tidy build/asan)
    suite lint tests/lint/run.sh "${options[@]}"
fi
options=(--bin build/asan/bin)
$quick && options+=(--quick)
$quick || options+=(--release-bin build/release/bin)
suite integration python3 -B tests/integration/run.py "${options[@]}" --filter "$filter"
echo
close
