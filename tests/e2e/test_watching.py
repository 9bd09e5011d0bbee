"""Over HTTP: metrics that agree with the journal, probes that tell why, and neighbours that cannot hurt."""
import collections
import concurrent.futures
import glob
import json
import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

import grpc

from harness import (STORE, PATIENCE_S, ROOT, SAGAD, Case, Client, Gate, Sidecar, definition, do, enlistment, fail, free_port, message, reason_name, settled, state_name, step,
                     undo, wait_until)

Code = grpc.StatusCode
TOOLS = os.path.join(ROOT, "build/tools/usr/bin")
SAMPLE = re.compile(r'^([a-z_:]+)(?:\{(.*)\})? (\S+)(?: # .*)?$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def port_of(sidecar):
    return int(sidecar.log("listening for probes and scrapes")[0]["port"])


def get(sidecar, path, accept=None, method="GET"):
    """(status, type, text)"""
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (port_of(sidecar), path), method=method)
    if accept:
        request.add_header("Accept", accept)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def samples(text):
    """{(name, ((label, value), ...)): number}"""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, line
        key = match.group(1), tuple(LABEL.findall(match.group(2) or ""))
        assert key not in found, "twice: " + line
        found[key] = float(match.group(3))
    return found


def answers(sidecar, path):
    """Whether the path is answered with 200; a connection that is turned away is not."""
    try:
        return get(sidecar, path)[0] == 200
    except OSError:
        return False


class Watched(Case):
    options = {"http_listen": "127.0.0.1:0"}

    def numbers(self):
        return samples(get(self.sidecar, "/metrics")[2])


class Counters(Watched):
    def test_counters_agree_with_the_journal(self):
        self.client.register(definition("counted", step("a"), step("b", after=["a"]), step("c", after=["b"])))
        retry = "retry: {maxAttempts: 1}"
        self.client.register(definition("letters", "name: a, target: shop, action: %s, compensation: {method: %s, %s}" %
                                        (do("la"), undo("la"), retry), step("lb", after=["a"])))
        self.shop.on(do("c"), lambda call: fail(Code.NOT_FOUND)(call) if len(call.request) % 3 == 0 else b"")
        self.shop.on(do("lb"), fail(Code.NOT_FOUND))
        self.shop.on(undo("la"), fail(Code.UNAVAILABLE))
        for i in range(30):
            self.client.run("counted", input=b"x" * i)
        for i in range(4):
            self.client.stuck(self.client.Start(definition="letters").saga_id)
        for i in range(5):
            saga = self.client.Begin(name="owned").saga_id
            (self.client.Commit if i % 2 else self.client.Abort)(saga_id=saga)
            self.client.end(saga)
        ended, stuck = collections.Counter(), 0
        token = ""
        while True:
            page = self.client.List(page_size=7, page_token=token)
            for saga in page.sagas:
                if state_name(saga) == "STUCK":
                    stuck += 1
                elif saga.HasField("ended_at"):
                    ended[saga.definition or saga.name, state_name(saga), reason_name(saga.reason)] += 1
            token = page.next_page_token
            if not token:
                break
        numbers = self.numbers()
        counted = {tuple(v if v else "NONE" for _, v in labels): int(n) for (name, labels), n in numbers.items()
                   if name == "sagad_sagas_ended_total"}
        self.assertEqual({k[:2] + (k[2] if k[2] != "UNSPECIFIED" else "NONE",): n for k, n in ended.items()}, counted)
        self.assertEqual(39, sum(n for (name, _), n in numbers.items() if name == "sagad_sagas_started_total"))
        self.assertEqual(4, stuck)
        self.assertEqual(4, numbers["sagad_sagas_stuck_entered_total", (("definition", "letters"), ("step", "a"), ("reason", "COMPENSATION_FAILED"))])
        self.assertEqual((4, 4), (numbers["sagad_sagas_stuck", ()], numbers["sagad_sagas_live", ()]))
        self.assertEqual(10, numbers["sagad_step_failures_total", (("definition", "counted"), ("step", "c"), ("phase", "action"), ("status", "NOT_FOUND"))])
        attempts = sum(n for (name, labels), n in numbers.items() if name == "sagad_attempts_total")
        self.assertEqual(len(self.shop.calls), attempts)
        by_status = collections.Counter()
        for (name, labels), n in numbers.items():
            if name == "sagad_attempts_total":
                by_status[dict(labels)["phase"], dict(labels)["status"]] += int(n)
        self.assertEqual({("action", "OK"): 84, ("action", "NOT_FOUND"): 14, ("compensation", "OK"): 20, ("compensation", "UNAVAILABLE"): 4}, by_status)
        self.assertEqual(attempts, sum(n for (name, _), n in numbers.items() if name == "sagad_attempt_duration_seconds_count"))
        self.assertEqual(35, sum(n for (name, _), n in numbers.items() if name == "sagad_saga_duration_seconds_count"))
        self.assertGreater(numbers["sagad_commit_duration_seconds_count", ()], 0)
        if not STORE:
            self.assertGreater(numbers["sagad_journal_bytes", ()], 4096)
        self.assertGreater(numbers["process_cpu_seconds_total", ()], 0)


