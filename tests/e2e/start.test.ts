import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, isPortFree, ROOT } from '@orbitmq/tools';
import { waitUntil } from '../interop/child.ts';

const PATIENCE_MS = 60_000;

/** `npm start` on ports and data of its own, as its script runs. */
class Start {
  output = '';
  readonly ended: Promise<number | null>;
  readonly #child: ReturnType<typeof spawn>;

  constructor(flags: readonly string[]) {
    this.#child = spawn(process.execPath, ['tools/bootstrap.mjs', 'tools/start.ts', ...flags], {
      cwd: ROOT,
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (text) => {
        this.output += text;
      });
    }
    // 'exit' may come before the last of the output
    this.ended = new Promise((resolve) => this.#child.once('close', (code) => resolve(code)));
  }

  async says(text: string): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS;
    while (!this.output.includes(text)) {
      assert.ok(performance.now() < endMs, `it does not say ${JSON.stringify(text)}:\n${this.output}`);
      await sleep(25);
    }
  }

  /** Kills all that is in its process group, as whoever starts it from a script does. */
  async kill(): Promise<void> {
    process.kill(-this.#child.pid!, 'SIGKILL');
    await this.ended;
  }

  stop(): Promise<number | null> {
    this.#child.kill('SIGINT');
    return this.ended;
  }
}

/** The first of a number of ports in a row that are all free. */
async function freeRow(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const others = Array.from({ length: count - 1 }, (_, index) => isPortFree(first + index + 1));
    if ((await Promise.all(others)).every((free) => free)) return first;
  }
}

async function untilReady(httpPort: number): Promise<void> {
  await waitUntil('it is ready again', PATIENCE_MS, async () => {
    try {
      return (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).ok;
    } catch {
      return false;
    }
  });
}

async function untilFree(port: number): Promise<void> {
  await waitUntil(`port ${port} is free`, PATIENCE_MS, () => isPortFree(port));
}

describe('npm start', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orbitmq-start-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('runs a cluster, gives a line that works, starts what was killed again, stops on Ctrl-C, and finds its data again', async () => {
    // One row for all, so that none meets another: brokers have the first and, for their slaves, the last 14 ports of it.
    const row = await freeRow(114);
    const ports = {
      '--broker-port': row + 2,
      '--namesrv-port': row + 20,
      '--client-port': row + 30,
      '--http-port': row + 40,
    };
    const flags = [`--data=${directory}`, ...Object.entries(ports).map(([flag, port]) => `${flag}=${port}`)];
    const cluster = new Start(flags);
    await cluster.says('Ctrl-C stops it');
    const line = /npx mqadmin sendMessage .*/.exec(cluster.output)?.[0];
    assert.ok(line, cluster.output);
    const printed = execFileSync('sh', ['-c', line.replaceAll('npx ', 'node_modules/.bin/')], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    assert.match(printed, /SEND_OK[\s\S]*BODY: hello/);

    const second = new Start(flags);
    assert.equal(await second.ended, 1);
    assert.match(
      second.output,
      new RegExp(`port ${ports['--client-port']} of namesrv-1 is in use \\(choose others with --client-port\\)`),
    );

    const killed = /"pid":(\d+)/.exec(readFileSync(join(directory, 'logs/broker-a.log'), 'utf8'))![1];
    process.kill(Number(killed), 'SIGKILL');
    await cluster.says('broker-a ended by SIGKILL; it is started again');
    await untilReady(ports['--http-port'] + 2);
    assert.equal(await cluster.stop(), 0, cluster.output);
    assert.match(cluster.output, /Stopped; the data is kept/);

    const third = new Start(flags);
    await third.says('Ctrl-C stops it');
    const topics = execFileSync(
      `${ROOT}/node_modules/.bin/mqadmin`,
      ['topicList', '-n', `127.0.0.1:${ports['--namesrv-port']}`],
      { encoding: 'utf8' },
    );
    assert.match(topics, /HelloTopic/);
    await third.kill();
    for (const port of Object.values(ports)) await untilFree(port);
  });

  it('says which flag is wrong', async () => {
    const wrong = new Start(['--broker-port=many']);
    assert.equal(await wrong.ended, 1);
    assert.match(wrong.output, /--broker-port must be a port, .*"many"/);
  });
});
