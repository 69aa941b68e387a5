// What `helm test` does: the access point answers, and a message goes to the brokers and comes back.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:http2';
import { promisify } from 'node:util';

const { ACCESS_POINT, CLUSTER_NAME } = process.env;
const MQADMIN = '/opt/orbitmq/bin/mqadmin.js';
const run = promisify(execFile);
const mqadmin = async (...words) => (await run(process.execPath, [MQADMIN, ...words], { timeout: 60_000 })).stdout;

/** Asks grpc.health.v1.Health/Check: an empty message in a frame of its own; the answer is `status: SERVING`, 08 01. */
function checkAccessPoint() {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${ACCESS_POINT}`);
    session.setTimeout(10_000, () => session.destroy(new Error(`no answer from ${ACCESS_POINT}`)));
    session.once('error', reject);
    const call = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks = [];
    call.on('data', (chunk) => chunks.push(chunk));
    call.once('error', reject);
    call.once('end', () => {
      session.close();
      const answer = Buffer.concat(chunks).toString('hex');
      if (answer === '00000000020801') resolve();
      else reject(new Error(`${ACCESS_POINT} does not serve: ${answer || 'an empty answer'}`));
    });
    call.end(Buffer.alloc(5));
  });
}

const name = `helm-test-${randomUUID()}`;
const body = `hello from ${name}`;
await checkAccessPoint();
process.stdout.write(`the access point ${ACCESS_POINT} serves\n`);
await mqadmin('updateTopic', '-c', CLUSTER_NAME, '-t', name, '-r', '1', '-w', '1');
try {
  await mqadmin('updateSubGroup', '-c', CLUSTER_NAME, '-g', name);
  await mqadmin('sendMessage', '-t', name, '-p', body);
  const received = await mqadmin('consumeMessage', '-t', name, '-g', name, '-c', '1', '--wait', '30');
  if (!received.includes(body)) throw new Error(`${JSON.stringify(body)} did not come back; there was: ${received}`);
  process.stdout.write('a message has gone to a broker, and came back\n');
} finally {
  await mqadmin('deleteSubGroup', '-c', CLUSTER_NAME, '-g', name);
  await mqadmin('deleteTopic', '-c', CLUSTER_NAME, '-t', name);
}
