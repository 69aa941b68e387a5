import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENGINE_NAMES, ENGINES, withEngineServer } from './engines.ts';
import { H2SPEC_EXCEPTIONS } from './exceptions.ts';
import { passesAlone, runH2Spec } from './h2spec.ts';
import { preparePrograms } from './programs.ts';
import { testServiceMethods } from './test-service.ts';

const { programs, missing } = await preparePrograms();
const PATH = '/grpc.testing.TestService/EmptyCall';
/** Less would mean that h2spec broke off. */
const CASE_COUNT_MIN = 140;

describe('h2spec: generic, http2 and hpack, strict', { skip: missing }, () => {
  for (const name of ENGINE_NAMES) {
    it(`a server of the engine ${name} passes, but for the listed exceptions`, () =>
      withEngineServer(ENGINES[name], testServiceMethods(), async ({ port }) => {
        const exceptions = H2SPEC_EXCEPTIONS[name];
        const results = await runH2Spec(programs!.h2spec, port, PATH);
        assert.ok(results.length >= CASE_COUNT_MIN, `h2spec ran ${results.length} cases only`);
        const missed = results.filter(({ outcome }) => outcome !== 'passed');
        const failed: string[] = [];
        for (const { id, title, outcome } of missed) {
          if (id in exceptions || (await passesAlone(programs!.h2spec, port, PATH, id))) continue;
          failed.push(`${id} ${outcome}: ${title}`);
        }
        assert.deepEqual(failed, []);
        const known = new Set(results.map(({ id }) => id));
        assert.deepEqual(
          Object.keys(exceptions).filter((id) => !known.has(id)),
          [],
          'exceptions that h2spec does not know',
        );
      }));
  }
});
