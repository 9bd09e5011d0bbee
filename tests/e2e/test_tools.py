"""What standard tools ask of any gRPC server: health, and reflection in both its versions."""
import grpc

from harness import Case, Sidecar, message
from google.protobuf import descriptor_pb2

Code = grpc.StatusCode
SERVICES = {"saga.v1.Coordinator", "saga.v1.Operator", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"}


class Health(Case):
    def test_check(self):
        for service in ("", "saga.v1.Coordinator", "saga.v1.Operator"):
            self.assertEqual(1, self.client.health.Check(service=service).status)
        with self.assertRaises(grpc.RpcError) as raised:
            self.client.health.Check(service="nobody.v1.Nowhere")
        self.assertEqual(Code.NOT_FOUND, raised.exception.code())

    def test_watch(self):
        sidecar = Sidecar()
        try:
            stream = sidecar.client.health.Watch(service="saga.v1.Coordinator")
            self.assertEqual(1, next(stream).status)
            unknown = sidecar.client.health.Watch(service="nobody.v1.Nowhere")
            self.assertEqual(3, next(unknown).status)
            sidecar.terminate()
            rest = []
            with self.assertRaises(grpc.RpcError) as raised:
                for response in stream:
                    rest.append(response.status)
            # Whether the last change is still sent is a matter of who is quicker.
            self.assertIn(rest, ([2], []))
            self.assertEqual(Code.UNAVAILABLE, raised.exception.code())
            unknown.cancel()
            self.assertEqual(0, sidecar.await_exit())
        finally:
            sidecar.close()


class Reflection(Case):
    def ask(self, stub, package, **fields):
        request = message(package + ".ServerReflectionRequest")(**fields)
        return next(iter(stub.ServerReflectionInfo(iter([request]), timeout=20)))

    def both(self):
        return ((self.client.reflection, "grpc.reflection.v1"), (self.client.reflection_alpha, "grpc.reflection.v1alpha"))

    def test_list_services(self):
        for stub, package in self.both():
            answer = self.ask(stub, package, list_services="")
            self.assertEqual(SERVICES, {s.name for s in answer.list_services_response.service})

    def files(self, answer):
        out = []
        for packed in answer.file_descriptor_response.file_descriptor_proto:
            out.append(descriptor_pb2.FileDescriptorProto.FromString(packed))
        return out

    def test_file_containing_symbol(self):
        for stub, package in self.both():
            for symbol in ("saga.v1.Coordinator", "saga.v1.Coordinator.Start", "saga.v1.StartRequest", "saga.v1.Saga",
                           "saga.v1.SagaState", "grpc.health.v1.Health"):
                files = self.files(self.ask(stub, package, file_containing_symbol=symbol))
                self.assertTrue(files, symbol)
                text = " ".join(str(f) for f in files)
                self.assertIn(symbol.rsplit(".", 1)[1], text)
            answer = self.ask(stub, package, file_containing_symbol="saga.v1.Nothing")
            self.assertEqual(5, answer.error_response.error_code)

    def test_everything_a_tool_needs(self):
        """From the symbol alone, following the imports by name, the messages of Start can be built."""
        for stub, package in self.both():
            todo, known = [self.ask(stub, package, file_containing_symbol="saga.v1.Coordinator")], {}
            while todo:
                for file in self.files(todo.pop()):
                    known[file.name] = file
                    for name in file.dependency:
                        if name not in known:
                            todo.append(self.ask(stub, package, file_by_filename=name))
            self.assertIn("saga/v1/saga.proto", known)
            self.assertIn("google/protobuf/duration.proto", known)

    def test_one_stream_many_questions(self):
        for stub, package in self.both():
            kind = message(package + ".ServerReflectionRequest")
            questions = [kind(list_services=""), kind(file_by_filename="saga/v1/saga.proto"), kind(file_by_filename="nothing.proto"),
                         kind(all_extension_numbers_of_type="saga.v1.Saga"), kind()]
            answers = list(stub.ServerReflectionInfo(iter(questions), timeout=20))
            self.assertEqual(5, len(answers))
            self.assertEqual("list_services_response", answers[0].WhichOneof("message_response"))
            self.assertEqual("file_descriptor_response", answers[1].WhichOneof("message_response"))
            self.assertEqual(5, answers[2].error_response.error_code)
            self.assertEqual(questions[1], answers[1].original_request)
