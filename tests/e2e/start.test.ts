import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, isPortFree, ROOT } from '@orbitmq/tools';

const PATIENCE_MS = 60_000;

/** `npm start` on ports and data of its own, as its script runs. */
class Start {
  output = '';
  readonly ended: Promise<number | null>;
  readonly #child: ReturnType<typeof spawn>;

  constructor(flags: readonly string[]) {
    this.#child = spawn(process.execPath, ['tools/bootstrap.mjs', 'tools/start.ts', ...flags], { cwd: ROOT });
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

describe('npm start', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orbitmq-start-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('runs a cluster, gives a line that works, stops on Ctrl-C, and finds its data again', async () => {
    const ports = {
      '--namesrv-port': await freeRow(2),
      '--client-port': await freeRow(2),
      '--broker-port': (await freeRow(13)) + 2,
      '--http-port': await freeRow(4),
    };
    const flags = [`--data=${directory}`, ...Object.entries(ports).map(([flag, port]) => `${flag}=${port}`)];
    const first = new Start(flags);
    await first.says('Ctrl-C stops it');
    const line = /npx mqadmin sendMessage .*/.exec(first.output)?.[0];
    assert.ok(line, first.output);
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

    assert.equal(await first.stop(), 0, first.output);
    assert.match(first.output, /Stopped; the data is kept/);

    const third = new Start(flags);
    await third.says('Ctrl-C stops it');
    const topics = execFileSync(
      `${ROOT}/node_modules/.bin/mqadmin`,
      ['topicList', '-n', `127.0.0.1:${ports['--namesrv-port']}`],
      { encoding: 'utf8' },
    );
    assert.match(topics, /HelloTopic/);
    assert.equal(await third.stop(), 0, third.output);
  });

  it('says which flag is wrong', async () => {
    const wrong = new Start(['--broker-port=many']);
    assert.equal(await wrong.ended, 1);
    assert.match(wrong.output, /--broker-port must be a port, .*"many"/);
  });
});
