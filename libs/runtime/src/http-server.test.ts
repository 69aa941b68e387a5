import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createHealth } from './health.ts';
import { ObservationServer } from './http-server.ts';
import { createMetrics } from './metrics/registry.ts';
import { observationHandler } from './observation-pages.ts';
import { createLogger } from './pino-logger.ts';

test('serves health, readiness with reasons, and metrics; refuses the rest', async (t) => {
  const health = createHealth();
  const metrics = createMetrics({ commonLabels: {}, seriesMax: 10, processMetrics: true });
  const logger = createLogger({ level: 'error', fields: {} });
  const server = new ObservationServer({ host: '127.0.0.1', port: 0, health, metrics, logger });
  await server.start();
  t.after(() => server.stop());
  const get = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { method });

  assert.equal((await get('/healthz')).status, 200);
  assert.equal((await get('/readyz')).status, 200);
  health.hold('disk', 'a write failed');
  const notReady = await get('/readyz');
  assert.equal(notReady.status, 503);
  assert.deepEqual(await notReady.json(), { ready: false, reasons: ['disk: a write failed'] });
  health.clear('disk');
  assert.equal((await get('/readyz')).status, 200);
  const text = await (await get('/metrics')).text();
  assert.match(text, /nodejs_eventloop_lag_seconds/);
  assert.match(text, /process_resident_memory_bytes/);
  assert.equal((await get('/etc/passwd')).status, 404);
  assert.equal((await get('/metrics', 'POST')).status, 405);
});

test('tells those who are no operators whether the service is ready, and nothing else', async (t) => {
  const health = createHealth();
  const handler = observationHandler({ health, logger: createLogger({ level: 'error', fields: {} }) });
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { ready: true });
  health.hold('disk', 'a write failed');
  const notReady = await fetch(`${url}/readyz`);
  assert.equal(notReady.status, 503);
  assert.deepEqual(await notReady.json(), { ready: false });
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const metrics = await fetch(`${url}/metrics`);
  assert.equal(metrics.status, 404);
  assert.equal(await metrics.text(), 'here are /healthz and /readyz\n');
});

test('tells listeners of changes only', () => {
  const health = createHealth();
  const seen: boolean[] = [];
  health.onChange((ready) => seen.push(ready));
  health.hold('a', '1');
  health.hold('b', '2');
  health.clear('a');
  health.clear('b');
  health.clear('b');
  assert.deepEqual(seen, [false, true]);
});
