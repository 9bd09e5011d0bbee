"""Every option of sagad.yaml takes effect in a running sidecar: each is gone over, or under, and what comes of it is seen.

The meta-test at the end reads sidecar/config/options.def: a row whose option has neither a test_NAME here nor a line in ELSEWHERE fails it.
"""
import contextlib
import importlib
import os
import queue
import re
import socket
import sqlite3
import struct
import time
import unittest

import grpc

import test_watching
from harness import (PATIENCE_S, QUICK, ROOT, Answer, Case, Client, Gate, NameServer, Participant, Sidecar, definition, do, enlistment, fail,
                     fail_times, failure_of, message, reason_name, seconds, settled, state_name, step, undo, wait_until)

Code = grpc.StatusCode

# Options that another module's test goes over.
ELSEWHERE = {
    "data_dir": "test_process.Process.test_no_file_at_all",
    "loops": "test_loops.Loops.test_connections_are_given_out_in_turn",
    "definitions_dir": "test_reads.Reads.test_definitions_dir",
    "memory_bytes_max": "test_bounds.Bounds.test_memory_bytes_max",
    "definition_limits": "test_resilience.Queues.test_definition_limits",
    "last_good_answers_max": "test_degraded.Degraded.test_answers_are_bounded",
    "last_good_bytes_max": "test_degraded.Degraded.test_answers_are_bounded",
    "last_good_age_max": "test_degraded.Degraded.test_answers_are_bounded",
    "adaptive_concurrency": "test_resilience.Queues.test_adaptive_concurrency",
    "faults": "test_drill.Drills.test_by_configuration",
    "fault_injection": "test_drill.Drills.test_refused",
    "objectives": "test_slo.Wrong.test_what_is_no_promise",
    "synthetics": "test_synthetics.Wrong.test_what_is_no_heartbeat",
    "remediation": "test_remediation.Rules.test_4_errors",
    "policy_file": "test_typed.Typed.test_policy_file",
    "schema_drift_interval": "test_contracts.Drift.test_drift",
    "schemas_dir": "test_typed.Typed.test_schemas_dir",
    "store": "test_fleet.Fleet.test_what_store_takes",
    "store_journal": "test_fleet.Fleet.test_another_is_refused_while_it_is_held",
    "store_lease": "test_fleet.Fleet.test_who_ended_is_followed_at_once",
    "store_timeout": "test_fleet.Fleet.test_frozen_past_the_lease",
    "fleet": "test_takeover.Takeover.test_a_dead_sidecars_sagas_go_on_beside_anothers_own",
    "fleet_address": "test_takeover.Takeover.test_any_sidecar_answers_for_any_saga",
    "fleet_identity": "test_takeover.Trusted.test_another_identity_is_not_asked",
    "fleet_takeovers_max": "test_takeover.Takeover.test_any_sidecar_answers_for_any_saga",
    "schemas_max": "test_typed.Typed.test_schemas_max",
    "listen": "test_process.Process.test_unix_socket",
    "max_concurrent_calls": "test_bounds.Bounds.test_max_concurrent_calls",
    "live_sagas_max": "test_errors.Errors.test_live_sagas_max",
    "steps_max": "test_bounds.Bounds.test_steps_max",
    "definitions_max": "test_errors.Errors.test_definitions_max",
    "message_bytes_max": "test_bounds.Bounds.test_message_bytes_max",
    "metadata_bytes_max": "test_bounds.Bounds.test_metadata_bytes_max",
    "streams_max": "test_bounds.Bounds.test_streams_max",
    "waiters_max": "test_bounds.Bounds.test_waiters_max",
    "watchers_max": "test_bounds.Bounds.test_watchers_max",
    "journal_bytes_max": "test_process.Process.test_journal_bytes_max",
    "retention": "test_bounds.Bounds.test_retention",
    "shutdown_grace": "test_process.Process.test_sigterm_cuts_what_does_not_end",
    "log_format": "test_corners.Corners.test_json_logs",
    "authorization": "test_authorization.Rules.test_each_may_do_what_its_rules_say",
    "encryption_key_file": "test_kept.Kept.test_payloads_are_encrypted_and_keys_change",
    "encryption_key_command": "test_kept.Kept.test_payloads_are_encrypted_and_keys_change",
    "audit_key_file": "test_kept.Kept.test_changes_are_found",
    "audit_verify_at_start": "test_kept.Kept.test_changes_are_found",
    "audit_retention": "test_kept.Kept.test_the_trail_has_a_retention_of_its_own",
    "core_dumps": "test_authorization.Memory.test_a_crash_leaves_no_memory_behind",
    "plaintext_operators": "test_authorization.WithoutRules.test_operators_do_not_come_in_plaintext",
    "unix_access": "test_authorization.WithoutRules.test_a_unix_socket_is_as_open_as_it_says",
    "tls_certificate": "test_trust.Trust.test_bad_files_are_refused_by_name",
    "tls_key": "test_trust.Trust.test_half_a_rotation_changes_nothing",
    "tls_roots": "test_trust.Trust.test_only_who_our_roots_name_is_let_in",
    "tls_connection_age": "test_trust.Trust.test_roots_that_are_revoked_let_nobody_in_and_end_connections",
    "identity": "test_trust.Trust.test_a_target_proves_who_it_is",
    "otlp_endpoint": "test_tracing.Traces.test_a_saga_is_a_tree",
    "otlp_metrics_interval": "test_otlp.Metrics.test_they_are_what_the_page_says",
    "otlp_logs": "test_otlp.Logs.test_they_are_what_the_log_says",
    "max_pending_calls": "test_resilience.Queues.test_max_pending_calls",
    "pending_timeout": "test_resilience.Queues.test_pending_timeout",
    "rate_limit_per_second": "test_resilience.Queues.test_rate_limit",
    "rate_limit_burst": "test_resilience.Queues.test_rate_limit",
    "retry_budget_percent": "test_resilience.Queues.test_retry_budget",
    "retry_budget_min_per_second": "test_resilience.Queues.test_retry_budget",
    "breaker_failure_percent": "test_resilience.Breakers.test_opens_lets_nothing_leave_tries_with_few_and_closes",
    "breaker_slow_percent": "test_resilience.Breakers.test_slow_calls_open_it",
    "breaker_slow_call": "test_resilience.Breakers.test_slow_calls_open_it",
    "breaker_status_codes": "test_resilience.Breakers.test_only_the_statuses_that_are_named_count",
    "breaker_window": "test_resilience.Breakers.test_volume_and_window",
    "breaker_volume": "test_resilience.Breakers.test_volume_and_window",
    "breaker_open": "test_resilience.Breakers.test_opens_lets_nothing_leave_tries_with_few_and_closes",
    "breaker_open_max": "test_resilience.Breakers.test_open_max_and_probes",
    "breaker_probes": "test_resilience.Breakers.test_open_max_and_probes",
    "traces_percent": "test_tracing.Sampled.test_none_of_those_without_a_trace",
    "http_listen": "test_watching.Probes.test_ready_and_live",
}


