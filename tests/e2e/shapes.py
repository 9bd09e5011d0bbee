"""shapes.py - a shop's types of messages, as a set of descriptors that no file of the project holds."""
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

F = descriptor_pb2.FieldDescriptorProto


def shop(more=()):
    """The set; more are names of further text fields of Order, from number 10 on."""
    file = descriptor_pb2.FileDescriptorProto(name="typed/v1/typed.proto", package="typed.v1", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    line = file.message_type.add(name="Line")
    line.field.add(name="sku", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    line.field.add(name="quantity", number=2, type=F.TYPE_INT32, label=F.LABEL_OPTIONAL)
    order = file.message_type.add(name="Order")
    order.field.add(name="order_id", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    order.field.add(name="lines", number=2, type=F.TYPE_MESSAGE, type_name=".typed.v1.Line", label=F.LABEL_REPEATED)
    order.field.add(name="total_cents", number=3, type=F.TYPE_INT64, label=F.LABEL_OPTIONAL)
    order.field.add(name="at", number=4, type=F.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp", label=F.LABEL_OPTIONAL)
    for number, name in enumerate(more, 10):
        order.field.add(name=name, number=number, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    receipt = file.message_type.add(name="Receipt")
    receipt.field.add(name="receipt_id", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    service = file.service.add(name="Shop")
    service.method.add(name="Reserve", input_type=".typed.v1.Order", output_type=".typed.v1.Receipt")
    service.method.add(name="Release", input_type=".typed.v1.Receipt", output_type=".typed.v1.Receipt")
    service.method.add(name="Follow", input_type=".typed.v1.Order", output_type=".typed.v1.Receipt", server_streaming=True)
    files = descriptor_pb2.FileDescriptorSet()
    timestamp_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().CopyFrom(file)
    return files


def classes(files):
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName("typed.v1." + name)) for name in ("Order", "Line", "Receipt")}


SHOP = shop()
_CLASSES = classes(SHOP)
Order, Line, Receipt = (_CLASSES[name] for name in ("Order", "Line", "Receipt"))

TYPED = """name: %s
version: 1.0.0
schema: typed
input: typed.v1.Order
steps:
  - name: reserve
    target: shop
    action: /typed.v1.Shop/Reserve
    compensation: {method: /typed.v1.Shop/Release, request: own_output}
"""
