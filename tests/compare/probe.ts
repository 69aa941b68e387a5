import type { Outcome } from './outcome.ts';
import type { GroupWish, TopicWish } from './targets.ts';
import type { World } from './world.ts';

/** One question that both sides are asked. */
export interface Probe {
  /** Area and subject, unique: `send.tags`. */
  readonly id: string;
  /** Topics of its own, by names that `World.topic` is given. They are there before the first probe runs. */
  readonly topics?: Readonly<Record<string, TopicWish>>;
  /** Consumer groups of its own; others come into being when they are used. */
  readonly groups?: Readonly<Record<string, GroupWish>>;
  /** A group whose dead letters the probe reads; the original does not let anybody read them at first. */
  readonly deadLettersOf?: string;
  /** @returns what was seen, without anything that is by chance or by time */
  run(world: World): Promise<Outcome>;
}
