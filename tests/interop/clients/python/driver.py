"""Drives rocketmq-python-client by the line protocol of ../../README.md."""
import base64
import hashlib
import itertools
import json
import os
import sys
import threading
import time
import traceback

from rocketmq import (ClientConfiguration, ConsumeResult, Credentials, FilterExpression, LitePushConsumer,
                      LiteSimpleConsumer, Message, MessageListener, Producer, PushConsumer, SimpleConsumer,
                      TransactionChecker, TransactionResolution)
from rocketmq.grpc_protocol import FilterType

BODY_SHOWN_MAX = 64 * 1024
clients = {}
unacked = {}
handles = itertools.count()
output_lock = threading.Lock()
# Nothing but protocol lines may reach the real stdout.
output = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def write(line):
    with output_lock:
        output.write(json.dumps(line) + "\n")
        output.flush()


def configuration(request):
    return ClientConfiguration(request["endpoints"], Credentials(), request.get("namespace") or "")


def subscriptions(request):
    filter_type = FilterType.SQL if request.get("filterType") == "sql" else FilterType.TAG
    return {topic: FilterExpression(text, filter_type) for topic, text in request["subscriptions"].items()}


def describe(message):
    body = message.body
    return {
        "messageId": message.message_id,
        "topic": message.topic,
        "tag": message.tag or None,
        "keys": sorted(message.keys),
        "properties": dict(message.properties),
        "group": message.message_group or None,
        "priority": message.priority,
        "lite": message.lite_topic,
        "attempt": message.delivery_attempt,
        "bornHost": message.born_host,
        "bornTimestampMs": int(message.born_timestamp),
        "corrupted": message.corrupted,
        "sizeBytes": len(body),
        "md5": hashlib.md5(body).hexdigest(),
        "body": base64.b64encode(body).decode() if len(body) <= BODY_SHOWN_MAX else None,
    }


def build(fields):
    message = Message()
    message.topic = fields["topic"]
    message.body = base64.b64decode(fields["body"])
    if fields.get("tag"):
        message.tag = fields["tag"]
    if fields.get("group"):
        message.message_group = fields["group"]
    if fields.get("priority") is not None:
        message.priority = fields["priority"]
    if fields.get("lite"):
        message.lite_topic = fields["lite"]
    if fields.get("deliveryMs"):
        # The client takes seconds.
        message.delivery_timestamp = fields["deliveryMs"] // 1000
    for key in fields.get("keys") or []:
        message.keys = key
    for key, value in (fields.get("properties") or {}).items():
        message.add_property(key, value)
    return message


class Listener(MessageListener):
    def __init__(self, request):
        self.request = request
        self.failed = set()

    def consume(self, message):
        write({"event": "message", "name": self.request["name"], "message": describe(message)})
        time.sleep(self.request.get("holdMs", 0) / 1000)
        fails = message.delivery_attempt < self.request.get("failUntilAttempt", 1)
        if self.request.get("failsOnce") and message.message_id not in self.failed:
            self.failed.add(message.message_id)
            fails = True
        return ConsumeResult.FAILURE if fails else ConsumeResult.SUCCESS


class Checker(TransactionChecker):
    RESOLUTIONS = {
        "commit": TransactionResolution.COMMIT,
        "rollback": TransactionResolution.ROLLBACK,
        "unknown": TransactionResolution.TRANSACTION_RESOLUTION_UNSPECIFIED,
    }

    def __init__(self, request):
        self.request = request

    def check(self, message):
        write({"event": "check", "name": self.request["name"], "messageId": message.message_id})
        return self.RESOLUTIONS[self.request["checker"]]


def start_producer(request):
    checker = Checker(request) if request.get("checker") else None
    producer = Producer(configuration(request), tuple(request["topics"]), checker, tls_enable=request["tls"])
    producer.startup()
    clients[request["name"]] = producer


def send(request):
    receipt = clients[request["name"]].send(build(request["message"]))
    return {"messageId": receipt.message_id, "recallHandle": receipt.recall_handle}


