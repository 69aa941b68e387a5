import {
  ApiException,
  type ConfigurationOptions,
  CoordinationV1Api,
  KubeConfig,
  Observable,
  type ObservableMiddleware,
  type RequestContext,
  type ResponseContext,
  type V1Lease,
  V1MicroTime,
} from '@kubernetes/client-node';
import type { Clock } from '@orbitmq/base';
import { type Lease, LeaseConflict, type LeaseStore, LeaseUnreachable, type StoredLease } from './lease.ts';
import { fromLeaseObject, toLeaseObject } from './lease-object.ts';

/** How the Lease of a shard is reached. */
export interface KubernetesLeaseOptions {
  /** Name of the shard; one Lease belongs to one shard. */
  readonly shard: string;
  /** Name of the Lease object. */
  readonly name: string;
  /** Default: the pod's own namespace. */
  readonly namespace?: string;
  /** A kubeconfig file; default: the pod's service account, else $KUBECONFIG or ~/.kube/config. */
  readonly kubeconfigFile?: string;
  /** A request that takes longer has failed. Milliseconds, default 2,000. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

const TIMEOUT_MS = 2000;
const NOT_FOUND = 404;
const CONFLICT = 409;

/**
 * The Lease of a shard as an object of a Kubernetes API server. Its uid and resourceVersion are the version that is compared: an
 * update with others is refused by the server.
 * @throws Error when no configuration of a cluster is found
 */
export function kubernetesLeaseStore(options: KubernetesLeaseOptions): LeaseStore {
  const config = new KubeConfig();
  if (options.kubeconfigFile === undefined) config.loadFromDefault();
  else config.loadFromFile(options.kubeconfigFile);
  const { name } = options;
  const namespace = options.namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  return new KubernetesLeaseStore(config.makeApiClient(CoordinationV1Api), { ...options, name, namespace });
}

class KubernetesLeaseStore implements LeaseStore {
  readonly #api: CoordinationV1Api;
  readonly #options: KubernetesLeaseOptions & { readonly namespace: string };
  readonly #ended = new AbortController();
  readonly #connections: Connections;

  constructor(api: CoordinationV1Api, options: KubernetesLeaseOptions & { readonly namespace: string }) {
    this.#api = api;
    this.#options = options;
    this.#connections = new Connections(options.clock);
  }

  async read(): Promise<StoredLease | undefined> {
    const { name, namespace } = this.#options;
    try {
      return this.#stored(await this.#api.readNamespacedLease({ name, namespace }, this.#bounded()));
    } catch (error) {
      if (error instanceof ApiException && error.code === NOT_FOUND) return undefined;
      throw this.#unreachable('read', error);
    }
  }

  async write(lease: Lease, expected: StoredLease | undefined): Promise<StoredLease> {
    const { name, namespace } = this.#options;
    const body = this.#object(lease, expected);
    try {
      const answer =
        expected === undefined
          ? await this.#api.createNamespacedLease({ namespace, body }, this.#bounded())
          : await this.#api.replaceNamespacedLease({ name, namespace, body }, this.#bounded());
      return this.#stored(answer);
    } catch (error) {
      if (error instanceof ApiException && (error.code === CONFLICT || error.code === NOT_FOUND)) {
        throw new LeaseConflict(`lease ${namespace}/${name} was changed by somebody else`, error);
      }
      throw this.#unreachable('write', error);
    }
  }

  close(): void {
    this.#ended.abort();
    this.#connections.close();
  }

  #object(lease: Lease, expected: StoredLease | undefined): V1Lease {
    const { name, namespace, shard, clock } = this.#options;
    const { annotations, ...spec } = toLeaseObject(shard, lease);
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name,
        namespace,
        annotations,
        labels: { 'app.kubernetes.io/managed-by': 'orbitmq' },
        ...(expected === undefined ? {} : preconditionsOf(expected)),
      },
      spec: { ...spec, renewTime: new V1MicroTime(clock.wallMs()) },
    };
  }

  #stored(object: V1Lease): StoredLease {
    const { uid, resourceVersion, annotations = {} } = object.metadata ?? {};
    if (uid === undefined || resourceVersion === undefined) {
      throw new Error('the API server gave a lease without a uid or resourceVersion');
    }
    return { lease: fromLeaseObject(this.#options.shard, annotations), version: `${uid}/${resourceVersion}` };
  }

  /** Options of a request that ends in time, and with the store. */
  #bounded(): ConfigurationOptions {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS)]);
    return { middleware: [new Bounded(signal, this.#connections)], middlewareMergeStrategy: 'append' };
  }

  #unreachable(what: string, error: unknown): LeaseUnreachable {
    const { name, namespace } = this.#options;
    const reason = error instanceof ApiException ? `the API server answers ${error.code}` : messageOf(error);
    return new LeaseUnreachable(`could not ${what} lease ${namespace}/${name}: ${reason}`, error);
  }
}

/**
 * What an update says of the object that it is meant for. The resourceVersion alone does not do: an update of a Lease that was
 * deleted makes it anew, however old what the writer knows, unless the uid says which one it was.
 */
function preconditionsOf({ version }: StoredLease): { readonly uid: string; readonly resourceVersion: string } {
  const [uid = '', resourceVersion = ''] = version.split('/');
  return { uid, resourceVersion };
}

type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>;

/** Connections are made anew after so long, with what the certificates' files hold then. Milliseconds. */
const KEEP_MS = 600_000;

/** The package makes new connections for each request; these are kept instead. */
class Connections {
  readonly #clock: Clock;
  #kept: Dispatcher | undefined;
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param made for one request, with no connection yet */
  use(made: Dispatcher): Dispatcher {
    const nowMs = this.#clock.monotonicMs();
    if (this.#kept !== undefined && nowMs - this.#sinceMs < KEEP_MS) {
      made.close().catch(() => {});
      return this.#kept;
    }
    this.close();
    this.#kept = made;
    this.#sinceMs = nowMs;
    return made;
  }

  close(): void {
    this.#kept?.close().catch(() => {});
    this.#kept = undefined;
  }
}

/** Ends a request when its signal does: the package has no other way to say it. */
class Bounded implements ObservableMiddleware {
  readonly #signal: AbortSignal;
  readonly #connections: Connections;

  constructor(signal: AbortSignal, connections: Connections) {
    this.#signal = signal;
    this.#connections = connections;
  }

  pre(context: RequestContext): Observable<RequestContext> {
    context.setSignal(this.#signal);
    const made = context.getDispatcher();
    if (made !== undefined) context.setDispatcher(this.#connections.use(made));
    return new Observable(Promise.resolve(context));
  }

  post(context: ResponseContext): Observable<ResponseContext> {
    return new Observable(Promise.resolve(context));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
