import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { CODES, type CodeName } from '@orbitmq/base';
import { nameServerConfigSpec } from '@orbitmq/namesrv/config';
import { nameServerMetricDefinitions } from '@orbitmq/namesrv/metrics';
import { brokerConfigSpec, brokerMetricDefinitions } from '@orbitmq/node';
import { type ConfigKeys, type ConfigSpec, configReference, type Metrics } from '@orbitmq/runtime';
import { ERROR_TEXTS } from './error-texts.ts';
import { ROOT } from './repository.ts';

const NOTICE = '<!-- Made by `npm run gen` from the sources: change those. -->';

function configPage(): string {
  return [
    '# Configuration',
    '',
    NOTICE,
    '',
    'Defaults are overridden by the properties file (`-c FILE`), that by environment variables, and those by flags',
    '(`--key=value`). A key that does not exist is refused, with the nearest one that does. `-p` prints the configuration',
    'as it would run.',
    '',
    configReference(brokerConfigSpec as ConfigSpec<ConfigKeys>),
    configReference(nameServerConfigSpec as ConfigSpec<ConfigKeys>),
  ].join('\n');
}

function metricsPage(): string {
  const section = (title: string, definitions: ReturnType<Metrics['definitions']>): string[] => [
    `## ${title}`,
    '',
    '| Metric | Type | Labels | Meaning |',
    '| --- | --- | --- | --- |',
    ...definitions.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ') || '–'} | ${help} |`,
    ),
    '',
  ];
  return [
    '# Metrics',
    '',
    NOTICE,
    '',
    "Served as Prometheus text on `/metrics` of `metricsPromExporterPort`. Names are RocketMQ 5's where it has the metric;",
    'the others begin with `orbitmq_`. Every series also has the labels `cluster`, `node_type` and `node_id`. Beside these,',
    'each process gives the usual `process_*` and `nodejs_*` metrics.',
    '',
    ...section('Broker', brokerMetricDefinitions()),
    ...section('Name server', nameServerMetricDefinitions()),
  ].join('\n');
}

function errorsPage(): string {
  const rows = (Object.keys(CODES) as CodeName[]).map((name) => {
    const { meaning, remedy } = ERROR_TEXTS[name];
    return `| ${CODES[name]} | \`${name}\` | ${meaning} | ${remedy} |`;
  });
  return [
    '# Status codes',
    '',
    NOTICE,
    '',
    'What `Status.code` of an answer says. Codes below 50000 mean that nothing was stored. The message of the status names the',
    'value that was found and what was wanted.',
    '',
    '| Number | Name | Meaning | What to do |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The page with its list of differences made anew. */
function compatibilityPage(): string {
  const differences = JSON.parse(
    readFileSync(`${ROOT}/tests/compare/testdata/differences.json`, 'utf8'),
  ) as readonly Readonly<Record<'id' | 'subject' | 'ours' | 'theirs' | 'why', string>>[];
  const rows = differences.map(
    ({ id, subject, ours, theirs, why }) => `| <a id="${id}"></a>${subject} | ${ours} | ${theirs} | ${why} |`,
  );
  const table = ['| subject | here | Apache RocketMQ 5.5.0 | why |', '| --- | --- | --- | --- |', ...rows];
  const [start, end] = ['<!-- differences -->\n', '<!-- /differences -->'];
  const page = readFileSync(`${ROOT}/docs/compatibility.md`, 'utf8');
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from < 0 || to < 0) throw new Error(`docs/compatibility.md has no place between ${start.trim()} and ${end}`);
  return `${page.slice(0, from + start.length)}${table.join('\n')}\n${page.slice(to)}`;
}

const PAGES: Readonly<Record<string, () => string>> = {
  'reference/config.md': configPage,
  'reference/metrics.md': metricsPage,
  'reference/errors.md': errorsPage,
  'compatibility.md': compatibilityPage,
};

const isCheck = process.argv.includes('--check');
mkdirSync(`${ROOT}/docs/reference`, { recursive: true });
for (const [name, page] of Object.entries(PAGES)) {
  const path = `${ROOT}/docs/${name}`;
  const text = page();
  if (!isCheck) writeFileSync(path, text);
  else if (readOrEmpty(path) !== text) {
    console.error(`docs/${name} is not what the sources say: run "npm run gen"`);
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
