// Program noop is a server of google.golang.org/grpc that answers every SendMessage with the same bytes and looks at none:
// what a call costs on this transport before anything is done with it.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// asBytes passes messages on as they are.
type asBytes struct{}

var _ encoding.CodecV2 = asBytes{}

func (asBytes) Name() string { return "proto" }

func (asBytes) Marshal(message any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(message.([]byte))}, nil
}

func (asBytes) Unmarshal(data mem.BufferSlice, message any) error {
	*message.(*[]byte) = data.Materialize()
	return nil
}

func serve(answer []byte) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	sendMessage := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request []byte
		if err := decode(&request); err != nil {
			return nil, err
		}
		return answer, nil
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(asBytes{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "apache.rocketmq.v2.MessagingService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "SendMessage", Handler: sendMessage}},
	}, struct{}{})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

// main takes the answer as hex digits, says its port on standard output, and serves until it is ended.
func main() {
	err := fmt.Errorf("usage: noop <answer as hex digits>")
	if len(os.Args) == 2 {
		var answer []byte
		if answer, err = hex.DecodeString(os.Args[1]); err == nil {
			err = serve(answer)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
