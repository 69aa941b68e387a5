//go:build older

// Version 5.1.3 of the client has no priorities, and cannot recall a message.
package main

import (
	"errors"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

var errOlder = errors.New("this version of the client cannot do that")

func setPriority(*rmq.Message, int32) error {
	return errOlder
}

func recallHandleOf(*rmq.SendReceipt) string {
	return ""
}

func recall(request) (fields, error) {
	return nil, errOlder
}
