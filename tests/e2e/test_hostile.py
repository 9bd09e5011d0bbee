"""Bad input on the port: an error for whoever sends it, nothing for anybody else, and nothing is left behind."""
import os
import random
import socket
import struct
import sys
import threading

import grpc

from harness import PATIENCE_S, POOL, Case, Client, definition, enlistment, message, settled, step, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "chaos"))
import attacks

Code = grpc.StatusCode
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


SANITIZED = "asan" in os.environ.get("SAGAD", "")


class Places(Case):
    """After each of the attacks every place is free again."""
    PLACES = 40
    options = {"calls_max": PLACES, "streams_max": 10, "watchers_max": 10, "waiters_max": 29, "handshake_timeout": "300ms",
               "keepalive_time": "10s", "keepalive_timeout": "1s", "connection_streams_max": 1000,
               "enlisted_lease_default": "15m"}  # the prey lives as long as the tests, however slow the machine is

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        long = cls.client.Begin(name="long").saga_id
        for _ in range(200):
            cls.client.operator.Pause(saga_id=long, actor="x")
            cls.client.operator.Resume(saga_id=long, actor="x")
        large = cls.client.Begin(name="large").saga_id
        for i in range(16):
            cls.client.Enlist(saga_id=large, enlist=[enlistment("s%d" % i)])
            cls.client.Settle(saga_id=large, settle=[settled("s%d" % i, output=b"x" * (1 << 20))])
        cls.prey = attacks.Prey(large, long, None)

    def take_every_place(self, what):
        """Takes every place that is for waiting, and for a stream, at once, each as soon as there is one; what is left is for the others."""
        wait = self.client.channel.unary_unary("/saga.v1.Coordinator/Wait")
        request = message("saga.v1.WaitRequest")(saga_id=self.prey.large).SerializeToString()
        waits, streams = [], []

        def take():
            waits[:] = [w for w in waits if not w.done()]
            while len(waits) < 29:
                waits.append(wait.future(request, timeout=PATIENCE_S * 3))
            try:
                while len(streams) < 10:
                    stream = self.client.Watch(saga_id=self.prey.large)
                    next(stream)
                    streams.append(stream)
                self.client.Get(saga_id=self.prey.long)
            except grpc.RpcError:
                return False
            return not any(w.done() for w in waits)
        try:
            wait_until(take, "every place is free again after " + what, 3 * PATIENCE_S)
        finally:
            for call in waits + streams:
                call.cancel()

    def after(self, some):
        for attack in some:
            if attack is attacks.half_handshakes:
                continue  # there is no TLS here; test_tls has them
            if SANITIZED and attack not in (attacks.unread_answers, attacks.half_messages, attacks.calls_without_end, attacks.bad_pages):
                continue  # a sanitizer takes minutes for what the sidecar needs a moment for
            with self.subTest(attack.__name__):
                for held in attack(self.sidecar.port, self.prey, 0.5):
                    held.close()
                self.take_every_place(attack.__name__)
        self.assertIsNone(self.sidecar.process.poll())

    # In three parts, since a sanitizer takes its time.
    def test_places_after_attacks_on_memory(self):
        self.after(attacks.ALL[:4])

    def test_places_after_attacks_on_time(self):
        self.after(attacks.ALL[4:8])

    def test_places_after_long_reads_and_garbage(self):
        self.after(attacks.ALL[8:])

    def test_calls_without_end_are_ended_by_our_clock(self):
        """Nothing is closed here: the places come back all the same."""
        connections = attacks.calls_without_end(self.sidecar.port, self.prey, 0)
        self.take_every_place("calls without an end")
        for c in connections:
            c.close()


