import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Server as Listener } from 'node:net';

/** What of a Lease object matters here. */
interface LeaseObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

const PATH = /^\/apis\/coordination\.k8s\.io\/v1\/namespaces\/([^/]+)\/leases(?:\/([^/?]+))?$/;

/**
 * The Lease objects of a Kubernetes API server and nothing else, in memory: for tests of real processes on machines without
 * Kubernetes. It compares uids and resourceVersions as the real one does; that both agree is shown by the contract suite of Lease
 * stores, which runs against both.
 */
export class LeaseApi implements AsyncDisposable {
  readonly #server: Server;
  readonly #leases = new Map<string, LeaseObject>();
  #version = 0;
  /** Requests are neither answered nor carried out. */
  isCut = false;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** @param listener takes connections already; without it, a free port of 127.0.0.1 does */
  static async start(listener?: Listener): Promise<LeaseApi> {
    const api = new LeaseApi();
    await new Promise<void>((resolve) => {
      if (listener === undefined) api.#server.listen(0, '127.0.0.1', resolve);
      else api.#server.listen(listener, resolve);
    });
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A Lease as it is now, by name. */
  lease(name: string): Record<string, unknown> | undefined {
    return this.#leases.get(name) as Record<string, unknown> | undefined;
  }

  /** Writes a kubeconfig that leads here. */
  writeKubeconfig(file: string, host = '127.0.0.1'): string {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: 'test', cluster: { server: `http://${host}:${this.port}`, 'insecure-skip-tls-verify': true } },
      ],
      users: [{ name: 'test', user: {} }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
      'current-context': 'test',
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (this.isCut) return;
    const match = PATH.exec(request.url?.split('?')[0] ?? '');
    if (!match) {
      answer(response, 404, failure(404, 'NotFound'));
      return;
    }
    const name = match[2];
    const body = chunks.length === 0 ? undefined : (JSON.parse(Buffer.concat(chunks).toString()) as LeaseObject);
    if (request.method === 'GET' && name !== undefined) this.#get(name, response);
    else if (request.method === 'POST' && body !== undefined) this.#put(undefined, body, response);
    else if (request.method === 'PUT' && name !== undefined && body !== undefined) this.#put(name, body, response);
    else answer(response, 405, failure(405, 'MethodNotAllowed'));
  }

  #get(name: string, response: ServerResponse): void {
    const found = this.#leases.get(name);
    if (found === undefined) answer(response, 404, failure(404, 'NotFound'));
    else answer(response, 200, found);
  }

  #put(name: string | undefined, body: LeaseObject, response: ServerResponse): void {
    const before = this.#leases.get(body.metadata.name);
    if (name === undefined && before !== undefined) {
      answer(response, 409, failure(409, 'AlreadyExists'));
      return;
    }
    const { uid, resourceVersion } = body.metadata;
    const isOfAnother = uid !== undefined && uid !== before?.metadata.uid;
    const isOld = before !== undefined && resourceVersion !== before.metadata.resourceVersion;
    // A Lease that is not there is made by an update, too, unless its uid says which one was meant.
    if (name !== undefined && (isOfAnother || (isOld && resourceVersion !== undefined))) {
      answer(response, 409, failure(409, 'Conflict'));
      return;
    }
    const identity = { uid: before?.metadata.uid ?? randomUUID(), resourceVersion: String(++this.#version) };
    const stored = { ...body, metadata: { ...body.metadata, ...identity } };
    this.#leases.set(body.metadata.name, stored);
    answer(response, name === undefined ? 201 : 200, stored);
  }
}

function failure(code: number, reason: string): object {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message: reason };
}

function answer(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