class Http2:
    """A connection that says no more than it must."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.settimeout(PATIENCE_S)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        self.got = b""

    def take(self, size):
        while len(self.got) < size:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.got += more
        taken, self.got = self.got[:size], self.got[size:]
        return taken

    def frame(self):
        """(type, flags, payload) of the next frame; EOFError when the peer has closed."""
        head = self.take(9)
        return head[3], head[4], self.take(int.from_bytes(head[:3], "big"))

    def close(self):
        self.socket.close()


class Options(Case):
    def setUp(self):
        super().setUp()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def sidecar_with(self, **options):
        options.setdefault("targets", {"shop": self.shop.address})
        self.sidecars.append(Sidecar(**options))
        return self.sidecars[-1]

    def start(self, **options):
        return self.sidecar_with(**options).client

    # ---- targets ----

    def test_targets(self):
        """Each name leads to its own address."""
        other = Participant()
        self.addCleanup(other.stop)
        client = self.start(targets={"shop": self.shop.address, "other": other.address})
        client.register(definition("two", step("a"), step("b", after=["a"]).replace("target: shop", "target: other")))
        saga_id = client.run("two").id
        self.assertEqual((["a"], ["b"]), ([c.step for c in self.shop.of(saga_id)], [c.step for c in other.of(saga_id)]))

    def test_address(self):
        """As a mapping it says the same as the plain text."""
        client = self.start(targets={"shop": {"address": self.shop.address}})
        client.register(definition("one", step("a")))
        self.assertState("COMMITTED", client.run("one"))

    def test_timeout(self):
        """What an attempt may take where nothing else says it: the participant is told, and it ends by then."""
        client = self.start(targets={"shop": {"address": self.shop.address, "timeout": "1s"}, "slow": self.shop.address},
                            default_retry={"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "1ms"})
        gate = Gate()
        self.shop.on(do("a"), gate)
        client.register(definition("one", step("a")))
        client.register(definition("other", step("b").replace("target: shop", "target: slow")))
        began = time.monotonic()
        saga = client.run("one")
        took = time.monotonic() - began
        self.assertState("COMPENSATED", saga)
        first, second = self.shop.of(saga.id, "action")
        for call in (first, second):
            self.assertLessEqual(call.time_left, 1.01)
        self.assertGreater(took, 1.9, "twice a second")
        self.assertLess(took, 15)
        saga_id = client.run("other").id
        self.assertGreater(self.shop.of(saga_id)[0].time_left, 5, "the default is 10 s")

    @staticmethod
    def made_up(call):
        """A status as a library or a proxy makes it, without a word of the function's end."""
        raise Answer(Code.UNAVAILABLE, function=None)

    def test_barrier(self):
        """With it, the undo of an action without a certain end does not wait until that action has run out of time."""
        for barrier, timeout, least, most in ((True, "1m", 0, 30), (False, "2s", 1.8, 20)):
            client = self.start(targets={"shop": {"address": self.shop.address, "timeout": timeout, "barrier": barrier}},
                                default_retry={"maxAttempts": 1, "initialBackoff": "1ms"})
            self.shop.on(do("a"), self.made_up)
            client.register(definition("one", step("a")))
            began = time.monotonic()
            saga = client.run("one")
            took = time.monotonic() - began
            self.assertState("COMPENSATED", saga)
            self.assertEqual(1, len(self.shop.of(saga.id, "compensation")))
            self.assertTrue(least <= took < most, (barrier, took))

    # ---- sagas ----

    def test_pushback_max(self):
        """A participant that asks for a minute has what the option says, and not more."""
        client = self.start(pushback_max="700ms", default_retry={"maxAttempts": 3, "initialBackoff": "1ms", "maxBackoff": "1ms"})
        self.shop.on(do("a"), fail_times(1, Code.UNAVAILABLE, pushback_ms=60000))
        client.register(definition("one", step("a")))
        saga = client.run("one")
        self.assertState("COMMITTED", saga)
        first, second = self.shop.of(saga.id)
        self.assertTrue(0.65 < second.began - first.ended < 30, second.began - first.ended)

    def test_load_balancing_policy(self):
        """A name with two addresses: all of them are called in turn, or one of them alone."""
        names = NameServer([2, 3])
        self.addCleanup(names.stop)
        first = Participant("127.0.0.2:0")
        port = int(first.address.rsplit(":", 1)[1])
        shops = [first, Participant("127.0.0.3:%d" % port)]
        for shop in shops:
            self.addCleanup(shop.stop)
        for policy, called in (("round_robin", 2), ("pick_first", 1)):
            for shop in shops:
                shop.calls.clear()
            address = "plaintext://dns://%s/pod.test:%d" % (names.address, port)
            client = self.start(targets={"shop": {"address": address, "load_balancing_policy": policy}})
            client.register(definition("one", step("a")))
            for _ in range(12):
                self.assertState("COMMITTED", client.run("one"))
            self.assertEqual(called, sum(len(shop.calls) > 0 for shop in shops))

    def test_target_wait(self):
        """A step waits so long for a target that is not there, and then the saga turns back."""
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            for wait, least, most in (("0s", 0, 15), ("1500ms", 1.3, 20)):
                client = self.start(targets={"shop": "127.0.0.1:%d" % nobody.getsockname()[1]}, target_wait=wait, connect_timeout="50ms",
                                    default_retry={"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "1ms"})
                client.register(definition("one", step("a")))
                began = time.monotonic()
                saga = client.run("one")
                took = time.monotonic() - began
                self.assertState("COMPENSATED", saga)
                self.assertTrue(least <= took < most, (wait, took))

    def test_payload_bytes_max(self):
        client = self.start(payload_bytes_max="2KiB")
        client.register(definition("one", step("a")))
        self.assertState("COMMITTED", client.run("one", input=b"x" * 2048))
        failure = self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", client.Start, definition="one", input=b"x" * 2049)
        self.assertIn("input", failure.field or failure.text)
        saga_id = client.Begin(name="x", enlist=[enlistment("a", request=b"x" * 2048)]).saga_id
        self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", client.Enlist, saga_id=saga_id,
                     enlist=[enlistment("b", request=b"x" * 2049)])
        self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", client.Settle, saga_id=saga_id,
                     settle=[settled("a", output=b"x" * 2049)])
        client.Commit(saga_id=saga_id, settle=[settled("a", output=b"x" * 2048)])

    def test_definition_bytes_max(self):
        client = self.start(definition_bytes_max="1KiB")
        text = definition("one", step("a"))
        client.register(text + "#" * (1024 - len(text)))
        failure = self.failure(client.register, definition("two", step("a")) + "#" * 1024)
        self.assertRegex(failure.text, "definition_bytes_max|1KiB|1024")

    def failure(self, call, *args, **fields):
        with self.assertRaises(grpc.RpcError) as raised:
            call(*args, **fields)
        return failure_of(raised.exception)

    def test_deadline_max(self):
        """Of deadlines, leases and timeouts, in requests and in definitions."""
        client = self.start(deadline_max="2s", targets={"shop": {"address": self.shop.address, "timeout": "1s"}})
        client.register(definition("one", step("a")))
        client.Start(definition="one", deadline=seconds(2))
        for call, fields in ((client.Start, {"definition": "one", "deadline": seconds(3)}),
                             (client.Begin, {"name": "x", "deadline": seconds(3)}),
                             (client.Begin, {"name": "x", "lease": seconds(3)})):
            failure = self.failure(call, **fields)
            self.assertEqual("INVALID_ARGUMENT", failure.code, fields)
            self.assertIn("deadline_max", failure.text)
        for more in ("deadline: 3s\n", ):
            self.assertEqual("INVALID_ARGUMENT", self.failure(client.register, definition("late", step("a"), extra=more)).code)
        saga = client.saga(client.Begin(name="x").saga_id)
        self.assertState("RUNNING", saga)

    def turned_back(self, client):
        """Begins a saga and leaves it alone until it turns back; returns (reason, seconds that it took)."""
        began = time.monotonic()
        saga_id = client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        wait_until(lambda: state_name(client.saga(saga_id)) != "RUNNING", "the saga turns back")
        return reason_name(client.saga(saga_id).reason), time.monotonic() - began

    def test_enlisted_deadline_default(self):
        client = self.start(enlisted_deadline_default="1200ms")
        reason, took = self.turned_back(client)
        self.assertEqual("DEADLINE", reason)
        self.assertTrue(1.2 <= took < 20, took)

    def test_enlisted_lease_default(self):
        client = self.start(enlisted_lease_default="700ms")
        reason, took = self.turned_back(client)
        self.assertEqual("LEASE", reason)
        self.assertTrue(0.7 <= took < 20, took)

    def test_default_retry(self):
        client = self.start(default_retry={"maxAttempts": 4, "initialBackoff": "100ms", "maxBackoff": "100ms", "jitter": 0})
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        client.register(definition("one", step("a", compensate=False)))
        saga_id = client.run("one").id
        calls = self.shop.of(saga_id)
        self.assertEqual([1, 2, 3, 4], [c.attempt for c in calls])
        for before, after in zip(calls, calls[1:]):
            self.assertTrue(0.09 < after.began - before.ended < 10, (before.ended, after.began))

    def test_a_definition_keeps_the_retries_of_its_day(self):
        """Neither another sagad.yaml nor another sagad changes a definition that is registered; those of before it was kept follow the file."""
        quick = {"initialBackoff": "1ms", "maxBackoff": "1ms"}
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        sidecar = self.sidecar_with(default_retry=dict(quick, maxAttempts=3))
        sidecar.client.register(definition("one", step("a", compensate=False)))

        def attempts():
            return len(self.shop.of(sidecar.client.run("one").id))
        self.assertEqual(3, attempts())
        sidecar.options["default_retry"] = dict(quick, maxAttempts=7)
        sidecar.restart("kill")
        self.assertEqual(3, attempts())
        sidecar.stop()
        for name in os.listdir(sidecar.options["data_dir"]):
            if name.endswith(".db"):
                with contextlib.closing(sqlite3.connect(os.path.join(sidecar.options["data_dir"], name))) as db, db:
                    self.assertEqual(1, db.execute("DELETE FROM subjects WHERE kind = 6").rowcount)
        sidecar.start()
        self.assertEqual(7, attempts())
        sidecar.options["default_retry"] = quick
        sidecar.restart()
        self.assertEqual(4, attempts())

    def test_default_compensation_retry(self):
        client = self.start(default_compensation_retry={"maxAttempts": 3, "initialBackoff": "100ms", "maxBackoff": "100ms", "jitter": 0})
        self.shop.on(undo("a"), fail(Code.UNAVAILABLE))
        self.shop.on(do("b"), fail(Code.NOT_FOUND))
        client.register(definition("back", step("a"), step("b", after=["a"])))
        enlisted = client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        client.Abort(saga_id=enlisted)
        for saga_id in (client.Start(definition="back").saga_id, enlisted):
            client.stuck(saga_id)
            calls = self.shop.of(saga_id, "compensation")
            self.assertEqual([1, 2, 3], [c.attempt for c in calls])
            for before, after in zip(calls, calls[1:]):
                self.assertTrue(0.09 < after.began - before.ended < 10)

    # ---- serving ----

    def test_calls_max(self):
        """More calls at once than it says are refused, with what to do; with fewer all are served again."""
        client = self.start(loops=1, calls_max=8, streams_max=1, watchers_max=1, waiters_max=6)
        saga_id = client.Begin(name="x").saga_id
        begin = client.channel.unary_unary("/saga.v1.Coordinator/Begin")
        wait = client.channel.unary_unary("/saga.v1.Coordinator/Wait")
        waits = [wait.future(message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString(), timeout=2 * PATIENCE_S)
                 for _ in range(6)]
        held = queue.Queue()
        pipe = client.Pipe(iter(held.get, None))
        held.put(message("saga.v1.PipeRequest")())
        next(pipe)

        def refused():
            """Seven of eight places are taken: of many that come in one turn, all but one are too many."""
            calls = [begin.future(message("saga.v1.BeginRequest")(name="y").SerializeToString(), timeout=PATIENCE_S) for _ in range(40)]
            failures = [failure_of(c.exception()) for c in calls if c.exception() is not None]
            for failure in failures:
                self.assertEqual(("RESOURCE_EXHAUSTED", "QUEUE_FULL"), (failure.code, failure.reason))
                self.assertGreater(failure.retry_delay_ms, 0)
            return len(failures)
        wait_until(refused, "one call too many is refused")
        client.Commit(saga_id=saga_id)
        for w in waits:
            w.result(PATIENCE_S)
        held.put(None)
        self.assertEqual([], list(pipe))

    def test_connection_streams_max(self):
        client = self.start(connection_streams_max=2)
        raw = Http2(self.sidecars[0].port)
        kind, flags, payload = raw.frame()
        self.assertEqual(4, kind)
        settings = dict(struct.unpack(">HI", payload[i:i + 6]) for i in range(0, len(payload), 6))
        self.assertEqual(2, settings[3], "SETTINGS_MAX_CONCURRENT_STREAMS")
        raw.close()
        # What a client of this connection sees: the third waits for one of the two, while another connection is served.
        saga_id = client.Begin(name="x").saga_id
        wait = client.channel.unary_unary("/saga.v1.Coordinator/Wait")
        waits = [wait.future(message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString(), timeout=2 * PATIENCE_S)
                 for _ in range(2)]
        with self.assertRaises(grpc.RpcError) as raised:
            wait_until(lambda: client.ListDefinitions(timeout=0.5) and False, "no third call gets through")
        self.assertEqual(Code.DEADLINE_EXCEEDED, raised.exception.code())
        other = Client(client.address)
        other.Commit(saga_id=saga_id)
        other.close()
        for w in waits:
            w.result(PATIENCE_S)
        client.ListDefinitions()

    def test_pipe_commands_max(self):
        client = self.start(pipe_commands_max=3)
        commands = [{"begin": {"name": "x"}}] * 4
        self.assertEqual(3, len(next(client.Pipe(iter([message("saga.v1.PipeRequest")(commands=commands[:3])]))).results))
        failure = self.failure(lambda: list(client.Pipe(iter([message("saga.v1.PipeRequest")(commands=commands)]), timeout=PATIENCE_S)))
        self.assertIn("pipe_commands_max", failure.text)

    def test_handshake_timeout(self):
        sidecar = self.sidecar_with(handshake_timeout="600ms", connect_timeout="30s")
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", sidecar.port), PATIENCE_S) as silent:
            silent.settimeout(PATIENCE_S)
            self.assertEqual(b"", silent.recv(1))
        self.assertTrue(0.5 < time.monotonic() - began < 9)

    def keepalive(self, **options):
        """(seconds until the ping, seconds from there until the connection is closed) of a peer that answers none."""
        raw = Http2(self.sidecar_with(**options).port)
        began = time.monotonic()
        pinged = None
        try:
            while True:
                kind, flags, _ = raw.frame()
                if kind == 4 and not flags & 1:
                    raw.socket.sendall(bytes([0, 0, 0, 4, 1, 0, 0, 0, 0]))
                if kind == 6 and not flags & 1:
                    pinged = time.monotonic() - began
        except (EOFError, ConnectionError):
            return pinged, time.monotonic() - began - (pinged or 0)
        finally:
            raw.close()

    def test_keepalive_time(self):
        """The least that the option takes, 10 s: a silent connection is asked then, and closed when it does not answer."""
        pinged, closed = self.keepalive(keepalive_time="10s", keepalive_timeout="1s")
        self.assertIsNotNone(pinged)
        self.assertTrue(8 < pinged < 16, pinged)
        self.assertTrue(0.5 < closed < 4, closed)

    def test_keepalive_timeout(self):
        pinged, closed = self.keepalive(keepalive_time="10s", keepalive_timeout="5s")
        self.assertTrue(4 < closed < 12, (pinged, closed))

    def test_connect_timeout(self):
        """A target that takes a connection and says nothing: what waits for it is given up when its time is over."""
        for timeout, least, most in (("400ms", 0.35, 4.5), ("2s", 1.9, 20)):
            with socket.socket() as silent:
                silent.bind(("127.0.0.1", 0))
                silent.listen(64)
                silent.settimeout(PATIENCE_S)
                client = self.start(targets={"shop": "127.0.0.1:%d" % silent.getsockname()[1]}, connect_timeout=timeout, target_wait="0s")
                client.register(definition("one", step("a", more=QUICK % 1)))
                began = time.monotonic()
                saga_id = client.Start(definition="one").saga_id
                connection, _ = silent.accept()
                connection.settimeout(PATIENCE_S)
                try:
                    while connection.recv(65536):
                        pass
                except ConnectionError:
                    pass
                took = time.monotonic() - began
                connection.close()
                self.assertTrue(least < took < most, (timeout, took))
            self.assertState("COMPENSATED", client.end(saga_id))

    # ---- the journal ----

    def largest_frame(self, **options):
        """The bytes of the largest frame that many calls at once make, with 1 KiB in each."""
        sidecar = self.sidecar_with(loops=1, **options)
        begin = sidecar.client.channel.unary_unary("/saga.v1.Coordinator/Begin")
        request = message("saga.v1.BeginRequest")(name="x", enlist=[enlistment("a", request=os.urandom(1024))]).SerializeToString()
        for call in [begin.future(request, timeout=PATIENCE_S) for _ in range(100)]:
            call.result()
        sidecar.kill()
        database = sqlite3.connect(os.path.join(sidecar.options["data_dir"], "journal.db"))
        size = database.execute("SELECT max(length(body)) FROM frames").fetchone()[0]
        database.close()
        sidecar.start()
        return size

    def test_commit_bytes_max(self):
        self.assertLess(self.largest_frame(commit_bytes_max="4KiB"), 4096 + 2048)
        wait_until(lambda: self.largest_frame() > 2 * 4096, "many calls in one frame")

    # ---- metrics ----

    def series(self, **options):
        """(all series of /metrics after sagas of 60 definitions, those among them whose labels are _other)"""
        sidecar = self.sidecar_with(http_listen="127.0.0.1:0", loops=1, **options)
        for i in range(60):
            sidecar.client.register(definition("d%d" % i, step("a")))
            self.assertState("COMMITTED", sidecar.client.run("d%d" % i))
        found = test_watching.samples(test_watching.get(sidecar, "/metrics")[2])
        return len(found), sum("_other" in [v for _, v in labels] for _, labels in found)

    def test_metrics_series_max(self):
        many, other = self.series()
        few, more = self.series(metrics_series_max=100)
        self.assertEqual(0, other)
        self.assertGreater(more, 0)
        self.assertLess(few, 2 * many / 3)

    # ---- the log ----

    def test_log_level(self):
        """What is less grave is not written."""
        for level, expected in (("error", set()), ("warn", set()), ("info", {"info"}), ("debug", {"info", "debug"})):
            path = "unix:/tmp/saga-level-%d-%s.sock" % (os.getpid(), level)
            self.sidecars.append(Sidecar(start=False, log_level=level, listen=[path]))
            sidecar = self.sidecars[-1]
            sidecar.spawn()
            client = Client(path, wait_for_ready=True)
            client.Begin(name="x")
            client.close()
            sidecar.stop()
            self.assertEqual(expected, {line.get("level") for line in sidecar.log()}, level)


class EveryOption(unittest.TestCase):
    def test_every_row_has_its_test(self):
        with open(os.path.join(ROOT, "sidecar/config/options.def"), encoding="utf-8") as f:
            text = f.read()
        rows = re.findall(r"^(?:(?:TARGET_)?OPTION|RELOADED)\(\s*\w+, (\w+),", text, re.M)
        self.assertGreater(len(rows), 30)
        self.assertEqual(len(rows), len(re.findall(r"^(?:(?:TARGET_)?OPTION|RELOADED)\(", text, re.M)))
        here = {name[5:] for name in dir(Options) if name.startswith("test_")}
        missing = [row for row in rows if row not in here and row not in ELSEWHERE]
        self.assertEqual([], missing, "these options have no test that goes over them (tests/e2e/test_options.py)")
        self.assertEqual(set(), set(ELSEWHERE) - set(rows), "options that are no more")
        for row, place in ELSEWHERE.items():
            module, case, test = place.split(".")
            self.assertTrue(hasattr(getattr(importlib.import_module(module), case), test), place)
