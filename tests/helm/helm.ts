import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@orbitmq/tools';
import { loadAll } from 'js-yaml';

/** The chart. */
export const CHART = join(ROOT, 'helm', 'orbitmq');
/** Values files that come with it, by name. */
export const EXAMPLES = ['dev', 'production', 'node-port', 'load-balancer', 'ingress', 'gateway'] as const;
/** Kubernetes for which charts are rendered, where no cluster is asked. */
const KUBERNETES_VERSION = '1.35.0';
const DOWNLOAD_MS = 120_000;

/** A Kubernetes object, as far as tests look into it. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own shape, which the API server checks
  readonly [field: string]: any;
}

/** What one run of Helm gave. */
export interface HelmOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const found = findHelm();
/** Why the chart can't be rendered on this machine, or false. For the `skip` of a test. */
export const helmSkip: string | false = typeof found === 'string' ? false : found.missing;

function findHelm(): string | { readonly missing: string } {
  const wanted = process.env.ORBITMQ_HELM;
  if (wanted !== undefined) return wanted;
  const lab = spawnSync(join(ROOT, 'tests', 'k8s', 'lab', 'k8s-lab'), ['tools'], {
    encoding: 'utf8',
    timeout: DOWNLOAD_MS,
  });
  const folder = /:'([^']+)'/.exec(lab.stdout ?? '')?.[1];
  if (folder !== undefined && existsSync(join(folder, 'helm4'))) return join(folder, 'helm4');
  if (spawnSync('helm', ['version']).status === 0) return 'helm';
  return { missing: `there is no helm, and none can be had: ${lab.stderr?.trim().split('\n').at(-1) ?? lab.error}` };
}

/** Runs Helm. */
export function helm(...args: readonly string[]): HelmOutput {
  const { status, stdout, stderr } = spawnSync(found as string, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return { code: status ?? -1, stdout, stderr };
}

/** What may be said to `helm template`. */
export interface RenderOptions {
  /** Name of an example. */
  readonly example?: (typeof EXAMPLES)[number];
  /** Values as `--set-json` takes them. */
  readonly set?: Readonly<Record<string, unknown>>;
  readonly release?: string;
}

const outputs = new Map<string, HelmOutput>();

/** Runs `helm template`, once for the same values. */
export function template(options: RenderOptions): HelmOutput {
  const key = JSON.stringify(options);
  const output = outputs.get(key) ?? runTemplate(options);
  outputs.set(key, output);
  return output;
}

function runTemplate({ example, set = {}, release = 'mq' }: RenderOptions): HelmOutput {
  const values = Object.entries(set).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]);
  const files = example === undefined ? [] : ['-f', join(CHART, 'examples', `${example}.yaml`)];
  return helm('template', release, CHART, '-n', 'demo', '--kube-version', KUBERNETES_VERSION, ...files, ...values);
}

/** The text of a rendering without what is random in it. @throws Error with what Helm says when it refuses */
export function renderedText(options: RenderOptions): string {
  const { code, stdout, stderr } = template(options);
  if (code !== 0) throw new Error(stderr);
  return stdout.replace(/^( {2}haAccessKey: ).*$/m, '$1"made at the install"');
}

/** The objects of a rendering. @throws Error with what Helm says when it refuses */
export function render(options: RenderOptions = {}): readonly KubernetesObject[] {
  return loadAll(renderedText(options)).filter((object) => object !== null) as KubernetesObject[];
}

/** The object of a kind and name. */
export function objectOf(objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject {
  const object = objects.find((each) => each.kind === kind && each.metadata.name === name);
  if (object === undefined) {
    throw new Error(`there is no ${kind} ${name}, but ${objects.map((each) => `${each.kind} ${each.metadata.name}`)}`);
  }
  return object;
}

/** Specs of all pods that a rendering makes, with a name to tell them by. */
export function podSpecs(
  objects: readonly KubernetesObject[],
): readonly { readonly of: string; readonly spec: KubernetesObject['spec'] }[] {
  return objects.flatMap((object) => {
    const of = `${object.kind} ${object.metadata.name}`;
    if (object.kind === 'Pod') return [{ of, spec: object['spec'] }];
    const template = object['spec']?.template;
    return template?.spec?.containers === undefined ? [] : [{ of, spec: template.spec }];
  });
}
