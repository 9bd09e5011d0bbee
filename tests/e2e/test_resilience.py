"""Pain that stays where it is: circuit breakers of targets, from the outside."""
import json
import os
import subprocess
import threading
import time

import grpc

import shapes
from harness import (SAGAD, Case, Gate, Sidecar, definition, do, enlistment, enum, fail, failure_in_result, failure_of, settled, state_name, step,
                     wait_until)
from shapes import Order, Receipt
from test_pipe import Stream

Code = grpc.StatusCode
SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
TRIP, HOLD, RESET = (enum("BreakerAct", "BREAKER_ACT_" + name) for name in ("TRIP", "HOLD", "RESET"))
CLOSED, OPEN, HALF_OPEN = (enum("BreakerState", "BREAKER_STATE_" + name) for name in ("CLOSED", "OPEN", "HALF_OPEN"))
USUAL = {"breaker_failure_percent": 50, "breaker_volume": 4, "breaker_probes": 2, "breaker_window": "10s", "breaker_open": "700ms",
         "breaker_open_max": "1400ms"}


class Breakers(Case):
    def setUp(self):
        super().setUp()
        with self.shop.lock:
            self.shop.calls.clear()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def start(self, loops=1, retry=None, **breaker):
        target = dict({"address": self.shop.address, "timeout": "5s"}, **dict(USUAL, **breaker))
        retry = retry or {"maxAttempts": 100, "initialBackoff": "20ms", "maxBackoff": "20ms", "jitter": 0}
        sidecar = Sidecar(targets={"shop": target}, loops=loops, default_retry=retry,
                          default_compensation_retry={"maxAttempts": 100, "initialBackoff": "20ms", "maxBackoff": "20ms"})
        self.sidecars.append(sidecar)
        sidecar.client.register(definition("one", step("a")))
        sidecar.client.register(definition("bare", step("a", compensate=False)))
        return sidecar

    @staticmethod
    def breakers(sidecar):
        return [t.breaker for loop in sidecar.client.operator.Status().loops for t in loop.targets]

    def breaker(self, sidecar):
        return self.breakers(sidecar)[0]

    def await_state(self, sidecar, state):
        wait_until(lambda: self.breaker(sidecar).state == state, "the breaker's state is %d" % state)

    def set(self, sidecar, act, target="shop"):
        sidecar.client.operator.SetBreaker(target=target, act=act, actor="ops", reason="a drill")

    def test_opens_lets_nothing_leave_tries_with_few_and_closes(self):
        sidecar = self.start(breaker_open="2s", breaker_open_max="4s")
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        ids = [sidecar.client.Start(definition="one").saga_id for _ in range(12)]
        self.await_state(sidecar, OPEN)
        until = self.breaker(sidecar).open_until
        wait_until(lambda: all(c.ended for c in list(self.shop.calls)), "no call is out")
        before = len(self.shop.calls)
        waits = wait_until(lambda: [s.waiting_for for s in (sidecar.client.saga(i).steps[0] for i in ids) if "breaker" in s.waiting_for],
                           "a step waits for the breaker")
        self.assertIn("target shop, whose breaker is open, and lets few calls leave after that", waits[0])
        wait_until(lambda: len(self.shop.calls) > before, "it is tried")
        self.assertGreaterEqual(time.time(), until.seconds + until.nanos / 1e9 - 0.01)
        # Two probes failed: it is open again, and for twice as long.
        wait_until(lambda: len(sidecar.log("a target's breaker is open: its calls wait")) >= 2, "it opens again")
        first, second = sidecar.log("a target's breaker is open: its calls wait")[:2]
        self.assertEqual(("2000", "1", "4000", "2"), (first["open_ms"], first["times_in_a_row"], second["open_ms"], second["times_in_a_row"]))
        began, offset = until.seconds + until.nanos / 1e9, time.time() - time.monotonic()
        tried = [c for c in list(self.shop.calls) if began - 0.01 < c.began + offset < began + 4]
        self.assertIn(len(tried), (1, 2))
        with self.shop.lock:
            self.shop.functions.clear()
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
        self.await_state(sidecar, CLOSED)
        wait_until(lambda: sidecar.log("a target's breaker is closed again"), "it is told")
        self.assertEqual(0, self.breaker(sidecar).openings)

    def test_waiting_spends_no_attempts_and_a_deadline_decides(self):
        sidecar = self.start(retry={"maxAttempts": 1, "initialBackoff": "1ms"}, breaker_open="30s", breaker_open_max="30s")
        self.set(sidecar, TRIP)
        late = sidecar.client.Start(definition="one", deadline={"seconds": 1}).saga_id
        saga = sidecar.client.end(late)
        self.assertEqual("COMPENSATED", state_name(saga))
        self.assertEqual(0, len(self.shop.calls))
        waiting = sidecar.client.Start(definition="one").saga_id
        self.set(sidecar, RESET)
        self.assertEqual("COMMITTED", state_name(sidecar.client.end(waiting)))
        self.assertEqual(1, len(self.shop.of(waiting)))

    def test_an_open_breaker_outlives_kill_9_and_undos_wait_for_it(self):
        sidecar = self.start(breaker_open="4s", breaker_open_max="4s")
        owned = sidecar.client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        self.set(sidecar, TRIP)
        until = self.breaker(sidecar).open_until
        sidecar.client.Abort(saga_id=owned, settle=[settled("a")])
        sidecar.kill()
        sidecar.start()
        breaker = self.breaker(sidecar)
        self.assertEqual((OPEN, until), (breaker.state, breaker.open_until))
        saga_id = sidecar.client.Start(definition="one").saga_id
        self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
        self.assertEqual("COMPENSATED", state_name(sidecar.client.end(owned)))
        ends = until.seconds + until.nanos / 1e9
        offset = time.time() - time.monotonic()
        self.assertEqual(2, len(self.shop.calls))
        for call in self.shop.calls:
            self.assertGreater(call.began + offset, ends - 0.01)

    def test_held_until_reset_by_sagactl(self):
        sidecar = self.start()

        def run(*words):
            done = subprocess.run([SAGACTL, "-a", sidecar.address] + list(words), capture_output=True, text=True, timeout=30)
            return done.returncode, done.stdout, done.stderr
        self.assertEqual((0, "the breaker of target shop is held open until it is reset\n", ""),
                         run("breaker", "hold", "shop", "-m", "they deploy"))
        saga_id = sidecar.client.Start(definition="one").saga_id
        self.assertEqual("target shop, whose breaker an operator holds open", sidecar.client.saga(saga_id).steps[0].waiting_for)
        self.assertIn("To be undone, where there is a compensation: nothing.", " ".join(run("why", saga_id)[1].split()))
        self.assertRegex(" ".join(run("targets", "shop")[1].split()), r"held open( since \S+ ago)? by an operator: sagactl breaker reset shop lets go")
        sidecar.kill()
        sidecar.start()
        self.assertTrue(self.breaker(sidecar).held)
        self.assertEqual(0, len(self.shop.calls))
        self.assertEqual({"target": "shop", "breaker": "reset"}, json.loads(run("breaker", "reset", "shop", "-m", "done", "-o", "json")[1]))
        self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
        self.assertIn("breaker closed", " ".join(run("targets")[1].split()))
        for words, said in ((("breaker", "break", "shop", "-m", "x"), "is none of trip, hold, reset"),
                            (("breaker", "trip", "shop"), "needs --reason"), (("breaker", "trip", "nobody", "-m", "x"), "target")):
            code, _, err = run(*words)
            self.assertNotEqual(0, code)
            self.assertIn(said, err)

    def test_wrong_requests_are_refused(self):
        sidecar = self.start()
        ask = sidecar.client.operator.SetBreaker
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", ask, target="nobody", act=TRIP, actor="ops", reason="x", field="target")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, target="shop", actor="ops", reason="x", field="act")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, target="shop", act=TRIP, reason="x", field="actor")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, target="shop", act=TRIP, actor="ops", field="reason")

    def test_every_loop_does_as_it_is_told(self):
        sidecar = self.start(loops=2)
        self.set(sidecar, HOLD)
        wait_until(lambda: [True, True] == [b.held for b in self.breakers(sidecar)], "both are held")
        self.set(sidecar, RESET)
        wait_until(lambda: [CLOSED, CLOSED] == [b.state for b in self.breakers(sidecar)], "both are closed")

    # ---- the options, one by one ----

    def run_some(self, sidecar, count):
        for _ in range(count):
            sidecar.client.run("bare")

    def test_slow_calls_open_it(self):
        def slowly(call):
            time.sleep(0.15)
            return b""
        self.shop.on(do("a"), slowly)
        for slow_call, state in (("1s", CLOSED), ("100ms", OPEN)):
            sidecar = self.start(breaker_failure_percent=0, breaker_slow_percent=100, breaker_slow_call=slow_call, breaker_open="1m",
                                 breaker_open_max="1m")
            self.run_some(sidecar, 4)
            self.assertEqual(state, self.breaker(sidecar).state, slow_call)

    def test_only_the_statuses_that_are_named_count(self):
        self.shop.on(do("a"), fail(Code.FAILED_PRECONDITION))
        for codes, state in ((["UNAVAILABLE", 4], CLOSED), (["FAILED_PRECONDITION"], OPEN)):
            sidecar = self.start(breaker_status_codes=codes, breaker_open="1m", breaker_open_max="1m")
            self.run_some(sidecar, 4)
            self.assertEqual(state, self.breaker(sidecar).state, codes)

    def test_volume_and_window(self):
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        for volume, state in ((6, CLOSED), (5, OPEN)):
            sidecar = self.start(retry={"maxAttempts": 1, "initialBackoff": "1ms"}, breaker_volume=volume, breaker_open="1m",
                                 breaker_open_max="1m")
            self.run_some(sidecar, 5)
            self.assertEqual(state, self.breaker(sidecar).state, volume)
        sidecar = self.start(retry={"maxAttempts": 1, "initialBackoff": "1ms"}, breaker_volume=4, breaker_window="100ms")
        for _ in range(6):
            self.run_some(sidecar, 1)
            time.sleep(0.15)  # that the window goes by is what is tried
        self.assertEqual(CLOSED, self.breaker(sidecar).state)

    def test_open_max_and_probes(self):
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        sidecar = self.start(breaker_open="200ms", breaker_open_max="300ms", breaker_probes=1)
        saga_ids = [sidecar.client.Start(definition="one").saga_id for _ in range(20)]
        wait_until(lambda: len(sidecar.log("a target's breaker is open: its calls wait")) >= 4, "it opens again and again")
        told = sidecar.log("a target's breaker is open: its calls wait")
        self.assertEqual(["200", "300", "300"], [line["open_ms"] for line in told[:3]])
        with self.shop.lock:
            self.shop.functions.clear()
        for saga_id in saga_ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))

    def test_what_does_not_go_together_is_refused(self):
        for options, said in (({"breaker_volume": 1}, "breaker_volume (1) of target shop must not be below breaker_probes (2)"),
                              ({"breaker_open_max": "100ms"}, "breaker_open_max (100ms) of target shop must not be below breaker_open (700ms)"),
                              ({"breaker_slow_percent": 50, "breaker_slow_call": "5s"}, "breaker_slow_call (5s) of target shop must be below timeout (5s)"),
                              ({"breaker_status_codes": ["OK"]}, "breaker_status_codes")):
            sidecar = Sidecar(start=False, loops=1,
                              targets={"shop": dict(USUAL, address=self.shop.address, timeout="5s", **{k: v for k, v in options.items() if k not in USUAL}) | options})
            self.sidecars.append(sidecar)
            self.assertIn(said, sidecar.refuse()[1])