class Many(Watched):
    """A scrape costs a loop what its gauges cost, and the pages are written by a thread of their own: however many series there are, and with several loops."""
    options = {**Watched.options, "loops": 2, "metrics_series_max": 20000, "definitions_max": 2000}
    MOST = 0.05  # nothing that anybody asks for holds a loop for longer

    def test_no_loop_is_held_by_a_scrape_of_a_thousand_definitions(self):
        with concurrent.futures.ThreadPoolExecutor(48) as pool:  # on a bad day each takes its time
            list(pool.map(lambda i: self.client.register(definition("d%d" % i, step("a"))), range(1000)))
            list(pool.map(lambda i: self.client.Start(definition="d%d" % i), range(1000)))
        wait_until(lambda: self.numbers()["sagad_sagas_live", ()] == 0, "all have ended")
        scrapers = [threading.Thread(target=lambda: [get(self.sidecar, "/metrics") for _ in range(5)]) for _ in range(3)]
        for thread in scrapers:
            thread.start()
        while any(thread.is_alive() for thread in scrapers):
            self.client.run("d1")
        for thread in scrapers:
            thread.join()
        numbers = self.numbers()
        self.assertEqual(1000, len({labels for (name, labels) in numbers if name == "sagad_sagas_ended_total"}))
        self.assertEqual(0, numbers.get(("sagad_metrics_overflow_total", ()), 0))
        self.assertGreater(numbers["sagad_gauges_refresh_max_seconds", ()], 0)
        self.assertLess(numbers["sagad_gauges_refresh_max_seconds", ()], self.MOST)


class Refusals(Case):
    """What is refused is counted once, wherever that happens: by the methods, within a Pipe, by the room that admits calls."""
    options = {"http_listen": "127.0.0.1:0", "calls_max": 16, "streams_max": 2, "watchers_max": 2, "waiters_max": 4, "loops": 2}
    NOBODY = "000000000000-1"

    def refused(self, method, reason):
        return samples(get(self.sidecar, "/metrics")[2]).get(
            ("sagad_requests_refused_total", (("method", method), ("reason", reason))), 0)

    def test_refusals_are_counted(self):
        for _ in range(8):  # over both loops' connections
            client = Client(self.sidecar.address)
            for call in (client.Get, client.Commit):
                with self.assertRaises(grpc.RpcError):
                    call(saga_id=self.NOBODY)
        self.assertEqual((8, 8), (self.refused("Get", "SAGA_NOT_FOUND"), self.refused("Commit", "SAGA_NOT_FOUND")))
        request = message("saga.v1.PipeRequest")()
        request.commands.add().commit.saga_id = self.NOBODY
        list(self.client.Pipe(iter([request]), timeout=PATIENCE_S))
        self.assertEqual(9, self.refused("Commit", "SAGA_NOT_FOUND"))
        open_pipes = 0
        while not self.refused("Pipe", "STREAMS_MAX"):  # until both loops' streams are taken
            self.assertLessEqual(open_pipes, 2)
            held = queue.Queue()
            stream = Client(self.sidecar.address).Pipe(iter(held.get, None), timeout=PATIENCE_S)
            self.addCleanup(stream.cancel)
            held.put(message("saga.v1.PipeRequest")())
            try:
                next(stream)
                open_pipes += 1
            except grpc.RpcError as error:
                self.assertEqual(Code.RESOURCE_EXHAUSTED, error.code())
        self.assertEqual(1, self.refused("Pipe", "STREAMS_MAX"))


