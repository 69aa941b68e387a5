import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Health } from './health.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics/registry.ts';

/** What operators may see by HTTP. */
export interface ObservationPages {
  readonly health: Health;
  /** Without it there is no `/metrics`, and `/readyz` does not say why: for ports that others than operators reach. */
  readonly metrics?: Metrics | undefined;
  readonly logger: Logger;
}

/**
 * Answers `/healthz` (200 while the event loop turns), `/readyz` (200 when the service can serve, else 503) and maybe
 * `/metrics` (Prometheus text). It reads nothing but the request line and takes no bodies.
 */
export function observationHandler(
  pages: ObservationPages,
): (request: IncomingMessage, response: ServerResponse) => void {
  const { health, metrics, logger } = pages;
  return (request, response) => {
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return send(response, 405, 'text/plain', 'only GET and HEAD are served here\n');
    }
    const path = request.url?.split('?', 1)[0];
    if (path === '/healthz') return send(response, 200, 'application/json', '{"status":"ok"}\n');
    if (path === '/readyz') return answerReadiness(response, health, metrics !== undefined);
    if (path === '/metrics' && metrics) return void answerMetrics(response, metrics, logger);
    send(response, 404, 'text/plain', `here are ${metrics ? '/metrics, ' : ''}/healthz and /readyz\n`);
  };
}

function answerReadiness(response: ServerResponse, health: Health, showsReasons: boolean): void {
  const body = showsReasons ? { ready: health.ready, reasons: health.reasons() } : { ready: health.ready };
  send(response, health.ready ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`);
}

async function answerMetrics(response: ServerResponse, metrics: Metrics, logger: Logger): Promise<void> {
  try {
    send(response, 200, metrics.contentType, await metrics.render());
  } catch (error) {
    logger.error({ error }, 'the metrics could not be collected');
    send(response, 500, 'text/plain', 'the metrics could not be collected: see the log\n');
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
