#!/bin/sh
# Installs the Debian packages that building, testing or the demo need, and only those that are missing.
# usage: install_packages.sh build|demo|test|clients|node...
set -eu

packages_of() {
    case $1 in
        build) echo "build-essential cmake ninja-build pkg-config libssh-dev libssl-dev liburing-dev libyaml-dev" \
            "libpam0g-dev libseccomp-dev libzstd-dev libcmocka-dev zlib1g-dev libjansson-dev libvterm-dev" \
            "libqrencode-dev libcurl4-openssl-dev" ;;
        demo) echo "openssh-client openssh-server iproute2 util-linux python3 libpam-oath age procps openssl" \
            "postgresql postgresql-client mariadb-server mariadb-client" ;;
        test) echo "clang clang-format clang-tidy libclang-rt-14-dev binutils shellcheck git liboath-dev oathtool" \
            "openssl xxd zstd asciinema putty-tools dropbear-bin rsync curl libpam-google-authenticator" ;;
        clients) echo "putty-tools dropbear-bin python3-paramiko python3-asyncssh ansible-core sshfs" \
            "python3-psycopg2 libpostgresql-jdbc-java libmariadb-java default-jdk-headless" ;;
        # Where node comes from elsewhere, npm comes with it and Debian's package does not fit.
        node) command -v npm >/dev/null || echo "nodejs npm" ;;
        *) echo "install_packages.sh: $1: build, demo, test, clients or node" >&2; exit 2 ;;
    esac
}

missing=
for group in "$@"; do
    for package in $(packages_of "$group"); do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "install_packages.sh: missing:$missing (run as root to install them)" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A service must not start on this machine because a test wants its program: policy-rc.d answers "not allowed".
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    trap 'rm -f "$log" "$guard"' EXIT
fi
# PostgreSQL's package makes a cluster of its own where nobody says otherwise.
clusters=/etc/postgresql-common/createcluster.conf
case $missing in *" postgresql"*)
    if [ ! -e "$clusters" ]; then
        mkdir -p "${clusters%/*}"
        echo "create_main_cluster = false" >"$clusters"
    fi ;;
esac
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
# Nor at the next start of the machine: the lab runs these servers itself.
for service in postgresql mariadb; do
    case $missing in *" $service"*) systemctl disable --quiet "$service" 2>/dev/null || true ;; esac
done
