import { type BoundMethod, RpcError, type ServiceDefinition } from '@orbitmq/rpc';

/**
 * A method for each of a service definition, with its codecs and nobody behind it: to be switched between those who serve.
 * @param why what a call is told that reaches nobody
 */
export function methodModels(service: ServiceDefinition, why: string): BoundMethod[] {
  return Object.values(service.methods).map((method) => ({
    kind: method.requestStream ? 'bidi' : method.responseStream ? 'serverStream' : 'unary',
    path: `/${service.fullName}/${method.name}`,
    decode: (bytes) => method.requestType.decode(bytes),
    encode: (response) => method.responseType.encode(response).finish(),
    handler: () => {
      throw new RpcError('FAILED_PRECONDITION', why);
    },
  }));
}
