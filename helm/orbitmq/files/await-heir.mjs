// Asked before a member of a shard is told to stop (preStop): if it leads, wait until another copy can take over. While this
// runs the member serves as ever. So a member never hands the lead to one that is about to stop itself, as when an upgrade
// replaces all members at once: those that follow go first, and the one that leads when they are back.
import { get } from 'node:http';

const [waitSeconds, settledSeconds, port] = process.argv.slice(2).map(Number);
const PAUSE_MS = 250;
const LEASELESS_MS = 3_000;

function metrics() {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/metrics', timeout: 2_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer')));
  });
}

function gauge(text, name) {
  const line = text
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}{`) || candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

/** Since when something is so, on each look at it. */
function spell() {
  let sinceMs;
  return (isSo) => {
    if (!isSo) sinceMs = undefined;
    else sinceMs ??= performance.now();
    return isSo ? performance.now() - sinceMs : -1;
  };
}

const inSyncMs = spell();
const leaselessMs = spell();
const endMs = performance.now() + waitSeconds * 1_000;
while (performance.now() < endMs) {
  // A member that does not answer is not to be held.
  const text = await metrics().catch(() => undefined);
  if (text === undefined || gauge(text, 'orbitmq_replication_leading') !== 1) break;
  if (inSyncMs(gauge(text, 'orbitmq_replication_in_sync_members') > 1) >= settledSeconds * 1_000) break;
  // Without the Lease nobody can take over: so it is when all of the release goes.
  if (leaselessMs(gauge(text, 'orbitmq_replication_lease_unreachable') === 1) >= LEASELESS_MS) break;
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
