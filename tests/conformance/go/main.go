// Program conformance runs gRPC's own interop test cases: as a client against a server under test, or as the server that
// a client under test calls. The cases and their checks are those of google.golang.org/grpc/interop; a failed one ends
// the process with a message on standard error.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // so that the server takes and answers gzip
	"google.golang.org/grpc/interop"
	pb "google.golang.org/grpc/interop/grpc_testing"
)

const caseTimeout = 30 * time.Second

type testCase func(ctx context.Context, conn *grpc.ClientConn)

// onService adapts a case that needs the test service only.
func onService(run func(context.Context, pb.TestServiceClient, ...grpc.CallOption), opts ...grpc.CallOption) testCase {
	return func(ctx context.Context, conn *grpc.ClientConn) {
		run(ctx, pb.NewTestServiceClient(conn), opts...)
	}
}

var gzip = grpc.UseCompressor("gzip")

var cases = map[string]testCase{
	"empty_unary":                 onService(interop.DoEmptyUnaryCall),
	"large_unary":                 onService(interop.DoLargeUnaryCall),
	"client_streaming":            onService(interop.DoClientStreaming),
	"server_streaming":            onService(interop.DoServerStreaming),
	"ping_pong":                   onService(interop.DoPingPong),
	"empty_stream":                onService(interop.DoEmptyStream),
	"timeout_on_sleeping_server":  onService(interop.DoTimeoutOnSleepingServer),
	"cancel_after_begin":          onService(interop.DoCancelAfterBegin),
	"cancel_after_first_response": onService(interop.DoCancelAfterFirstResponse),
	"custom_metadata":             onService(interop.DoCustomMetadata),
	"status_code_and_message":     onService(interop.DoStatusCodeAndMessage),
	"special_status_message":      onService(interop.DoSpecialStatusMessage),
	// The same with every request compressed, which is more than the compressed cases ask of a server that answers plainly.
	"large_unary_gzip":      onService(interop.DoLargeUnaryCall, gzip),
	"client_streaming_gzip": onService(interop.DoClientStreaming, gzip),
	"ping_pong_gzip":        onService(interop.DoPingPong, gzip),
	"unimplemented_method": func(ctx context.Context, conn *grpc.ClientConn) {
		interop.DoUnimplementedMethod(ctx, conn)
	},
	"unimplemented_service": func(ctx context.Context, conn *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, pb.NewUnimplementedServiceClient(conn))
	},
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		fail(serve())
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "call" {
		fail(call(os.Args[2], os.Args[3]))
		return
	}
	fail(fmt.Errorf("usage: conformance serve | conformance call <address> <case>"))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(address, name string) error {
	run, known := cases[name]
	if !known {
		return fmt.Errorf("there is no case %s", name)
	}
	conn, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), caseTimeout)
	defer cancel()
	run(ctx, conn)
	return nil
}

// serve says its port on standard output and serves until standard input ends.
func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, interop.NewTestServer())
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		buffer := make([]byte, 64)
		for {
			if _, err := os.Stdin.Read(buffer); err != nil {
				server.Stop()
				return
			}
		}
	}()
	return server.Serve(listener)
}
