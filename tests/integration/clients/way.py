"""The command line that the small clients share: how to the bastion, as whom, and what to run where."""

import argparse


def size(text):
    columns, _, rows = text.partition("x")
    return int(columns), int(rows)


def parse(about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--bastion", required=True, help="its address")
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--user", required=True, help="who I am at the bastion")
    parser.add_argument("--key", required=True, help="a private key of OpenSSH")
    parser.add_argument("--known-hosts", required=True)
    parser.add_argument("--code", default="", help="a command that prints the next one-time code")
    parser.add_argument("--pty", type=size, help="COLUMNSxROWS: with a terminal")
    parser.add_argument("--rekey-bytes", type=int, default=1 << 30, help="asyncssh: new keys after so much")
    parser.add_argument("--verbose", action="store_true", help="say which ciphers are in use")
    parser.add_argument("target", help="ACCOUNT@HOST")
    parser.add_argument("command")
    given = parser.parse_args()
    given.account, _, given.host = given.target.rpartition("@")
    given.code = given.code.split()
    return given
