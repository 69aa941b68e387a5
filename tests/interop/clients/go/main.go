// Drives the Go client by the line protocol of ../../README.md.
package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
	"github.com/apache/rocketmq-clients/golang/v5/credentials"
)

const bodyShownMax = 64 * 1024

type outgoing struct {
	Topic      string            `json:"topic"`
	Body       string            `json:"body"`
	Tag        *string           `json:"tag"`
	Keys       []string          `json:"keys"`
	Properties map[string]string `json:"properties"`
	Group      *string           `json:"group"`
	Priority   *int32            `json:"priority"`
	DeliveryMs int64             `json:"deliveryMs"`
	Lite       string            `json:"lite"`
}

type request struct {
	ID               int               `json:"id"`
	Op               string            `json:"op"`
	Name             string            `json:"name"`
	Endpoints        string            `json:"endpoints"`
	TLS              bool              `json:"tls"`
	Namespace        string            `json:"namespace"`
	Topics           []string          `json:"topics"`
	Message          outgoing          `json:"message"`
	Topic            string            `json:"topic"`
	Prefix           string            `json:"prefix"`
	Count            int               `json:"count"`
	Concurrency      int               `json:"concurrency"`
	Groups           []string          `json:"groups"`
	Group            string            `json:"group"`
	Subscriptions    map[string]string `json:"subscriptions"`
	FilterType       string            `json:"filterType"`
	AwaitMs          int               `json:"awaitMs"`
	HoldMs           int               `json:"holdMs"`
	FailUntilAttempt int32             `json:"failUntilAttempt"`
	Max              int32             `json:"max"`
	InvisibleMs      int               `json:"invisibleMs"`
	Handle           string            `json:"handle"`
	Checker          string            `json:"checker"`
	End              string            `json:"end"`
	RecallHandle     string            `json:"recallHandle"`
	Lite             string            `json:"lite"`
	SuspendFirstMs   int               `json:"suspendFirstMs"`
	FailsOnce        bool              `json:"failsOnce"`
}

type fields map[string]any

type stoppable interface{ GracefulStop() error }

var (
	outputLock sync.Mutex
	output     = bufio.NewWriter(os.Stdout)

	stateLock  sync.Mutex
	clients    = map[string]stoppable{}
	unacked    = map[string]*rmq.MessageView{}
	handleNext int
)

func write(line fields) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	outputLock.Lock()
	defer outputLock.Unlock()
	output.Write(text)
	output.WriteByte('\n')
	output.Flush()
}

func clientOf[T any](r request) (T, error) {
	stateLock.Lock()
	defer stateLock.Unlock()
	client, ok := clients[r.Name].(T)
	if !ok {
		return client, fmt.Errorf("no client %q of that kind", r.Name)
	}
	return client, nil
}

func remember(r request, client stoppable) {
	stateLock.Lock()
	defer stateLock.Unlock()
	clients[r.Name] = client
}

func config(r request) *rmq.Config {
	rmq.EnableSsl = r.TLS
	return &rmq.Config{
		Endpoint: r.Endpoints, NameSpace: r.Namespace, ConsumerGroup: r.Group,
		Credentials: &credentials.SessionCredentials{},
	}
}

func subscriptions(r request) map[string]*rmq.FilterExpression {
	filterType := rmq.TAG
	if r.FilterType == "sql" {
		filterType = rmq.SQL92
	}
	expressions := map[string]*rmq.FilterExpression{}
	for topic, expression := range r.Subscriptions {
		expressions[topic] = rmq.NewFilterExpressionWithType(expression, filterType)
	}
	return expressions
}

func describe(view *rmq.MessageView) fields {
	body := view.GetBody()
	digest := md5.Sum(body)
	described := fields{
		"messageId": view.GetMessageId(), "topic": view.GetTopic(), "tag": view.GetTag(), "group": view.GetMessageGroup(),
		"keys": append([]string{}, view.GetKeys()...), "properties": view.GetProperties(),
		"attempt": view.GetDeliveryAttempt(), "bornHost": view.GetBornHost(), "bornTimestampMs": int64(0),
		"lite": liteTopicOf(view), "corrupted": false, "sizeBytes": len(body), "md5": hex.EncodeToString(digest[:]), "body": nil,
	}
	if view.GetProperties() == nil {
		described["properties"] = fields{}
	}
	if born := view.GetBornTimestamp(); born != nil {
		described["bornTimestampMs"] = born.UnixMilli()
	}
	if len(body) <= bodyShownMax {
		described["body"] = base64.StdEncoding.EncodeToString(body)
	}
	return described
}

