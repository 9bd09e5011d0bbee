"""takeover.py - from kill -9 of a sidecar with many live sagas until another of its fleet answers for them.

takeover.py SAGAS        fails beyond the lease and three seconds
"""
import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
sys.dont_write_bytecode = True

import grpc

from harness import Sidecar, definition, free_port, message, migrate, step, wait_until
from postgres import Postgres

LEASE_S = 3
CLIENTS = 8
AT_ONCE = 100


def start_many(sidecar, count):
    """Starts so many; gives the last one's id."""
    call = sidecar.client.channel.unary_unary("/saga.v1.Coordinator/Start", request_serializer=lambda m: m.SerializeToString(),
                                              response_deserializer=message("saga.v1.StartResponse").FromString)
    pending, request = [], message("saga.v1.StartRequest")(definition="one")
    for _ in range(count):
        pending.append(call.future(request, timeout=60))
        if len(pending) >= AT_ONCE:
            pending.pop(0).result()
    return [p.result().saga_id for p in pending][-1]


def measure(count):
    """Seconds."""
    server = Postgres().start()
    migrate(server)
    sidecars = []
    for name in ("first", "second"):
        address = "127.0.0.1:%d" % free_port()
        sidecars.append(Sidecar(store=server.uri, store_journal=name, store_lease="%ds" % LEASE_S, fleet="bench", listen=[address], fleet_address=address,
                                targets={"shop": "127.0.0.1:1"}, live_sagas_max=count + 10))
    first, second = sidecars
    first.client.register(definition("one", step("a")))  # its target is not there: they wait
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        last = [f.result() for f in [pool.submit(start_many, first, count // CLIENTS) for _ in range(CLIENTS)]]
    first.kill()
    began = time.monotonic()

    def answered():
        try:
            return second.client.saga(last[0]).id
        except grpc.RpcError:
            return None
    wait_until(answered, "another answers for a saga of the dead one", 120)
    took = time.monotonic() - began
    second.close()
    server.close()
    return took


def run(bench, count):
    took = [measure(count) for _ in range(min(bench.pairs, 3))]
    bench.row(f"take-over of {count:,} live sagas, with a lease of {LEASE_S} s", "s", took, LEASE_S + 3, LEASE_S + 1.5, "lower")


def main(count):
    took = measure(count)
    print("take-over of %d live sagas: %.2f s, of which the lease is %d s" % (count, took, LEASE_S))
    return 0 if took <= LEASE_S + 3 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
