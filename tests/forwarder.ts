import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** A port that leads to another one: what `kubectl port-forward`, a node port or a load balancer are to a client. */
export interface Forwarder extends AsyncDisposable {
  /** `host:port` */
  readonly endpoint: string;
  readonly port: number;
  /** Connections that were made so far. */
  readonly connectionCount: number;
  /** Lets later connections lead elsewhere. @param target `host:port` */
  pointTo(target: string): void;
  /** Cuts the connections that are open. */
  cut(): void;
  stop(): Promise<void>;
}

/**
 * Forwards a free port of the loopback interface.
 * @param target `host:port`
 * @param bytesPerSecond of each connection and direction, as a tunnel that is slow; default: as it comes
 */
export async function startForwarder(target: string, bytesPerSecond = Number.POSITIVE_INFINITY): Promise<Forwarder> {
  const sockets = new Set<Socket>();
  let [address, connectionCount] = [target, 0];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    connectionCount++;
    const colon = address.lastIndexOf(':');
    const far = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      if (bytesPerSecond === Number.POSITIVE_INFINITY) one.pipe(other);
      else one.pipe(atRate(bytesPerSecond)).pipe(other);
      one.on('error', () => other.destroy());
      one.once('close', () => {
        sockets.delete(one);
        other.destroySoon();
      });
    }
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const listening = server.address();
      if (listening !== null && typeof listening === 'object') resolve(listening.port);
      else reject(new Error('the forwarder has no port'));
    });
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const stop = (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    return closed;
  };
  return {
    endpoint: `127.0.0.1:${port}`,
    port,
    get connectionCount() {
      return connectionCount;
    },
    pointTo: (later) => {
      address = later;
    },
    cut,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Lets bytes through no faster than that. */
function atRate(bytesPerSecond: number): Transform {
  let freeMs = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      freeMs = Math.max(freeMs, performance.now()) + (1000 * chunk.length) / bytesPerSecond;
      setTimeout(() => done(null, chunk), Math.max(0, freeMs - performance.now()));
    },
  });
}
