"""A TCP proxy that holds every byte for a while in both directions: a long way between engineer and bastion.

usage: delay_proxy.py DELAY_MS TARGET_ADDRESS TARGET_PORT   prints its own port on 127.0.0.1, then serves until it is ended.

DELAY_MS is one way, so the round trip grows by twice as much. It is a pipe, no lossy network: as many bytes as fit into
BUFFER_BYTES are under way at once, in order, and nothing else limits them.
"""

import collections
import selectors
import socket
import sys
import time

BUFFER_BYTES = 64 << 20  # per direction: more than any SSH window, so that the windows are what is measured
PIECE_BYTES = 256 << 10


class Direction:
    """Bytes from `source` that reach `sink` after the delay."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.held = collections.deque()  # (time when it is due, bytes); empty bytes are the end
        self.held_bytes = 0
        self.is_open = True   # more may come from the source
        self.is_over = False  # all was said to the sink

    def wants_input(self):
        return self.is_open and self.held_bytes < BUFFER_BYTES

    def take(self, delay_s):
        try:
            data = self.source.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.is_open = bool(data)
        self.held.append((time.monotonic() + delay_s, memoryview(data)))
        self.held_bytes += len(data)

    def give(self, now):
        """Send what is due. True where the sink takes no more for the moment."""
        while self.held and self.held[0][0] <= now:
            due, data = self.held.popleft()
            try:
                if not data:
                    self.is_over = True
                    self.sink.shutdown(socket.SHUT_WR)
                    return False
                sent = self.sink.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.is_over, self.is_open = True, False
                return False
            self.held_bytes -= sent
            if sent < len(data):
                self.held.appendleft((due, data[sent:]))
                return True
        return False

    def due_in(self, now):
        return max(0.0, self.held[0][0] - now) if self.held else None


class Proxy:
    def __init__(self, delay_s, target):
        self.delay_s, self.target = delay_s, target
        self.selector = selectors.DefaultSelector()
        self.directions = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def accept(self):
        client, _address = self.listener.accept()
        server = socket.create_connection(self.target)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        self.directions += [Direction(client, server), Direction(server, client)]

    def _watch(self, blocked):
        """Readable where there is room, writable where something due did not fit."""
        wanted = {self.listener: selectors.EVENT_READ}
        for direction in self.directions:
            if direction.wants_input():
                wanted[direction.source] = wanted.get(direction.source, 0) | selectors.EVENT_READ
            if direction in blocked:
                wanted[direction.sink] = wanted.get(direction.sink, 0) | selectors.EVENT_WRITE
        known = {key.fileobj: key.events for key in self.selector.get_map().values()}
        for end in known.keys() - wanted.keys():
            self.selector.unregister(end)
        for end, events in wanted.items():
            if end not in known:
                self.selector.register(end, events)
            elif known[end] != events:
                self.selector.modify(end, events)

    def _forget(self):
        for direction in [one for one in self.directions if one.is_over]:
            other = next((two for two in self.directions if two.source is direction.sink and two.sink is direction.source), None)
            if other is None or other.is_over:
                gone = {direction, other}
                self.directions = [one for one in self.directions if one not in gone]
                for end in (direction.source, direction.sink):
                    if end in self.selector.get_map():
                        self.selector.unregister(end)
                    end.close()
                return self._forget()
        return None

    def run(self):
        while True:
            now = time.monotonic()
            blocked = [direction for direction in self.directions if not direction.is_over and direction.give(now)]
            self._forget()
            self._watch(blocked)
            waits = [direction.due_in(now) for direction in self.directions if direction not in blocked]
            timeout = min((wait for wait in waits if wait is not None), default=None)
            ready = {key.fileobj for key, events in self.selector.select(timeout) if events & selectors.EVENT_READ}
            for direction in self.directions:
                if direction.source in ready and direction.wants_input():
                    direction.take(self.delay_s)
            if self.listener in ready:
                self.accept()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    proxy = Proxy(float(sys.argv[1]) / 1000, (sys.argv[2], int(sys.argv[3])))
    print(proxy.listener.getsockname()[1], flush=True)
    try:
        proxy.run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
