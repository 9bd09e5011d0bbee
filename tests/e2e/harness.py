"""harness.py - what every end-to-end test stands on: a sidecar as a real process, a client and participants with Debian's grpcio.

Messages come from the descriptor set that protoc writes for proto/ (build/gen/descriptors.bin), so nothing of the sidecar's own code is
trusted to read what the sidecar writes. The environment says which sidecar: SAGAD (the binary) and SAGA_DESCRIPTORS.

Nothing here sleeps to be on the safe side: whatever is awaited is polled against a deadline that fails the test.
"""
import atexit
import collections
import concurrent.futures
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# A sanitized sidecar keeps what is freed for a while; little enough that growth can be told from it.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=8")

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from shaking import be_late

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAGAD = os.environ.get("SAGAD", os.path.join(ROOT, "build/release/sagad"))
DESCRIPTORS = os.environ.get("SAGA_DESCRIPTORS", os.path.join(ROOT, "build/gen/descriptors.bin"))
# How long anything may take before a test calls it lost. A sanitized sidecar on a busy machine is slow; a good run never waits for this.
PATIENCE_S = float(os.environ.get("SAGA_TEST_PATIENCE", "60"))

# So many loops has every sidecar that says nothing else: the same tests, with sagas that live here and there.
LOOPS = int(os.environ.get("SAGA_TEST_LOOPS", "1"))
# What loops share out among themselves: tests of such a bound count in one loop.
SHARED = {"live_sagas_max", "calls_max", "streams_max", "waiters_max", "watchers_max", "journal_bytes_max", "definitions_max"}


# postgresql: the journal of every sidecar that says nothing else is in a database, one for the whole run.
STORE = os.environ.get("SAGA_TEST_STORE", "")
_DATABASE = []


def database():
    """The database of this run, with its tables."""
    if not _DATABASE:
        import postgres
        server = postgres.Postgres().start()
        migrate(server)
        _DATABASE.append(server)
    return _DATABASE[0]


def migrate(server, program=SAGAD):
    path = os.path.join(server.folder, "migrate.yaml")
    with open(path, "w") as f:
        f.write("store: %s\n" % server.uri)
    subprocess.run([program, "--migrate", "-f", path], check=True, stdout=subprocess.DEVNULL)


def needs_files(test):
    """A test, or a class of them, that looks at the journal in the data directory."""
    return unittest.skipIf(STORE, "it is about the journal in SQLite")(test)


def _load_pool():
    files = descriptor_pb2.FileDescriptorSet()
    with open(DESCRIPTORS, "rb") as f:
        files.ParseFromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


POOL = _load_pool()
_FACTORY = message_factory.MessageFactory(POOL)


def message(name):
    """The class of a message, by its full name."""
    return _FACTORY.GetPrototype(POOL.FindMessageTypeByName(name))


def enum(name, value):
    """A constant of an enum in saga.v1: enum("SagaState", "SAGA_STATE_STUCK")."""
    return POOL.FindEnumTypeByName("saga.v1." + name).values_by_name[value].number


def enum_name(name, number):
    return POOL.FindEnumTypeByName("saga.v1." + name).values_by_number[number].name


def state(name):
    return enum("SagaState", "SAGA_STATE_" + name)


def wait_until(condition, what, patience_s=None):
    """Polls until condition() is true, and returns what it returned."""
    deadline = time.monotonic() + (patience_s or PATIENCE_S)
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("this did not come about in time: " + what)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


# ---- ports ------------------------------------------------------------------------------------------------------------

# Ports are given to processes in blocks. The first is above those of well-known services.
_FIRST_PORT, _BLOCK = 10000, 200
_OWN_PORTS = []


