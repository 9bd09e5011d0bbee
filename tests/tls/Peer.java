// Peer.java - the same as peer.go, with gRPC's Java library over Netty.
import io.grpc.*;
import io.grpc.health.v1.*;
import io.grpc.netty.shaded.io.grpc.netty.*;
import io.grpc.netty.shaded.io.netty.handler.ssl.*;
import io.grpc.stub.*;
import java.io.*;
import java.net.*;
import java.util.concurrent.TimeUnit;

public class Peer {
    static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        public byte[] parse(InputStream in) {
            try {
                return in.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    static void ask(String address, String[] files) throws Exception {
        SslContextBuilder tls = GrpcSslContexts.forClient().trustManager(new File(files[0]));
        if (files.length == 3)
            tls.keyManager(new File(files[1]), new File(files[2]));
        ManagedChannel channel = NettyChannelBuilder.forTarget(address).sslContext(tls.build()).build();
        try {
            System.out.println(HealthGrpc.newBlockingStub(channel)
                                   .withDeadlineAfter(5, TimeUnit.SECONDS)
                                   .check(HealthCheckRequest.getDefaultInstance())
                                   .getStatus());
        } catch (StatusRuntimeException e) {
            System.out.println(e.getStatus().getCode());
        } finally {
            channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
    }

    static void serve(String[] files) throws Exception {
        HandlerRegistry every = new HandlerRegistry() {
            public ServerMethodDefinition<?, ?> lookupMethod(String name, String authority) {
                MethodDescriptor<byte[], byte[]> method =
                    MethodDescriptor.newBuilder(BYTES, BYTES).setType(MethodDescriptor.MethodType.UNARY).setFullMethodName(name).build();
                return ServerMethodDefinition.create(method, ServerCalls.asyncUnaryCall((byte[] request, StreamObserver<byte[]> answer) -> {
                    answer.onNext(new byte[0]);
                    answer.onCompleted();
                }));
            }
        };
        SslContextBuilder tls = GrpcSslContexts.forServer(new File(files[1]), new File(files[2]))
                                    .trustManager(new File(files[0]))
                                    .clientAuth(ClientAuth.REQUIRE);
        Server server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
                            .sslContext(tls.build())
                            .fallbackHandlerRegistry(every)
                            .build()
                            .start();
        System.out.println(server.getPort());
        server.awaitTermination();
    }

    public static void main(String[] a) throws Exception {
        if (a.length >= 3 && a[0].equals("ask")) {
            ask(a[1], java.util.Arrays.copyOfRange(a, 2, a.length));
        } else if (a.length == 4 && a[0].equals("serve")) {
            serve(java.util.Arrays.copyOfRange(a, 1, a.length));
        } else {
            System.err.println("usage: Peer ask HOST:PORT ROOTS [CERTIFICATE KEY] | Peer serve ROOTS CERTIFICATE KEY");
            System.exit(2);
        }
    }
}
