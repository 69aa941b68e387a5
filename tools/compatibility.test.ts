import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './repository.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/compatibility.md');
const VERB_FILES = ['apps/mqadmin/src/verbs.ts', 'apps/mqadmin/src/offset-verbs.ts', 'apps/mqadmin/src/lite-verbs.ts'];

/** Rows of the page's tables that name a call, verb or attribute. */
function rowsNaming(name: string): string[] {
  return page.split('\n').filter((line) => line.startsWith('|') && line.includes(`\`${name}\``));
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name]) => name!);
}

test('the page has a state for each call of the API, and the right one for those that are not served', () => {
  const calls = matches(read('proto/apache/rocketmq/v2/service.proto'), /^\s*rpc (\w+)/gm);
  assert.equal(calls.length, 17);
  const served = read('libs/messaging/src/messaging-service.ts');
  for (const call of calls) {
    const [row] = rowsNaming(call);
    assert.ok(row, `docs/compatibility.md says nothing of ${call}`);
    const isServed = served.includes(`'${call[0]!.toLowerCase()}${call.slice(1)}'`);
    assert.equal(!/\| not yet/.test(row), isServed, `docs/compatibility.md is wrong about ${call}`);
  }
});

test('the page has each verb of mqadmin, and none as missing that is there', () => {
  const verbs = VERB_FILES.flatMap((path) => matches(read(path), /^\s+name: '(\w+)'/gm));
  assert.ok(verbs.length > 20);
  for (const verb of verbs) {
    const rows = rowsNaming(verb);
    assert.ok(rows.length > 0, `docs/compatibility.md says nothing of mqadmin ${verb}`);
    assert.ok(!rows.some((row) => /\| not yet/.test(row)), `docs/compatibility.md is wrong about mqadmin ${verb}`);
  }
});

test('the page has each topic and group attribute that is taken', () => {
  const sources = [
    'libs/admin/src/topic-request.ts',
    'libs/shard/src/queue-turns.ts',
    'libs/shard/src/message-groups.ts',
  ];
  const attributes = sources.flatMap((path) => matches(read(path), /'([a-z]+\.[a-z.]+)'/g));
  for (const attribute of attributes) {
    assert.ok(rowsNaming(attribute).length > 0, `docs/compatibility.md says nothing of the attribute ${attribute}`);
  }
});