func checkerOf(r request) *rmq.TransactionChecker {
	resolutions := map[string]rmq.TransactionResolution{"commit": rmq.COMMIT, "rollback": rmq.ROLLBACK, "unknown": rmq.UNKNOWN}
	return &rmq.TransactionChecker{Check: func(view *rmq.MessageView) rmq.TransactionResolution {
		write(fields{"event": "check", "name": r.Name, "messageId": view.GetMessageId()})
		return resolutions[r.Checker]
	}}
}

func startProducer(r request) (fields, error) {
	options := []rmq.ProducerOption{rmq.WithTopics(r.Topics...)}
	if r.Checker != "" {
		options = append(options, rmq.WithTransactionChecker(checkerOf(r)))
	}
	producer, err := rmq.NewProducer(config(r), options...)
	if err != nil {
		return nil, err
	}
	if err := producer.Start(); err != nil {
		return nil, err
	}
	remember(r, producer)
	return nil, nil
}

func send(r request) (fields, error) {
	producer, err := clientOf[rmq.Producer](r)
	if err != nil {
		return nil, err
	}
	message, err := build(r)
	if err != nil {
		return nil, err
	}
	receipts, err := producer.Send(context.Background(), message)
	if err != nil {
		return nil, err
	}
	return fields{"messageId": receipts[0].MessageID, "recallHandle": recallHandleOf(receipts[0])}, nil
}

func sendInTransaction(r request) (fields, error) {
	producer, err := clientOf[rmq.Producer](r)
	if err != nil {
		return nil, err
	}
	message, err := build(r)
	if err != nil {
		return nil, err
	}
	transaction := producer.BeginTransaction()
	receipts, err := producer.SendWithTransaction(context.Background(), message, transaction)
	if err == nil && r.End == "commit" {
		err = transaction.Commit()
	}
	if err == nil && r.End == "rollback" {
		err = transaction.RollBack()
	}
	if err != nil {
		return nil, err
	}
	return fields{"messageId": receipts[0].MessageID}, nil
}

func build(r request) (*rmq.Message, error) {
	body, err := base64.StdEncoding.DecodeString(r.Message.Body)
	if err != nil {
		return nil, err
	}
	message := &rmq.Message{Topic: r.Message.Topic, Body: body}
	if r.Message.Tag != nil {
		message.SetTag(*r.Message.Tag)
	}
	if r.Message.Group != nil {
		message.SetMessageGroup(*r.Message.Group)
	}
	if r.Message.DeliveryMs != 0 {
		message.SetDelayTimestamp(time.UnixMilli(r.Message.DeliveryMs))
	}
	if r.Message.Priority != nil {
		if err := setPriority(message, *r.Message.Priority); err != nil {
			return nil, err
		}
	}
	if r.Message.Lite != "" {
		setLiteTopic(message, r.Message.Lite)
	}
	message.SetKeys(r.Message.Keys...)
	for key, value := range r.Message.Properties {
		message.AddProperty(key, value)
	}
	return message, nil
}

func sendMany(r request) (fields, error) {
	producer, err := clientOf[rmq.Producer](r)
	if err != nil {
		return nil, err
	}
	var lock sync.Mutex
	var workers sync.WaitGroup
	acked, failed := []int{}, 0
	sendOne := func(index int) {
		message := &rmq.Message{Topic: r.Topic, Body: []byte(r.Prefix + strconv.Itoa(index))}
		if len(r.Groups) > 0 {
			message.SetMessageGroup(r.Groups[index%len(r.Groups)])
		}
		_, err := producer.Send(context.Background(), message)
		lock.Lock()
		defer lock.Unlock()
		if err != nil {
			failed++
			fmt.Fprintf(os.Stderr, "send %d: %v\n", index, err)
			return
		}
		acked = append(acked, index)
		if len(acked)%50 == 0 {
			write(fields{"event": "progress", "name": r.Name, "acked": len(acked)})
		}
	}
	for first := 0; first < r.Concurrency; first++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for index := first; index < r.Count; index += r.Concurrency {
				sendOne(index)
			}
		}()
	}
	workers.Wait()
	return fields{"acked": acked, "failed": failed}, nil
}

