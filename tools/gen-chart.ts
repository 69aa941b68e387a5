import { readFileSync, writeFileSync } from 'node:fs';
import { dashboard } from './chart/dashboard.ts';
import { parameterTable, schemaOf, yamlFileOf } from './chart/render.ts';
import type { Schema } from './chart/value.ts';
import { values } from './chart/values.ts';
import { ROOT } from './repository.ts';

const CHART = `${ROOT}/helm/orbitmq`;
const NOTICE = '# Made by `npm run gen` from tools/chart: change that.\n\n';

/** Helm puts `global` into the values of a chart that is a part of another. */
function schemaText(): string {
  const { properties, ...rest } = schemaOf(values);
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart orbitmq',
    ...rest,
    properties: { ...(properties as Schema), global: { type: 'object' } },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function readme(): string {
  const page = readFileSync(`${CHART}/README.md`, 'utf8');
  const [start, end] = ['<!-- values -->\n', '<!-- /values -->'];
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from < 0 || to < 0) throw new Error(`helm/orbitmq/README.md has no place between ${start.trim()} and ${end}`);
  return `${page.slice(0, from + start.length)}${parameterTable(values)}\n${page.slice(to)}`;
}

const files: Readonly<Record<string, () => string>> = {
  'values.yaml': () => `${NOTICE}${yamlFileOf(values)}\n`,
  'values.schema.json': schemaText,
  'README.md': readme,
  'files/dashboard.json': () => `${JSON.stringify(dashboard(), undefined, 1)}\n`,
};

const isCheck = process.argv.includes('--check');
for (const [name, make] of Object.entries(files)) {
  const text = make();
  if (!isCheck) writeFileSync(`${CHART}/${name}`, text);
  else if (readOrEmpty(`${CHART}/${name}`) !== text) {
    console.error(`helm/orbitmq/${name} is not what the sources say: run "npm run gen"`);
    process.exitCode = 1;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
