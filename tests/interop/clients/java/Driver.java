import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientConfigurationBuilder;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.consumer.ConsumeResult;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.consumer.FilterExpressionType;
import org.apache.rocketmq.client.apis.consumer.MessageListener;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.message.Message;
import org.apache.rocketmq.client.apis.message.MessageBuilder;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;
import org.apache.rocketmq.client.apis.producer.ProducerBuilder;
import org.apache.rocketmq.client.apis.producer.SendReceipt;
import org.apache.rocketmq.client.apis.producer.Transaction;
import org.apache.rocketmq.client.apis.producer.TransactionResolution;

/** Drives rocketmq-client-java by the line protocol of ../../README.md. */
public final class Driver {
    private static final int BODY_SHOWN_MAX = 64 * 1024;
    private static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    private static final ClientServiceProvider PROVIDER = ClientServiceProvider.loadService();
    private static final PrintStream OUTPUT = System.out;

    private final Map<String, Closeable> clients = new ConcurrentHashMap<>();
    private final Map<String, MessageView> unacked = new ConcurrentHashMap<>();
    private final AtomicInteger handleNext = new AtomicInteger();

    public static void main(String[] args) throws Exception {
        // Nothing but protocol lines may reach the real stdout.
        System.setOut(System.err);
        Driver driver = new Driver();
        ExecutorService pool = Executors.newCachedThreadPool();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonObject request = GSON.fromJson(line, JsonObject.class);
            pool.execute(() -> driver.serve(request));
        }
        System.exit(0);
    }

    private void serve(JsonObject request) {
        Map<String, Object> reply = new HashMap<>();
        reply.put("id", request.get("id").getAsInt());
        try {
            Object result = run(request);
            reply.put("result", result == null ? Map.of() : result);
        } catch (Throwable failure) {
            failure.printStackTrace();
            reply.put("error", String.valueOf(failure));
        }
        write(reply);
    }

    private Object run(JsonObject request) throws Exception {
        switch (text(request, "op")) {
            case "startProducer": return startProducer(request);
            case "send": return send(request);
            case "recall": return recall(request);
            case "sendInTransaction": return sendInTransaction(request);
            case "sendMany": return sendMany(request);
            case "startPushConsumer": return startPushConsumer(request);
            case "startSimpleConsumer": return startSimpleConsumer(request);
            case "startLitePushConsumer": case "subscribeLite": case "unsubscribeLite": case "liteTopics":
                return runLite(request);
            case "receive": return receive(request);
            case "ack": simple(request).ack(unacked.get(text(request, "handle"))); return null;
            case "changeInvisible":
                simple(request).changeInvisibleDuration(unacked.get(text(request, "handle")), invisible(request));
                return null;
            case "close": clients.remove(text(request, "name")).close(); return null;
            default: throw new IllegalArgumentException("no operation " + text(request, "op"));
        }
    }

    private Object startProducer(JsonObject request) throws Exception {
        String[] topics = GSON.fromJson(request.get("topics"), String[].class);
        String name = text(request, "name");
        ProducerBuilder builder =
            PROVIDER.newProducerBuilder().setClientConfiguration(configuration(request)).setTopics(topics);
        if (text(request, "checker") != null) {
            TransactionResolution answer = TransactionResolution.valueOf(text(request, "checker").toUpperCase());
            builder.setTransactionChecker(view -> {
                write(Map.of("event", "check", "name", name, "messageId", view.getMessageId().toString()));
                return answer;
            });
        }
        clients.put(name, builder.build());
        return null;
    }

    private Object sendInTransaction(JsonObject request) throws Exception {
        Producer producer = producer(request);
        Transaction transaction = producer.beginTransaction();
        String messageId = producer.send(build(request), transaction).getMessageId().toString();
        if ("commit".equals(text(request, "end"))) transaction.commit();
        if ("rollback".equals(text(request, "end"))) transaction.rollback();
        return Map.of("messageId", messageId);
    }

    private Object send(JsonObject request) throws Exception {
        SendReceipt receipt = producer(request).send(build(request));
        Map<String, Object> result = new HashMap<>();
        result.put("messageId", receipt.getMessageId().toString());
        if (request.getAsJsonObject("message").has("deliveryMs")) {
            result.put("recallHandle", recallHandle(receipt));
        }
        return result;
    }

    private Object recall(JsonObject request) throws Exception {
        Object receipt = Producer.class.getMethod("recallMessage", String.class, String.class)
            .invoke(producer(request), text(request, "topic"), text(request, "recallHandle"));
        Class<?> type = Class.forName("org.apache.rocketmq.client.apis.producer.RecallReceipt");
        return Map.of("messageId", invoke(type, receipt, "getMessageId").toString());
    }

    /** Null where the version of the client has none. */
    private static Object recallHandle(SendReceipt receipt) throws Exception {
        try {
            return invoke(SendReceipt.class, receipt, "getRecallHandle");
        } catch (NoSuchMethodException old) {
            return null;
        }
    }

    /** Older versions of the client have no such method. */
    private static Object invoke(Class<?> type, Object target, String method) throws Exception {
        return type.getMethod(method).invoke(target);
    }

    private static Message build(JsonObject request) throws Exception {
        JsonObject fields = request.getAsJsonObject("message");
        MessageBuilder builder = PROVIDER.newMessageBuilder()
            .setTopic(text(fields, "topic"))
            .setBody(Base64.getDecoder().decode(text(fields, "body")));
        if (text(fields, "tag") != null) builder.setTag(text(fields, "tag"));
        if (text(fields, "group") != null) builder.setMessageGroup(text(fields, "group"));
        if (fields.has("priority")) {
            // Older versions have no such method.
            MessageBuilder.class.getMethod("setPriority", int.class).invoke(builder, number(fields, "priority", 0));
        }
        if (text(fields, "lite") != null) {
            MessageBuilder.class.getMethod("setLiteTopic", String.class).invoke(builder, text(fields, "lite"));
        }
        if (fields.has("deliveryMs")) builder.setDeliveryTimestamp(fields.get("deliveryMs").getAsLong());
        if (fields.has("keys")) builder.setKeys(GSON.fromJson(fields.get("keys"), String[].class));
        if (fields.has("properties")) {
            for (Map.Entry<String, JsonElement> entry : fields.getAsJsonObject("properties").entrySet()) {
                builder.addProperty(entry.getKey(), entry.getValue().getAsString());
            }
        }
        return builder.build();
    }

    private Object sendMany(JsonObject request) throws Exception {
        int count = number(request, "count", 0);
        int concurrency = number(request, "concurrency", 1);
        String[] groups = GSON.fromJson(request.get("groups"), String[].class);
        List<Integer> acked = new ArrayList<>();
        AtomicInteger failed = new AtomicInteger();
        ExecutorService workers = Executors.newFixedThreadPool(concurrency);
        for (int worker = 0; worker < concurrency; worker++) {
            final int first = worker;
            workers.execute(() -> {
                for (int index = first; index < count; index += concurrency) {
                    if (sendOne(request, groups, index)) noteAcked(request, acked, index);
                    else failed.incrementAndGet();
                }
            });
        }
        workers.shutdown();
        workers.awaitTermination(1, TimeUnit.HOURS);
        return Map.of("acked", acked, "failed", failed.get());
    }

    private boolean sendOne(JsonObject request, String[] groups, int index) {
        try {
            MessageBuilder builder = PROVIDER.newMessageBuilder()
                .setTopic(text(request, "topic"))
                .setBody((text(request, "prefix") + index).getBytes(StandardCharsets.UTF_8));
            if (groups != null) builder.setMessageGroup(groups[index % groups.length]);
            producer(request).send(builder.build());
            return true;
        } catch (Throwable failure) {
            System.err.println("send " + index + ": " + failure);
            return false;
        }
    }

    private void noteAcked(JsonObject request, List<Integer> acked, int index) {
        synchronized (acked) {
            acked.add(index);
            if (acked.size() % 50 != 0) return;
            write(Map.of("event", "progress", "name", text(request, "name"), "acked", acked.size()));
        }
    }

    private Object startPushConsumer(JsonObject request) throws Exception {
        clients.put(text(request, "name"), PROVIDER.newPushConsumerBuilder()
            .setClientConfiguration(configuration(request))
            .setConsumerGroup(text(request, "group"))
            .setSubscriptionExpressions(subscriptions(request))
            .setMessageListener(listener(request))
            .build());
        return null;
    }

    private static MessageListener listener(JsonObject request) {
        int failUntilAttempt = number(request, "failUntilAttempt", 1);
        int holdMs = number(request, "holdMs", 0);
        boolean failsOnce = "true".equals(text(request, "failsOnce"));
        Set<String> failed = ConcurrentHashMap.newKeySet();
        String name = text(request, "name");
        return view -> {
            write(Map.of("event", "message", "name", name, "message", describe(view)));
            pause(holdMs);
            if (failsOnce && failed.add(view.getMessageId().toString())) return ConsumeResult.FAILURE;
            return view.getDeliveryAttempt() < failUntilAttempt ? ConsumeResult.FAILURE : ConsumeResult.SUCCESS;
        };
    }

    /** Older versions of the client have no lite topics, and this program then has no such class. */
    private Object runLite(JsonObject request) throws Exception {
        try {
            return Class.forName("Lite").getMethod("run", JsonObject.class, Map.class, MessageListener.class)
                .invoke(null, request, clients, listener(request));
        } catch (InvocationTargetException failure) {
            if (failure.getCause() instanceof Exception) throw (Exception) failure.getCause();
            throw failure;
        }
    }

    private Object startSimpleConsumer(JsonObject request) throws Exception {
        clients.put(text(request, "name"), PROVIDER.newSimpleConsumerBuilder()
            .setClientConfiguration(configuration(request))
            .setConsumerGroup(text(request, "group"))
            .setAwaitDuration(Duration.ofMillis(number(request, "awaitMs", 5000)))
            .setSubscriptionExpressions(subscriptions(request))
            .build());
        return null;
    }

    private Object receive(JsonObject request) throws Exception {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (MessageView view : simple(request).receive(number(request, "max", 16), invisible(request))) {
            String handle = Integer.toString(handleNext.getAndIncrement());
            unacked.put(handle, view);
            Map<String, Object> described = describe(view);
            described.put("handle", handle);
            messages.add(described);
        }
        return Map.of("messages", messages);
    }

    private static Map<String, Object> describe(MessageView view) {
        ByteBuffer buffer = view.getBody();
        byte[] body = new byte[buffer.remaining()];
        buffer.get(body);
        Map<String, Object> described = new HashMap<>();
        described.put("messageId", view.getMessageId().toString());
        described.put("topic", view.getTopic());
        described.put("tag", view.getTag().orElse(null));
        described.put("keys", new ArrayList<>(view.getKeys()));
        described.put("properties", view.getProperties());
        described.put("group", view.getMessageGroup().orElse(null));
        described.put("priority", optional(view, "getPriority"));
        described.put("lite", optional(view, "getLiteTopic"));
        described.put("attempt", view.getDeliveryAttempt());
        described.put("bornHost", view.getBornHost());
        described.put("bornTimestampMs", view.getBornTimestamp());
        described.put("corrupted", false);
        described.put("sizeBytes", body.length);
        described.put("md5", md5(body));
        described.put("body", body.length <= BODY_SHOWN_MAX ? Base64.getEncoder().encodeToString(body) : null);
        return described;
    }

    /** Null where the message has none, and where the version of the client has no such method. */
    private static Object optional(MessageView view, String method) {
        try {
            return ((Optional<?>) MessageView.class.getMethod(method).invoke(view)).orElse(null);
        } catch (ReflectiveOperationException old) {
            return null;
        }
    }

    private static String md5(byte[] body) {
        try {
            StringBuilder hex = new StringBuilder();
            for (byte value : MessageDigest.getInstance("MD5").digest(body)) hex.append(String.format("%02x", value));
            return hex.toString();
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    static ClientConfiguration configuration(JsonObject request) throws Exception {
        ClientConfigurationBuilder builder = ClientConfiguration.newBuilder().setEndpoints(text(request, "endpoints"));
        boolean tls = request.get("tls").getAsBoolean();
        try {
            Method enableSsl = ClientConfigurationBuilder.class.getMethod("enableSsl", boolean.class);
            enableSsl.invoke(builder, tls);
        } catch (NoSuchMethodException old) {
            if (!tls) throw new IllegalArgumentException("this version of the client speaks TLS only");
        }
        if (text(request, "namespace") != null) {
            // Older versions have no such method.
            Method setNamespace = ClientConfigurationBuilder.class.getMethod("setNamespace", String.class);
            setNamespace.invoke(builder, text(request, "namespace"));
        }
        return builder.build();
    }

    private static Map<String, FilterExpression> subscriptions(JsonObject request) {
        FilterExpressionType type =
            "sql".equals(text(request, "filterType")) ? FilterExpressionType.SQL92 : FilterExpressionType.TAG;
        Map<String, FilterExpression> subscriptions = new HashMap<>();
        for (Map.Entry<String, JsonElement> entry : request.getAsJsonObject("subscriptions").entrySet()) {
            subscriptions.put(entry.getKey(), new FilterExpression(entry.getValue().getAsString(), type));
        }
        return subscriptions;
    }

    private Producer producer(JsonObject request) {
        return (Producer) clients.get(text(request, "name"));
    }

    private SimpleConsumer simple(JsonObject request) {
        return (SimpleConsumer) clients.get(text(request, "name"));
    }

    private static Duration invisible(JsonObject request) {
        return Duration.ofMillis(number(request, "invisibleMs", 10_000));
    }

    static String text(JsonObject object, String key) {
        JsonElement value = object.get(key);
        return value == null || value.isJsonNull() ? null : value.getAsString();
    }

    private static int number(JsonObject object, String key, int fallback) {
        JsonElement value = object.get(key);
        return value == null || value.isJsonNull() ? fallback : value.getAsInt();
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void write(Object line) {
        byte[] text = (GSON.toJson(line) + "\n").getBytes(StandardCharsets.UTF_8);
        synchronized (OUTPUT) {
            OUTPUT.write(text, 0, text.length);
            OUTPUT.flush();
        }
    }
}
