import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from '@orbitmq/tools';
import type { DriverCommand } from '../interop/driver.ts';
import type { Lab } from './lab.ts';

const IMAGE = 'orbitmq-clients:1';
const POD = 'clients';
const NAMESPACE = 'applications';

/**
 * A pod in which programs of this machine run: an empty image, over which the folders of the machine are mounted that hold
 * runtimes, libraries and the drivers of the official clients. Network, DNS and names are those of a pod.
 */
export class ClientPod implements AsyncDisposable {
  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  /**
   * Starts it, and waits until programs can be run in it.
   * @param commands what is to be run in it
   */
  static async start(lab: Lab, commands: readonly DriverCommand[]): Promise<ClientPod> {
    const directory = mkdtempSync(join(tmpdir(), 'orbitmq-clients-'));
    try {
      const archive = join(directory, 'image.tar');
      packEmptyImage(join(directory, 'root'), archive);
      await lab.command(['load-image', archive]);
    } finally {
      rmSync(directory, { recursive: true });
    }
    await lab.kubectl(['create', 'namespace', NAMESPACE]);
    await lab.kubectl(['apply', '-f', '-'], { input: JSON.stringify(podOf(foldersOfMachine(commands))) });
    await lab.kubectl(['wait', '--for=condition=Ready', `pod/${POD}`, '-n', NAMESPACE, '--timeout=60s']);
    return new ClientPod(lab);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab.kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
  }

  /** Lets a driver of this machine run in the pod. */
  command({ command, args, env }: DriverCommand): DriverCommand {
    const variables = Object.entries({ PATH: process.env.PATH ?? '', ...env }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const { KUBECONFIG = '', PATH = '' } = this.#lab.environment;
    // kubectl passes no environment on.
    const inside = ['/usr/bin/env', '-i', ...variables, command, ...args];
    return {
      command: 'kubectl',
      args: ['exec', '-i', '-n', NAMESPACE, POD, '--', ...inside],
      env: { KUBECONFIG, PATH },
    };
  }
}

function packEmptyImage(root: string, archive: string): void {
  for (const folder of ['etc', 'tmp', 'usr', 'proc', 'sys', 'dev']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/tmp:/\n');
  writeFileSync(join(root, 'etc', 'nsswitch.conf'), 'hosts: files dns\n');
  execFileSync(join(import.meta.dirname, 'lab', 'mkimage'), [IMAGE, root, archive]);
}

/** Folders that hold what the drivers need: the system's, ours, and those of runtimes that lie elsewhere. */
function foldersOfMachine(commands: readonly DriverCommand[]): readonly string[] {
  const settings = readdirSync('/etc').filter((name) => /^(alternatives|ssl|java)/.test(name));
  const wanted = [
    ...['/usr', '/bin', '/lib', '/lib64', ROOT],
    ...settings.map((name) => join('/etc', name)),
    // Two above a program is where its runtime begins.
    ...commands.map(({ command }) => dirname(dirname(realpathSync(pathOf(command))))),
  ];
  const folders = [...new Set(wanted.filter(existsSync))].sort();
  return folders.filter((folder) => !folders.some((other) => other !== folder && folder.startsWith(`${other}/`)));
}

function pathOf(command: string): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = [command, ...folders.map((folder) => join(folder, command))].find(
    (path) => path.startsWith('/') && existsSync(path),
  );
  if (found === undefined) throw new Error(`there is no program ${command}`);
  return found;
}

function podOf(folders: readonly string[]): object {
  const script = 'process.on("SIGTERM", () => process.exit()); setInterval(() => {}, 1e9)';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: POD, namespace: NAMESPACE },
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          name: POD,
          image: IMAGE,
          imagePullPolicy: 'Never',
          command: [process.execPath, '-e', script],
          volumeMounts: [
            ...folders.map((folder, index) => ({ name: `machine-${index}`, mountPath: folder })),
            { name: 'tmp', mountPath: '/tmp' },
          ],
        },
      ],
      volumes: [
        ...folders.map((path, index) => ({ name: `machine-${index}`, hostPath: { path } })),
        { name: 'tmp', emptyDir: {} },
      ],
    },
  };
}
