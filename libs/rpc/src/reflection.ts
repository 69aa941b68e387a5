import { DESCRIPTOR_SET_BASE64 } from '@orbitmq/protocol/descriptors';
import {
  ServerReflectionDefinition,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from '@orbitmq/protocol/grpc.reflection.v1';
import { ServerReflectionDefinition as AlphaDefinition } from '@orbitmq/protocol/grpc.reflection.v1alpha';
import { type ProtoFile, readDescriptorSet } from './descriptors.ts';
import { type BoundMethod, bidi, type Call, type Sink } from './service.ts';
import { statusNumber } from './status.ts';

type Answer = Omit<ServerReflectionResponse, 'validHost' | 'originalRequest'>;

const NO_ANSWER: Answer = {
  fileDescriptorResponse: undefined,
  allExtensionNumbersResponse: undefined,
  listServicesResponse: undefined,
  errorResponse: undefined,
};

/**
 * Server reflection (`grpc.reflection.v1` and `v1alpha`) for the services that `methods` belong to, and for itself.
 * @param methods all other methods of the server
 */
export function reflectionMethods(methods: readonly BoundMethod[]): BoundMethod[] {
  const index = new ReflectionIndex([
    ...methods.map((method) => serviceOf(method.path)),
    ServerReflectionDefinition.fullName,
    AlphaDefinition.fullName,
  ]);
  const handler = async (
    requests: AsyncIterable<ServerReflectionRequest>,
    call: Call,
    sink: Sink<ServerReflectionResponse>,
  ): Promise<void> => {
    for await (const request of requests) {
      await sink.write({ validHost: request.host, originalRequest: request, ...index.answer(request) });
      if (call.draining) return;
    }
  };
  return [
    bidi(ServerReflectionDefinition, 'serverReflectionInfo', handler),
    bidi(AlphaDefinition, 'serverReflectionInfo', handler),
  ];
}

/** What can be asked about the given services. */
class ReflectionIndex {
  readonly #services: readonly string[];
  readonly #fileByName = new Map<string, ProtoFile>();
  readonly #fileBySymbol = new Map<string, ProtoFile>();

  constructor(services: readonly string[]) {
    const all = new Map(
      readDescriptorSet(Buffer.from(DESCRIPTOR_SET_BASE64, 'base64')).map((file) => [file.name, file]),
    );
    this.#services = [...new Set(services)].sort();
    for (const file of all.values()) {
      if (file.services.some((service) => this.#services.includes(service))) this.#add(file, all);
    }
  }

  answer(request: ServerReflectionRequest): Answer {
    if (request.fileByFilename !== undefined) return this.#files(this.#fileByName.get(request.fileByFilename), 'file');
    if (request.fileContainingSymbol !== undefined) {
      return this.#files(this.#fileBySymbol.get(request.fileContainingSymbol), 'symbol');
    }
    if (request.listServices !== undefined) {
      return { ...NO_ANSWER, listServicesResponse: { service: this.#services.map((name) => ({ name })) } };
    }
    if (request.allExtensionNumbersOfType !== undefined) return this.#extensions(request.allExtensionNumbersOfType);
    if (request.fileContainingExtension !== undefined) return failure('NOT_FOUND', 'no such extension');
    return failure('INVALID_ARGUMENT', 'the request asks for nothing');
  }

  #add(file: ProtoFile, all: ReadonlyMap<string, ProtoFile>): void {
    if (this.#fileByName.has(file.name)) return;
    this.#fileByName.set(file.name, file);
    for (const symbol of file.symbols) this.#fileBySymbol.set(symbol, file);
    for (const name of file.imports) this.#add(all.get(name)!, all);
  }

  #files(file: ProtoFile | undefined, wanted: string): Answer {
    if (!file) return failure('NOT_FOUND', `no such ${wanted}`);
    const files = new Set<ProtoFile>();
    const add = (next: ProtoFile): void => {
      if (files.has(next)) return;
      files.add(next);
      for (const name of next.imports) add(this.#fileByName.get(name)!);
    };
    add(file);
    return { ...NO_ANSWER, fileDescriptorResponse: { fileDescriptorProto: Array.from(files, ({ bytes }) => bytes) } };
  }

  /** proto3 files have no extensions of their own. */
  #extensions(baseTypeName: string): Answer {
    if (!this.#fileBySymbol.has(baseTypeName)) return failure('NOT_FOUND', 'no such type');
    return { ...NO_ANSWER, allExtensionNumbersResponse: { baseTypeName, extensionNumber: [] } };
  }
}

function failure(status: 'NOT_FOUND' | 'INVALID_ARGUMENT', errorMessage: string): Answer {
  return { ...NO_ANSWER, errorResponse: { errorCode: statusNumber(status), errorMessage } };
}

function serviceOf(path: string): string {
  return path.slice(1, path.lastIndexOf('/'));
}