def free_port():
    """A port at 127.0.0.1 that is nobody else's, also while nobody listens there: none that the system gives to whoever asks for any, and no
    other process's of tests."""
    if not _OWN_PORTS:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            end = int(f.read().split()[0])
        for first in range(_FIRST_PORT, end - _BLOCK, _BLOCK):
            mark = socket.socket(socket.AF_UNIX)  # its name is taken as long as this process lives
            try:
                mark.bind("\0saga-test-ports-%d" % first)
            except OSError:
                mark.close()
                continue
            _OWN_PORTS[:] = [mark, itertools.cycle(range(first, first + _BLOCK))]
            break
        else:
            raise AssertionError("no block of ports from %d to %d is left for this process" % (_FIRST_PORT, end))
    for port in itertools.islice(_OWN_PORTS[1], _BLOCK):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("all ports of this process are in use")


# ---- the client's side ----------------------------------------------------------------------------------------------

class Stub:
    """Every method of a service as a Python method: stub.Start(definition="x") sends saga.v1.StartRequest(definition="x")."""

    def __init__(self, channel, service, wait_for_ready=False):
        self.wait_for_ready = wait_for_ready
        for method in POOL.FindServiceByName(service).methods:
            make = {
                (False, False): channel.unary_unary,
                (False, True): channel.unary_stream,
                (True, True): channel.stream_stream,
            }[method_streams(service, method.name)]
            call = make("/%s/%s" % (service, method.name),
                        request_serializer=lambda m: m.SerializeToString(),
                        response_deserializer=message(method.output_type.full_name).FromString)
            setattr(self, method.name, self._method(call, message(method.input_type.full_name),
                                                    method_streams(service, method.name)[0]))

    def _method(self, call, request_type, request_streams):
        if request_streams:
            return lambda requests, timeout=None, metadata=None: call(
                requests, timeout=timeout, metadata=metadata, wait_for_ready=self.wait_for_ready)

        def invoke(request=None, timeout=None, metadata=None, **fields):
            # A stream without a deadline lives as long as its test wants it; a unary call may not hang.
            limit = timeout if timeout is not None or isinstance(call, grpc.UnaryStreamMultiCallable) else PATIENCE_S
            be_late()
            return call(request_type(**fields) if request is None else request, timeout=limit, metadata=metadata,
                        wait_for_ready=self.wait_for_ready)
        return invoke


_STREAMS = None


def method_streams(service, method):
    """(request streams, response streams). The descriptor classes of this protobuf do not say, so the file's own text is asked."""
    global _STREAMS
    if _STREAMS is None:
        _STREAMS = {}
        files = descriptor_pb2.FileDescriptorSet()
        with open(DESCRIPTORS, "rb") as f:
            files.ParseFromString(f.read())
        for file in files.file:
            for s in file.service:
                for m in s.method:
                    _STREAMS["%s.%s" % (file.package, s.name), m.name] = (m.client_streaming, m.server_streaming)
    return _STREAMS[service, method]


CHANNEL_OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
                   ("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 2000),
                   ("grpc.max_reconnect_backoff_ms", 100), ("grpc.max_receive_message_length", -1)]


class Client:
    """A connection to a sidecar. The Coordinator's methods are its own; operator, health and the reflections stand beside.

    wait_for_ready: calls wait for the sidecar when it is not there. Calls that fail at once instead drive the connection no further, and
    without a call that waits grpcio looks at it every five seconds only.
    """

    def __init__(self, address, wait_for_ready=False):
        self.address = address
        self.channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.coordinator = Stub(self.channel, "saga.v1.Coordinator", wait_for_ready)
        self.operator = Stub(self.channel, "saga.v1.Operator")
        self.health = Stub(self.channel, "grpc.health.v1.Health")
        self.reflection = Stub(self.channel, "grpc.reflection.v1.ServerReflection")
        self.reflection_alpha = Stub(self.channel, "grpc.reflection.v1alpha.ServerReflection")

    def __getattr__(self, name):
        return getattr(self.__dict__["coordinator"], name)

    def close(self):
        self.channel.close()

    def register(self, text):
        return self.RegisterDefinition(source=text.encode())

    def run(self, definition, **fields):
        """Starts a saga and waits for its end; returns the Saga."""
        return self.end(self.Start(definition=definition, **fields).saga_id)

    def end(self, saga_id, until_stuck=False):
        return self.Wait(saga_id=saga_id, until_stuck=until_stuck).saga

    def stuck(self, saga_id):
        saga = self.end(saga_id, until_stuck=True)
        assert saga.state == state("STUCK"), state_name(saga)
        return saga

    def saga(self, saga_id, payloads=False):
        return self.Get(saga_id=saga_id, include_payloads=payloads).saga

    def steps(self, saga_id):
        """{step: (action state, compensation state)} with the names' prefixes left out."""
        return {s.name: (enum_name("ActionState", s.action).replace("ACTION_STATE_", ""),
                         enum_name("CompensationState", s.compensation).replace("COMPENSATION_STATE_", ""))
                for s in self.saga(saga_id).steps}


