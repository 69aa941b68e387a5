//go:build !older

package main

import (
	"context"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

func setPriority(message *rmq.Message, priority int32) error {
	return message.SetPriority(priority)
}

func recallHandleOf(receipt *rmq.SendReceipt) string {
	return receipt.RecallHandle
}

func recall(r request) (fields, error) {
	producer, err := clientOf[rmq.Producer](r)
	if err != nil {
		return nil, err
	}
	messageID, err := producer.Recall(context.Background(), r.Topic, r.RecallHandle)
	if err != nil {
		return nil, err
	}
	return fields{"messageId": messageID}, nil
}
