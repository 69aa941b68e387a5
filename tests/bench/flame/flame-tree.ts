import type { CpuProfile, ProfileNode } from './cpu-profile.ts';

/** A function by the way on which it was called, with the time that was spent in it and below. */
export interface Flame {
  readonly name: string;
  /** File and line without anything of the machine: `libs/storage/src/log.ts:120`; empty for what is no file. */
  readonly place: string;
  readonly layer: string;
  selfMicroseconds: number;
  totalMicroseconds: number;
  readonly children: Flame[];
}

/** Time that is nobody's: it is left out. */
const IDLE = '(idle)';
const NATIVE: ReadonlyMap<string, string> = new Map([
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'outside JavaScript'],
]);

/** The calls of a profile as one tree, without the time in which nothing was to be done. */
export function flameTree(profile: CpuProfile): Flame {
  const selfOf = new Map<number, number>();
  for (const [index, id] of profile.samples.entries()) {
    selfOf.set(id, (selfOf.get(id) ?? 0) + Math.max(0, profile.timeDeltas[index]!));
  }
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const grow = (node: ProfileNode): Flame => {
    const flame = flameOf(node, selfOf.get(node.id) ?? 0);
    for (const id of node.children ?? []) {
      const child = nodes.get(id)!;
      if (child.callFrame.functionName === IDLE) continue;
      const grown = grow(child);
      flame.children.push(grown);
      flame.totalMicroseconds += grown.totalMicroseconds;
    }
    flame.children.sort((a, b) => b.totalMicroseconds - a.totalMicroseconds);
    return flame;
  };
  return grow(profile.nodes[0]!);
}

/** Time in functions of each layer, without what they call; the greatest first. */
export function layersOf(flame: Flame): [layer: string, microseconds: number][] {
  const times = new Map<string, number>();
  const add = ({ layer, selfMicroseconds, children }: Flame): void => {
    times.set(layer, (times.get(layer) ?? 0) + selfMicroseconds);
    for (const child of children) add(child);
  };
  add(flame);
  return [...times].filter(([, time]) => time > 0).sort(([, a], [, b]) => b - a);
}

function flameOf({ callFrame }: ProfileNode, selfMicroseconds: number): Flame {
  const { functionName, url, lineNumber } = callFrame;
  const [layer, file] = whereIs(functionName, url);
  return {
    name: functionName === '' ? '(anonymous)' : functionName,
    place: file === '' ? '' : `${file}:${lineNumber + 1}`,
    layer,
    selfMicroseconds,
    totalMicroseconds: selfMicroseconds,
    children: [],
  };
}

/** Layer and file of a function; paths begin in the repository. */
function whereIs(name: string, url: string): [layer: string, file: string] {
  const native = NATIVE.get(name);
  if (native !== undefined) return [native, ''];
  if (url.startsWith('node:')) return ['Node', url];
  const foreign = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url);
  if (foreign !== null) return ['packages', `${foreign[1]}/${foreign[2]}`];
  const own = /(?:libs|apps)\/([^/]+)\/.*$/.exec(url);
  if (own !== null) return [own[1]!, own[0]];
  return ['built-in functions', ''];
}