class Metrics(Watched):
    def test_gauges_are_of_now(self):
        gate = Gate()
        self.client.register(definition("gated", step("g")))
        self.shop.on(do("g"), gate)
        saga = self.client.Start(definition="gated").saga_id
        gate.await_call()
        numbers = self.numbers()
        self.assertEqual(1, numbers["sagad_target_calls_in_flight", (("target", "shop"),)])
        self.assertEqual(256, numbers["sagad_target_calls_max", (("target", "shop"),)])
        gate.open()
        self.client.end(saga)
        self.assertEqual(0, self.numbers()["sagad_target_calls_in_flight", (("target", "shop"),)])

    def test_waits_and_retries(self):
        """How long calls waited for their turn, and how many came again: of each attempt, one way or the other."""
        sidecar = Sidecar(targets={"shop": {"address": self.shop.address, "max_concurrent_calls": 1}}, **self.options)
        self.addCleanup(sidecar.close)
        client = sidecar.client

        def numbers_now():
            return samples(get(sidecar, "/metrics")[2])
        gate, of_shop = Gate(), (("target", "shop"),)
        client.register(definition("queued", step("q")))
        self.shop.on(do("q"), gate)
        sagas = [client.Start(definition="queued").saga_id for _ in range(3)]
        wait_until(lambda: numbers_now()["sagad_target_oldest_waiting_seconds", of_shop] > 0.05, "one has waited")
        self.assertEqual(2, numbers_now()["sagad_target_calls_waiting", of_shop])
        gate.open()
        for saga in sagas:
            self.assertState("COMMITTED", client.end(saga))
        numbers, action = numbers_now(), of_shop + (("phase", "action"),)
        self.assertEqual(3, numbers["sagad_attempt_wait_seconds_count", action])
        self.assertGreater(numbers["sagad_attempt_wait_seconds_sum", action], 0.05)
        self.assertLess(numbers["sagad_attempt_wait_seconds_bucket", action + (("le", "0.05"),)], 3)
        self.assertNotIn(("sagad_retries_total", action), numbers)
        client.register(definition("again", step("w")))
        self.shop.on(do("w"), lambda call: b"" if call.attempt == 3 else fail(Code.UNAVAILABLE)(call))
        self.assertState("COMMITTED", client.run("again"))
        numbers = numbers_now()
        self.assertEqual((6, 2), (numbers["sagad_attempt_wait_seconds_count", action], numbers["sagad_retries_total", action]))

    def test_the_journal_s_figures(self):
        self.client.register(definition("kept", step("k")))
        before = self.numbers().get(("sagad_commit_records_sum", ()), 0)
        for _ in range(20):
            self.client.run("kept")
        numbers = self.numbers()
        commits = numbers["sagad_commit_duration_seconds_count", ()]
        self.assertEqual((commits, commits), (numbers["sagad_commit_records_count", ()], numbers["sagad_commit_bytes_count", ()]))
        self.assertEqual(20 * 4, numbers["sagad_commit_records_sum", ()] - before)  # its start, its step's, and either's end
        wait_until(lambda: self.numbers().get(("sagad_journal_age_seconds", ()), 0) > 0, "the journal has an age")
        if STORE:
            self.assertNotIn(("sagad_journal_sync_duration_seconds_count", ()), numbers)
        else:
            self.assertEqual(commits, numbers["sagad_journal_sync_duration_seconds_count", ()])
            self.assertLess(numbers["sagad_journal_sync_duration_seconds_sum", ()], numbers["sagad_commit_duration_seconds_sum", ()])
        self.assertLessEqual(numbers["sagad_metrics_series", ()], len(numbers))
        self.assertGreater(numbers["sagad_metrics_bytes", ()], 100 * numbers["sagad_metrics_series", ()])

    def test_what_is_held_back(self):
        """Sagas on their way back, dead letters of all kinds by their age, holds and breakers."""
        gate, target = Gate(), (("target", "shop"),)
        self.client.register(definition("back", step("b"), step("c", after=["b"])))
        self.shop.on(do("c"), fail(Code.NOT_FOUND))
        self.shop.on(undo("b"), gate)
        saga = self.client.Start(definition="back").saga_id
        gate.await_call()
        self.assertEqual(1, self.numbers()["sagad_sagas_compensating", ()])
        gate.open()
        self.assertState("COMPENSATED", self.client.end(saga))
        self.assertEqual(0, self.numbers()["sagad_sagas_compensating", ()])
        operator = self.client.operator
        operator.HoldDefinition(definition="back", actor="ops", reason="look")
        self.assertEqual(1, self.numbers()["sagad_definitions_held", ()])
        operator.HoldDefinition(definition="back", actor="ops", reason="look", release=True)
        self.assertEqual(0, self.numbers()["sagad_definitions_held", ()])
        operator.SetBreaker(target="shop", act="BREAKER_ACT_TRIP", actor="ops", reason="look")
        operator.SetBreaker(target="shop", act="BREAKER_ACT_RESET", actor="ops", reason="look")
        numbers = self.numbers()
        for state in ("OPEN", "CLOSED"):
            self.assertEqual(1, numbers["sagad_target_breaker_changes_total", target + (("state", state),)], state)

    def test_the_oldest_deferred_saga(self):
        gate = Gate()
        self.client.register(definition("later", "name: a, target: shop, pivot: true, action: %s" % do("a"),
                                        "name: mail, target: shop, action: %s, after: [a], deferred: true" % do("mail")))
        self.shop.on(do("mail"), gate)
        saga = self.client.Start(definition="later").saga_id
        gate.await_call()
        wait_until(lambda: self.numbers()["sagad_oldest_deferred_saga_age_seconds", ()] > 0, "it waits for its deferred step alone")
        self.assertEqual(0, self.numbers()["sagad_oldest_stuck_saga_age_seconds", ()])
        gate.open()
        self.client.end(saga)
        self.assertEqual(0, self.numbers()["sagad_oldest_deferred_saga_age_seconds", ()])

    def test_a_trace_leads_from_a_bucket_to_a_saga(self):
        self.client.register(definition("traced", step("t")))
        self.client.run("traced", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        status, kind, text = get(self.sidecar, "/metrics", accept="application/openmetrics-text; version=1.0.0")
        self.assertEqual((200, "application/openmetrics-text; version=1.0.0; charset=utf-8"), (status, kind))
        self.assertTrue(text.endswith("# EOF\n"))
        self.assertRegex(text, r'sagad_saga_duration_seconds_bucket\{definition="traced",state="COMMITTED",le="[0-9.]+"\} 1 '
                               r'# \{trace_id="0af7651916cd43dd8448eb211c80319c"\}')
        for name in ("duration", "wait"):
            self.assertRegex(text, r'sagad_attempt_%s_seconds_bucket\{target="shop",phase="action",le="[0-9.]+"\} 1 '
                                   r'# \{trace_id="0af7651916cd43dd8448eb211c80319c"\}' % name)

    def test_promtool_finds_nothing(self):
        self.client.register(definition("linted", step("l")))
        self.client.run("linted")
        done = subprocess.run([os.path.join(TOOLS, "promtool"), "check", "metrics"], input=get(self.sidecar, "/metrics")[2],
                              text=True, capture_output=True, timeout=PATIENCE_S)
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))

    def test_what_is_not_there_is_said(self):
        self.assertEqual((404, "there are /metrics, /livez and /readyz\n"), get(self.sidecar, "/nothing")[::2])
        self.assertEqual(405, get(self.sidecar, "/metrics", method="POST")[0])
        self.assertEqual((200, ""), get(self.sidecar, "/metrics", method="HEAD")[::2])

    def test_connections_that_say_nothing_hurt_nobody(self):
        silent = [socket.create_connection(("127.0.0.1", port_of(self.sidecar))) for _ in range(100)]
        try:
            self.client.register(definition("beside", step("s")))
            self.assertState("COMMITTED", self.client.run("beside"))
        finally:
            for s in silent:
                s.close()
        wait_until(lambda: answers(self.sidecar, "/livez"), "it serves again")


