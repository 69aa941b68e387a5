//! Drives the Rust client by the line protocol of ../../README.md. The released client has no push consumer and
//! cannot change an invisible duration.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use base64::{engine::general_purpose::STANDARD, Engine};
use rocketmq::conf::{ClientOption, ProducerOption, SimpleConsumerOption};
use rocketmq::model::common::{FilterExpression, FilterType};
use rocketmq::model::message::{Message, MessageBuilder, MessageView};
use rocketmq::model::transaction::{Transaction, TransactionResolution};
use rocketmq::{Producer, SimpleConsumer};
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{Mutex, RwLock};

const BODY_SHOWN_MAX: usize = 64 * 1024;
const DEADLINE_MARGIN: Duration = Duration::from_secs(3);
type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Consumer {
    client: SimpleConsumer,
    subscriptions: Vec<(String, FilterExpression)>,
    next: AtomicUsize,
}

enum Client {
    Producer(Producer),
    Consumer(Consumer),
}

#[derive(Default)]
struct Driver {
    clients: RwLock<HashMap<String, Arc<Client>>>,
    unacked: Mutex<HashMap<String, Arc<MessageView>>>,
    handle_next: AtomicU64,
}

fn write(line: &Value) {
    println!("{line}");
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn client_option(request: &Value) -> ClientOption {
    let mut option = ClientOption::default();
    option.set_access_url(text(request, "endpoints"));
    option.set_enable_tls(request["tls"].as_bool().unwrap_or(false));
    if let Some(milliseconds) = request["awaitMs"].as_u64() {
        // The client makes this its deadline too, so it needs the margin that other clients add themselves.
        option.set_long_polling_timeout(Duration::from_millis(milliseconds) + DEADLINE_MARGIN);
    }
    option
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|item| item.as_str().map(String::from)).collect()
}

fn build(fields: &Value) -> Result<impl Message, Failure> {
    let body = STANDARD.decode(text(fields, "body"))?;
    let mut builder = MessageBuilder::builder().set_topic(text(fields, "topic")).set_body(body);
    if let Some(tag) = fields["tag"].as_str() {
        builder = builder.set_tag(tag);
    }
    if let Some(group) = fields["group"].as_str() {
        builder = builder.set_message_group(group);
    }
    if let Some(milliseconds) = fields["deliveryMs"].as_i64() {
        // The client takes seconds.
        builder = builder.set_delivery_timestamp(milliseconds / 1000);
    }
    if let Some(properties) = fields["properties"].as_object() {
        let pairs = properties.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_string()));
        builder = builder.set_properties(pairs.collect::<HashMap<_, _>>());
    }
    Ok(builder.set_keys(strings(&fields["keys"])).build()?)
}

fn build_half(fields: &Value) -> Result<impl Message, Failure> {
    let body = STANDARD.decode(text(fields, "body"))?;
    Ok(MessageBuilder::transaction_message_builder(text(fields, "topic"), body).build()?)
}

fn resolution(answer: &str) -> TransactionResolution {
    match answer {
        "commit" => TransactionResolution::COMMIT,
        "rollback" => TransactionResolution::ROLLBACK,
        _ => TransactionResolution::UNKNOWN,
    }
}

fn describe(view: &MessageView) -> Value {
    let body = view.body();
    json!({
        "messageId": view.message_id(), "topic": view.topic(), "tag": view.tag(), "keys": view.keys(),
        "properties": view.properties(), "group": view.message_group(), "attempt": view.delivery_attempt(),
        "bornHost": view.born_host(), "bornTimestampMs": view.born_timestamp() * 1000, "corrupted": false,
        "sizeBytes": body.len(), "md5": format!("{:x}", md5::compute(body)),
        "body": (body.len() <= BODY_SHOWN_MAX).then(|| STANDARD.encode(body)),
    })
}

impl Driver {
    async fn client(&self, request: &Value) -> Result<Arc<Client>, Failure> {
        let clients = self.clients.read().await;
        let client = clients.get(text(request, "name"));
        client.cloned().ok_or_else(|| format!("no client {:?}", request["name"]).into())
    }

