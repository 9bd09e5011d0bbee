"""What it costs to know messages: three-step sagas of which each step maps five fields, beside the same without types."""
import os
import statistics
import subprocess

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import rig

F = descriptor_pb2.FieldDescriptorProto

MAPPED = "{order_id: =input.order_id, customer: =input.customer, card: =input.card, amount_cents: =input.amount_cents, token: =input.token}"


def definition(kind):
    if kind == "checked":
        return rig.definition().replace("steps:", "schema: bench\ninput: bench.Order\nsteps:")
    text = "name: bench\nversion: 1.0.0\nschema: bench\ninput: bench.Order\nsteps:\n"
    for i in (1, 2, 3):
        text += (f"  - name: s{i}\n    after: [{'' if i == 1 else f's{i - 1}'}]\n"
                 f"    action: {{target: bench, method: /bench.P/A{i}, request: {MAPPED}}}\n"
                 f"    compensation: {{target: bench, method: /bench.P/C{i}, request: {{order_id: =input.order_id}}}}\n")
    return text


def types():
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto3")
    order = file.message_type.add(name="Order")
    texts = ("order_id", "customer", "card", "address", "note", "channel", "coupon", "currency")
    for number, name in enumerate(texts, 1):
        order.field.add(name=name, number=number, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    order.field.add(name="amount_cents", number=9, type=F.TYPE_INT64, label=F.LABEL_OPTIONAL)
    order.field.add(name="token", number=10, type=F.TYPE_BYTES, label=F.LABEL_OPTIONAL)
    order.field.add(name="skus", number=11, type=F.TYPE_STRING, label=F.LABEL_REPEATED)
    service = file.service.add(name="P")
    for kind in "AC":
        for i in (1, 2, 3):
            service.method.add(name=f"{kind}{i}", input_type=".bench.Order", output_type=".bench.Order")
    return descriptor_pb2.FileDescriptorSet(file=[file])


def order(files):
    """An input of 300 bytes."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(files.file[0])
    made = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("bench.Order"))(
        order_id="order-0123456789", customer="Ann Example, 1 Long Street", card="4242424242424242", address="1 Long Street, 12345 Town",
        channel="web", coupon="SPRING-26", currency="EUR", amount_cents=123456, token=b"0123456789" * 3, skus=["nut-0001", "bolt-0002", "washer-3"])
    made.note = "x" * (300 - made.ByteSize() - 2)
    made.note += "x" * (300 - made.ByteSize())
    assert made.ByteSize() == 300
    return made.SerializeToString()


def measure(bench, kind, files, data, seconds):
    """CPU of the sidecar for a saga."""
    sidecar = rig.Sidecar(bench.binaries)
    try:
        if kind != "plain":
            sidecar.kill()
            subprocess.run(["rm", "-rf", f"{sidecar.directory}/data"], check=True)
            os.mkdir(f"{sidecar.directory}/schemas")
            with open(f"{sidecar.directory}/schemas/bench.binpb", "wb") as file:
                file.write(files.SerializeToString())
            with open(f"{sidecar.directory}/definitions/bench.yaml", "w") as file:
                file.write(definition(kind))
            with open(f"{sidecar.directory}/sagad.yaml", "a") as file:
                file.write(f"schemas_dir: {sidecar.directory}/schemas\n")
            sidecar.start()
        path = f"{sidecar.directory}/input"
        with open(path, "wb") as file:
            file.write(data)
        return bench.load(sidecar, "start", 256, input=path, seconds=seconds)["cpu_us"]
    finally:
        sidecar.kill()
        sidecar.remove()


def run(bench):
    files = types()
    data = order(files)
    calls, all_in_all, checks = [], [], []
    for i in range(bench.pairs):
        kinds = ("typed", "checked", "plain")
        cpu = {kind: measure(bench, kind, files, data, bench.seconds) for kind in (kinds if i % 2 else kinds[::-1])}
        calls.append(cpu["typed"] / cpu["checked"])
        all_in_all.append(cpu["typed"] / cpu["plain"])
        checks.append(float(subprocess.run([f"{bench.binaries}/bench/scenarios", "time-of-check"], stdout=subprocess.PIPE, text=True,
                                           check=True).stdout))
    bench.row("typed three-step saga, five mapped fields a step: CPU", "x untyped calls", calls, 1.05, 1.03, "lower",
              f"{cpu['checked']:.1f} us untyped; with the check of the input {statistics.median(all_in_all):.3f} x")
    bench.row("check of a typed input of 300 bytes at Start", "us", checks, 2, 1.5, "lower")