def state_name(saga):
    return enum_name("SagaState", saga.state).replace("SAGA_STATE_", "")


def reason_name(number):
    return enum_name("Reason", number).replace("REASON_", "")


class Failure:
    """An error as a client sees it: its status, and the details of google.rpc.Status taken apart."""

    def __init__(self, status_code, text, packed=None, packed_status=None):
        self.code = status_code
        self.text = text
        self.reason = self.domain = self.field = self.description = self.retry_delay_ms = None
        status = packed_status if packed_status is not None else message("google.rpc.Status").FromString(packed or b"")
        self.inner_code = status.code
        self.inner_message = status.message
        for detail in status.details:
            kind = detail.type_url.rsplit("/", 1)[1]
            value = message(kind).FromString(detail.value)
            if kind == "google.rpc.ErrorInfo":
                self.reason, self.domain = value.reason, value.domain
            elif kind == "google.rpc.BadRequest":
                self.field = value.field_violations[0].field
                self.description = value.field_violations[0].description
            elif kind == "google.rpc.RetryInfo":
                self.retry_delay_ms = value.retry_delay.seconds * 1000 + value.retry_delay.nanos // 1000000

    def __repr__(self):
        return "Failure(%s, %r, reason=%s, field=%s, retry=%s)" % (
            self.code, self.text, self.reason, self.field, self.retry_delay_ms)


def failure_of(error):
    trailing = dict(error.trailing_metadata() or ())
    return Failure(error.code().name, error.details(), trailing.get("grpc-status-details-bin"))


def failure_in_result(status):
    return Failure(None, status.message, packed_status=status)


# ---- the participants' side -----------------------------------------------------------------------------------------

class Answer(Exception):
    """Raised by a participant's function: answers with this status."""

    def __init__(self, code, text="no", pushback_ms=None, function="ended"):
        super().__init__(code, text)
        self.code, self.text, self.pushback_ms, self.function = code, text, pushback_ms, function


class Call:
    """One call that reached a participant."""

    def __init__(self, method, metadata, request, context):
        self.method, self.metadata, self.request, self.context = method, metadata, request, context
        self.saga = metadata.get("saga-id")
        self.step = metadata.get("saga-step")
        self.phase = metadata.get("saga-phase")
        self.attempt = int(metadata.get("saga-attempt", "0"))
        self.key = metadata.get("idempotency-key")
        self.time_left = context.time_remaining()
        self.began = time.monotonic()
        self.ended = None
        self.peer = context.peer()

    def __repr__(self):
        return "%s/%s#%d" % (self.step, self.phase, self.attempt)