func startPushConsumer(r request) (fields, error) {
	listener := &rmq.FuncMessageListener{Consume: func(view *rmq.MessageView) rmq.ConsumerResult {
		write(fields{"event": "message", "name": r.Name, "message": describe(view)})
		time.Sleep(time.Duration(r.HoldMs) * time.Millisecond)
		if view.GetDeliveryAttempt() < r.FailUntilAttempt {
			return rmq.FAILURE
		}
		return rmq.SUCCESS
	}}
	consumer, err := rmq.NewPushConsumer(config(r),
		rmq.WithPushAwaitDuration(5*time.Second),
		rmq.WithPushSubscriptionExpressions(subscriptions(r)),
		rmq.WithPushMessageListener(listener))
	if err != nil {
		return nil, err
	}
	if err := consumer.Start(); err != nil {
		return nil, err
	}
	remember(r, consumer)
	return nil, nil
}

func startSimpleConsumer(r request) (fields, error) {
	consumer, err := rmq.NewSimpleConsumer(config(r),
		rmq.WithSimpleAwaitDuration(time.Duration(r.AwaitMs)*time.Millisecond),
		rmq.WithSimpleSubscriptionExpressions(subscriptions(r)))
	if err != nil {
		return nil, err
	}
	if err := consumer.Start(); err != nil {
		return nil, err
	}
	remember(r, consumer)
	return nil, nil
}

func receive(r request) (fields, error) {
	consumer, err := clientOf[rmq.SimpleConsumer](r)
	if err != nil {
		return nil, err
	}
	invisible := time.Duration(r.InvisibleMs) * time.Millisecond
	views, err := consumer.Receive(context.Background(), r.Max, invisible)
	var status *rmq.ErrRpcStatus
	if errors.As(err, &status) && status.Code == 40401 {
		// This client gives an empty poll back as an error.
		err = nil
	}
	if err != nil {
		return nil, err
	}
	messages := []fields{}
	stateLock.Lock()
	defer stateLock.Unlock()
	for _, view := range views {
		handle := strconv.Itoa(handleNext)
		handleNext++
		unacked[handle] = view
		described := describe(view)
		described["handle"] = handle
		messages = append(messages, described)
	}
	return fields{"messages": messages}, nil
}

func viewOf(r request) *rmq.MessageView {
	stateLock.Lock()
	defer stateLock.Unlock()
	return unacked[r.Handle]
}

func ack(r request) (fields, error) {
	consumer, err := clientOf[rmq.SimpleConsumer](r)
	if err != nil {
		return nil, err
	}
	return nil, consumer.Ack(context.Background(), viewOf(r))
}

func changeInvisible(r request) (fields, error) {
	consumer, err := clientOf[rmq.SimpleConsumer](r)
	if err != nil {
		return nil, err
	}
	return nil, consumer.ChangeInvisibleDuration(viewOf(r), time.Duration(r.InvisibleMs)*time.Millisecond)
}

func closeClient(r request) (fields, error) {
	client, err := clientOf[stoppable](r)
	if err != nil {
		return nil, err
	}
	return nil, client.GracefulStop()
}

var operations = map[string]func(request) (fields, error){
	"startProducer": startProducer, "send": send, "recall": recall, "sendInTransaction": sendInTransaction,
	"sendMany": sendMany, "startPushConsumer": startPushConsumer, "startSimpleConsumer": startSimpleConsumer,
	"startLitePushConsumer": startLitePushConsumer, "subscribeLite": subscribeLite, "unsubscribeLite": unsubscribeLite,
	"receive": receive, "ack": ack, "changeInvisible": changeInvisible, "close": closeClient,
}

func serve(r request) {
	result, err := operations[r.Op](r)
	if err != nil {
		write(fields{"id": r.ID, "error": err.Error()})
		return
	}
	if result == nil {
		result = fields{}
	}
	write(fields{"id": r.ID, "result": result})
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 64*1024), 16*1024*1024)
	for input.Scan() {
		var r request
		if err := json.Unmarshal(input.Bytes(), &r); err != nil {
			panic(err)
		}
		go serve(r)
	}
}
