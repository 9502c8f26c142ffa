#!/usr/bin/python3
"""A small ssh made of paramiko: a second transport inside a direct-tcpip channel of the first, as its users jump."""

import os
import subprocess
import sys
import threading

import paramiko
from way import parse

CHUNK_BYTES = 65536


def log_in(transport, address, user, way):
    try:
        prove(transport, address, user, way)
    finally:
        print((transport.get_banner() or b"").decode(), end="", file=sys.stderr)


def prove(transport, address, user, way):
    known = paramiko.HostKeys(way.known_hosts)
    transport.start_client(timeout=60)
    if not known.check(address, transport.get_remote_server_key()):
        raise paramiko.SSHException(f"the host key of {address} is not the known one")
    left = transport.auth_publickey(user, paramiko.Ed25519Key.from_private_key_file(way.key))
    if "keyboard-interactive" in left:
        transport.auth_interactive(user, lambda _title, _text, prompts: [one_time_code(way) for _ in prompts])


def one_time_code(way):
    return subprocess.run([*way.code], check=True, capture_output=True, text=True).stdout.strip()


def send_input(channel):
    while data := os.read(0, CHUNK_BYTES):
        channel.sendall(data)
    channel.shutdown_write()


def copy_errors(channel):
    while data := channel.recv_stderr(CHUNK_BYTES):
        os.write(2, data)


def run(way):
    with paramiko.Transport((way.bastion, way.port)) as outer:
        log_in(outer, way.bastion, way.user, way)
        inside = outer.open_channel("direct-tcpip", (way.host, 22), ("127.0.0.1", 0))
        with paramiko.Transport(inside) as inner:
            log_in(inner, way.host, way.account, way)
            if way.verbose:
                print("ciphers:", outer.remote_cipher, inner.remote_cipher, file=sys.stderr)
            channel = inner.open_session()
            if way.pty:
                channel.get_pty("vt100", *way.pty)
            channel.exec_command(way.command)
            threading.Thread(target=send_input, args=(channel,), daemon=True).start()
            errors = threading.Thread(target=copy_errors, args=(channel,))
            errors.start()
            while data := channel.recv(CHUNK_BYTES):
                sys.stdout.buffer.write(data)
            errors.join()
            return channel.recv_exit_status()


def main():
    way = parse(__doc__)
    try:
        status = run(way)
    except (paramiko.SSHException, OSError, EOFError) as problem:
        print(f"paramiko: {type(problem).__name__}: {problem}", file=sys.stderr)
        status = 255
    sys.stdout.flush()
    os._exit(status)  # a thread may still wait for input


if __name__ == "__main__":
    main()
