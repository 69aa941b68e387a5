import type { TelemetryCommand } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Sink } from '@orbitmq/rpc';
import type { CommandStream, Session } from './session.ts';

/** Commands kept for a client that takes nothing. */
const WAITING_MAX = 4_096;

/** The answering side of one telemetry stream. */
export class TelemetryStream implements CommandStream {
  /** The session that the stream belongs to, once its settings have come. */
  session: Session | undefined;
  private readonly sink: Sink<TelemetryCommand>;
  private blocked = false;
  /** What could not be sent while the client took nothing, in order; of settings the newest. */
  private waiting: TelemetryCommand[] = [];

  constructor(sink: Sink<TelemetryCommand>) {
    this.sink = sink;
  }

  /** Sends an answer; settles when the client has taken enough for more. */
  async send(command: TelemetryCommand): Promise<void> {
    const drained = this.sink.write(command);
    if (!drained) return;
    this.blocked = true;
    await drained;
    this.blocked = false;
    const waiting = this.waiting;
    this.waiting = [];
    for (const command of waiting) this.push(command);
  }

  offer(command: TelemetryCommand): boolean {
    if (this.blocked) return false;
    void this.send(command);
    return true;
  }

  push(command: TelemetryCommand): void {
    if (!this.blocked) {
      void this.send(command);
      return;
    }
    if (command.settings) this.waiting = this.waiting.filter(({ settings }) => !settings);
    if (this.waiting.length < WAITING_MAX) this.waiting.push(command);
  }

  /** Makes this a stream of `session`, and of no other. */
  attachTo(session: Session): void {
    if (this.session === session) return;
    this.detach();
    this.session = session;
    session.attach(this);
  }

  detach(): void {
    this.session?.detach(this);
    this.session = undefined;
  }
}
