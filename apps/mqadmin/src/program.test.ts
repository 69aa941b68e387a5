import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from './program.ts';
import { VERBS } from './verbs.ts';

async function runWith(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const written = { out: '', error: '' };
  const code = await run(words, {
    out: (text) => {
      written.out += text;
    },
    error: (text) => {
      written.error += text;
    },
  });
  return { code, ...written };
}

describe('mqadmin', () => {
  it('lists all verbs', async () => {
    const { code, out } = await runWith('help');
    assert.equal(code, 0);
    for (const { name } of VERBS) assert.ok(out.includes(name), name);
  });

  it('shows the options of a verb', async () => {
    const { code, out } = await runWith('updateTopic', '-h');
    assert.equal(code, 0);
    assert.match(out, /--readQueueNums/);
  });

  it('names the verb that is nearest to an unknown one', async () => {
    const { code, error } = await runWith('updatetopik', '-t', 'x');
    assert.equal(code, 2);
    assert.match(error, /no verb "updatetopik"; did you mean updateTopic\?/);
    assert.match((await runWith('zzz')).error, /"mqadmin help" lists/);
    assert.match((await runWith('__proto__')).error, /no verb "__proto__"/);
  });

  it('says what is wrong with a command line', async () => {
    const cases: [string[], RegExp][] = [
      [['topicRoute'], /required option '-t, --topic <topic>' not specified/],
      [['topicList', '--what'], /unknown option '--what'/],
      [['topicList', 'extra'], /too many arguments/],
      [['topicList', '-n', 'nowhere'], /-n takes host:port.*"nowhere"/],
      [
        ['updateTopic', '-t', 'x', '-r', '0', '-n', '127.0.0.1:1'],
        /--readQueueNums must be a whole number, 1…1024; found "0"/,
      ],
      [['updateTopic', '-t', 'x', '-p', '3', '-n', '127.0.0.1:1'], /--perm must be 2/],
      [['updateTopic', '-t', 'x', '-a', 'a=b', '-n', '127.0.0.1:1'], /written \+key=value or -key.*"a=b"/],
      [['updateSubGroup', '-g', 'x', '-o', 'yes', '-n', '127.0.0.1:1'], /must be true or false; found "yes"/],
      [['updateSubGroup', '-g', 'x', '-p', '{}', '-n', '127.0.0.1:1'], /--groupRetryPolicy must be \{"type"/],
    ];
    for (const [words, message] of cases) {
      const { code, error } = await runWith(...words);
      assert.equal(code, 2, words.join(' '));
      assert.match(error, message);
    }
  });

  it('says which name server does not answer, and what to do', async () => {
    const { code, error } = await runWith('topicList', '-n', '127.0.0.1:1');
    assert.equal(code, 1);
    assert.match(error, /127\.0\.0\.1:1 \(not reachable\).*-n or NAMESRV_ADDR/);
  });
});
