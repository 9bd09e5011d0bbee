"""The configuration read again while sagas run: by SIGHUP, by the operator's Reload, and by sagactl."""
import collections
import json
import os
import signal
import subprocess
import threading

import grpc

from test_watching import get, samples
from harness import SAGAD, Case, Gate, Participant, Sidecar, definition, do, enlistment, step, wait_until

Code = grpc.StatusCode
SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
DONE = "the configuration was read again"


class Reload(Case):
    def setUp(self):
        super().setUp()
        self.other = Participant()
        self.definitions = None

    def tearDown(self):
        self.other.stop()

    def with_definitions(self, environment=None, **options):
        sidecar = Sidecar(start=False, targets={"shop": self.shop.address}, **options)
        sidecar.environment.update(environment or {})
        self.addCleanup(sidecar.close)
        self.definitions = os.path.join(sidecar.directory, "definitions")
        os.mkdir(self.definitions)
        sidecar.options["definitions_dir"] = self.definitions
        return sidecar.start()

    def write(self, name, text):
        with open(os.path.join(self.definitions, name + ".yaml"), "w") as f:
            f.write(text)

    def reload(self, sidecar, **targets):
        if targets:
            sidecar.options["targets"] = targets
        sidecar.write_config()
        answer = sidecar.client.operator.Reload(actor="ops")
        return sorted(answer.taken), sorted(answer.needs_restart)

    def test_nothing_has_changed(self):
        self.assertEqual(([], []), self.reload(self.with_definitions()))

    def test_targets_and_definitions(self):
        """A definition and the target that it calls come together; every loop has both."""
        sidecar = self.with_definitions()
        self.write("new", definition("new", step("a")).replace("shop", "store"))
        taken, restart = self.reload(sidecar, shop=self.shop.address, store=self.other.address)
        self.assertEqual((["definition new 1.0.0", "target store added"], []), (taken, restart))
        for k in range(8):
            self.assertState("COMMITTED", sidecar.client.run("new", request_id="new-%d" % k))
        self.assertEqual(8, len({c.saga for c in self.other.calls}))
        self.assertEqual(([], []), self.reload(sidecar))
        sidecar.restart("kill")
        self.assertState("COMMITTED", sidecar.client.run("new"))

    def test_a_changed_address_drains_the_old_connection(self):
        sidecar = self.with_definitions()
        sidecar.client.register(definition("one", step("a")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        first = sidecar.client.Start(definition="one").saga_id
        gate.await_call()
        self.assertEqual((["target shop changed"], []), self.reload(sidecar, shop=self.other.address))
        second = sidecar.client.run("one")
        self.assertState("COMMITTED", second)
        self.assertEqual(1, len(self.other.of(second.id)))
        self.assertState("RUNNING", sidecar.client.saga(first))
        gate.open()
        self.assertState("COMMITTED", sidecar.client.end(first))
        self.assertEqual([], self.other.of(first))

    def test_an_address_that_nobody_listens_at_is_put_right(self):
        sidecar = self.with_definitions()
        sidecar.options["targets"] = {"shop": "127.0.0.1:1"}
        sidecar.restart()
        sidecar.client.register(definition("one", step("a")))
        ids = [sidecar.client.Start(definition="one").saga_id for _ in range(20)]
        wait_until(lambda: sidecar.log("a target cannot be reached: its calls wait for it"), "it is missed")
        self.reload(sidecar, shop=self.shop.address)
        for saga_id in ids:
            saga = sidecar.client.end(saga_id)
            self.assertState("COMMITTED", saga)
            self.assertEqual([1], [c.attempt for c in self.shop.of(saga_id)])

    def test_a_target_that_is_removed_and_comes_back(self):
        sidecar = self.with_definitions()
        client = sidecar.client
        client.register(definition("two", step("a"), step("b", after=["a"])))
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = client.Start(definition="two").saga_id
        gate.await_call()
        owner = client.Begin(name="owner", enlist=[enlistment("e")]).saga_id
        sidecar.options["targets"] = {}
        sidecar.write_config()
        self.assertEqual(["target shop removed: what calls it waits until it is back"], list(client.operator.Reload(actor="ops").taken))
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", client.Start, definition="two")
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", client.Begin, name="x", enlist=[enlistment("e")])
        gate.open()
        client.Abort(saga_id=owner)

        def waits(saga_id):
            return [s.waiting_for for s in client.saga(saga_id).steps if "does not name" in s.waiting_for]
        wait_until(lambda: waits(saga_id) and waits(owner), "both wait for the target")
        self.reload(sidecar, shop=self.shop.address)
        self.assertState("COMMITTED", client.end(saga_id))
        self.assertState("COMPENSATED", client.end(owner))

    def test_a_target_that_was_missing_at_the_start(self):
        sidecar = self.with_definitions()
        client = sidecar.client
        client.register(definition("one", step("a")))
        owner = client.Begin(name="owner", deadline={"seconds": 60}, lease={"seconds": 60}, enlist=[enlistment("e")]).saga_id
        sidecar.options["targets"] = {}
        sidecar.restart()
        client = sidecar.client
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", client.Start, definition="one")
        client.Abort(saga_id=owner)
        wait_until(lambda: any("does not name" in s.waiting_for for s in client.saga(owner).steps), "it waits")
        self.assertEqual((["target shop added"], []), self.reload(sidecar, shop=self.shop.address))
        self.assertState("COMPENSATED", client.end(owner))
        self.assertState("COMMITTED", client.run("one"))

    def test_a_file_that_is_wrong_changes_nothing(self):
        sidecar = self.with_definitions()
        good = dict(sidecar.options)
        self.write("good", definition("good", step("a")))
        wrong = {"of the configuration": lambda: sidecar.options.update(retention="5"),
                 "of a definition": lambda: self.write("wrong", "name: wrong\nversion: 1\n"),
                 "of a definition's target": lambda: self.write("wrong", definition("wrong", step("a")).replace("shop", "nowhere")),
                 "of a definition that is another's": lambda: self.write("wrong", definition("kept", step("b")))}
        sidecar.client.register(definition("kept", step("a")))
        for what, plant in wrong.items():
            with self.subTest(what):
                sidecar.options.update(good, log_level="debug", targets={"shop": self.shop.address, "new": self.other.address})
                plant()
                sidecar.write_config()
                with self.assertRaises(grpc.RpcError) as raised:
                    sidecar.client.operator.Reload(actor="ops")
                self.assertIn(raised.exception.code(), (Code.INVALID_ARGUMENT, Code.NOT_FOUND), raised.exception)
                self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", sidecar.client.Begin, name="x", enlist=[enlistment("e", target="new")])
                self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", sidecar.client.Start, definition="good")
                self.assertEqual([], sidecar.log(DONE))
                sidecar.options.pop("retention", None)
                if os.path.exists(os.path.join(self.definitions, "wrong.yaml")):
                    os.remove(os.path.join(self.definitions, "wrong.yaml"))
        self.assertEqual(4, len(sidecar.logged("the configuration cannot be taken as it is", 4)))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", sidecar.client.operator.Reload, field="actor")
        sidecar.write_config()
        self.assertEqual({"definition good 1.0.0", "target new added", "log_level: debug"},
                         set(sidecar.client.operator.Reload(actor="ops").taken))

    def test_objectives(self):
        """What is promised comes, goes and comes back while the sidecar runs: counts go on, and what is promised no more burns no more."""
        sidecar = self.with_definitions(http_listen="127.0.0.1:0")
        client = sidecar.client
        client.register(definition("paid", step("a")))

        def counted():
            found = collections.Counter()
            for o in client.operator.ListObjectives().objectives:  # of each loop
                found[o.definition] += o.all
            return dict(found)

        def shown():
            return [dict(labels)["definition"] for (name, labels) in samples(get(sidecar, "/metrics")[2]) if name == "sagad_slo_promised_ratio"]
        client.run("paid")
        paid = {"success": 99, "window": "24h"}
        sidecar.options["objectives"] = {"paid": paid, "other": {"success": 90}}
        self.assertEqual((["objectives"], []), self.reload(sidecar))
        self.assertEqual((["other", "paid"], {"paid": 0, "other": 0}), (sorted(shown()), counted()))
        client.run("paid")
        self.assertEqual(1, counted()["paid"])
        sidecar.options["objectives"] = {"other": {"success": 95}}
        self.assertEqual((["objectives"], []), self.reload(sidecar))
        self.assertEqual((["other"], {"other": 0}), (shown(), counted()))
        client.run("paid")
        sidecar.options["objectives"] = {"paid": paid}
        self.reload(sidecar)
        client.run("paid")
        self.assertEqual((["paid"], {"paid": 2}), (shown(), counted()))
        sidecar.options["objectives"] = {}
        self.reload(sidecar)
        sidecar.restart("kill")
        client = sidecar.client
        self.assertEqual({}, counted())
        sidecar.options["objectives"] = {"paid": paid}
        self.reload(sidecar)
        client.run("paid")
        self.assertEqual({"paid": 3}, counted())

    def test_bounds_that_are_gone_are_not_shown(self):
        sidecar = self.with_definitions(http_listen="127.0.0.1:0", definition_limits={"paid": {"live_sagas_max": 50}, "other": {"live_sagas_max": 50}})
        bounded = {"address": self.shop.address, "rate_limit_per_second": 1000, "retry_budget_percent": 20}
        sidecar.client.register(definition("paid", step("a")))

        def shown():
            return {(name[6:], *dict(labels).values()) for (name, labels) in samples(get(sidecar, "/metrics")[2])
                    if name in ("sagad_target_retry_budget_left", "sagad_target_rate_limit_per_second", "sagad_definition_sagas_live_max")}
        self.reload(sidecar, shop=bounded, other=dict(bounded, address=self.other.address))
        sidecar.client.run("paid")
        limits = {("definition_sagas_live_max", "paid"), ("definition_sagas_live_max", "other")}
        both = {("target_retry_budget_left", t) for t in ("shop", "other")} | {("target_rate_limit_per_second", t) for t in ("shop", "other")}
        wait_until(lambda: shown() == limits | both, "all bounds are shown")  # of a loop that is late what was so is shown
        sidecar.options["definition_limits"] = {"paid": {"live_sagas_max": 60}}
        self.reload(sidecar, shop=dict(bounded, retry_budget_percent=0))
        wait_until(lambda: shown() == {("definition_sagas_live_max", "paid"), ("target_rate_limit_per_second", "shop")}, "the others are not")

    def test_heartbeats(self):
        sidecar = self.with_definitions(http_listen="127.0.0.1:0")
        sidecar.client.register(definition("pulse", step("a")))

        def beats():
            return {b.definition: b for loop in sidecar.client.operator.Status().loops for b in loop.synthetics}

        def interval():
            return samples(get(sidecar, "/metrics")[2]).get(("sagad_synthetic_interval_seconds", (("definition", "pulse"),)))
        sidecar.options["synthetics"] = {"pulse": {"every": "1s", "deadline": "60s"}}
        self.assertEqual((["synthetics"], []), self.reload(sidecar))
        wait_until(lambda: beats()["pulse"].committed > 0, "it beats")
        self.assertEqual(1, interval())
        gate = Gate()
        self.shop.on(do("a"), gate)
        gate.await_call()  # one is under way
        sidecar.options["synthetics"] = {}
        self.reload(sidecar)
        self.assertEqual(({}, None), (beats(), interval()))
        sidecar.options["synthetics"] = {"pulse": {"every": "1s", "deadline": "60s", "success": 99}}
        self.assertEqual((["synthetics"], []), self.reload(sidecar))
        wait_until(lambda: beats()["pulse"].missed > 0, "none begins while one is under way, whatever was between")
        before = beats()["pulse"].committed
        gate.open()
        wait_until(lambda: beats()["pulse"].committed > before + 1, "it beats again")
        self.assertIn("pulse", [o.definition for o in sidecar.client.operator.ListObjectives().objectives])

    def test_rules_of_remediation(self):
        """A rule goes on as it was left, be it by another file or by another process: above all one that was disarmed."""
        sidecar = self.with_definitions()
        letters = {"when": "deadletters > 0", "do": "hold", "definition": "one", "mode": "act"}

        def rules():
            return {r.name: r for r in sidecar.client.operator.ListRules().rules}
        sidecar.options.update(objectives={"one": {"success": 99}}, remediation={"letters": letters})
        self.assertEqual((["objectives", "remediation"], []), self.reload(sidecar))
        self.assertEqual(["letters"], list(rules()))
        sidecar.client.operator.ChangeRule(name="letters", change="RULE_CHANGE_UNDO", actor="ops")
        self.assertTrue(rules()["letters"].disarmed)
        sidecar.options["remediation"] = {"letters": dict(letters, when="deadletters > 5"), "more": {"when": "live > 10000", "do": "page", "url": "http://127.0.0.1:1/"}}
        self.reload(sidecar)
        self.assertEqual((True, "deadletters > 5", False), (rules()["letters"].disarmed, rules()["letters"].when, rules()["more"].disarmed))
        sidecar.options["remediation"] = {}
        self.reload(sidecar)
        self.assertEqual({}, rules())
        sidecar.options["remediation"] = {"letters": letters}
        self.reload(sidecar)
        self.assertTrue(rules()["letters"].disarmed)
        sidecar.options["remediation"] = {}
        self.reload(sidecar)
        sidecar.restart("kill")
        sidecar.options["remediation"] = {"letters": letters}
        self.assertEqual((["remediation"], []), self.reload(sidecar))
        self.assertEqual((True, "taken back by an operator"), (rules()["letters"].disarmed, rules()["letters"].said))

    def test_a_wrong_promise_heartbeat_or_rule_changes_none_of_them(self):
        sidecar = self.with_definitions()
        client = sidecar.client
        good = {"objectives": {"one": {"success": 99}}, "synthetics": {"one": {"every": "1h"}}, "remediation": {"r": {"when": "live > 1", "do": "hold", "definition": "one"}}}
        wrong = {"objectives.two.success": {"objectives": {"two": {"success": 100}}},
                 "synthetics.two.every": {"synthetics": {"two": {"every": "1ms"}}},
                 "remediation.x.when": {"remediation": {"x": {"when": "deadleters > 1", "do": "hold", "definition": "one"}}}}
        for place, more in wrong.items():
            sidecar.options.update(good)
            for option, entries in more.items():
                sidecar.options[option] = dict(good[option], **entries)
            sidecar.write_config()
            with self.assertRaises(grpc.RpcError) as raised:
                client.operator.Reload(actor="ops")
            self.assertEqual(Code.INVALID_ARGUMENT, raised.exception.code())
            self.assertIn(place, raised.exception.details())
            self.assertEqual(([], [], []), (list(client.operator.ListObjectives().objectives), list(client.operator.ListRules().rules),
                                            [b for loop in client.operator.Status().loops for b in loop.synthetics]))
        sidecar.options.update(good)
        self.assertEqual((["objectives", "remediation", "synthetics"], []), self.reload(sidecar))

    def test_by_sagactl(self):
        sidecar = self.with_definitions()
        command = [SAGACTL, "-a", sidecar.address, "reload"]

        def run(*more):
            return subprocess.run(command + list(more), capture_output=True, text=True, timeout=30)
        self.assertEqual((0, "nothing has changed\n"), (run().returncode, run().stdout))
        sidecar.options.update(retention="2h", targets={"shop": self.shop.address, "new": self.other.address})
        sidecar.write_config()
        self.assertEqual("taken: target new added\nneeds a restart: retention\n", run().stdout)
        self.assertEqual({"needs_restart": ["retention"]}, {k: v for k, v in json.loads(run("-o", "json").stdout).items() if v})
        sidecar.options["retention"] = "5"
        sidecar.write_config()
        done = run()
        self.assertNotEqual(0, done.returncode)
        self.assertIn("retention", done.stderr)

    def test_many_at_once_under_load(self):
        """Targets come and go while sagas run: none is lost, and every request is answered."""
        # A connection that is taken down while it is being made C core 1.51 now and then keeps, some kilobytes: no leak of ours, by its stacks.
        sidecar = self.with_definitions({"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        sidecar.client.register(definition("two", step("a"), step("b", after=["a"])))
        ids, over, errors = [], threading.Event(), []

        def start():
            while not over.is_set():
                try:
                    ids.append(sidecar.client.Start(definition="two").saga_id)
                except grpc.RpcError as error:
                    if "does not name" not in error.details():
                        errors.append(error)
                        return
        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for k in range(30):
            sidecar.options["targets"] = [{"shop": self.shop.address}, {"shop": self.other.address}, {}][k % 3]
            sidecar.write_config()
            if k % 2:
                sidecar.process.send_signal(signal.SIGHUP)
            sidecar.client.operator.Reload(actor="ops")
        over.set()
        for thread in threads:
            thread.join()
        self.reload(sidecar, shop=self.other.address)
        self.assertEqual([], errors)
        self.assertGreater(len(ids), 20)
        for saga_id in ids:
            self.assertState("COMMITTED", sidecar.client.end(saga_id))
            for name in "ab":
                keys = [c.key for p in (self.shop, self.other) for c in p.of(saga_id, step=name)]
                self.assertEqual(1, len(set(keys)), keys)
