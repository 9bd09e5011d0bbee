// peer.go - a client and a participant over mutual TLS, with gRPC's Go library, for clients.py.
//
//	peer ask HOST:PORT ROOTS [CERTIFICATE KEY]     asks for health; prints SERVING, or the name of the failure's code
//	peer serve ROOTS CERTIFICATE KEY               serves every method with an empty answer to whoever has a certificate by ROOTS; prints its port
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func config(roots string, pair []string) *tls.Config {
	pem, err := os.ReadFile(roots)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := &tls.Config{RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	if len(pair) == 2 {
		certificate, err := tls.LoadX509KeyPair(pair[0], pair[1])
		check(err)
		c.Certificates = []tls.Certificate{certificate}
	}
	return c
}

func ask(address, roots string, pair []string) {
	channel, err := grpc.Dial(address, grpc.WithTransportCredentials(credentials.NewTLS(config(roots, pair))))
	check(err)
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := health.NewHealthClient(channel).Check(ctx, &health.HealthCheckRequest{})
	if err != nil {
		fmt.Println(status.Code(err))
		return
	}
	fmt.Println(answer.Status)
}

func serve(roots string, pair []string) {
	empty := func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		return stream.SendMsg(&emptypb.Empty{})
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config(roots, pair))), grpc.UnknownServiceHandler(empty))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	check(server.Serve(listener))
}

func main() {
	if len(os.Args) >= 4 && os.Args[1] == "ask" {
		ask(os.Args[2], os.Args[3], os.Args[4:])
	} else if len(os.Args) == 5 && os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3:])
	} else {
		fmt.Fprintln(os.Stderr, "usage: peer ask HOST:PORT ROOTS [CERTIFICATE KEY] | peer serve ROOTS CERTIFICATE KEY")
		os.Exit(2)
	}
}
