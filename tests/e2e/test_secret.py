"""Payloads are told to nobody who has no right to them: not in the log, not in an error, not in what a viewer sees."""
import json
import os
import subprocess
import unittest
import urllib.request

import grpc

import shapes
from harness import PATIENCE_S, SAGAD, Participant, Sidecar, fail, wait_until
from test_tracing import EXPORT, Collector

SECRET = "4111-1111-1111-1111"
HEAD = "name: %s\nversion: 1.0.0\nschema: typed\ninput: typed.v1.Order\n"
STEP = "steps:\n  - {name: a, target: shop, action: {method: /typed.v1.Shop/Reserve, request: =input}, compensation: none%s}\n"

DEFINITIONS = {
    "plain": HEAD + STEP % "",
    "required": HEAD + "require:\n  - {that: \"input.order_id == 'x'\", else: not for us}\n" + STEP % "",
    "condition": HEAD + STEP % ", when: \"int(input.order_id) > 0\"",
    "mapped": HEAD + STEP.replace("request: =input", "request: {total_cents: \"=int(input.order_id)\"}") % "",
    "chosen": HEAD + STEP.replace("target: shop", "target: {oneof: [shop, other], by: =input.order_id}") % "",
    "expected": HEAD + STEP % ", expect: [{that: \"action.output.receipt_id == 'R'\", else: another}]",
    "matched": HEAD + STEP % ", when: \"timestamp(input.order_id) < timestamp('2026-01-01T00:00:00Z')\"",
}


class Secret(unittest.TestCase):
    def test_payloads_are_told_nowhere(self):
        shop = Participant()
        self.addCleanup(shop.stop)
        sidecar = Sidecar(targets={"shop": shop.address, "other": shop.address}, log_level="debug", default_retry={"maxAttempts": 1})
        self.addCleanup(sidecar.close)
        client = sidecar.client
        client.RegisterSchema(name="typed", descriptors=shapes.SHOP.SerializeToString())
        shop.on("/typed.v1.Shop/Reserve", lambda call: shapes.Receipt(receipt_id=SECRET).SerializeToString())
        said, begun = [], []
        for name, text in DEFINITIONS.items():
            try:
                client.register(text % name)
            except grpc.RpcError as error:
                self.fail("%s: %s" % (name, error.details()))
            for fields in ({"input_json": json.dumps({"order_id": SECRET})}, {"input_json": json.dumps({"order_id": SECRET, "total_cents": SECRET})},
                           {"input_json": json.dumps({"order_id": [SECRET]})}, {"input": b"\x0a\xff" + SECRET.encode()}):
                try:
                    begun.append(client.Start(definition=name, **fields).saga_id)
                except grpc.RpcError as error:
                    said.append("%s %s" % (error.details(), error.trailing_metadata()))
        self.assertGreaterEqual(len(begun), 5)
        for saga in begun:
            client.end(saga)
            said += [str(client.Get(saga_id=saga)), str(client.Wait(saga_id=saga))]
            self.assertIn(SECRET, str(client.Get(saga_id=saga, include_payloads=True)))
        said += [str(client.List()), "\n".join(sidecar.lines)]
        for text in said:
            self.assertNotIn(SECRET, text)


CARD = "5500-0000-0000-0004"
REDACTED = HEAD + """tags: {order: =input.order_id}
output: {receipt: =steps.reserve.output.receipt_id}
steps:
  - {name: reserve, target: shop, action: {method: /typed.v1.Shop/Reserve, request: =input},
     compensation: {method: /typed.v1.Shop/Release, request: own_output, retry: {maxAttempts: 1}}}
  - {name: pay, target: shop, action: {method: /typed.v1.Shop/Pay, request: {card: =input.card}}, compensation: none}
"""


def redacted():
    """The shop's types, with a field Order.card that is marked debug_redact (16 of FieldOptions, which this Python does not know yet)."""
    files = shapes.shop(["card"])
    order = next(m for m in files.file[1].message_type if m.name == "Order")
    next(f for f in order.field if f.name == "card").options.MergeFromString(b"\x80\x01\x01")
    files.file[1].service[0].method.add(name="Pay", input_type=".typed.v1.Order", output_type=".typed.v1.Receipt")
    return files.SerializeToString()