class Hostile(Case):
    """handshake_timeout is short, so that who says nothing is sent away within the test."""
    options = {"handshake_timeout": "1s", "payload_bytes_max": "64KiB", "message_bytes_max": "384KiB"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(definition("one", step("a")))
        for _ in range(20):
            cls.client.run("one")
        cls.fds = cls.sidecar.fd_count()

    def tearDown(self):
        """Normal service goes on, on the old connection and on a new one, and nothing is left of the strangers."""
        self.assertState("COMMITTED", self.client.run("one"))
        fresh = Client(self.sidecar.address, wait_for_ready=True)  # its own handshake may be late, too
        self.assertState("COMMITTED", fresh.run("one"))
        fresh.close()
        wait_until(lambda: self.sidecar.fd_count() <= self.fds + 1, "the connections are closed; %d files were open, now %d"
                   % (self.fds, self.sidecar.fd_count()))
        self.assertIsNone(self.sidecar.process.poll())

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.sidecar.port), PATIENCE_S)
        s.settimeout(PATIENCE_S)
        return s

    def closed(self, s):
        """Reads until the sidecar closes the connection."""
        try:
            while s.recv(65536):
                pass
        except ConnectionError:
            pass

    def send(self, data):
        s = self.connect()
        try:
            s.sendall(data)
        except ConnectionError:
            pass
        return s

    def test_random_bytes(self):
        dice = random.Random(7)
        for size in (1, 10, 100, 1000, 100000):
            for _ in range(10):
                with self.send(dice.randbytes(size)) as s:
                    self.closed(s)

    def test_other_protocols(self):
        for hello in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
                      b"SSH-2.0-OpenSSH_9.2\r\n", b"*1\r\n$4\r\nPING\r\n", PREFACE[:10]):
            with self.send(hello) as s:
                self.closed(s)

    def test_broken_http2(self):
        dice = random.Random(8)
        for _ in range(60):
            kind = dice.randrange(12)
            data = PREFACE + SETTINGS + b"".join(
                frame(kind, dice.randrange(256), dice.choice((0, 1, 3, 2 ** 31 - 1)), dice.randbytes(dice.randrange(200)))
                for _ in range(5))
            with self.send(data) as s:
                s.shutdown(socket.SHUT_WR)
                self.closed(s)
        # A frame that promises what never comes, and one larger than any may be.
        for data in (PREFACE + SETTINGS + b"\0\xff\xff\1\4\0\0\0\1" + b"x" * 10, PREFACE + SETTINGS + b"\xff\xff\xff\0\0\0\0\0\1"):
            with self.send(data) as s:
                s.shutdown(socket.SHUT_WR)
                self.closed(s)

    def test_silent_connections(self):
        """A thousand that say nothing, are served beside, and are sent away when their time is over."""
        silent = [self.connect() for _ in range(1000)]
        self.assertState("COMMITTED", self.client.run("one"))
        fresh = Client(self.sidecar.address, wait_for_ready=True)  # its own handshake may be late, too
        self.assertState("COMMITTED", fresh.run("one"))
        fresh.close()
        for s in silent:
            self.closed(s)
            s.close()

    def test_dropped_connections(self):
        for i in range(1000):
            s = self.connect()
            if i % 3 == 0:
                s.sendall(PREFACE)
            if i % 3 == 1:
                s.sendall(PREFACE + SETTINGS)
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()

    def test_garbage_in_every_method(self):
        """Random bytes as a request: never anything but INVALID_ARGUMENT, or an answer, should they happen to be a message."""
        dice = random.Random(9)
        allowed = {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNIMPLEMENTED}
        for service in ("saga.v1.Coordinator", "saga.v1.Operator", "grpc.health.v1.Health"):
            for method in POOL.FindServiceByName(service).methods:
                path = "/%s/%s" % (service, method.name)
                for i in range(40):
                    data = dice.randbytes(dice.randrange(64))
                    try:
                        if method.name == "Watch":
                            stream = self.client.channel.unary_stream(path)(data, timeout=1)
                            if data == b"" or service.startswith("grpc"):
                                stream.cancel()
                            else:
                                next(stream, None)
                                stream.cancel()
                        elif method.name == "Pipe":
                            list(self.client.channel.stream_stream(path)(iter([data]), timeout=PATIENCE_S))
                        else:
                            self.client.channel.unary_unary(path)(data, timeout=PATIENCE_S)
                        code = Code.OK
                    except grpc.RpcError as e:
                        code = e.code()
                    # What happens to be a Watch of all sagas lasts as long as it is let.
                    waits = method.name == "Watch" and code == Code.DEADLINE_EXCEEDED
                    # fault_injection is off, and there is no fleet to ask.
                    forbidden = code == Code.FAILED_PRECONDITION and (method.name == "InjectFaults" or "fleet" in method.input_type.fields_by_name)
                    self.assertTrue(waits or forbidden or code in allowed, (path, data, code))

    def test_messages_that_are_almost_right(self):
        """Real messages with bytes flipped, cut off and doubled."""
        dice = random.Random(10)
        start = message("saga.v1.StartRequest")(definition="one", request_id="r" * 20, input=b"x" * 50, deadline={"seconds": 5})
        begin = message("saga.v1.BeginRequest")(name="x", enlist=[{"step": "a", "compensation": {
            "target": "shop", "method": "/a.B/C", "retry": {"max_attempts": 3, "jitter": {"value": 0.5}}}}], lease={"seconds": 1})
        allowed = {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.RESOURCE_EXHAUSTED, Code.ALREADY_EXISTS}
        for name, m in (("Start", start), ("Begin", begin)):
            packed = m.SerializeToString()
            call = self.client.channel.unary_unary("/saga.v1.Coordinator/" + name)
            for _ in range(300):
                data = bytearray(packed)
                for _ in range(dice.randrange(1, 4)):
                    data[dice.randrange(len(data))] = dice.randrange(256)
                data = bytes(data)
                data = dice.choice((data, data[:dice.randrange(len(data))], data + data))
                try:
                    call(data, timeout=PATIENCE_S)
                except grpc.RpcError as e:
                    self.assertIn(e.code(), allowed, (name, data))

    def test_no_message_at_all(self):
        """A unary call of which the client closes its side without a message."""
        call = self.client.channel.stream_unary("/saga.v1.Coordinator/Start")
        with self.assertRaises(grpc.RpcError) as raised:
            call(iter(()), timeout=PATIENCE_S)
        self.assertIn(raised.exception.code(), (Code.INVALID_ARGUMENT, Code.INTERNAL, Code.UNIMPLEMENTED))

    def test_two_messages_in_a_unary_call(self):
        call = self.client.channel.stream_unary("/saga.v1.Coordinator/ListDefinitions")
        try:
            call(iter([b"", b""]), timeout=PATIENCE_S)
        except grpc.RpcError as e:
            self.assertIn(e.code(), (Code.INVALID_ARGUMENT, Code.INTERNAL, Code.UNIMPLEMENTED, Code.CANCELLED))

    def test_compressed_and_other_content_types(self):
        self.client.ListDefinitions(metadata=(("x-any", "thing"), ("x-bin", b"\0\xff")))
        call = self.client.channel.unary_unary("/saga.v1.Coordinator/ListDefinitions")
        call(b"\x08\x01" * 1, timeout=PATIENCE_S, compression=grpc.Compression.Gzip)

    def test_calls_that_are_dropped(self):
        """Waits, watches and pipes whose clients vanish in the middle."""
        saga_id = self.client.Begin(name="x").saga_id
        for _ in range(20):
            stranger = Client(self.sidecar.address)
            futures = [stranger.channel.unary_unary("/saga.v1.Coordinator/Wait").future(
                message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString()) for _ in range(20)]
            watch = stranger.Watch(saga_id=saga_id)
            next(watch)
            pipe = stranger.Pipe(iter(threading.Event().wait, None), timeout=PATIENCE_S)
            stranger.close()
            del futures, watch, pipe
        self.client.Commit(saga_id=saga_id)

    def test_memory_comes_back(self):
        """Rounds of strangers: the memory of the first is enough for the others."""
        def round_of_strangers():
            strangers = [self.send(os.urandom(50)) for _ in range(100)]
            strangers += [self.send(PREFACE + SETTINGS + b"\xff" * 500) for _ in range(100)]
            for s in strangers:
                self.closed(s)
                s.close()
            call = self.client.channel.unary_unary("/saga.v1.Coordinator/Start")
            for _ in range(20):
                with self.assertRaises(grpc.RpcError):
                    call(b"\xff" * (1 << 19), timeout=PATIENCE_S)
        for _ in range(4):
            round_of_strangers()
        before = self.sidecar.rss_bytes()
        for _ in range(8):
            round_of_strangers()
        # Sanitizers keep what is freed for a while.
        slack = (64 if "asan" in os.environ.get("SAGAD", "") else 8) << 20
        self.assertLess(self.sidecar.rss_bytes() - before, slack)
