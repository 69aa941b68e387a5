import {
  type HealthCheckRequest,
  HealthDefinition,
  type HealthListResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '@orbitmq/protocol/grpc.health.v1';
import { type BoundMethod, type Call, RpcError, type Sink, serverStream, unary } from './service.ts';

type HealthAnswer = { status: ServingStatus };

/** Whether services can serve, as told by `grpc.health.v1`. The empty name stands for the server as a whole. */
export class HealthService {
  readonly #statuses = new Map<string, boolean>();
  readonly #changeListeners = new Set<() => void>();

  /** @param services full names that can be asked for beside the whole server; none serves before `set` says so */
  constructor(services: readonly string[]) {
    for (const service of ['', ...services]) this.#statuses.set(service, false);
  }

  /** Says of all services whether they serve, and tells those who watch. */
  set(serving: boolean): void {
    for (const service of this.#statuses.keys()) this.#statuses.set(service, serving);
    for (const listener of [...this.#changeListeners]) listener();
  }

  /** The methods to be registered with a server. */
  methods(): BoundMethod[] {
    return [
      unary(HealthDefinition, 'check', (request) => this.#check(request)),
      unary(HealthDefinition, 'list', () => this.#list()),
      serverStream(HealthDefinition, 'watch', (request, call, sink) => this.#watch(request, call, sink)),
    ];
  }

  #check(request: HealthCheckRequest): HealthAnswer {
    const status = this.#statusOf(request.service);
    if (status === ServingStatus.SERVICE_UNKNOWN) {
      throw new RpcError('NOT_FOUND', 'this server has no such service; an empty name asks for the server as a whole');
    }
    return { status };
  }

  #list(): HealthListResponse {
    return {
      statuses: new Map(Array.from(this.#statuses.keys(), (service) => [service, { status: this.#statusOf(service) }])),
    };
  }

  async #watch(request: HealthCheckRequest, call: Call, sink: Sink<HealthAnswer>): Promise<void> {
    let wake = (): void => {};
    let told: ServingStatus | undefined;
    let ended = false;
    const onChange = (): void => wake();
    const onEnd = (): void => {
      ended = true;
      wake();
    };
    this.#changeListeners.add(onChange);
    call.onCancel(onEnd);
    call.onDrain(onEnd);
    try {
      while (!ended) {
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const status = this.#statusOf(request.service);
        if (status !== told) await sink.write({ status });
        told = status;
        if (!ended) await changed;
      }
    } finally {
      this.#changeListeners.delete(onChange);
    }
    if (call.draining) await sink.write({ status: ServingStatus.NOT_SERVING });
  }

  #statusOf(service: string): ServingStatus {
    const serving = this.#statuses.get(service);
    if (serving === undefined) return ServingStatus.SERVICE_UNKNOWN;
    return serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }
}
