"""A server that pretends to be a sidecar."""
import concurrent.futures

import grpc


class Impostor(grpc.GenericRpcHandler):
    """A server that answers each method of the API as a test says: a message, or a status, with its details or without; Watch with a list of
    messages."""

    def __init__(self, *path, **answers):
        """It listens at that socket, or at a port of 127.0.0.1."""
        self.answers, self.calls = answers, []
        self.left_s = []  # of the time of each call; None: it may take for ever
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=(self,))
        self.address = "unix:" + path[0] if path else "127.0.0.1:0"
        port = self.server.add_insecure_port(self.address)
        self.address = self.address if path else "127.0.0.1:%d" % port
        self.server.start()

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        if name not in self.answers:
            return None

        def answer(request, context):
            self.calls.append(name)
            self.left_s.append(context.time_remaining())
            said = self.answers[name]
            if isinstance(said, grpc.StatusCode):
                context.abort(said, "so it is")
            said = said(request)
            if isinstance(said, tuple):
                context.set_trailing_metadata((("grpc-status-details-bin", said[1].SerializeToString()),))
                context.abort(said[0], said[1].message or "so it is")
            if isinstance(said, grpc.StatusCode):
                context.abort(said, "so it is")
            return [m.SerializeToString() for m in said] if isinstance(said, list) else said.SerializeToString()
        if name == "Watch":
            return grpc.unary_stream_rpc_method_handler(lambda request, context: iter(answer(request, context)))
        return grpc.unary_unary_rpc_method_handler(answer)

    def close(self):
        self.server.stop(None).wait()
