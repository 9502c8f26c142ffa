#!/usr/bin/env bash
# The gateway's whole story on one machine: demo.sh           plays it and takes everything away again
#                                           demo.sh up DIR    leaves a lab running in DIR
#                                           demo.sh down DIR  ends exactly what `up DIR` started
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
bin=${BASTION_BIN:-$top/build/release/bin} # BASTION_BIN: programs built elsewhere; nothing is built then

usage() {
    cat <<'TEXT'
usage: deploy/demo.sh            build, start a lab, play the story, verify the evidence, clean up
       deploy/demo.sh up DIR     build, start a lab in the new folder DIR and leave it running
       deploy/demo.sh down DIR   end that lab

A lab is a bastion with two legs and behind it a private network with node1, a stock sshd, all in network namespaces.
  ssh -F DIR/ssh_config node1 CMD            as the engineer alice; the one-time code is typed by DIR/otp
  ssh -F DIR/ssh_config.machine node1 CMD    as the machine user deploy-bot: key only
  DIR/otp alice                              her next valid code, for ssh -F DIR/ssh_config -J bastion ec2-user@node1
  ssh -F DIR/ssh_config -N -L DIR/pg/.s.PGSQL.5432:orders-db:5432 bastion    a tunnel to PostgreSQL; users are in DIR/env
  DIR/env                                    addresses, files and process numbers as KEY=VALUE
Needs root. Ends non-zero where a step fails.
TEXT
}

lab() { PYTHONPATH=$here python3 -B -m lab "$@"; }
at_terminal() { PYTHONPATH=$here python3 -B -m lab.terminal "$@"; }

build() {
    [ -z "${BASTION_BIN:-}" ] || return 0
    "$here/install_packages.sh" build demo
    local log=$top/build/demo-build.log
    mkdir -p "$top/build"
    # One build at a time, also where several labs come up at once.
    if ! (cd "$top" && flock 9 && cmake --preset release && cmake --build --preset release --target programs) >"$log" 2>&1 9>"$log.lock"; then
        tail -n 40 "$log" >&2
        echo "demo.sh: the build failed, all of its output is in $log" >&2
        return 1
    fi
}

bold='' cyan='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\033[1m' cyan=$'\033[36m' plain=$'\033[0m'
fi

