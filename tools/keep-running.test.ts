import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { keepRunning } from './keep-running.ts';
import { ServiceProcess } from './service-process.ts';

const PAUSES = { shortestMs: 1, longestMs: 4, soonMs: 60_000 };

describe('a service that is kept running', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orbitmq-keep-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** Settles when the process that runs now, its `count`-th, has written its first line. */
  const started = async (service: ServiceProcess, count: number): Promise<void> => {
    while (service.log().split('\n').length <= count) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const serviceOf = (name: string, script: string): ServiceProcess =>
    new ServiceProcess({
      name,
      command: [process.execPath, '-e', script],
      logFile: join(directory, `${name}.log`),
      readyUrl: 'http://127.0.0.1:1/readyz',
    });
  const WAITS = 'process.on("SIGTERM", () => process.exit(0)); console.log("runs"); setInterval(() => {}, 1000)';

  it('is started again when it is killed, and stays stopped when it is stopped in order', async () => {
    const service = serviceOf('killed', WAITS);
    const said: string[] = [];
    service.start();
    const kept = keepRunning(service, new AbortController().signal, (text) => said.push(text), PAUSES);
    for (let count = 1; count <= 3; count++) {
      await started(service, count);
      if (count < 3) service.signal('SIGKILL');
    }
    await service.stop();
    await kept;
    assert.equal(service.running, false);
    assert.match(said[0]!, /^killed ended by SIGKILL; it is started again\. Its log is .*killed\.log\.$/);
    assert.deepEqual(said.slice(2), ['killed was stopped; it stays so until the next start.']);
  });

  it('is not started any more once all is to stop', async () => {
    const service = serviceOf('failing', 'process.exit(1)');
    const stopping = new AbortController();
    const said: string[] = [];
    service.start();
    await keepRunning(
      service,
      stopping.signal,
      (text) => {
        said.push(text);
        if (said.length === 4) stopping.abort();
      },
      PAUSES,
    );
    assert.equal(service.running, false);
    assert.equal(said.length, 4);
    assert.match(said[3]!, /^failing ended with exit code 1;/);
  });
});
