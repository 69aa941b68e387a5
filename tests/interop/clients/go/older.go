//go:build older

// Version 5.1.3 of the client has no priorities, and cannot recall a message; its lite consumers are left to 5.1.4.
package main

import (
	"errors"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

var errOlder = errors.New("this version of the client cannot do that")

func setPriority(*rmq.Message, int32) error {
	return errOlder
}

func liteTopicOf(*rmq.MessageView) string {
	return ""
}

func setLiteTopic(*rmq.Message, string) {}

func recallHandleOf(*rmq.SendReceipt) string {
	return ""
}

func recall(request) (fields, error) {
	return nil, errOlder
}

func startLitePushConsumer(request) (fields, error) {
	return nil, errOlder
}

func subscribeLite(request) (fields, error) {
	return nil, errOlder
}

func unsubscribeLite(request) (fields, error) {
	return nil, errOlder
}
