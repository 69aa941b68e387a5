//go:build !older

package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

func setPriority(message *rmq.Message, priority int32) error {
	return message.SetPriority(priority)
}

func liteTopicOf(view *rmq.MessageView) string {
	return view.GetLiteTopic()
}

func setLiteTopic(message *rmq.Message, lite string) {
	message.SetLiteTopic(lite)
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

func startLitePushConsumer(r request) (fields, error) {
	var suspended atomic.Bool
	var failed sync.Map
	listener := &rmq.FuncMessageListener{Consume: func(view *rmq.MessageView) rmq.ConsumerResult {
		write(fields{"event": "message", "name": r.Name, "message": describe(view)})
		time.Sleep(time.Duration(r.HoldMs) * time.Millisecond)
		if r.SuspendFirstMs > 0 && suspended.CompareAndSwap(false, true) {
			return rmq.NewConsumerResultSuspend(time.Duration(r.SuspendFirstMs) * time.Millisecond)
		}
		if _, failed := failed.LoadOrStore(view.GetMessageId(), true); r.FailsOnce && !failed {
			return rmq.FAILURE
		}
		return rmq.SUCCESS
	}}
	consumer, err := rmq.NewLitePushConsumer(config(r), rmq.NewLitePushConsumerConfig(r.Topic, 30*time.Second),
		rmq.WithPushAwaitDuration(5*time.Second), rmq.WithPushMessageListener(listener))
	if err != nil {
		return nil, err
	}
	if err := consumer.Start(); err != nil {
		return nil, err
	}
	remember(r, consumer)
	return nil, nil
}

func subscribeLite(r request) (fields, error) {
	consumer, err := clientOf[rmq.LitePushConsumer](r)
	if err != nil {
		return nil, err
	}
	return nil, consumer.SubscribeLite(r.Lite)
}

func unsubscribeLite(r request) (fields, error) {
	consumer, err := clientOf[rmq.LitePushConsumer](r)
	if err != nil {
		return nil, err
	}
	return nil, consumer.UnSubscribeLite(r.Lite)
}