class Everywhere(unittest.TestCase):
    """A saga with a marked field runs, is undone, gets stuck and is acted on, while an operator without the right to payloads looks at all there is."""

    def setUp(self):
        self.shop, self.collector = Participant(), Collector()
        self.collector.on(EXPORT, lambda call: b"")
        self.addCleanup(self.shop.stop)
        self.addCleanup(self.collector.stop)
        self.sidecar = Sidecar(start=False, targets={"shop": self.shop.address}, log_level="debug", otlp_endpoint=self.collector.address,
                               traces_percent=100, http_listen="127.0.0.1:0", default_retry={"maxAttempts": 1},
                               authorization=[{"who": "plaintext", "may": ["operator", "payloads"]},
                                              {"who": "uid:%d" % os.getuid(), "may": "operator"}])
        self.socket = "unix:" + os.path.join(self.sidecar.directory, "s")
        self.sidecar.options["listen"] = ["127.0.0.1:0", self.socket]
        self.addCleanup(self.sidecar.close)
        self.sidecar.start()
        self.client = self.sidecar.client
        self.client.RegisterSchema(name="typed", descriptors=redacted())

    def sagactl(self, *arguments):
        done = subprocess.run([os.path.join(os.path.dirname(SAGAD), "sagactl"), "-a", self.socket] + list(arguments), capture_output=True,
                              text=True, timeout=PATIENCE_S)
        return done.stdout + done.stderr

    def test_a_tag_of_it_is_refused(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.client.register(REDACTED.replace("{order: =input.order_id}", "{order: =input.order_id, card: =input.card}") % "shown")
        self.assertIn("typed.v1.Order.card, which is marked debug_redact", caught.exception.details())
        self.assertIn("tag-redacted", caught.exception.details())

    def test_it_is_shown_nowhere(self):
        receipt = shapes.Receipt(receipt_id=SECRET).SerializeToString()
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: receipt)
        self.shop.on("/typed.v1.Shop/Pay", fail(grpc.StatusCode.FAILED_PRECONDITION, "no money"))
        self.shop.on("/typed.v1.Shop/Release", fail(grpc.StatusCode.INTERNAL, "broken"))
        self.client.register(REDACTED % "order")
        fields = json.dumps({"order_id": "A-7", "card": CARD})
        stuck = self.client.Start(definition="order", input_json=fields).saga_id
        self.client.end(stuck, until_stuck=True)
        self.shop.on("/typed.v1.Shop/Pay", lambda call: receipt)
        paid = self.client.run("order", input_json=fields).id
        # Who has the right reads both, and the participant was told the card.
        self.assertIn(CARD, str(self.client.Get(saga_id=stuck, include_payloads=True)))
        self.assertIn(SECRET, str(self.client.Wait(saga_id=paid)))
        self.assertTrue(any(CARD.encode() in call.request for call in self.shop.calls))
        texts = {"the answer to a wrong start": self.wrong_start()}
        for words in (["get", stuck], ["get", paid], ["why", stuck], ["list"], ["list", "--tag", "order=A-7"], ["deadletters"],
                      ["deadletters", "--summary"], ["status"], ["targets"], ["top", "--once"], ["watch", paid], ["wait", paid],
                      ["graph", stuck], ["definitions", "order"], ["pause", stuck], ["resume", stuck], ["retry", stuck], ["get", stuck],
                      ["deadletters", "retry", "--dry-run"], ["skip", stuck, "reserve", "--reason", "by hand"], ["get", stuck],
                      ["get", stuck, "--payloads"], ["audit"], ["verify"], ["slo"], ["bulk"], ["runbook", "SagadDeadLetters"]):
            for form in ([], ["-o", "json"]):
                texts[" ".join(words + form)] = self.sagactl(*words, *form)
        self.assertIn("A-7", texts["get " + paid])  # tags are shown
        self.assertIn("Skip", texts["audit"])
        self.assertIn("is not allowed", texts["get %s --payloads" % stuck])
        self.collector.whole(paid)
        texts["traces"] = b"".join(call.request for call in self.collector.calls).decode("latin-1")
        port = self.sidecar.log("listening for probes and scrapes")[0]["port"]
        for path in ("metrics", "livez", "readyz"):
            with urllib.request.urlopen("http://127.0.0.1:%s/%s" % (port, path), timeout=PATIENCE_S) as page:
                texts[path] = page.read().decode()
        texts["log"] = "\n".join(self.sidecar.lines)
        for where, text in texts.items():
            for secret in (SECRET, CARD):
                self.assertNotIn(secret, text, where)

    def wrong_start(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.client.Start(definition="order", input_json=json.dumps({"order_id": "A-7", "card": {"number": CARD}}))
        return "%s %s" % (caught.exception.details(), caught.exception.trailing_metadata())


if __name__ == "__main__":
    unittest.main()
