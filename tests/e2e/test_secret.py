"""Payloads are told to nobody who has no right to them: not in the log, not in an error, not in what a viewer sees."""
import json
import unittest

import grpc

import shapes
from harness import PATIENCE_S, Case, Participant, Sidecar, wait_until

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


if __name__ == "__main__":
    unittest.main()
