import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HealthDefinition } from '@orbitmq/protocol/grpc.health.v1';
import { ServerReflectionDefinition, ServerReflectionRequest } from '@orbitmq/protocol/grpc.reflection.v1';
import { type Fixture, withServer } from './contract/harness.ts';
import { readDescriptorSet } from './descriptors.ts';
import { createGrpcJsClient } from './grpc-js/client.ts';
import { startGrpcJsServer } from './grpc-js/server.ts';
import { HealthService } from './health.ts';
import { reflectionMethods } from './reflection.ts';

const ENGINE = { startServer: startGrpcJsServer, createClient: createGrpcJsClient };
const NOTHING = ServerReflectionRequest.decode(new Uint8Array());

async function ask({ client }: Fixture, question: Partial<ServerReflectionRequest>) {
  const call = client.bidi(ServerReflectionDefinition, 'serverReflectionInfo');
  await call.write({ ...NOTHING, ...question });
  call.end();
  for await (const response of call.responses) return response;
  return assert.fail('no answer');
}

function withReflection(use: (fixture: Fixture) => Promise<void>): Promise<void> {
  const methods = new HealthService([]).methods();
  return withServer(ENGINE, {}, use, { methods: [...methods, ...reflectionMethods(methods)] });
}

/** Names of the files in an answer. */
function filesOf({ fileDescriptorResponse }: Awaited<ReturnType<typeof ask>>): string[] {
  const files = fileDescriptorResponse?.fileDescriptorProto ?? [];
  const set = Buffer.concat(files.flatMap((file) => [lengthPrefix(file.length), file]));
  return readDescriptorSet(set).map(({ name }) => name);
}

function lengthPrefix(length: number): Buffer {
  return Buffer.from([0x0a, (length & 0x7f) | 0x80, length >> 7]); // long enough for 16 KiB
}

describe('server reflection', () => {
  it('lists the services of the server and no others', () =>
    withReflection(async (fixture) => {
      const { listServicesResponse } = await ask(fixture, { listServices: '*' });
      assert.deepEqual(
        listServicesResponse?.service.map(({ name }) => name),
        [HealthDefinition.fullName, 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'],
      );
    }));

  it('finds files by name and by every kind of symbol', () =>
    withReflection(async (fixture) => {
      const file = 'grpc/health/v1/health.proto';
      assert.deepEqual(filesOf(await ask(fixture, { fileByFilename: file })), [file]);
      for (const symbol of ['Health', 'Health.Watch', 'HealthCheckRequest', 'HealthCheckRequest.service']) {
        const answer = await ask(fixture, { fileContainingSymbol: `grpc.health.v1.${symbol}` });
        assert.deepEqual(filesOf(answer), [file], symbol);
      }
      const nested = ['ServingStatus', 'SERVING'].map((name) => `grpc.health.v1.HealthCheckResponse.${name}`);
      for (const symbol of nested)
        assert.deepEqual(filesOf(await ask(fixture, { fileContainingSymbol: symbol })), [file]);
    }));

  it('says what it does not know, and shows no file of another port', () =>
    withReflection(async (fixture) => {
      const codeOf = async (question: Partial<ServerReflectionRequest>) =>
        (await ask(fixture, question)).errorResponse?.errorCode;
      assert.equal(await codeOf({ fileByFilename: '../../etc/passwd' }), 5);
      assert.equal(await codeOf({ fileContainingSymbol: 'orbitmq.admin.v1.AdminService' }), 5);
      assert.equal(await codeOf({ fileContainingSymbol: '__proto__' }), 5);
      assert.equal(await codeOf({ allExtensionNumbersOfType: 'no.Type' }), 5);
      assert.equal(await codeOf({}), 3);
    }));
});