def recall(request):
    return {"messageId": clients[request["name"]].recall_message(request["topic"], request["recallHandle"])}


def send_in_transaction(request):
    producer = clients[request["name"]]
    transaction = producer.begin_transaction()
    receipt = producer.send(build(request["message"]), transaction)
    if request["end"] == "commit":
        transaction.commit()
    if request["end"] == "rollback":
        transaction.rollback()
    return {"messageId": receipt.message_id}


def send_many(request):
    producer, acked, failed, lock = clients[request["name"]], [], [], threading.Lock()
    groups = request.get("groups")

    def worker(first):
        for index in range(first, request["count"], request["concurrency"]):
            fields = {"topic": request["topic"], "body": base64.b64encode(f"{request['prefix']}{index}".encode())}
            if groups:
                fields["group"] = groups[index % len(groups)]
            try:
                producer.send(build(fields))
            except Exception as error:  # noqa: BLE001 every failure only means: not acknowledged
                failed.append(index)
                print(f"send {index}: {error}", file=sys.stderr)
                time.sleep(0.05)
                continue
            with lock:
                acked.append(index)
                if len(acked) % 50 == 0:
                    write({"event": "progress", "name": request["name"], "acked": len(acked)})

    threads = [threading.Thread(target=worker, args=(first,)) for first in range(request["concurrency"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"acked": acked, "failed": len(failed)}


def start_push_consumer(request):
    consumer = PushConsumer(configuration(request), request["group"], Listener(request), subscriptions(request),
                            tls_enable=request["tls"])
    consumer.startup()
    clients[request["name"]] = consumer


def start_lite_push_consumer(request):
    consumer = LitePushConsumer(configuration(request), request["group"], request["topic"], Listener(request),
                                tls_enable=request["tls"])
    consumer.startup()
    clients[request["name"]] = consumer


def start_lite_simple_consumer(request):
    consumer = LiteSimpleConsumer(request["topic"], configuration(request), request["group"],
                                  await_duration=request["awaitMs"] // 1000, tls_enable=request["tls"])
    consumer.startup()
    clients[request["name"]] = consumer


def subscribe_lite(request):
    clients[request["name"]].subscribe_lite(request["lite"])


def unsubscribe_lite(request):
    clients[request["name"]].unsubscribe_lite(request["lite"])


def start_simple_consumer(request):
    consumer = SimpleConsumer(configuration(request), request["group"], subscriptions(request),
                              await_duration=request["awaitMs"] // 1000, tls_enable=request["tls"])
    consumer.startup()
    clients[request["name"]] = consumer


def receive(request):
    messages = []
    for message in clients[request["name"]].receive(request["max"], request["invisibleMs"] // 1000) or []:
        handle = str(next(handles))
        unacked[handle] = message
        messages.append({**describe(message), "handle": handle})
    return {"messages": messages}


def ack(request):
    clients[request["name"]].ack(unacked[request["handle"]])


def change_invisible(request):
    consumer = clients[request["name"]]
    consumer.change_invisible_duration(unacked[request["handle"]], request["invisibleMs"] // 1000)


def close(request):
    clients.pop(request["name"]).shutdown()


OPERATIONS = {
    "startProducer": start_producer,
    "send": send,
    "recall": recall,
    "sendInTransaction": send_in_transaction,
    "sendMany": send_many,
    "startPushConsumer": start_push_consumer,
    "startLitePushConsumer": start_lite_push_consumer,
    "startLiteSimpleConsumer": start_lite_simple_consumer,
    "subscribeLite": subscribe_lite,
    "unsubscribeLite": unsubscribe_lite,
    "startSimpleConsumer": start_simple_consumer,
    "receive": receive,
    "ack": ack,
    "changeInvisible": change_invisible,
    "close": close,
}


def serve(request):
    try:
        write({"id": request["id"], "result": OPERATIONS[request["op"]](request) or {}})
    except Exception as error:  # noqa: BLE001 the runner is told whatever went wrong
        traceback.print_exc()
        write({"id": request["id"], "error": str(error) or repr(error)})


for line in sys.stdin:
    threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()
os._exit(0)
