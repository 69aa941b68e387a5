import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { SimClock } from './sim-clock.ts';
import { SimNetwork, type SimSocket } from './sim-network.ts';

/** Two hosts, what the second one has got, and the first one's socket. */
function connected(): { clock: SimClock; network: SimNetwork; socket: SimSocket<string, string>; got: string[] } {
  const clock = new SimClock();
  const network = new SimNetwork(clock, seededRandom(1));
  const got: string[] = [];
  network.listen<string, string>('b', (socket) => void collect(socket, got));
  return { clock, network, socket: network.connect<string, string>('a', 'b'), got };
}

async function collect(socket: SimSocket<string, string>, got: string[]): Promise<void> {
  for await (const message of socket.incoming) {
    got.push(message);
    socket.write(`${message}!`);
  }
  got.push('end');
}

describe('simulated network', () => {
  it('carries messages both ways, in order', async () => {
    const { clock, socket, got } = connected();
    const back: string[] = [];
    void collect({ ...socket, write: () => undefined, incoming: socket.incoming }, back);
    for (const message of ['1', '2', '3']) socket.write(message);
    await clock.advance(10);
    assert.deepEqual(got, ['1', '2', '3']);
    assert.deepEqual(back, ['1!', '2!', '3!']);
    socket.close();
    await clock.advance(10);
    assert.deepEqual(got.at(-1), 'end');
  });

  it('holds what a cut link does not let through, in order, and what is on its way', async () => {
    const { clock, network, socket, got } = connected();
    await clock.advance(10);
    network.link('a', 'b', { delayMs: [5, 5] });
    socket.write('1');
    await clock.advance(2);
    network.link('a', 'b', { isCut: true });
    socket.write('2');
    await clock.advance(60_000);
    assert.deepEqual(got, []);
    network.heal();
    socket.write('3');
    await clock.advance(10);
    assert.deepEqual(got, ['1', '2', '3']);
  });

  it('cuts one direction alone', async () => {
    const { clock, network, socket, got } = connected();
    const back: string[] = [];
    void collect({ ...socket, write: () => undefined, incoming: socket.incoming }, back);
    network.link('b', 'a', { isCut: true });
    socket.write('1');
    await clock.advance(100);
    assert.deepEqual([got, back], [['1'], []]);
  });

  it('ends a connection to nobody, and those of a host that is killed', async () => {
    const { clock, network, socket, got } = connected();
    await clock.advance(1);
    const nobody: string[] = [];
    void collect(network.connect<string, string>('a', 'c'), nobody);
    await clock.advance(10);
    assert.deepEqual(nobody, ['end']);
    network.kill('a');
    socket.write('lost');
    await clock.advance(10);
    assert.deepEqual(got, ['end']);
  });
});
