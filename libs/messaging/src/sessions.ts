import { type Clock, MqError, type Timer } from '@orbitmq/base';
import type { Settings } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Caller } from './caller.ts';
import type { MessagingLimits, MessagingTimes } from './config.ts';
import { Session } from './session.ts';

const SCAN_INTERVAL_MS = 5_000;

/** All clients of this broker, by client id. */
export class Sessions {
  private readonly byClientId = new Map<string, Session>();
  private readonly clock: Clock;
  private readonly limits: MessagingLimits;
  private readonly times: MessagingTimes;
  private readonly onArrival: (session: Session) => void;
  private settingsTotalBytes = 0;
  private timer: Timer | undefined;

  /** @param onArrival hears of each client that was not known before */
  constructor(clock: Clock, limits: MessagingLimits, times: MessagingTimes, onArrival: (session: Session) => void) {
    this.clock = clock;
    this.limits = limits;
    this.times = times;
    this.onArrival = onArrival;
  }

  get size(): number {
    return this.byClientId.size;
  }

  all(): IterableIterator<Session> {
    return this.byClientId.values();
  }

  /** The session of a client, when it has one; a sign of life. @param nowMs by the monotonic clock */
  seen(clientId: string, nowMs = this.clock.monotonicMs()): Session | undefined {
    const session = this.byClientId.get(clientId);
    if (session) session.lastSeenMs = nowMs;
    return session;
  }

  /**
   * The session of a client, made when there is none; a sign of life.
   * @throws MqError TOO_MANY_REQUESTS when too many clients are known
   */
  obtain(caller: Caller): Session {
    const known = this.seen(caller.clientId);
    if (known) return known;
    if (this.byClientId.size >= this.limits.sessionsMax) {
      throw new MqError(
        'TOO_MANY_REQUESTS',
        `this broker serves at most ${this.limits.sessionsMax} clients; found as many; close some, or try again later`,
      );
    }
    const session = new Session(caller, this.clock.monotonicMs());
    this.byClientId.set(caller.clientId, session);
    this.timer ??= this.clock.setTimer(SCAN_INTERVAL_MS, () => this.scan());
    this.onArrival(session);
    return session;
  }

  /**
   * Keeps a client's newest settings.
   * @throws MqError TOO_MANY_REQUESTS when the settings of all clients would take too much memory
   */
  keepSettings(session: Session, settings: Settings, sizeBytes: number): void {
    const totalBytes = this.settingsTotalBytes - session.settingsBytes + sizeBytes;
    if (totalBytes > this.limits.settingsTotalBytesMax) {
      throw new MqError(
        'TOO_MANY_REQUESTS',
        `the settings of all clients have at most ${this.limits.settingsTotalBytesMax} bytes; found ${totalBytes}; use fewer clients, or fewer topics in one`,
      );
    }
    this.settingsTotalBytes = totalBytes;
    session.settings = settings;
    session.settingsBytes = sizeBytes;
  }

  /** Forgets a client and ends what runs on its behalf. */
  remove(session: Session): void {
    if (this.byClientId.get(session.clientId) === session) {
      this.byClientId.delete(session.clientId);
      this.settingsTotalBytes -= session.settingsBytes;
    }
    session.end();
  }

  /** Stops looking for silent clients. Sessions stay as they are. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private scan(): void {
    const nowMs = this.clock.monotonicMs();
    for (const session of this.byClientId.values()) {
      if (session.isSilent(nowMs, this.times.silenceMs, this.times.disconnectedMs)) this.remove(session);
    }
    const more = this.byClientId.size > 0;
    this.timer = more ? this.clock.setTimer(SCAN_INTERVAL_MS, () => this.scan()) : undefined;
  }
}
