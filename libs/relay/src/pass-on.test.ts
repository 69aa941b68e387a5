import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeartbeatResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Call, type OpenCall, type Reply, RpcError, type UnaryReceiver, UnreachableError } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';
import { passOn } from './pass-on.ts';

/** A broker that does with a call what it is told to, at once. */
class FakeBroker {
  readonly name: string;
  readonly #answer: (receiver: UnaryReceiver) => void;
  receiver: UnaryReceiver | undefined;
  openCount = 0;
  callCount = 0;
  cancelCount = 0;
  readonly connections = {
    acquire: () => {
      this.openCount++;
      return { client: { raw: { unaryTo: (...[, , , receiver]: UnaryArguments) => this.#call(receiver) } } };
    },
    release: () => {
      this.openCount--;
    },
  };

  constructor(name: string, answer: (receiver: UnaryReceiver) => void) {
    this.name = name;
    this.#answer = answer;
  }

  #call(receiver: UnaryReceiver): OpenCall {
    this.callCount++;
    this.receiver = receiver;
    this.#answer(receiver);
    return { cancel: () => void this.cancelCount++ };
  }
}

type UnaryArguments = [path: string, request: Uint8Array, options: object, receiver: UnaryReceiver];

/** A client's call. */
class FakeCall {
  readonly path = '/a.B/C';
  readonly listeners: (() => void)[] = [];
  cancelled = false;

  remainingMs(): number {
    return 1_000;
  }

  onCancel(listener: () => void): () => void {
    if (this.cancelled) listener();
    else this.listeners.push(listener);
    return () => {};
  }

  cancel(): void {
    this.cancelled = true;
    for (const listener of this.listeners) listener();
  }
}

/** Passes a call on to these brokers. @returns what its client has got by now */
function passed(brokers: readonly FakeBroker[], call: FakeCall): readonly unknown[] {
  const outcomes: unknown[] = [];
  const reply: Reply<Uint8Array> = {
    respond: (bytes) => outcomes.push(bytes),
    reject: (error) => outcomes.push(error),
  };
  passOn(brokers as unknown as readonly Broker[], Buffer.from('request'), call as unknown as Call, reply);
  return outcomes;
}

const unreached = (receiver: UnaryReceiver): void => receiver.onFailure(new UnreachableError('away'));
const silent = (): void => {};
const codeOf = (bytes: unknown): number | undefined => HeartbeatResponse.decode(bytes as Uint8Array).status?.code;

describe('a call that is passed on', () => {
  it('gives back the connection of each broker, however its call ended', () => {
    const answer = Buffer.from('answer');
    const brokers = [
      new FakeBroker('a', unreached),
      new FakeBroker('b', (receiver) => receiver.onResponse(answer)),
      new FakeBroker('c', silent),
    ];
    assert.deepEqual(passed(brokers, new FakeCall()), [answer]);
    const failing = new FakeBroker('d', (receiver) => receiver.onFailure(new RpcError('UNAVAILABLE', 'cut')));
    const refusing = new FakeBroker('e', (receiver) => receiver.onFailure(new RpcError('UNAUTHENTICATED', 'no')));
    assert.equal(codeOf(passed([failing, brokers[2]!], new FakeCall())[0]), 50_400);
    assert.ok(passed([refusing, brokers[2]!], new FakeCall())[0] instanceof RpcError);
    const all = [...brokers, failing, refusing];
    assert.deepEqual(
      all.map(({ callCount, openCount }) => [callCount, openCount]),
      [
        [1, 0],
        [1, 0],
        [0, 0],
        [1, 0],
        [1, 0],
      ],
    );
  });

  it('is cancelled where it is, also when another broker could not be reached at once', () => {
    const [away, there] = [new FakeBroker('a', unreached), new FakeBroker('b', silent)];
    const call = new FakeCall();
    passed([away, there], call);
    call.cancel();
    assert.deepEqual([away.cancelCount, there.cancelCount], [0, 1]);
  });

  it('is not begun, nor tried elsewhere, when its client is gone', () => {
    const [first, second] = [new FakeBroker('a', silent), new FakeBroker('b', silent)];
    const gone = new FakeCall();
    gone.cancel();
    passed([first, second], gone);
    assert.equal(first.callCount, 0);
    const call = new FakeCall();
    passed([first, second], call);
    call.cancel();
    first.receiver!.onFailure(new UnreachableError('away'));
    assert.deepEqual([first.openCount, second.callCount], [0, 0]);
  });
});
