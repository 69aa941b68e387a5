const GAP = '  ';

/** Columns as wide as their content, a header of `#Name`s, as the original prints them. */
export function renderTable(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const header = columns.map((column) => `#${column}`);
  const cells = rows.map((row) => row.map((cell) => printable(String(cell ?? ''))));
  const widths = header.map((title, index) =>
    cells.reduce((width, row) => Math.max(width, (row[index] ?? '').length), title.length),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => cell.padEnd(widths[index]!))
      .join(GAP)
      .trimEnd();
  return [header, ...cells].map(line).join('\n');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Text with control characters made visible, so that nothing from outside can steer a terminal. */
export function printable(text: string): string {
  return text.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** JSON of anything that answers hold: numbers of 64 bits, maps, bytes. */
export function renderJson(value: unknown): string {
  const replace = (_key: string, each: unknown): unknown => {
    if (typeof each === 'bigint') return Number.isSafeInteger(Number(each)) ? Number(each) : String(each);
    if (each instanceof Map) return Object.fromEntries(each);
    if (each instanceof Uint8Array) return Buffer.from(each).toString('base64');
    return each;
  };
  return JSON.stringify(value, replace, 2);
}
