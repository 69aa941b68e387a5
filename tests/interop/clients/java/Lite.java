import com.google.gson.JsonObject;
import java.io.Closeable;
import java.util.Map;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.consumer.LitePushConsumer;
import org.apache.rocketmq.client.apis.consumer.MessageListener;
import org.apache.rocketmq.client.apis.consumer.OffsetOption;

/** Consumers of lite topics, which older versions of the client lack: Driver.java finds this class by its name. */
public final class Lite {
    private Lite() {
    }

    /** One operation of the line protocol. */
    public static Object run(JsonObject request, Map<String, Closeable> clients, MessageListener listener)
        throws Exception {
        String name = Driver.text(request, "name");
        switch (Driver.text(request, "op")) {
            case "startLitePushConsumer":
                clients.put(name, ClientServiceProvider.loadService().newLitePushConsumerBuilder()
                    .setClientConfiguration(Driver.configuration(request))
                    .setConsumerGroup(Driver.text(request, "group"))
                    .bindTopic(Driver.text(request, "topic"))
                    .setMessageListener(listener)
                    .build());
                return null;
            case "subscribeLite":
                subscribe((LitePushConsumer) clients.get(name), request);
                return null;
            case "unsubscribeLite":
                ((LitePushConsumer) clients.get(name)).unsubscribeLite(Driver.text(request, "lite"));
                return null;
            default:
                return Map.of("names", ((LitePushConsumer) clients.get(name)).getLiteTopicSet());
        }
    }

    private static void subscribe(LitePushConsumer consumer, JsonObject request) throws Exception {
        String lite = Driver.text(request, "lite");
        if (request.has("offset")) consumer.subscribeLite(lite, offsetOption(request.getAsJsonObject("offset")));
        else consumer.subscribeLite(lite);
    }

    private static OffsetOption offsetOption(JsonObject offset) {
        if (offset.has("tail")) return OffsetOption.ofTailN(offset.get("tail").getAsLong());
        if (offset.has("offset")) return OffsetOption.ofOffset(offset.get("offset").getAsLong());
        if (offset.has("timestampMs")) return OffsetOption.ofTimestamp(offset.get("timestampMs").getAsLong());
        switch (Driver.text(offset, "policy")) {
            case "min": return OffsetOption.MIN_OFFSET;
            case "max": return OffsetOption.MAX_OFFSET;
            default: return OffsetOption.LAST_OFFSET;
        }
    }
}
