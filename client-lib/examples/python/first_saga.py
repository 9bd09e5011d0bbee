# first_saga.py - a participant and a client in one program: one trip is booked, one is undone.
from concurrent.futures import ThreadPoolExecutor
import grpc
import trips_pb2 as trips
from saga.v1 import coordinator_pb2 as api, coordinator_pb2_grpc, saga_pb2


class Trips(grpc.GenericRpcHandler):
    """The participant: four unary methods that take a Trip."""

    def __init__(self):
        self.answers = {}  # by idempotency key: a repeated call gets its first answer. A real one keeps this in its database.

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.serve(details.method, request, context))

    def serve(self, method, request, context):
        key = dict(context.invocation_metadata())["idempotency-key"]
        place = trips.Trip.FromString(request).place
        if key not in self.answers:
            if (method, place) == ("/trips.Flight/Book", "Atlantis"):
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no flight goes there")  # a definite no: turn back
            print(f"  {method} {place}")
            self.answers[key] = trips.Booking(number=f"booking-{len(self.answers) + 1}").SerializeToString()
        return self.answers[key]


server = grpc.server(ThreadPoolExecutor(8), handlers=[Trips()])
server.add_insecure_port("unix:./trips.sock")
server.start()

sidecar = coordinator_pb2_grpc.CoordinatorStub(grpc.insecure_channel("unix:./sagad-data/sagad.sock"))
with open("trip.yaml", "rb") as definition:
    sidecar.RegisterDefinition(api.RegisterDefinitionRequest(source=definition.read()), wait_for_ready=True, timeout=20)

for place in ("Lisbon", "Atlantis"):
    saga = sidecar.Start(api.StartRequest(definition="trip", request_id=f"trip-to-{place}", input_json=f'{{"place": "{place}"}}'))
    end = sidecar.Wait(api.WaitRequest(saga_id=saga.saga_id), timeout=30).saga  # durable since Start; this only waits
    print(place, saga.saga_id, saga_pb2.SagaState.Name(end.state))
server.stop(None).wait()
