#!/usr/bin/python3
"""A client that keeps to the protocol until it has logged in, and then does what it is told: raw channel packets.

rough_client.py ... LEG ACT: LEG is outer (the bastion's own channels) or inner (through the gate, to the target). It says in one
line how it ended: "ended" (the other side closed the connection) or what the act has found. "holding" means that it waits for
a line on its standard input.
"""

import os
import queue
import sys
import time

import paramiko
from paramiko_jump import log_in
from way import parse

PATIENCE_S = 90
(GLOBAL, OPEN, CONFIRMED, FAILED, ADJUST, DATA, EXTENDED, EOF, CLOSE, REQUEST, SUCCESS, FAILURE) = (80, *range(90, 101))
ALLOWED = 81
MOST = 0xFFFFFFFF


class Bytes(bytes):
    """Goes into a packet as it is, without a length."""


class Ended(Exception):
    pass


class Rough:
    """The connection layer of a transport that is logged in: packets 80..100 come here, and any can be sent."""

    def __init__(self, transport, leg, host):
        self.transport, self.leg, self.host, self.said = transport, leg, host, queue.Queue()

        def hear(number):
            return lambda _transport, message: self.said.put((number, message.asbytes()))

        transport._handler_table = {**transport._handler_table, **{number: hear(number) for number in range(80, 101)}}

    def send(self, number, *fields):
        message = paramiko.Message()
        message.add_byte(bytes([number]))
        for field in fields:
            if isinstance(field, Bytes):
                message.add_bytes(field)
            elif isinstance(field, bool):
                message.add_boolean(field)
            elif isinstance(field, int):
                message.packet.write(field.to_bytes(4, "big"))
            else:
                message.add_string(field)
        try:
            self.transport._send_user_message(message)
        except (EOFError, OSError):
            raise Ended from None

    def hear(self, *wanted):
        """The next packet of these types; others are dropped. Raises Ended at the end of the connection."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                number, payload = self.said.get(timeout=0.2)
            except queue.Empty:
                if not self.transport.is_active():
                    raise Ended from None
                continue
            if number in wanted:
                return number, paramiko.Message(payload)
        raise TimeoutError(f"none of {wanted} came")

    def open(self, number=0, window=1 << 21, largest=32768):
        """A channel that is confirmed; returns its number over there."""
        self.ask_open(number, window, largest)
        _kind, message = self.hear(CONFIRMED)
        message.get_int()
        return message.get_int()

    def ask_open(self, number, window=1 << 21, largest=32768):
        if self.leg == "outer":
            self.send(OPEN, "direct-tcpip", number, window, largest, self.host, 22, "127.0.0.1", 0)
        else:
            self.send(OPEN, "session", number, window, largest)

    def start(self, what, argument, **given):
        """A channel that runs something; returns its number over there."""
        there = self.open(**given)
        self.send(REQUEST, there, what, True, argument)
        self.hear(SUCCESS)
        return there

    def data(self):
        _kind, message = self.hear(DATA)
        message.get_int()
        return message.get_string()


# What ends the connection, or the access

def data_after_eof(rough):
    there = rough.open()
    rough.send(EOF, there)
    rough.send(DATA, there, "late")


def data_after_close(rough):
    there = rough.open()
    rough.send(CLOSE, there)
    rough.send(DATA, there, "late")


def data_on_no_channel(rough):
    rough.send(DATA, 77, "lost")


def window_on_no_channel(rough):
    rough.send(ADJUST, 77, 1)


def eof_on_no_channel(rough):
    rough.send(EOF, 77)


def close_on_no_channel(rough):
    rough.send(CLOSE, MOST)


def request_on_no_channel(rough):
    rough.send(REQUEST, 77, "exec", True, "id")


def cut_request(rough):
    rough.send(REQUEST, rough.open(), Bytes(b"\0\0\0\x64exec"))


def request_with_more_behind_it(rough):
    rough.send(EOF, rough.open(), Bytes(b"and more"))


def cut_global_request(rough):
    rough.send(GLOBAL, Bytes(b"\x7f\xff\xff\xffkeepalive"))


def cut_open(rough):
    rough.send(OPEN, "session", Bytes(b"\0\0"))


def longer_length_than_data(rough):
    rough.send(DATA, rough.open(), Bytes(b"\0\0\x03\xe8short"))


def window_beyond_32_bits(rough):
    there = rough.open()
    rough.send(ADJUST, there, MOST)


def number_in_use(rough):
    rough.open(5)
    rough.ask_open(5)


def answer_to_no_question(rough):
    rough.send(CONFIRMED, 0, 0, 1, 1)


def error_stream_of_a_client(rough):
    rough.send(EXTENDED, rough.open(), 1, "text")


def more_than_the_window(rough):
    there = rough.start("exec", "sleep 600")
    for _ in range(200):
        rough.send(DATA, there, bytes(32768))


def sftp(rough, *packets):
    """A channel with SFTP and these packets in it; after INIT the target's VERSION is awaited, as every client does."""
    there = rough.start("subsystem", "sftp")
    for number, packet in enumerate(packets):
        rough.send(DATA, there, len(packet).to_bytes(4, "big") + packet)
        if number == 0 and packet == INIT:
            rough.data()
    return there


