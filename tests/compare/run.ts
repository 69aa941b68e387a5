import { Connections } from './connections.ts';
import { type Judgement, judge, type KnownDifference, probeOf } from './differences.ts';
import { type Difference, differencesOf, type Outcome, type Outcomes } from './outcome.ts';
import type { Probe } from './probe.ts';
import type { CompareTarget } from './targets.ts';
import { World } from './world.ts';

/** Probes that run at the same time: most of them wait. */
const CONCURRENCY = 24;
/** A machine that was busy for a moment must not decide: what is not as expected is asked again, with less beside it. */
const ATTEMPTS_MAX = 3;

let runs = 0;

/** What a run found, compared with what is known. */
export interface Comparison extends Judgement {
  readonly ours: Outcomes;
  readonly found: readonly Difference[];
}

/** Asks OrbitMQ, and again what is not as `theirs` and the known differences let expect. */
export async function compareWith(
  target: CompareTarget,
  probes: readonly Probe[],
  theirs: Outcomes,
  known: readonly KnownDifference[],
): Promise<Comparison> {
  const ids = probes.map(({ id }) => id);
  let ours = await runProbes(target, probes);
  for (let attempt = 1; ; attempt++) {
    const found = differencesOf(ours, theirs);
    const judgement = judge(found, known, ids);
    const suspects = new Set([...judgement.unexplained.map(({ at }) => at), ...judgement.vanished].map(probeOf));
    if (suspects.size === 0 || attempt === ATTEMPTS_MAX) return { ours, found, ...judgement };
    ours = { ...ours, ...(await runProbes(target, onlyOf(probes, suspects))) };
  }
}

/** Whether a probe could not find out anything. */
export function hasFailed(outcome: Outcome | undefined): boolean {
  return typeof outcome === 'object' && outcome !== null && 'failed' in outcome;
}

/** Asks the original, and again what failed or is not as it was recorded, if it was. */
export async function askOriginal(
  target: CompareTarget,
  probes: readonly Probe[],
  recorded: Outcomes | undefined,
): Promise<Outcomes> {
  let theirs = await runProbes(target, probes);
  for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++) {
    const suspects = new Set(
      recorded === undefined
        ? Object.keys(theirs).filter((id) => hasFailed(theirs[id]))
        : differencesOf(theirs, recorded).map(({ at }) => probeOf(at)),
    );
    if (suspects.size === 0) break;
    theirs = { ...theirs, ...(await runProbes(target, onlyOf(probes, suspects))) };
  }
  return theirs;
}

/**
 * Runs probes against one target. All their topics and groups are made first, since the original keeps in mind for a
 * while that it did not find one. What a probe could not find out is the outcome `failed`.
 */
export async function runProbes(target: CompareTarget, probes: readonly Probe[]): Promise<Outcomes> {
  const run = `${Date.now().toString(36).slice(-5)}${runs++}`;
  const connections = new Connections(target.address);
  const worlds = probes.map((probe) => new World(target, connections, probe.id, run));
  await Promise.all(probes.map((probe, index) => prepare(probe, worlds[index]!)));
  const outcomes: Record<string, Outcome> = {};
  const waiting = probes.map((probe, index) => ({ probe, world: worlds[index]! })).reverse();
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      outcomes[next.probe.id] = await runProbe(next.probe, next.world);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  } finally {
    connections.close();
  }
  return outcomes;
}

async function prepare(probe: Probe, world: World): Promise<void> {
  for (const [key, wish] of Object.entries(probe.topics ?? {})) await world.putTopic(key, wish);
  for (const [key, wish] of Object.entries(probe.groups ?? {})) await world.putGroup(key, wish);
  if (probe.deadLettersOf !== undefined) await world.target.openDeadLetters(world.name(probe.deadLettersOf));
}

async function runProbe(probe: Probe, world: World): Promise<Outcome> {
  try {
    return await probe.run(world);
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  } finally {
    world.close();
  }
}

function onlyOf(probes: readonly Probe[], ids: ReadonlySet<string>): Probe[] {
  return probes.filter(({ id }) => ids.has(id));
}
