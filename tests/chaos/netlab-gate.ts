/*
 * Runs on a host of a lab for the test outside of it. Sockets stay where they were made, so a listener that was made outside and is
 * handed in here leads into the lab, and one that is made here and handed out leads out of it.
 */
import { connect, createServer, type Server } from 'node:net';

/** What the test asks of the gate. */
export type GateRequest =
  /** Comes with a listener: what connects to it is led to this address. */
  | { readonly leadTo: string; readonly port: number }
  /** Asks for a listener of this host. */
  | { readonly listenOn: string }
  /** The listener has arrived. */
  | { readonly taken: true };

let handedOut: Server | undefined;

process.on('message', (request: GateRequest, listener: Server | undefined) => {
  if ('leadTo' in request) lead(listener!, request.leadTo, request.port);
  else if ('listenOn' in request) handOut(request.listenOn);
  else handedOut?.close();
});
process.on('disconnect', () => process.exit());

function lead(listener: Server, host: string, port: number): void {
  listener.on('connection', (near) => {
    const far = connect({ host, port, noDelay: true });
    near.setNoDelay();
    near.pipe(far).pipe(near);
    near.on('error', () => far.resetAndDestroy());
    far.on('error', () => near.resetAndDestroy());
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  process.send!('leads');
}

function handOut(host: string): void {
  const server = createServer();
  server.listen(0, host, () => {
    handedOut = server;
    process.send!('listens', server);
  });
}
