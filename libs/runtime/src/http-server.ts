import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Component } from './component.ts';
import type { Health } from './health.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics/registry.ts';

/** What the observation port needs. */
export interface ObservationOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 8192;
const TIMEOUT_MS = 10_000;

/**
 * The HTTP port for operators: `/metrics` (Prometheus text), `/healthz` (200 while the event loop turns) and `/readyz`
 * (200 when the service can serve, else 503 with the reasons). It reads nothing but the request line and takes no bodies.
 */
export class ObservationServer implements Component {
  readonly name = 'observation port';
  readonly #options: ObservationOptions;
  #server: Server | undefined;

  constructor(options: ObservationOptions) {
    this.#options = options;
  }

  /** The port it got; 0 before `start`. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0;
  }

  async start(): Promise<void> {
    const server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: TIMEOUT_MS,
        requestTimeout: TIMEOUT_MS,
        keepAliveTimeout: TIMEOUT_MS,
      },
      (request, response) => void this.#answer(request, response),
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.setTimeout(TIMEOUT_MS, (socket) => socket.destroy());
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#options.port, this.#options.host, resolve);
    });
    server.on('error', (error) => this.#options.logger.warn({ error }, 'the observation port has an error'));
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server?.listening) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return send(response, 405, 'text/plain', 'only GET and HEAD are served here\n');
    }
    const path = request.url?.split('?', 1)[0];
    if (path === '/healthz') return send(response, 200, 'application/json', '{"status":"ok"}\n');
    if (path === '/readyz') return this.#answerReadiness(response);
    if (path === '/metrics') return this.#answerMetrics(response);
    send(response, 404, 'text/plain', 'here are /metrics, /healthz and /readyz\n');
  }

  #answerReadiness(response: ServerResponse): void {
    const { health } = this.#options;
    const body = { ready: health.ready, reasons: health.reasons() };
    send(response, health.ready ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`);
  }

  async #answerMetrics(response: ServerResponse): Promise<void> {
    try {
      send(response, 200, this.#options.metrics.contentType, await this.#options.metrics.render());
    } catch (error) {
      this.#options.logger.error({ error }, 'the metrics could not be collected');
      send(response, 500, 'text/plain', 'the metrics could not be collected: see the log\n');
    }
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(body);
}
