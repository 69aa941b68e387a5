import { WireReader } from '@orbitmq/protocol';

const decoder = new TextDecoder();

/** One .proto file: its encoded `google.protobuf.FileDescriptorProto` and what is needed to find it. */
export interface ProtoFile {
  readonly name: string;
  /** `google.protobuf.FileDescriptorProto`. */
  readonly bytes: Uint8Array;
  readonly imports: readonly string[];
  /** Full names of all services, methods, messages, fields, enums and enum values. */
  readonly symbols: readonly string[];
  /** Full names of the services. */
  readonly services: readonly string[];
}

/** Field numbers of the descriptor messages (google/protobuf/descriptor.proto). */
const SET = { file: 1 };
const FILE = { name: 1, package: 2, dependency: 3, message: 4, enum: 5, service: 6 };
const MESSAGE = { field: 2, nested: 3, enum: 4, oneof: 8 };
const ENUM = { value: 2 };
const SERVICE = { method: 2 };
/** `name` is field 1 of all of them. */
const NAME = 1;

/** The files of an encoded `google.protobuf.FileDescriptorSet`. */
export function readDescriptorSet(bytes: Uint8Array): ProtoFile[] {
  return fields(bytes, SET.file).map(readFile);
}

function readFile(bytes: Uint8Array): ProtoFile {
  const scope = texts(bytes, FILE.package)[0] ?? '';
  const services = fields(bytes, FILE.service).map((service) => fullName(scope, service));
  const symbols: string[] = [...services];
  for (const message of fields(bytes, FILE.message)) addMessage(symbols, scope, message);
  for (const type of fields(bytes, FILE.enum)) addEnum(symbols, scope, type);
  for (const service of fields(bytes, FILE.service)) {
    for (const method of fields(service, SERVICE.method)) symbols.push(fullName(fullName(scope, service), method));
  }
  return { name: texts(bytes, FILE.name)[0]!, bytes, imports: texts(bytes, FILE.dependency), symbols, services };
}

function addMessage(symbols: string[], scope: string, message: Uint8Array): void {
  const name = fullName(scope, message);
  symbols.push(name);
  for (const part of [MESSAGE.field, MESSAGE.oneof]) {
    for (const field of fields(message, part)) symbols.push(fullName(name, field));
  }
  for (const nested of fields(message, MESSAGE.nested)) addMessage(symbols, name, nested);
  for (const type of fields(message, MESSAGE.enum)) addEnum(symbols, name, type);
}

/** Values of an enum are named beside it, not below it. */
function addEnum(symbols: string[], scope: string, type: Uint8Array): void {
  symbols.push(fullName(scope, type));
  for (const value of fields(type, ENUM.value)) symbols.push(fullName(scope, value));
}

function fullName(scope: string, named: Uint8Array): string {
  const name = texts(named, NAME)[0]!;
  return scope === '' ? name : `${scope}.${name}`;
}

function texts(bytes: Uint8Array, fieldNumber: number): string[] {
  return fields(bytes, fieldNumber).map((value) => decoder.decode(value));
}

/** Views of all values of a field. */
function fields(bytes: Uint8Array, fieldNumber: number): Uint8Array[] {
  const reader = new WireReader(bytes);
  const values: Uint8Array[] = [];
  while (reader.next()) if (reader.isBytes(fieldNumber)) values.push(reader.value());
  return values;
}
