import { createServer } from 'node:net';

/** Below the range from which the system takes ports for outgoing connections, so that none is taken in between. */
const FIRST = 20_000;
const COUNT = 12_000;
const given = new Set<number>();

/** Whether a port is free on loopback right now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A port that nobody uses now and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < COUNT; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    if (await isPortFree(port)) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no port of ${FIRST}…${FIRST + COUNT - 1} is free`);
}