class Probes(Case):
    options = {"http_listen": "127.0.0.1:0"}

    def test_ready_and_live(self):
        self.assertEqual((200, "ok\n"), get(self.sidecar, "/readyz")[::2])
        self.assertEqual((200, "ok\n"), get(self.sidecar, "/livez")[::2])

    def test_not_ready_while_it_stops(self):
        gate = Gate()
        sidecar = Sidecar(targets={"shop": self.shop.address}, http_listen="127.0.0.1:0", shutdown_grace="20s")
        try:
            sidecar.client.register(definition("held", step("h")))
            self.shop.on(do("h"), gate)
            sidecar.client.Start(definition="held")
            gate.await_call()
            sidecar.terminate()
            wait_until(lambda: get(sidecar, "/readyz")[0] == 503, "it says that it stops")
            self.assertIn("it is stopping", get(sidecar, "/readyz")[2])
            self.assertEqual(200, get(sidecar, "/livez")[0])
            gate.open()
            self.assertEqual(0, sidecar.await_exit())
        finally:
            gate.open()
            sidecar.close()

    def test_an_address_that_is_taken_ends_the_start(self):
        sidecar = Sidecar(start=False, http_listen="127.0.0.1:%d" % port_of(self.sidecar))
        try:
            code, said = sidecar.refuse()
            self.assertEqual(1, code)
            self.assertIn("http_listen: cannot listen at 127.0.0.1:%d" % port_of(self.sidecar), said)
        finally:
            sidecar.close()

    def test_a_name_is_no_address(self):
        sidecar = Sidecar(start=False, http_listen="localhost:1234")
        try:
            code, said = sidecar.refuse()
            self.assertEqual(2, code)
            self.assertIn("http_listen: localhost:1234 has no number for a host", said)
        finally:
            sidecar.close()


