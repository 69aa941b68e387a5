import { setTimeout as pause } from 'node:timers/promises';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { introduce, receiveSome, sendSome } from './polite-visits.ts';
import type { Place } from './visit.ts';

const TIMEOUT_MS = 60_000;
const POLLING_MS = 5_000;
/** From one send to the next. */
const SEND_MS = 500;

/** A producer and a consumer that stay for the whole time at one place, on one connection each. */
export class Residents {
  readonly #place: Place;
  readonly #onFailure: (name: string, error: unknown) => void;
  readonly #work: Promise<void>[];
  #isOver = false;

  constructor(place: Place, onFailure: (name: string, error: unknown) => void) {
    this.#place = place;
    this.#onFailure = onFailure;
    this.#work = [this.#stay('resident producer', this.#produce), this.#stay('resident consumer', this.#consume)];
  }

  /** Settles when both have done their last call and are gone. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#work);
  }

  /** A failed one comes again, as real ones do. */
  async #stay(name: string, step: (client: MessagingClient) => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      using client = new MessagingClient(`127.0.0.1:${this.#place.port}`, `${name} ${this.#place.port}`, TIMEOUT_MS);
      try {
        await introduce(client);
        while (!this.#isOver) await step(client);
      } catch (error) {
        this.#onFailure(name, error);
        await pause(SEND_MS);
      }
    }
  }

  readonly #produce = async (client: MessagingClient): Promise<void> => {
    await sendSome(client, this.#place, 1);
    await pause(SEND_MS);
  };

  readonly #consume = (client: MessagingClient): Promise<void> => receiveSome(client, this.#place, POLLING_MS);
}
