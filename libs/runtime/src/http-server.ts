import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Component } from './component.ts';
import type { Health } from './health.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics/registry.ts';
import { observationHandler } from './observation-pages.ts';

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

/** The HTTP port for operators: `/metrics`, `/healthz` and `/readyz` with the reasons. */
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
      observationHandler(this.#options),
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
}