number=0
step() {
    number=$((number + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$number" "$1" "$plain"
    shift
    for line in "$@"; do printf '   %s\n' "$line"; done
}
shown() { # a command as one would type it, with short paths
    local word line=
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./@=:,+-]+$ || $# = 1 ]] || word="'$word'"
        line+=" $word"
    done
    line=${line//$bin\//}
    printf '%s$%s%s\n' "$cyan" "${line//$dir/LAB}" "$plain"
}
run() { # shows the command, then what it says
    shown "$@"
    "$@"
}
failed() {
    printf '\ndemo.sh: step %d failed: %s\n' "$number" "$1" >&2
    exit 1
}
must_refuse() { # must_refuse TEXT COMMAND...: the command fails, and says TEXT
    local text=$1 said status=0
    shift
    shown "$@"
    said=$("$@" 2>&1 </dev/null) || status=$?
    printf '%s\n(exit status %d)\n' "$said" "$status"
    [ "$status" != 0 ] || failed "this was not refused"
    grep -qiE -- "$text" <<<"$said" || failed "it does not say why (looked for: $text)"
}

session_that_ended_with() { # its id, from the list as JSON
    "$bin/bastion" sessions --config "$CONFIG" --user alice --json | sed -n "s/.*\"id\":\"\([0-9a-f]*\)\".*\"exit_status\":$1,.*/\1/p"
}

story() {
    dir=$(mktemp -d /tmp/bastion-demo.XXXXXX)
    chmod 755 "$dir"
    trap 'clean_up' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    step "Build and start" \
        "A private network in a network namespace holds node1, a stock sshd. The bastion has one leg in it and one leg here." \
        "node1 trusts the bastion's user CA (TrustedUserCAKeys) and knows no keys and no passwords of people."
    build
    lab up "$dir/lab" --bin "$bin" || failed "the lab did not start"
    dir=$dir/lab
    # shellcheck disable=SC1091 # made by the lab
    . "$dir/env"
    echo "bastion at $BASTION_ADDRESS, node1 at $NODE1_ADDRESS behind it, bastiond is process $BASTIOND_PID"

    step "node1 cannot be reached past the bastion"
    must_refuse "no route|unreachable|timed out" \
        ssh -F "$dir/ssh_config" -o ProxyCommand=none -o ConnectTimeout=5 "ec2-user@$NODE1_ADDRESS" hostname

    step "A stolen key alone is not enough" "alice's key with a wrong code:"
    wrong_code

    step "alice works on node1" \
        "An unmodified ssh, -J as always: her key, then the one-time code of her phone. Inside, node1 sees a certificate of two minutes."
    shown "ssh -F $dir/ssh_config -J bastion ec2-user@node1"
    at_terminal --when '[Cc]ode|OTP|[Oo]ne-time' --say-code "$dir/otp alice" \
        --when '\$ $' --say 'hostname; id -un; cat orders.txt' \
        --when 'shaft[^$]*\$ $' --say "printf '\\033[32mgreen\\033[0m from %s\\n' \"\$(hostname)\"" \
        --when 'green.*from node1[^$]*\$ $' --say 'exit 7' \
        -- ssh -F "$dir/ssh_config" -J bastion ec2-user@node1 && failed "exit status 7 was lost" || status=$?
    [ "$status" = 7 ] || failed "the session ended with $status instead of 7"
    echo "(exit status 7 arrived)"

    step "The policy decides what, not only where" \
        "As deploy she may look (uptime, df -h) and nothing else. The code was proven a moment ago: no second question."
    run ssh -F "$dir/ssh_config" deploy@node1 uptime
    must_refuse "policy|allow|denied|refused" ssh -F "$dir/ssh_config" deploy@node1 'uptime; cat /etc/shadow'
    must_refuse "policy|allow|denied|refused" ssh -F "$dir/ssh_config" root@node1 id

    step "A machine logs in with its key only, because its rule says so"
    run ssh -F "$dir/ssh_config.machine" node1 'echo deployed as $(id -un) on $(hostname)'

    step "alice asks a database" \
        "orders-db is a PostgreSQL that accepts only TLS. Her psql is as it always was; the bastion tells her what to type."
    run ssh -F "$dir/ssh_config" bastion targets orders
    query

    step "The security team lists the sessions"
    run "$bin/bastion" sessions --config "$CONFIG"

    step "... and replays alice's" "Sealed for the security team's age key: the bastion itself cannot read it any more." \
        "(In a terminal it plays like a film; here it is written at once.)"
    local session
    session=$(session_that_ended_with 7)
    [ -n "$session" ] || failed "alice's session is not in the list"
    run "$bin/bastion" replay --config "$CONFIG" --identity "$AGE_IDENTITY" "$session" |
        tee "$dir/replayed"
    grep -q 'from node1' "$dir/replayed" || failed "the replay does not show what was on the screen"

    step "The recordings prove themselves with public keys only"
    run "$bin/bastion" verify --config "$CONFIG" --all

    step "Someone changes one byte of a recording (here: of a copy)"
    tamper "$session"

    step "Everything ends"
    lab down "$dir" || failed "the lab did not end"
    printf '\nAll %d steps passed.\n' "$number"
}

wrong_code() {
    local status=0
    shown "ssh -F $dir/ssh_config -J bastion ec2-user@node1 hostname"
    at_terminal --when '[Cc]ode|OTP|[Oo]ne-time' --say 000000 --when 'not accepted' --when '[Cc]ode|OTP|[Oo]ne-time' --say $'\003' \
        -- ssh -F "$dir/ssh_config" -J bastion ec2-user@node1 hostname >"$dir/wrong" 2>&1 || status=$?
    cat "$dir/wrong"
    printf '\n(given up, exit status %d)\n' "$status"
    grep -q 'not accepted' "$dir/wrong" || failed "the refusal was not told"
    [ "$status" != 0 ] && ! grep -q '^node1' "$dir/wrong" || failed "a wrong code was accepted"
}

query() {
    local session
    mkdir -m 700 "$dir/pg"
    shown "ssh -F $dir/ssh_config -N -L $dir/pg/.s.PGSQL.5432:$ORDERS_DB_HOST:5432 bastion"
    ssh -F "$dir/ssh_config" -f -N -M -S "$dir/tunnel" -o ExitOnForwardFailure=yes \
        -L "$dir/pg/.s.PGSQL.5432:$ORDERS_DB_HOST:5432" bastion </dev/null >/dev/null 2>&1 || failed "no tunnel"
    export PGPASSWORD=$ORDERS_DB_PASSWORD
    run psql -X -h "$dir/pg" -U "$ORDERS_DB_USER" -c 'select item, quantity from orders where quantity > 2' "$ORDERS_DB_DATABASE" |
        tee "$dir/rows"
    grep -q bearing "$dir/rows" || failed "the query has no answer"
    must_refuse "not in its list" psql -X -h "$dir/pg" -U postgres -c 'select 1' "$ORDERS_DB_DATABASE"
    unset PGPASSWORD
    ssh -F "$dir/ssh_config" -S "$dir/tunnel" -O exit bastion 2>/dev/null || true
    session=$("$bin/bastion" sessions --config "$CONFIG" --user alice --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*"host":"orders-db".*/\1/p' | head -n 1)
    [ -n "$session" ] || failed "the query is not in the list"
    run "$bin/bastion" replay --events --config "$CONFIG" --identity "$AGE_IDENTITY" "$session" | tee "$dir/audit"
    grep -q 'query: select item, quantity' "$dir/audit" || failed "the audit does not show the query"
}

tamper() {
    local file
    mkdir "$dir/copy"
    cp -r "$EVIDENCE" "$dir/copy/" # the log first: what it says is in the recordings that are copied after it
    cp -r "$RECORDINGS" "$dir/copy/"
    file=$(find "$dir/copy" -name "$1.rec")
    [ -n "$file" ] || failed "no recording file of session $1"
    run "$bin/bastion" verify --key "$LOG_KEY_PUBLIC" --recordings "$dir/copy/recordings" \
        --evidence "$dir/copy/evidence" --all || failed "the untouched copy does not verify"
    "$here/lab/flip_byte.py" "$file"
    must_refuse "$1" "$bin/bastion" verify --key "$LOG_KEY_PUBLIC" --recordings "$dir/copy/recordings" \
        --evidence "$dir/copy/evidence" --all
}

clean_up() {
    local status=$?
    [ ! -e "$dir/lab.json" ] || lab down "$dir" || true
    [ ! -e "$dir/lab/lab.json" ] || lab down "$dir/lab" || true
    rm -rf "${dir%/lab}"
    exit "$status"
}

case ${1:-} in
    "") [ $# = 0 ] || { usage >&2; exit 2; }; story ;;
    up) [ $# = 2 ] || { usage >&2; exit 2; }; build; lab up "$2" --bin "$bin" ;;
    down) [ $# = 2 ] || { usage >&2; exit 2; }; lab down "$2" ;;
    -h | --help) usage ;;
    *) usage >&2; exit 2 ;;
esac
