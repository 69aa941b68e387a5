import { type BoundMethod, RpcError } from './service.ts';

/**
 * Bounds the requests of methods before they are decoded. The limit of a port is that of its largest request, and within
 * it a repeated field of two bytes an entry would become millions of objects.
 * @param bytesMax longest encoded request
 * @param exceptNames methods that bound what they decode themselves
 */
export function boundRequests(
  methods: readonly BoundMethod[],
  bytesMax: number,
  exceptNames: readonly string[] = [],
): BoundMethod[] {
  return methods.map((method) => {
    const name = method.path.slice(method.path.lastIndexOf('/') + 1);
    return exceptNames.includes(name) ? method : boundRequest(method, name, bytesMax);
  });
}

function boundRequest(method: BoundMethod, name: string, bytesMax: number): BoundMethod {
  return {
    ...method,
    decode(bytes) {
      if (bytes.length <= bytesMax) return method.decode(bytes);
      throw new RpcError(
        'RESOURCE_EXHAUSTED',
        `a request of ${name} has at most ${bytesMax} bytes; found ${bytes.length}; spread it over several calls`,
      );
    },
  };
}
