import { type Flame, layersOf } from './flame-tree.ts';

const WIDTH = 1200;
const MARGIN = 10;
const ROW = 17;
const CHARACTER = 6.1;
const LEGEND_COLUMNS = 4;
/** What takes less of the time is not drawn. */
const SHARE_MIN = 0.002;
/** Layers that are not named here share the last colour. */
const COLOURS: ReadonlyMap<string, string> = new Map([
  ['rpc', '#7fb2e5'],
  ['messaging', '#f2b36b'],
  ['protocol', '#e8d36b'],
  ['shard', '#e58f7f'],
  ['views', '#c9a0dc'],
  ['storage', '#8fcf8a'],
  ['vfs', '#5fae8b'],
  ['base', '#d9c2a3'],
  ['node', '#d0d0a0'],
  ['runtime', '#a7c4a0'],
  ['Node', '#b9c6d3'],
  ['built-in functions', '#d5dde5'],
  ['outside JavaScript', '#9aa5b1'],
  ['garbage collection', '#d77a9b'],
]);
const COLOUR_OF_OTHERS = '#e0e0e0';

/** What is written above a flame graph. */
export interface FlameTitle {
  readonly title: string;
  /** How much of something the time was for: `send`. */
  readonly unit: string;
  readonly count: number;
}

/** Draws calls as an SVG that needs nothing else: callers below, what they call above, widths by time, colours by layer. */
export function flameSvg(root: Flame, { title, unit, count }: FlameTitle): string {
  const total = root.totalMicroseconds;
  const drawn = (flame: Flame): boolean => flame.totalMicroseconds >= SHARE_MIN * total;
  const depthOf = (flame: Flame): number => 1 + Math.max(0, ...flame.children.filter(drawn).map(depthOf));
  const legend = layersOf(root).filter(([, time]) => time >= SHARE_MIN * total);
  const legendRows = Math.ceil(legend.length / LEGEND_COLUMNS);
  const bottom = MARGIN + (2 + legendRows + depthOf(root)) * ROW;
  const perUnit = (time: number): string => `${(time / count).toFixed(2)} µs`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${bottom + MARGIN}" font-family="monospace" font-size="10">`,
    `<title>${escaped(title)}</title>`,
    '<style>rect{stroke:#fff;stroke-width:.5}g:hover rect{stroke:#000}</style>',
    `<path fill="#fff" d="M0 0h${WIDTH}v${bottom + MARGIN}H0z"/>`,
    `<text x="${MARGIN}" y="${MARGIN + 12}" font-size="14">${escaped(title)}: ${perUnit(total)} a ${escaped(unit)}</text>`,
  ];
  for (const [index, [layer, time]] of legend.entries()) {
    const x = MARGIN + ((index % LEGEND_COLUMNS) * (WIDTH - 2 * MARGIN)) / LEGEND_COLUMNS;
    const y = MARGIN + (1.5 + Math.floor(index / LEGEND_COLUMNS)) * ROW;
    const text = `${layer} ${percent(time / total)}, ${perUnit(time)}`;
    parts.push(rect(x, y, 12, layer), `<text x="${x + 18}" y="${y + 12}">${escaped(text)}</text>`);
  }
  const draw = (flame: Flame, fromMicroseconds: number, depth: number): void => {
    const scale = (WIDTH - 2 * MARGIN) / total;
    const [x, width] = [MARGIN + fromMicroseconds * scale, flame.totalMicroseconds * scale];
    const y = bottom - (depth + 1) * ROW;
    const { name, place, layer, totalMicroseconds, selfMicroseconds } = flame;
    const times = `${percent(totalMicroseconds / total)}, ${perUnit(totalMicroseconds)}, itself ${perUnit(selfMicroseconds)}`;
    const about = [name, ...(place === '' ? [] : [place]), times].join('\n');
    const label = name.slice(0, Math.max(0, Math.floor((width - 4) / CHARACTER)));
    const text = label.length < 3 ? '' : `<text x="${round(x + 2)}" y="${y + 12}">${escaped(label)}</text>`;
    parts.push(`<g><title>${escaped(about)}</title>${rect(x, y, width, layer)}${text}</g>`);
    let from = fromMicroseconds;
    for (const child of flame.children) {
      if (drawn(child)) draw(child, from, depth + 1);
      from += child.totalMicroseconds;
    }
  };
  draw(root, 0, 0);
  return `${[...parts, '</svg>'].join('\n')}\n`;
}

function rect(x: number, y: number, width: number, layer: string): string {
  const colour = COLOURS.get(layer) ?? COLOUR_OF_OTHERS;
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${ROW - 1}" fill="${colour}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