class NameServer:
    """Knows one name, whatever it is: it stands for 127.0.0.x, for each x of hosts. `address` is where it is asked."""

    def __init__(self, hosts=()):
        self.hosts = list(hosts)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            query, who = self.socket.recvfrom(512)
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            hosts = self.hosts if query[end - 3] == 1 else []
            records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0" + bytes([host]) for host in hosts)
            self.socket.sendto(query[:2] + b"\x85\0\0\1\0" + bytes([len(hosts)]) + b"\0\0\0\0" + query[12:end] + records, who)

    def stop(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


class Participant(grpc.GenericRpcHandler):
    """Serves every unary method of every name, raw bytes in and out, and keeps what it was asked. What it answers:

    participant.on(method, function)   function(call) returns the bytes, or raises Answer; without one the method's name is answered
    """

    def __init__(self, address="127.0.0.1:0", threads=64):
        self.lock = threading.Lock()
        self.calls = []
        self.functions = {}
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(threads), handlers=(self,),
                                  options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
        # At this address there may be nobody for a while, or another one; so it is none that a stranger is given then.
        port = self.add_port(address[:-1] + "%d" % free_port() if address.endswith(":0") else address)
        self.address = address if address.startswith("unix:") else "127.0.0.1:%d" % port
        self.server.start()

    def add_port(self, address):
        return self.server.add_insecure_port(address)

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._serve(details.method, request, context))

    def _serve(self, method, request, context):
        call = Call(method, dict(context.invocation_metadata()), request, context)
        with self.lock:
            self.calls.append(call)
            function = self.functions.get(method)
        be_late()
        try:
            return function(call) if function is not None else method.encode()
        except Answer as answer:
            trailing = [("saga-function", answer.function)] if answer.function is not None else []
            if answer.pushback_ms is not None:
                trailing.append(("grpc-retry-pushback-ms", str(answer.pushback_ms)))
            context.set_trailing_metadata(tuple(trailing))
            context.abort(answer.code, answer.text)
        finally:
            be_late()
            call.ended = time.monotonic()

    def on(self, method, function):
        with self.lock:
            self.functions[method] = function

    def of(self, saga_id, phase=None, step=None):
        with self.lock:
            return [c for c in self.calls if c.saga == saga_id and (phase is None or c.phase == phase)
                    and (step is None or c.step == step)]

    def order(self, saga_id, phase):
        """The steps in the order in which their calls came, each named once."""
        return list(collections.OrderedDict.fromkeys(c.step for c in self.of(saga_id, phase)))

    def stop(self):
        self.server.stop(None).wait()


def fail(code, text="no", pushback_ms=None):
    """A participant's function that always fails."""
    def function(call):
        raise Answer(code, text, pushback_ms)
    return function


def fail_times(count, code, then=b"at last", pushback_ms=None):
    """A participant's function that fails each saga's first attempts."""
    def function(call):
        if call.attempt <= count:
            raise Answer(code, "not yet", pushback_ms)
        return then
    return function


class Gate:
    """A participant's function that holds its caller until the test opens it."""

    def __init__(self, answer=b"through the gate"):
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.answer = answer

    def __call__(self, call):
        self.entered.release()
        # A gate that is never opened lets its thread go when the caller has gone, so that no test leaves one behind.
        while not self.opened.wait(0.02):
            if not call.context.is_active():
                raise Answer(grpc.StatusCode.CANCELLED, "the caller has gone")
        if isinstance(self.answer, Answer):
            raise self.answer
        return self.answer

    def await_call(self):
        assert self.entered.acquire(timeout=PATIENCE_S), "no call came to the gate"

    def open(self):
        self.opened.set()


# ---- the sidecar ----------------------------------------------------------------------------------------------------

_LOG_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_SANITIZER = re.compile(r"Sanitizer|runtime error:|panic|CHECK")


def parse_log_line(line):
    """A logfmt line as a dict."""
    return {k: (json.loads(v) if v.startswith('"') else v) for k, v in _LOG_FIELD.findall(line)}