    async fn remember(&self, request: &Value, client: Client) {
        self.clients.write().await.insert(text(request, "name").to_string(), Arc::new(client));
    }

    async fn start_producer(&self, request: &Value) -> Result<Value, Failure> {
        let mut option = ProducerOption::default();
        option.set_topics(strings(&request["topics"]));
        let mut producer = match request["checker"].as_str() {
            None => Producer::new(option, client_option(request))?,
            Some(answer) => {
                let (name, answer) = (text(request, "name").to_string(), answer.to_string());
                let checker = move |_id: String, view: MessageView| {
                    write(&json!({ "event": "check", "name": name, "messageId": view.message_id() }));
                    resolution(&answer)
                };
                Producer::new_transaction_producer(option, client_option(request), Box::new(checker))?
            }
        };
        producer.start().await?;
        self.remember(request, Client::Producer(producer)).await;
        Ok(json!({}))
    }

    async fn start_simple_consumer(&self, request: &Value) -> Result<Value, Failure> {
        let subscribed = request["subscriptions"].as_object().cloned().unwrap_or_default();
        let filter_type = if text(request, "filterType") == "sql" { FilterType::Sql } else { FilterType::Tag };
        let expression_of = |value: &Value| FilterExpression::new(filter_type, value.as_str().unwrap_or("*"));
        let subscriptions: Vec<(String, FilterExpression)> =
            subscribed.iter().map(|(topic, expression)| (topic.clone(), expression_of(expression))).collect();
        let mut option = SimpleConsumerOption::default();
        option.set_topics(subscriptions.iter().map(|(topic, _)| topic.clone()).collect::<Vec<_>>());
        option.set_consumer_group(text(request, "group"));
        let mut client = SimpleConsumer::new(option, client_option(request))?;
        client.start().await?;
        self.remember(request, Client::Consumer(Consumer { client, subscriptions, next: AtomicUsize::new(0) })).await;
        Ok(json!({}))
    }

    async fn send(&self, request: &Value) -> Result<Value, Failure> {
        let client = self.client(request).await?;
        let Client::Producer(producer) = client.as_ref() else { return Err("not a producer".into()) };
        let receipt = producer.send(build(&request["message"])?).await?;
        Ok(json!({ "messageId": receipt.message_id() }))
    }

    async fn send_in_transaction(&self, request: &Value) -> Result<Value, Failure> {
        let client = self.client(request).await?;
        let Client::Producer(producer) = client.as_ref() else { return Err("not a producer".into()) };
        let transaction = producer.send_transaction_message(build_half(&request["message"])?).await?;
        let message_id = transaction.message_id().to_string();
        match text(request, "end") {
            "commit" => transaction.commit().await?,
            "rollback" => transaction.rollback().await?,
            _ => {}
        }
        Ok(json!({ "messageId": message_id }))
    }

    async fn send_batch(&self, request: &Value) -> Result<Value, Failure> {
        let client = self.client(request).await?;
        let Client::Producer(producer) = client.as_ref() else { return Err("not a producer".into()) };
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let receipts = producer.batch_send(messages.iter().map(build).collect::<Result<Vec<_>, _>>()?).await?;
        Ok(json!({ "messageIds": receipts.iter().map(|receipt| receipt.message_id()).collect::<Vec<_>>() }))
    }

    async fn send_many(self: &Arc<Self>, request: &Value) -> Result<Value, Failure> {
        let concurrency = request["concurrency"].as_u64().unwrap_or(1);
        let acked = Arc::new(Mutex::new(Vec::new()));
        let mut workers = Vec::new();
        for first in 0..concurrency {
            let (driver, acked, request) = (self.clone(), acked.clone(), request.clone());
            workers.push(tokio::spawn(async move { driver.send_each(&request, first, &acked).await }));
        }
        let mut failed = 0;
        for worker in workers {
            failed += worker.await?;
        }
        let acked = acked.lock().await;
        Ok(json!({ "acked": *acked, "failed": failed }))
    }

