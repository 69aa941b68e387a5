import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Code,
  MessagingServiceDefinition as Messaging,
  Settings,
  TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BidiCall, RpcError } from '@orbitmq/rpc';
import { TestBroker, TestRelay } from './test-broker.ts';

async function until(what: string, condition: () => boolean, deadlineMs = 30_000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}

function commandOf(content: Partial<TelemetryCommand>): TelemetryCommand {
  return { ...TelemetryCommand.decode(new Uint8Array()), ...content };
}

function settingsOf(round: string): TelemetryCommand {
  const settings = Settings.decode(new Uint8Array());
  settings.clientProperties.set('round', round);
  return commandOf({
    settings: { ...settings, publishing: { topics: [], maxBodySize: 0, validateMessageType: false } },
  });
}

/** A client's telemetry stream. */
class Stream {
  readonly received: TelemetryCommand[] = [];
  readonly call: BidiCall<TelemetryCommand, TelemetryCommand>;
  error: unknown;
  ended = false;

  constructor(relay: TestRelay) {
    this.call = relay.client.bidi(Messaging, 'telemetry', { metadata: [['x-mq-client-id', 'client-1']] });
    void this.#read();
  }

  get rounds(): (string | undefined)[] {
    return this.received.map(({ settings }) => settings?.clientProperties.get('round'));
  }

  async #read(): Promise<void> {
    try {
      for await (const command of this.call.responses) this.received.push(command);
    } catch (error) {
      this.error = error;
    }
    this.ended = true;
  }
}

describe('relayed telemetry', () => {
  let relay: TestRelay;
  let brokers: TestBroker[];
  let ports: number[];

  before(async () => {
    relay = await TestRelay.start();
  });

  beforeEach(async () => {
    brokers = [new TestBroker('broker-a'), new TestBroker('broker-b')];
    ports = await Promise.all(brokers.map((broker) => broker.start()));
    for (const [index, broker] of brokers.entries()) relay.register(broker.name, ports[index]!, []);
  });

  after(() => relay.stop());

  const stopAll = async (): Promise<void> => {
    for (const broker of brokers) relay.forget(broker.name);
    await Promise.all(brokers.map((broker) => broker.stop()));
  };

  const roundsAt = (broker: TestBroker): (string | undefined)[] =>
    Array.from(broker.streams, ({ settings }) => settings?.clientProperties.get('round'));

  it('answers each settings once, with status OK, and tells them to all brokers', async () => {
    const stream = new Stream(relay);
    stream.call.write(settingsOf('1'));
    await until('both brokers have them', () => brokers.every((broker) => roundsAt(broker)[0] === '1'));
    stream.call.write(settingsOf('2'));
    await until('both brokers have the second', () => brokers.every((broker) => roundsAt(broker)[0] === '2'));
    await until('both are answered', () => stream.received.length === 2);
    await sleep(100);
    assert.deepEqual(stream.rounds, ['1', '2']);
    assert.ok(stream.received.every(({ status }) => status?.code === Code.OK));
    stream.call.end();
    await until('the stream has ended', () => stream.ended);
    assert.equal(stream.error, undefined);
    await until('the brokers see it', () => brokers.every(({ streams }) => streams.size === 0));
    await stopAll();
  });

  it('outlives brokers: those that come back or join get the newest settings, and the client hears nothing of it', async () => {
    const stream = new Stream(relay);
    stream.call.write(settingsOf('1'));
    await until('both brokers have them', () => brokers.every((broker) => broker.streams.size === 1));
    await brokers[0]!.stop();
    await until('it is gone', () => brokers[0]!.streams.size === 0);
    const restarted = new TestBroker('broker-a');
    await restarted.start(ports[0]);
    brokers.push(restarted);
    await until('it is told again', () => roundsAt(restarted)[0] === '1');

    const joining = new TestBroker('broker-c');
    relay.register('broker-c', await joining.start(), []);
    brokers.push(joining);
    await until('the new one is told', () => roundsAt(joining)[0] === '1');
    relay.forget('broker-c');
    await until('the one that left is left', () => joining.streams.size === 0);
    assert.deepEqual(stream.rounds, ['1']);
    assert.equal(stream.ended, false);
    stream.call.cancel();
    await stopAll();
  });

  it('passes on commands of brokers, but not the order to reconnect', async () => {
    const stream = new Stream(relay);
    stream.call.write(settingsOf('1'));
    await until('both brokers have them', () => brokers.every((broker) => broker.streams.size === 1));
    const { sink } = [...brokers[1]!.streams][0]!;
    sink.write(commandOf({ reconnectEndpointsCommand: { nonce: 'no' } }));
    sink.write(commandOf({ printThreadStackTraceCommand: { nonce: 'yes' } }));
    await until('the command has come', () => stream.received.length === 2);
    assert.equal(stream.received[1]?.printThreadStackTraceCommand?.nonce, 'yes');
    stream.call.cancel();
    await stopAll();
  });

  it('ends with what a broker says of wrong settings', async () => {
    for (const broker of brokers) broker.refusesSettings = true;
    const stream = new Stream(relay);
    stream.call.write(settingsOf('1'));
    await until('the stream has ended', () => stream.ended);
    assert.ok(stream.error instanceof RpcError && stream.error.status === 'INVALID_ARGUMENT');
    assert.match(stream.error.message, /these settings are wrong/);
    await stopAll();
  });

  it('begins with settings', async () => {
    const stream = new Stream(relay);
    stream.call.write(commandOf({ threadStackTrace: { nonce: 'x' } }));
    await until('the stream has ended', () => stream.ended);
    assert.ok(stream.error instanceof RpcError && stream.error.status === 'INVALID_ARGUMENT');
    await stopAll();
  });
});
