import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { ClientTls } from '../client.ts';

/** A name may have several addresses; each gets so long before the next is tried beside it. Milliseconds. */
const ADDRESS_TIMEOUT_MS = 1_000;
const KEEP_ALIVE_DELAY_MS = 60_000;
const ALPN = 'h2';

/** Where a client dials. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** @param address `host:port`, IPv6 in brackets. @throws Error when it is not of that form */
export function targetOf(address: string): Target {
  const [, host, port] = /^(?:\[(?=[^\]]*\]))?(.+?)\]?:(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new Error(`an address is host:port; found ${JSON.stringify(address)}`);
  return { host, port: Number(port) };
}

/**
 * Begins to connect. The name is looked up each time, so that a client follows a service whose addresses change.
 * @param onConnected the connection stands: with TLS, the server is the one it should be and speaks HTTP/2
 */
export function dial(target: Target, tls: ClientTls | undefined, onConnected: () => void): Socket {
  const options = {
    host: target.host,
    port: target.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  };
  if (!tls) {
    const socket = connectTcp(options);
    socket.once('connect', onConnected);
    return socket;
  }
  // A certificate is checked against this name, which TLS can't be told when it is an address.
  const name = tls.serverName ?? target.host;
  const socket: TLSSocket = connectTls({
    ...options,
    ALPNProtocols: [ALPN],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: !tls.insecure,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.insecure ? { checkServerIdentity: () => undefined } : {}),
  });
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol === ALPN) onConnected();
    else socket.destroy();
  });
  return socket;
}
