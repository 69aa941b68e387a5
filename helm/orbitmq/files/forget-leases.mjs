// A Lease says which member has the newest data. Where volumes go with the release, it goes too: else the next release of this
// name would wait for data that is gone. The names of the Leases are the arguments.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
const [namespace, token, ca] = ['namespace', 'token', 'ca.crt'].map((name) =>
  readFileSync(`${ACCOUNT}/${name}`, 'utf8'),
);
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;

function forget(name) {
  return new Promise((resolve, reject) => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
    const headers = { authorization: `Bearer ${token}` };
    const call = request({ host, port, path, method: 'DELETE', ca, headers, timeout: 10_000 }, (response) => {
      response.resume();
      if (response.statusCode === 200 || response.statusCode === 404) resolve();
      else reject(new Error(`the API server answers ${response.statusCode} to the end of lease ${namespace}/${name}`));
    });
    call
      .once('error', reject)
      .once('timeout', () => call.destroy(new Error('no answer from the API server')))
      .end();
  });
}

// Evaluated, a script has no name of its own among the arguments.
for (const name of process.argv.slice(1)) await forget(name);