class Sidecar:
    """sagad in a directory of its own. Options are those of sagad.yaml; text stands for itself, anything else is written as JSON.

    start() returns when it says that it is ready; stop() sends SIGTERM and expects a clean end; kill() is kill -9.
    """
    running = set()

    def __init__(self, start=True, directory=None, **options):
        self.directory = directory or tempfile.mkdtemp(prefix="saga-e2e-")
        self.owns_directory = directory is None
        self.options = {"data_dir": os.path.join(self.directory, "data"), "listen": ["127.0.0.1:0"]}
        if "authorization" not in options:
            self.options["plaintext_operators"] = True  # the tests' operators come over loopback
        self.options.update(options)
        if LOOPS > 1 and "loops" not in options and not options.get("fleet"):  # of a fleet each has one
            if SHARED & set(options) or "max_concurrent_calls" in json.dumps(options):
                raise unittest.SkipTest("a bound that loops share")
            self.options["loops"] = LOOPS
        if STORE and "store" not in options:
            if "journal_bytes_max" in options:
                raise unittest.SkipTest("it is about journals in SQLite")
            self.options["store"] = database().uri
            self.options["store_journal"] = os.path.abspath(self.options["data_dir"])[-100:]
        self.program = SAGAD
        self.prepare = None  # what the child does before it becomes a sidecar
        self.environment = {}
        self.process = None
        self.client = None
        self.lines = []
        if start:
            self.start()

    def write_config(self):
        path = os.path.join(self.directory, "sagad.yaml")
        with open(path, "w") as f:
            for name, value in self.options.items():
                f.write("%s: %s\n" % (name, json.dumps(value)))
        return path

    def spawn(self):
        config = self.write_config()
        self.lines = []
        self.process = subprocess.Popen([self.program, "-f", config], stderr=subprocess.PIPE, text=True, errors="replace",
                                        cwd=self.directory, env=dict(os.environ, **self.environment), preexec_fn=self.prepare)
        Sidecar.running.add(self)
        # The list is the thread's own: what a killed process still had to say must not be read as its successor's.
        self.reader = threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True)
        self.reader.start()

    @staticmethod
    def _read(process, lines):
        for line in process.stderr:
            be_late(0.03)
            lines.append(line.rstrip("\n"))

    def log(self, msg=None):
        """The parsed lines of the running process, or those with this msg."""
        parsed = [parse_log_line(line) for line in list(self.lines)]
        return [p for p in parsed if msg is None or p.get("msg") == msg]

    def logged(self, msg, count=1):
        """The lines with this msg once there are so many: the log is written behind the answers."""
        return wait_until(lambda: len(self.log(msg)) >= count and self.log(msg), f"{count} lines say: {msg}")

    def start(self):
        self.spawn()
        wait_until(lambda: self.log("ready") or self.process.poll() is not None, "the sidecar is ready")
        if self.process.poll() is not None:
            self.reader.join()
            raise AssertionError("the sidecar did not start:\n" + "\n".join(self.lines))
        self.ports = {l["address"]: int(l["port"]) for l in self.log("listening")}
        self.port = next((p for a, p in self.ports.items() if not a.startswith("unix:")), None)
        self.address = "127.0.0.1:%d" % self.port if self.port else next(iter(self.ports))
        if self.client is not None:
            self.client.close()
        self.client = Client(self.address)
        return self

    def rss_bytes(self):
        with open("/proc/%d/statm" % self.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def rss_bytes_max(self):
        """The most that it ever held."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))

    def await_away(self, target, seconds):
        """Until the sidecar says that it has found this target away for so long."""
        def away():
            times = [t.unreachable_for for l in self.client.operator.Status().loops for t in l.targets if t.name == target and t.unreachable]
            return any(t.seconds + t.nanos / 1e9 >= seconds for t in times)
        wait_until(away, "%s is away for %s s" % (target, seconds))

    def fd_count(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def await_exit(self):
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError("the sidecar does not end:\n" + "\n".join(self.lines[-50:])) from None
        self.reader.join(PATIENCE_S)
        self.process.stderr.close()
        Sidecar.running.discard(self)
        bad = [l for l in self.lines if _SANITIZER.search(l)]
        if bad:
            raise AssertionError("the sidecar complains:\n" + "\n".join(self.lines[-200:]))
        return code

    def stop(self):
        self.terminate()
        code = self.await_exit()
        assert code == 0, "the sidecar ended with %s:\n%s" % (code, "\n".join(self.lines[-50:]))

    def kill(self):
        self.process.kill()
        self.await_exit()

    def restart(self, how="stop"):
        getattr(self, how)()
        return self.start()

    def refuse(self):
        """Starts a sidecar that must not start; returns its exit code and what it said."""
        self.spawn()
        code = self.await_exit()
        return code, "\n".join(self.lines)

    def close(self):
        """The end of a test: a running sidecar must end well."""
        try:
            if self.client is not None:
                self.client.close()
            if self in Sidecar.running:
                if self.process.poll() is None:
                    self.stop()
                else:
                    code = self.await_exit()
                    raise AssertionError("the sidecar has died with %s:\n%s" % (code, "\n".join(self.lines[-50:])))
        finally:
            if self.owns_directory:
                shutil.rmtree(self.directory, ignore_errors=True)


@atexit.register
def _kill_what_is_left():
    for sidecar in list(Sidecar.running):
        sidecar.process.kill()


# ---- the tests' base class ------------------------------------------------------------------------------------------

class Case(unittest.TestCase):
    """A sidecar and a participant for each class of tests. Options of the sidecar: the class attribute `options`."""
    options = {}
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.shop = Participant()
        try:
            cls.sidecar = Sidecar(**dict({"targets": {"shop": cls.shop.address}}, **cls.options))
        except BaseException:
            cls.shop.stop()
            raise
        cls.client = cls.sidecar.client

    @classmethod
    def tearDownClass(cls):
        try:
            cls.sidecar.close()
        finally:
            cls.shop.stop()

    def setUp(self):
        with self.shop.lock:
            self.shop.functions.clear()

    def refused(self, code, error_reason, call, *args, field=None, **fields):
        """The call fails with this status and ErrorInfo reason; returns the Failure."""
        with self.assertRaises(grpc.RpcError) as raised:
            result = call(*args, **fields)
            if hasattr(result, "__next__"):
                list(result)
        failure = failure_of(raised.exception)
        self.assertEqual((code, error_reason), (failure.code, failure.reason), failure)
        self.assertEqual("saga.v1", failure.domain)
        self.assertEqual(failure.inner_code, getattr(grpc.StatusCode, code).value[0])
        self.assertEqual(failure.inner_message, failure.text)
        self.assertTrue(failure.text)
        if code == "INVALID_ARGUMENT":
            self.assertIsNotNone(failure.field, failure)
        if field is not None:
            self.assertEqual(field, failure.field, failure)
        return failure

    def assertState(self, name, saga):
        self.assertEqual(name, state_name(saga), saga)


def definition(name, *steps, version="1.0.0", extra=""):
    """A definition's text out of its steps' texts, each one flow mapping."""
    return "name: %s\nversion: %s\n%ssteps:\n%s" % (name, version, extra, "".join("  - {%s}\n" % s for s in steps))


def step(name, compensate=True, after=(), more=""):
    """A step that calls /shop.v1.Shop/<name>, undone by /shop.v1.Shop/un<name>."""
    text = "name: %s, target: shop, action: /shop.v1.Shop/%s" % (name, name)
    if compensate:
        text += ", compensation: /shop.v1.Shop/un%s" % name
    if after:
        text += ", after: [%s]" % ", ".join(after)
    return text + (", " + more if more else "")


def do(name):
    return "/shop.v1.Shop/" + name


def undo(name):
    return "/shop.v1.Shop/un" + name


QUICK = "retry: {initialBackoff: 1ms, maxBackoff: 5ms, jitter: 0, maxAttempts: %d}"


# ---- enlisted sagas ----

OUTCOME_DONE = enum("Outcome", "OUTCOME_DONE")
OUTCOME_REJECTED = enum("Outcome", "OUTCOME_REJECTED")
OUTCOME_UNKNOWN = enum("Outcome", "OUTCOME_UNKNOWN")


def enlistment(name, request=b"undo this", target="shop", compensate=True, **call):
    if not compensate:
        return {"step": name}
    return {"step": name, "compensation": dict({"target": target, "method": undo(name), "request": request}, **call)}


def settled(name, outcome=OUTCOME_DONE, output=b"", **more):
    return dict({"step": name, "outcome": outcome, "output": output}, **more)


def seconds(s):
    return {"seconds": int(s), "nanos": int(s % 1 * 1e9)}
