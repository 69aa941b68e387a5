import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listening } from './listen-failure.ts';

describe('opening a port', () => {
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error(`listen ${code}`), { code }));

  it('says which key gave a port that is in use, or may not be had', async () => {
    await assert.rejects(listening('listenPort', 9876, failing('EADDRINUSE')), {
      message: 'port 9876 (listenPort) is in use: stop what uses it, or set listenPort',
    });
    await assert.rejects(
      listening('listenPort', 80, failing('EACCES')),
      /port 80 \(listenPort\) can't be opened \(EACCES\)/,
    );
    await assert.rejects(listening('listenPort', 80, failing('EMFILE')), { message: 'listen EMFILE' });
  });

  it('passes on what was opened', async () => {
    assert.equal(await listening('listenPort', 9876, () => Promise.resolve('open')), 'open');
  });
});