class Alerts(Watched):
    """The rules that are shipped, and the runbooks beside them."""

    def test_rules_fire_when_they_should(self):
        rules = os.path.join(ROOT, "deploy/prometheus")
        for arguments in (["check", "rules", "sagad.rules.yaml"], ["test", "rules", "sagad.rules.test.yaml"]):
            done = subprocess.run([os.path.join(TOOLS, "promtool")] + arguments, cwd=rules, text=True, capture_output=True,
                                  timeout=PATIENCE_S)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_expressions_of_dashboards_can_be_read(self):
        """By Prometheus; that what they name is exposed is checked with the tree."""
        count = 0
        for path in glob.glob(os.path.join(ROOT, "deploy/grafana/*.json")):
            with open(path) as file:
                panels = json.load(file)["panels"]
            rules = [{"record": "panel:%d" % count, "expr": target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")}
                     for panel in panels for target in panel["targets"]]
            count += len(rules)
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                json.dump({"groups": [{"name": os.path.basename(path), "rules": rules}]}, file)
                file.flush()
                done = subprocess.run([os.path.join(TOOLS, "promtool"), "check", "rules", "--lint=none", file.name], text=True,
                                      capture_output=True, timeout=PATIENCE_S)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertGreater(count, 40)

    def test_runbooks_show_how_things_are(self):
        sagactl = os.environ.get("SAGACTL", os.path.join(os.path.dirname(SAGAD), "sagactl"))

        def run(*arguments):
            return subprocess.run([sagactl, "-a", self.sidecar.address, "runbook"] + list(arguments), text=True, capture_output=True,
                                  timeout=PATIENCE_S)
        names = json.loads(run("-o", "json").stdout)["runbooks"]
        self.assertEqual(sorted(n[:-3] for n in os.listdir(os.path.join(ROOT, "docs/runbooks"))), names)
        for name in names:
            done = run(name)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertTrue(done.stdout.startswith("# %s: " % name))
            self.assertNotRegex(done.stdout, "(?m)```look|^sagactl: ")
        self.client.register(definition("booked", "name: a, target: shop, action: %s, compensation: {method: %s, retry: {maxAttempts: 1}}" %
                                        (do("ba"), undo("ba")), step("bb", after=["a"])))
        self.shop.on(do("bb"), fail(Code.NOT_FOUND))
        self.shop.on(undo("ba"), fail(Code.INTERNAL, "the ledger is locked"))
        self.client.stuck(self.client.Start(definition="booked").saga_id)
        self.assertIn("the ledger is locked", run("SagadDeadLetters").stdout)
        wrong = run("SagadDeadLeters")
        self.assertEqual(2, wrong.returncode)
        self.assertIn("did you mean SagadDeadLetters", wrong.stderr)


class Runbooks(Watched):
    """Every command that a runbook names is carried out as it stands there, and every expression is read by Prometheus."""
    options = {"http_listen": "127.0.0.1:0", "remediation": {"halts": {"when": "deadletters > 1000", "do": "hold", "definition": "booked", "target": "shop"}}}
    WORDS = {"STEP": "a", "TARGET": "shop", "RULE": "halts", "WHY": "seen", "DEFINITION": "booked"}
    VALUES = {"--definition": "booked", "--step": "a", "--status": "INTERNAL", "--reason": "seen"}  # of an option that is followed by "..."

    def setUp(self):
        self.client.register(definition("booked", "name: a, target: shop, action: %s, compensation: {method: %s, retry: {maxAttempts: 1}}" %
                                        (do("ba"), undo("ba")), step("bb", after=["a"])))
        self.shop.on(do("bb"), fail(Code.NOT_FOUND))
        self.shop.on(undo("ba"), fail(Code.INTERNAL, "the ledger is locked"))

    def parts(self):
        for path in sorted(glob.glob(os.path.join(ROOT, "docs/runbooks/*.md"))):
            with open(path) as file:
                text = file.read()
            for block in re.findall(r"(?ms)^```look\n(.*?)^```", text):
                yield from ((os.path.basename(path), line) for line in block.splitlines())
            yield from ((os.path.basename(path), part) for part in re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text)))

    def carry_out(self, where, command):
        saga = self.client.stuck(self.client.Start(definition="booked").saga_id).id
        if command.startswith("sagactl resume"):
            self.client.operator.Pause(saga_id=saga, actor="anna")
        words = shlex.split(command)[1:]
        words = [self.VALUES[words[i - 1]] if word == "..." else {"SAGA-ID": saga, **self.WORDS}.get(word, word) for i, word in enumerate(words)]
        sagactl = os.environ.get("SAGACTL", os.path.join(os.path.dirname(SAGAD), "sagactl"))
        done = subprocess.run([sagactl, "-a", self.sidecar.address] + words, text=True, capture_output=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
        self.assertEqual((0, ""), (done.returncode, done.stderr), "%s: %s: %s" % (where, command, words))

    def test_each_command(self):
        commands = sorted({(part, where) for where, part in self.parts() if part.startswith("sagactl ")})
        seen = set()
        for command, where in commands:
            if command not in seen:
                self.carry_out(where, command)
            seen.add(command)
        self.assertGreater(len(seen), 25)

    def test_each_expression(self):
        rules = [{"record": "runbook:%d" % i, "expr": part} for i, (_, part) in enumerate(self.parts()) if re.search(r"\b(rate|sum|histogram_quantile)\b.*\(", part)]
        self.assertGreater(len(rules), 5)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"groups": [{"name": "runbooks", "rules": rules}]}, file)
            file.flush()
            done = subprocess.run([os.path.join(TOOLS, "promtool"), "check", "rules", "--lint=none", file.name], text=True, capture_output=True,
                                  timeout=PATIENCE_S)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


