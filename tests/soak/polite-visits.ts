import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import {
  ClientType,
  Code,
  FilterType,
  MessagingServiceDefinition,
  Permission,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type CallOptions, RpcError } from '@orbitmq/rpc';
import { MessagingClient, resource, simpleConsumerSettings } from '../e2e/messaging-client.ts';
import { EMPTY, type Place, SENT, type Visit } from './visit.ts';

/** For a machine that has other things to do. */
const TIMEOUT_MS = 60_000;
const BODY_BYTES = 1024;
const SENDS_PER_VISIT = 4;
const INVISIBLE_MS = 20_000;
/** Cancelled and left calls are given up after so long at most. */
const PATIENCE_MS_MAX = 500;

let nextClient = 0;

function clientAt({ port }: Place, isTls = false): MessagingClient {
  const name = `soak@${process.pid}@${nextClient++}`;
  return new MessagingClient(`127.0.0.1:${port}`, name, TIMEOUT_MS, isTls ? { insecure: true } : undefined);
}

/** Sends messages one after the other, as many as are wanted, and counts them. */
export async function sendSome(client: MessagingClient, place: Place, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const answer = await client.send({ topic: SENT.topic, body: place.random.bytes(BODY_BYTES) });
    assert.equal(answer.status?.code, Code.OK, answer.status?.message);
    place.counts.sent++;
  }
}

/** Receives once, acknowledges what came, and counts it. */
export async function receiveSome(client: MessagingClient, place: Place, pollingMs: number): Promise<void> {
  const { brokerName } = place;
  const messages = await client.receiveMessages({ ...SENT, brokerName, pollingMs, invisibleMs: INVISIBLE_MS });
  for (const message of messages) {
    const answer = await client.ack(SENT.topic, SENT.group, message.systemProperties!.receiptHandle!);
    assert.equal(answer.status?.code, Code.OK, answer.status?.message);
  }
  place.counts.received += messages.length;
}

/** Opens the telemetry stream of a simple consumer, and waits until the server has answered. */
export async function introduce(client: MessagingClient): Promise<{ end(): void; cancel(): void }> {
  const call = client.telemetry();
  void call.write({ settings: simpleConsumerSettings(SENT.topic, SENT.group) } as Parameters<typeof call.write>[0]);
  const answers = call.responses[Symbol.asyncIterator]();
  assert.notEqual((await answers.next()).value?.settings, undefined);
  // Read to its end, whatever that is.
  void (async () => {
    while (!(await answers.next()).done);
  })().catch(ignoreRpcError);
  return call;
}

function ignoreRpcError(error: unknown): void {
  if (!(error instanceof RpcError)) throw error;
}

/** Waits at the empty topic for as long as the server lets it. */
async function waitInVain(client: MessagingClient, { brokerName }: Place, options: CallOptions): Promise<void> {
  const request = {
    group: resource(EMPTY.group),
    messageQueue: {
      topic: resource(EMPTY.topic),
      id: 0,
      permission: Permission.READ_WRITE,
      broker: { name: brokerName, id: 0, endpoints: undefined },
      acceptMessageTypes: [],
    },
    filterExpression: { type: FilterType.TAG, expression: '*' },
    batchSize: 1,
    invisibleDuration: { seconds: 10n, nanos: 0 },
    autoRenew: false,
    longPollingTimeout: { seconds: 10n, nanos: 0 },
  };
  const said = { metadata: client.metadata, ...options };
  for await (const part of client.rpc.serverStream(MessagingServiceDefinition, 'receiveMessage', request, said)) {
    assert.equal(part.message, undefined);
  }
}

async function asksRoute(client: MessagingClient): Promise<void> {
  const answer = await client.queryRoute(SENT.topic);
  assert.equal(answer.status?.code, Code.OK, answer.status?.message);
}

/** A visit of one client of ours, which is closed at the end. */
function visit(name: string, run: (client: MessagingClient, place: Place) => Promise<void>, isTls = false): Visit {
  return {
    name,
    async run(place) {
      using client = clientAt(place, isTls);
      await run(client, place);
    },
  };
}

const sends = async (client: MessagingClient, place: Place): Promise<void> => {
  await asksRoute(client);
  await sendSome(client, place, SENDS_PER_VISIT);
};

/** Clients that keep to the rules, though some of them leave without a word. */
export const POLITE_VISITS: readonly Visit[] = [
  visit('sends', sends),
  visit('sends over TLS', sends, true),
  visit('sends many at once', async (client, place) => {
    await Promise.all(Array.from({ length: 8 }, () => sendSome(client, place, 1)));
  }),
  visit('consumes', async (client, place) => {
    const telemetry = await introduce(client);
    const group = resource(SENT.group);
    const options = { metadata: client.metadata, timeoutMs: TIMEOUT_MS };
    const about = { group, clientType: ClientType.SIMPLE_CONSUMER };
    await client.rpc.unary(MessagingServiceDefinition, 'heartbeat', about, options);
    await receiveSome(client, place, 1_000);
    await client.rpc.unary(MessagingServiceDefinition, 'notifyClientTermination', { group }, options);
    telemetry.end();
  }),
  visit('stays connected', async (client, place) => {
    const telemetry = await introduce(client);
    await pause(5_000 + place.random.below(10_000));
    if (place.random.below(2) === 0) telemetry.cancel();
  }),
  visit('waits in vain', async (client, { brokerName }) => {
    const parts = await client.receive({ ...EMPTY, brokerName, pollingMs: 2_000 });
    assert.equal(parts.find(({ status }) => status !== undefined)?.status?.code, Code.MESSAGE_NOT_FOUND);
  }),
  visit('leaves while it waits', async (client, { brokerName, random }) => {
    const waiting = client.receive({ ...EMPTY, brokerName, pollingMs: 10_000 });
    const ended = assert.rejects(waiting, RpcError);
    await pause(random.below(PATIENCE_MS_MAX));
    client.close();
    await ended;
  }),
  visit('cancels', async (client, place) => {
    await asksRoute(client);
    const calls = Array.from({ length: 4 }, () => {
      const signal = AbortSignal.timeout(1 + place.random.below(PATIENCE_MS_MAX));
      return assert.rejects(waitInVain(client, place, { signal }), RpcError);
    });
    await Promise.all(calls);
    await sendSome(client, place, 1);
  }),
  visit('has no time', async (client, place) => {
    const calls = [1, 20, 100, 300].map(async (timeoutMs) => {
      // The server may be quick enough to say that there is nothing.
      await waitInVain(client, place, { timeoutMs }).catch(ignoreRpcError);
    });
    await Promise.all(calls);
  }),
  visit('is refused', async (client) => {
    const answer = await client.ack(SENT.topic, SENT.group, 'no handle');
    assert.notEqual(answer.status?.code, Code.OK);
  }),
];
