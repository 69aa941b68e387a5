import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ENGINE_NAMES, ENGINES, withEngineServer } from './engines.ts';
import { INTEROP_EXCEPTIONS } from './exceptions.ts';
import { withGoServer } from './go-server.ts';
import { CLIENT_CASES } from './interop-cases.ts';
import { preparePrograms } from './programs.ts';
import { testServiceMethods } from './test-service.ts';

const run = promisify(execFile);
const { programs, missing } = await preparePrograms();
const CASE_MS_MAX = 40_000;

/** The cases of `go/main.go`. */
const GO_CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'custom_metadata',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
  'large_unary_gzip',
  'client_streaming_gzip',
  'ping_pong_gzip',
];

describe("gRPC's interop cases", { skip: missing }, () => {
  for (const name of ENGINE_NAMES) {
    it(`its Go client is content with a server of the engine ${name}`, () =>
      withEngineServer(ENGINES[name], testServiceMethods(), async ({ port }) => {
        for (const testCase of GO_CASES) {
          if (testCase in INTEROP_EXCEPTIONS) continue;
          await assert.doesNotReject(
            run(programs!.interop, ['call', `127.0.0.1:${port}`, testCase], { timeout: CASE_MS_MAX }),
            testCase,
          );
        }
      }));
  }

  for (const name of ENGINE_NAMES) {
    it(`a client of the engine ${name} is content with its Go server`, () =>
      withGoServer(programs!.interop, async (address) => {
        const client = ENGINES[name].createClient({ addresses: [address], tls: undefined });
        try {
          for (const [testCase, runCase] of Object.entries(CLIENT_CASES)) {
            await assert.doesNotReject(runCase(client), testCase);
          }
        } finally {
          client.close();
        }
      }));
  }

  for (const serverName of ENGINE_NAMES) {
    for (const clientName of ENGINE_NAMES) {
      it(`a client of ${clientName} is content with a server of ${serverName}`, () =>
        withEngineServer(ENGINES[serverName], testServiceMethods(), async ({ port }) => {
          const client = ENGINES[clientName].createClient({ addresses: [`127.0.0.1:${port}`], tls: undefined });
          try {
            for (const [testCase, runCase] of Object.entries(CLIENT_CASES)) {
              await assert.doesNotReject(runCase(client), testCase);
            }
          } finally {
            client.close();
          }
        }));
    }
  }
});