class Prometheus(Case):
    """A real Prometheus scrapes, and finds the example's trace."""
    options = {"http_listen": "127.0.0.1:0"}

    def test_it_scrapes(self):
        self.client.register(definition("scraped", step("p")))
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        self.client.run("scraped", traceparent="00-%s-00f067aa0ba902b7-01" % trace)
        with tempfile.TemporaryDirectory() as directory:
            config = os.path.join(directory, "prometheus.yml")
            with open(config, "w") as f:
                json.dump({"scrape_configs": [{"job_name": "sagad", "scrape_interval": "200ms", "scrape_timeout": "200ms",
                                               "static_configs": [{"targets": ["127.0.0.1:%d" % port_of(self.sidecar)]}]}]}, f)
            port = free_port()
            process = subprocess.Popen([os.path.join(TOOLS, "prometheus"), "--config.file=" + config,
                                        "--storage.tsdb.path=" + os.path.join(directory, "data"),
                                        "--web.listen-address=127.0.0.1:%d" % port, "--enable-feature=exemplar-storage",
                                        "--log.level=error"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                def ask(path):
                    try:
                        with urllib.request.urlopen("http://127.0.0.1:%d/api/v1/%s" % (port, path), timeout=5) as r:
                            return json.load(r)["data"]
                    except OSError:
                        return None
                found = wait_until(lambda: (ask("query?query=sagad_sagas_ended_total") or {}).get("result"), "it has scraped")
                self.assertEqual("scraped", found[0]["metric"]["definition"])
                examples = wait_until(lambda: ask("query_exemplars?query=sagad_saga_duration_seconds_bucket&start=0&end=9999999999"),
                                      "it has the example")
                self.assertEqual(trace, examples[0]["exemplars"][0]["labels"]["trace_id"])
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
