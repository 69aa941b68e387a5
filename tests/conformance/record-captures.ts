import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '@orbitmq/tools';
import { waitUntil } from '../interop/child.ts';
import { type ClientName, type InteropClient, prepareClient } from '../interop/clients.ts';
import { receiveOrWait } from '../interop/collector.ts';
import { Driver } from '../interop/driver.ts';
import { startTarget, type Target } from '../interop/target.ts';
import { ENGINES, withEngineServer } from './engines.ts';
import { withGoServer } from './go-server.ts';
import { CLIENT_CASES } from './interop-cases.ts';
import { preparePrograms } from './programs.ts';
import { testServiceMethods } from './test-service.ts';

/**
 * Records, byte by byte, what official clients and a server of ours say to each other, and servers of other makers and a client of ours:
 * `mutated-captures.test.ts` of libs/rpc feeds it to both engines with damages. Done once, and again when one of them has a new transport.
 */
const NAMES: readonly ClientName[] = ['node', 'python', 'java', 'go', 'rust'];
const FOLDER = join(ROOT, 'libs/rpc/src/native/testdata');
const INVISIBLE_MS = 30_000;
const AWAIT_MS = 5_000;
const PATIENCE_MS = 30_000;

/** Both directions of one connection. */
interface Recorded {
  readonly sent: Buffer[];
  readonly received: Buffer[];
}

/** A port that leads to another one of this machine, and remembers all. */
async function startRecorder(target: string): Promise<{ endpoint: string; connections: Recorded[]; stop(): void }> {
  const connections: Recorded[] = [];
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const [host, port] = target.split(':');
    const far = connect(Number(port), host);
    const recorded: Recorded = { sent: [], received: [] };
    connections.push(recorded);
    sockets.push(near, far);
    for (const [one, other, chunks] of [
      [near, far, recorded.sent],
      [far, near, recorded.received],
    ] as const) {
      one.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        other.write(chunk);
      });
      one.on('error', () => {});
      one.on('close', () => other.destroySoon());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    endpoint: `127.0.0.1:${port}`,
    connections,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Sends, receives, renews and acknowledges a few messages. */
async function useAll(driver: Driver, client: InteropClient, target: Target, endpoint: string): Promise<void> {
  const connection = { endpoints: endpoint, tls: false };
  const topic = `captured-${client.language}`;
  await target.createTopic(topic, 'NORMAL', 1);
  await driver.startProducer('producer', connection, [topic]);
  for (const [index, text] of ['short', 'x'.repeat(600), ''].entries()) {
    const body = Buffer.from(text || '\0').toString('base64');
    await driver.send('producer', {
      topic,
      body,
      tag: 'tag',
      keys: [`key${index}`, 'Schlüssel'],
      properties: { a: 'b' },
    });
  }
  await driver.startSimpleConsumer('consumer', connection, {
    group: `group-of-${topic}`,
    subscriptions: { [topic]: '*' },
    awaitMs: AWAIT_MS,
  });
  let count = 0;
  await waitUntil('all messages', PATIENCE_MS, async () => {
    for (const message of await receiveOrWait(driver, 'consumer')) {
      if (count === 0 && client.traits.canChangeInvisible)
        await driver.changeInvisible('consumer', message, INVISIBLE_MS);
      else await driver.ack('consumer', message);
      count++;
    }
    return count >= 3;
  });
  await driver.close('consumer');
  await driver.close('producer');
}

/** The same number of bytes, without what would tell of this machine. */
function base64(chunks: readonly Buffer[]): string {
  const text = Buffer.concat(chunks).toString('latin1').replaceAll(release(), 'x'.repeat(release().length));
  return Buffer.from(text, 'latin1').toString('base64');
}

/** Cases of few bytes. */
const CASES = [
  'empty_unary',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'empty_stream',
  'unimplemented_method',
];

async function recordServer(name: string, address: string): Promise<void> {
  const recorder = await startRecorder(address);
  const client = ENGINES.native.createClient({ addresses: [recorder.endpoint], tls: undefined });
  try {
    for (const testCase of CASES) await CLIENT_CASES[testCase]!(client);
  } finally {
    client.close();
    recorder.stop();
  }
  write(name, recorder.connections);
}

function write(name: string, recorded: readonly Recorded[]): void {
  const connections = recorded
    .filter(({ sent }) => sent.length > 0)
    .map(({ sent, received }) => ({ sent: base64(sent), received: base64(received) }));
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify({ name, connections }, undefined, 2)}\n`);
  console.log(`${name}: ${connections.length} connections`);
}

const { programs, missing } = await preparePrograms();
if (programs) await withGoServer(programs.interop, (address) => recordServer('server-go', address));
else console.log(`server-go: ${missing}`);
await withEngineServer(ENGINES['grpc-js'], testServiceMethods(), ({ port }) =>
  recordServer('server-grpc-js', `127.0.0.1:${port}`),
);
const target = await startTarget();
try {
  mkdirSync(FOLDER, { recursive: true });
  for (const name of NAMES) {
    const client = await prepareClient(name);
    if (client.missing) {
      console.log(`${name}: ${client.missing}`);
      continue;
    }
    const recorder = await startRecorder(target.endpoints[0]!);
    const driver = new Driver(client.command, join(import.meta.dirname, '.work', `capture-${name}.log`));
    try {
      await useAll(driver, client, target, recorder.endpoint);
    } finally {
      await driver.stop();
      recorder.stop();
    }
    write(`client-${name}`, recorder.connections);
  }
} finally {
  await target.stop();
}