    /// Sends every `concurrency`-th message from `first` on; gives how many were not acknowledged.
    async fn send_each(&self, request: &Value, first: u64, acked: &Mutex<Vec<u64>>) -> u64 {
        let (count, step) = (request["count"].as_u64().unwrap_or(0), request["concurrency"].as_u64().unwrap_or(1));
        let groups = strings(&request["groups"]);
        let mut failed = 0;
        for index in (first..count).step_by(step as usize) {
            let group = (!groups.is_empty()).then(|| groups[index as usize % groups.len()].clone());
            let body = STANDARD.encode(format!("{}{}", text(request, "prefix"), index));
            let message = json!({ "topic": request["topic"], "body": body, "group": group });
            let sent = self.send(&json!({ "name": request["name"], "message": message })).await;
            if let Err(error) = sent {
                eprintln!("send {index}: {error}");
                failed += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let mut acked = acked.lock().await;
            acked.push(index);
            if acked.len() % 50 == 0 {
                write(&json!({ "event": "progress", "name": request["name"], "acked": acked.len() }));
            }
        }
        failed
    }

    async fn receive(&self, request: &Value) -> Result<Value, Failure> {
        let client = self.client(request).await?;
        let Client::Consumer(consumer) = client.as_ref() else { return Err("not a consumer".into()) };
        let turn = consumer.next.fetch_add(1, Ordering::Relaxed) % consumer.subscriptions.len();
        let (topic, expression) = &consumer.subscriptions[turn];
        let max = request["max"].as_i64().unwrap_or(16) as i32;
        let invisible = Duration::from_millis(request["invisibleMs"].as_u64().unwrap_or(10_000));
        let views = consumer.client.receive_with(topic, expression, max, invisible).await?;
        let mut unacked = self.unacked.lock().await;
        let mut messages = Vec::new();
        for view in views {
            let handle = self.handle_next.fetch_add(1, Ordering::Relaxed).to_string();
            let mut described = describe(&view);
            described["handle"] = json!(handle);
            messages.push(described);
            unacked.insert(handle, Arc::new(view));
        }
        Ok(json!({ "messages": messages }))
    }

    async fn ack(&self, request: &Value) -> Result<Value, Failure> {
        let client = self.client(request).await?;
        let Client::Consumer(consumer) = client.as_ref() else { return Err("not a consumer".into()) };
        let view = self.unacked.lock().await.get(text(request, "handle")).cloned();
        consumer.client.ack(view.ok_or("no such handle")?.as_ref()).await?;
        Ok(json!({}))
    }

    async fn close(&self, request: &Value) -> Result<Value, Failure> {
        let client = self.clients.write().await.remove(text(request, "name")).ok_or("no such client")?;
        match Arc::try_unwrap(client).map_err(|_| "the client is still busy")? {
            Client::Producer(producer) => producer.shutdown().await?,
            Client::Consumer(consumer) => consumer.client.shutdown().await?,
        }
        Ok(json!({}))
    }

    async fn run(self: &Arc<Self>, request: &Value) -> Result<Value, Failure> {
        match text(request, "op") {
            "startProducer" => self.start_producer(request).await,
            "send" => self.send(request).await,
            "sendInTransaction" => self.send_in_transaction(request).await,
            "sendBatch" => self.send_batch(request).await,
            "sendMany" => self.send_many(request).await,
            "startSimpleConsumer" => self.start_simple_consumer(request).await,
            "receive" => self.receive(request).await,
            "ack" => self.ack(request).await,
            "close" => self.close(request).await,
            other => Err(format!("this client has no operation {other:?}").into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let driver = Arc::new(Driver::default());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let driver = driver.clone();
        let request: Value = serde_json::from_str(&line)?;
        tokio::spawn(async move {
            match driver.run(&request).await {
                Ok(result) => write(&json!({ "id": request["id"], "result": result })),
                Err(error) => {
                    eprintln!("{}: {error}", text(&request, "op"));
                    write(&json!({ "id": request["id"], "error": error.to_string() }));
                }
            }
        });
    }
    std::process::exit(0)
}