class Queues(Case):
    def setUp(self):
        super().setUp()
        with self.shop.lock:
            self.shop.calls.clear()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def start(self, loops=1, **options):
        sidecar = Sidecar(targets={"shop": dict({"address": self.shop.address, "timeout": "20s"}, **options)}, loops=loops)
        self.sidecars.append(sidecar)
        sidecar.client.register(definition("one", step("a")))
        return sidecar

    def reason(self, saga):
        return enum("Reason", "REASON_OVERLOADED") == saga.reason

    def test_max_pending_calls(self):
        """One call is out and two wait: the next is turned away, an undo is not."""
        sidecar = self.start(max_concurrent_calls=1, max_pending_calls=2)
        client = sidecar.client
        gate = Gate()
        self.shop.on(do("a"), gate)
        owned = client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        ids = [client.Start(definition="one").saga_id for _ in range(3)]
        gate.await_call()
        turned = client.end(client.Start(definition="one").saga_id)
        self.assertEqual("COMPENSATED", state_name(turned))
        self.assertTrue(self.reason(turned))
        self.assertIn("max_pending_calls", client.saga(turned.id).steps[0].last_message)
        client.Abort(saga_id=owned, settle=[settled("a")])
        wait_until(lambda: "a free place" in client.saga(owned).steps[0].waiting_for, "the undo waits")
        gate.open()
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(client.end(saga_id)))
        self.assertEqual("COMPENSATED", state_name(client.end(owned)))
        # The undo came last and left first of those that waited.
        self.assertEqual(["action", "compensation", "action", "action"], [c.phase for c in self.shop.calls])

    def test_pending_timeout(self):
        sidecar = self.start(max_concurrent_calls=1, pending_timeout="600ms")
        gate = Gate()
        self.shop.on(do("a"), gate)
        first = sidecar.client.Start(definition="one").saga_id
        gate.await_call()
        began = time.monotonic()
        late = sidecar.client.end(sidecar.client.Start(definition="one").saga_id)
        self.assertTrue(0.55 < time.monotonic() - began < 8)
        self.assertTrue(self.reason(late))
        self.assertIn("pending_timeout", sidecar.client.saga(late.id).steps[0].last_message)
        gate.open()
        self.assertEqual("COMMITTED", state_name(sidecar.client.end(first)))
        self.assertEqual(0, len(self.shop.of(late.id)))

    @staticmethod
    def at_once(client, name, count):
        """So many starts in one turn of a loop: a result of each."""
        pipe = Stream(client)
        results = pipe.ask(*[("start", dict(definition=name))] * count)
        pipe.half_close()
        pipe.rest()
        return results

    def test_rate_limit(self):
        """Twenty a second and a burst of three: no window has more, also over two loops."""
        for loops in (1, 2):
            with self.shop.lock:
                self.shop.calls.clear()
            sidecar = self.start(loops=loops, rate_limit_per_second=20, rate_limit_burst=4)
            for result in self.at_once(sidecar.client, "one", 30):
                self.assertEqual("COMMITTED", state_name(sidecar.client.end(result.start.saga_id)))
            began = sorted(c.began for c in self.shop.calls)
            self.assertEqual(30, len(began))
            # Threads here may see two calls closer to one another than they left: a third of a second of slack.
            self.assertGreater(began[-1] - began[0], (30 - 4) / 20 - 0.34)

    def test_what_waits_for_the_rate_says_so(self):
        sidecar = self.start(rate_limit_per_second=1, rate_limit_burst=1)
        last = self.at_once(sidecar.client, "one", 60)[-1].start.saga_id  # a minute away
        self.assertEqual("its turn among the calls to target shop, which leave at its rate", sidecar.client.saga(last).steps[0].waiting_for)

    def test_adaptive_concurrency(self):
        """Four workers are found to be a few, and not the sixty-four that there may be."""
        workers = threading.Semaphore(4)

        def work(call):
            with workers:
                time.sleep(0.02)
            return b""
        self.shop.on(do("a"), work)
        sidecar = self.start(max_concurrent_calls=64, adaptive_concurrency=True)

        def places():
            return sum(t.calls_max for loop in sidecar.client.operator.Status().loops for t in loop.targets)
        self.assertEqual(8, places())
        ids = [sidecar.client.Start(definition="one").saga_id for _ in range(400)]
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
        self.assertIn(places(), range(2, 25))

    def test_retry_budget(self):
        """While every call fails, few are made again; all are when it is well."""
        sidecar = self.start(retry_budget_percent=20, retry_budget_min_per_second=1)
        client = sidecar.client
        client.register(definition("often", "name: a, target: shop, action: {method: %s, retry: {maxAttempts: 1000, initialBackoff: 10ms, "
                                            "maxBackoff: 10ms, jitter: 0}}" % do("a")))
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        began = time.monotonic()
        ids = [client.Start(definition="often").saga_id for _ in range(40)]
        wait_until(lambda: len(self.shop.calls) >= 48, "first calls pay for retries")
        wait_until(lambda: all("budget of retries" in client.saga(i).steps[0].waiting_for for i in ids), "all wait")
        wait_until(lambda: time.monotonic() > began + 3, "what three seconds pay for")
        calls, passed = len(self.shop.calls), time.monotonic() - began
        self.assertLessEqual(calls, 40 + 8 + passed + 1)
        shown = sum(t.retries_left for l in client.operator.Status().loops for t in l.targets)
        self.assertGreater(shown, 0)  # undos keep a share
        self.assertLess(shown, 40)
        with self.shop.lock:
            self.shop.functions.clear()
        began = time.monotonic()
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(client.end(saga_id)))
        # One that comes back well pays for the next: by the time alone it would be one a second.
        self.assertLess(time.monotonic() - began, len(ids) // 2)

    def test_a_flood_of_one_definition_starves_no_other(self):
        """One place and thirty of one definition that wait: three of another leave every other time, and a start of high priority next."""
        sidecar = self.start(max_concurrent_calls=1)
        client = sidecar.client
        client.register(definition("other", step("b")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        first = client.Start(definition="one").saga_id
        gate.await_call()
        flood = [client.Start(definition="one").saga_id for _ in range(30)]
        others = [client.Start(definition="other").saga_id for _ in range(3)]
        urgent = client.Start(definition="one", priority=enum("Priority", "PRIORITY_HIGH")).saga_id
        self.assertEqual(enum("Priority", "PRIORITY_HIGH"), client.saga(urgent).priority)
        self.assertEqual("a free place among the calls to target shop, at high priority", client.saga(urgent).steps[0].waiting_for)
        gate.open()
        for saga_id in [first, urgent] + flood + others:
            self.assertEqual("COMMITTED", state_name(client.end(saga_id)))
        order = [c.saga for c in self.shop.calls]
        self.assertEqual(urgent, order[1])
        self.assertEqual([flood[0], others[0], flood[1], others[1], flood[2], others[2]], order[2:8])

    def test_a_flood_leaves_room_in_the_queue(self):
        """Of eighteen that may wait one key takes sixteen; another definition finds a place."""
        sidecar = self.start(max_concurrent_calls=1, max_pending_calls=18)
        client = sidecar.client
        client.register(definition("other", step("b")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        ids = [client.Start(definition="one").saga_id]
        gate.await_call()
        ids += [client.Start(definition="one").saga_id for _ in range(16)]
        turned = client.end(client.Start(definition="one").saga_id)
        self.assertTrue(self.reason(turned))
        ids.append(client.Start(definition="other").saga_id)
        gate.open()
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(client.end(saga_id)))

    def test_tenants_take_turns(self):
        sidecar = self.start(max_concurrent_calls=1)
        client = sidecar.client
        client.RegisterSchema(name="typed", descriptors=shapes.SHOP.SerializeToString())
        client.register(definition("tenanted", "name: a, target: shop, action: /typed.v1.Shop/Reserve",
                                   extra="schema: typed\ninput: typed.v1.Order\ntags: {tenant: =input.order_id}\nfair_by: tenant\n"))
        gate = Gate(answer=Receipt().SerializeToString())
        self.shop.on("/typed.v1.Shop/Reserve", gate)

        def start(tenant):
            return client.Start(definition="tenanted", input=Order(order_id=tenant).SerializeToString()).saga_id
        ids = [start("big")]
        gate.await_call()
        flood = [start("big") for _ in range(10)]
        small = [start("small"), start("tiny")]
        gate.open()
        for saga_id in ids + flood + small:
            self.assertEqual("COMMITTED", state_name(client.end(saga_id)))
        self.assertEqual([flood[0]] + small + [flood[1]], [c.saga for c in self.shop.calls][1:5])

    def test_definition_limits(self):
        """As many live, and start in a second, as may; who is refused is told when to come again, and then finds room; a reload changes it."""
        limits = {"one": {"live_sagas_max": 2}, "quick": {"starts_per_second": 5, "starts_burst": 2}}
        sidecar = Sidecar(targets={"shop": {"address": self.shop.address}}, definition_limits=limits)
        self.sidecars.append(sidecar)
        client = sidecar.client
        client.register(definition("one", step("a")))
        client.register(definition("quick", step("b")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        gate.open()
        client.end(client.Start(definition="one").saga_id)  # so that it is known how quickly they end
        gate.opened.clear()
        ids = [client.Start(definition="one", request_id="r%d" % i).saga_id for i in range(2)]
        failure = self.refused("RESOURCE_EXHAUSTED", "DEFINITION_LIMIT", client.Start, definition="one")
        self.assertIn("as many sagas of one live as may (live_sagas_max: 2)", failure.text)
        self.assertGreater(failure.retry_delay_ms, 0)
        again = client.Start(definition="one", request_id="r1")
        self.assertTrue(again.already_started)
        shown = [(d.definition, d.live, d.live_max, d.starts_per_second) for d in client.operator.Status().loops[0].definition_limits]
        self.assertEqual([("one", 2, 2, 0), ("quick", 0, 0, 5)], sorted(shown))
        sidecar.kill()
        time.sleep(3)  # that it was down for so long, says nothing of when there will be room
        sidecar.start()
        client = sidecar.client
        failure = self.refused("RESOURCE_EXHAUSTED", "DEFINITION_LIMIT", client.Start, definition="one")
        self.assertLess(failure.retry_delay_ms, 2500)
        sidecar.options["definition_limits"] = dict(limits, one={"live_sagas_max": 3})
        sidecar.write_config()
        self.assertEqual(["definition_limits"], list(client.operator.Reload(actor="ops").taken))
        ids.append(client.Start(definition="one").saga_id)
        gate.open()
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(client.end(saga_id)))
        client.Start(definition="one")
        # Five a second and two at once. Each who comes when it was told begins, and the delays go up by one place each.
        began = time.monotonic()
        begun = self.at_once(client, "quick", 6)
        delays = [failure_in_result(r.error).retry_delay_ms for r in begun if r.WhichOneof("result") == "error"]
        self.assertIn(len(delays), (4, 5))
        self.assertEqual(sorted(delays), delays)
        self.assertLess(delays[-1], 1100)
        self.assertGreater(delays[-1], delays[0] + 400)
        time.sleep(max(0, began + delays[-1] / 1000 - time.monotonic()))
        wait_until(lambda: self.starts(client), "there is room when it was said")

    def starts(self, client):
        try:
            return client.Start(definition="quick")
        except grpc.RpcError:
            return None

    def test_bad_limits_are_refused_by_name(self):
        for limits, said in (({"a": {}}, "bounds nothing: write live_sagas_max or starts_per_second"),
                             ({"a": {"starts_burst": 5}}, "starts_burst goes with starts_per_second"),
                             ({"a": {"live_sagas_max": 0}}, "0 is out of range; it must be from 1 to 16000000"),
                             ({"a": {"live_sagas_max": 2000000}}, "must not be above that of all (1000000)"),
                             ({"a": {"live_sagas": 5}}, "did you mean live_sagas_max?")):
            sidecar = Sidecar(start=False, definition_limits=limits)
            self.sidecars.append(sidecar)
            self.assertIn(said, sidecar.refuse()[1])

    def test_reserve(self):
        """The first step has a second of a minute; then nothing of it leaves, and its saga turns back."""
        sidecar = self.start()
        client = sidecar.client
        client.register(definition("kept", step("a", more="reserve: 59s, retry: {maxAttempts: 1000, initialBackoff: 200ms, maxBackoff: 200ms}"),
                                   step("b", after=["a"]), extra="deadline: 60s\n"))
        client.register(definition("roomy", step("a", more="reserve: 45s"), step("b", after=["a"]), extra="deadline: 60s\n"))
        self.shop.on(do("a"), fail(Code.UNAVAILABLE))
        began = time.monotonic()
        saga = client.end(client.Start(definition="kept").saga_id)
        self.assertEqual("COMPENSATED", state_name(saga))
        self.assertEqual(enum("Reason", "REASON_DEADLINE"), saga.reason)
        self.assertIn(" step may take of the deadline", saga.reason_message)
        self.assertLess(time.monotonic() - began, 30)
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = client.Start(definition="roomy").saga_id
        gate.await_call()
        self.assertLess(self.shop.of(saga_id)[0].time_left, 15.2)
        gate.open()
        self.assertEqual("COMMITTED", state_name(client.end(saga_id)))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", client.Start, definition="kept", deadline={"seconds": 2}, field="deadline")
        for text, said in ((definition("x", step("a", more="reserve: 3s"), step("b", after=["a"]), extra="deadline: 3s\n"), "at most 2999ms"),
                           (definition("x", step("a"), step("b", after=["a"], more="reserve: 1s")), "there is none"),
                           (definition("x", step("a", more="pivot: true, reserve: 1s"), step("b", compensate=False, after=["a"])), "no deadline ends the pivot")):
            self.assertIn(said, self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", client.RegisterDefinition, source=text.encode()).text)

    def test_an_attempt_that_could_not_be_answered_does_not_leave(self):
        sidecar = self.start()
        client = sidecar.client
        client.register(definition("two", step("a"), step("b", after=["a"])))
        def slowly(call):
            time.sleep(1)
            return b""
        self.shop.on(do("a"), slowly)
        self.shop.on(do("b"), slowly)
        self.assertEqual("COMMITTED", state_name(client.end(client.Start(definition="two").saga_id)))
        target = client.operator.Status().loops[0].targets[0]
        self.assertGreaterEqual(target.quickest.seconds + target.quickest.nanos / 1e9, 0.99)
        saga = client.end(client.Start(definition="two", deadline={"seconds": 1, "nanos": 950000000}).saga_id)
        self.assertEqual(("COMPENSATED", enum("Reason", "REASON_DEADLINE")), (state_name(saga), saga.reason))
        self.assertIn("no answer of its target has come within less than", saga.reason_message)
        self.assertEqual(["a", "una"], [c.method.rsplit("/", 1)[1] for c in self.shop.of(saga.id)])

    def test_shares_are_whole(self):
        for options, said in (({"max_pending_calls": 1}, "max_pending_calls (1) of target shop must not be below loops (2)"),
                              ({"rate_limit_per_second": 1}, "rate_limit_per_second (1) of target shop must not be below loops (2)"),
                              ({"rate_limit_per_second": 10, "rate_limit_burst": 1}, "rate_limit_burst (1) of target shop must not be below loops (2)")):
            sidecar = Sidecar(start=False, loops=2, targets={"shop": dict(options, address=self.shop.address)})
            self.sidecars.append(sidecar)
            self.assertIn(said, sidecar.refuse()[1])