INIT = b"\x01\0\0\0\x03"


def stat(number, path=b"/etc/hosts"):
    return b"\x11" + number.to_bytes(4, "big") + len(path).to_bytes(4, "big") + path


def sftp_request_before_init(rough):
    sftp(rough, stat(1))


def sftp_init_twice(rough):
    sftp(rough, INIT, INIT)


def sftp_packet_of_four_gigabytes(rough):
    rough.send(DATA, sftp(rough, INIT), b"\xff\xff\xff\xff\x11")


def sftp_packet_of_nothing(rough):
    rough.send(DATA, sftp(rough, INIT), bytes(5))


# What is bounded, and goes on

def three_thousand_opens(rough):
    count = 3000
    for number in range(count):
        rough.ask_open(number)
    heard = [rough.hear(CONFIRMED, FAILED) for _ in range(count)]
    opened = []
    for kind, message in heard:
        message.get_int()
        if kind == CONFIRMED:
            opened.append(message.get_int())
    for there in opened:
        rough.send(CLOSE, there)
    for _ in opened:
        rough.hear(CLOSE)
    rough.open(count)
    return f"{len(opened)} of {count} opened"


def window_that_never_opens(rough):
    if rough.leg == "outer":
        there = rough.open(window=0)
    else:
        there = rough.start("exec", "cat /dev/zero", window=0)
    print("holding", flush=True)
    sys.stdin.readline()
    early = rough.said.qsize()
    rough.send(ADJUST, there, 8)
    got = len(rough.data())
    return f"{early} early, then {got}"


def windows_of_one_byte(rough):
    if rough.leg == "outer":
        there, count = rough.open(window=1), 12
    else:
        there, count = rough.start("exec", "head -c 300 /dev/zero | tr '\\0' x", window=1), 300
    got = b""
    while len(got) < count:
        got += rough.data()
        rough.send(ADJUST, there, 1)
    return f"{len(got)} bytes, {got[:7].decode()}"


def sftp_fields_that_do_not_fit(rough):
    sftp(rough, INIT, b"\x11\0\0\0\x07\0\0\xff\xff/short", stat(8))
    got = b""
    while b"D-SFTP-MALFORMED" not in got:
        got += rough.data()
    return "refused with its code"


def sftp_that_stops_in_the_middle(rough):
    there = sftp(rough, INIT)
    rough.send(DATA, there, b"\0\0\0\x20\x11\0\0")
    rough.send(EOF, there)
    rough.hear(CLOSE)
    return "closed"


def sftp_of_twenty_thousand_requests(rough):
    count = 20000
    there = sftp(rough, INIT)
    flood = b"".join(len(one).to_bytes(4, "big") + one for one in map(stat, range(count)))
    for at in range(0, len(flood), 32768):
        rough.send(DATA, there, flood[at:at + 32768])
    got, answers = b"", 0
    while answers < count:
        piece = rough.data()
        rough.send(ADJUST, there, len(piece))
        got += piece
        while len(got) >= 4 and len(got) >= 4 + int.from_bytes(got[:4], "big"):
            number = int.from_bytes(got[5:9], "big")
            if number != answers:
                return f"answer {number} in place of {answers}"
            got = got[4 + int.from_bytes(got[:4], "big"):]
            answers += 1
    return f"{answers} answers in order"


def scp_of_nonsense(rough):
    for nonsense in (b"C0644 99999999999999999999999999 name\n", b"C0644 5 " + b"n" * 70000 + b"\n", b"\xff" * 3000 + b"\n",
                     b"D0755 0 ..\n" + b"E\n" * 500, b"T-1 0 18446744073709551616 0\nC0644 4 a\nabcd\0", b"C0644 1000000 cut\nabc"):
        there = rough.start("exec", "scp -t /tmp")
        rough.send(DATA, there, nonsense[:32000])
        for at in range(32000, len(nonsense), 32000):
            rough.send(DATA, there, nonsense[at:at + 32000])
        rough.send(EOF, there)
        rough.hear(CLOSE)
        rough.send(CLOSE, there)
    return "all closed"


def no_more_sessions(rough):
    rough.send(GLOBAL, "no-more-sessions@openssh.com", True)
    rough.hear(ALLOWED)
    rough.send(OPEN, "session", 9, 1 << 21, 32768)
    rough.hear(FAILED)
    return "refused"


def act_on(transport, way, leg, act):
    rough = Rough(transport, leg, way.host)
    try:
        found = globals()[act](rough)
        if found is None:
            rough.hear()  # nothing but the end
        print(found, flush=True)
    except Ended:
        print("ended", flush=True)


def run(way):
    leg, act = way.command.split()
    with paramiko.Transport((way.bastion, way.port)) as outer:
        log_in(outer, way.bastion, way.user, way)
        if leg == "outer":
            act_on(outer, way, leg, act)
            return
        inside = outer.open_channel("direct-tcpip", (way.host, 22), ("127.0.0.1", 0))
        with paramiko.Transport(inside) as inner:
            log_in(inner, way.host, way.account, way)
            act_on(inner, way, leg, act)


if __name__ == "__main__":
    run(parse(__doc__))
    os._exit(0)  # threads of paramiko may still wait
