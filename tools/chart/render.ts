import type { Group, Schema, Value } from './value.ts';

const COMMENT_WIDTH = 110;

/** The schema of a group: its keys, and no others. */
export function schemaOf(group: Group): Schema {
  const properties = Object.fromEntries(
    Object.entries(group.children).map(([name, child]) => [
      name,
      child.kind === 'group' ? schemaOf(child) : { ...described(child), ...child.schema, default: child.defaultValue },
    ]),
  );
  return { ...described(group), type: 'object', additionalProperties: false, properties };
}

function described({ description }: Value | Group): Schema {
  return description === '' ? {} : { description };
}

/** The group as YAML, each key with its description above. */
export function yamlFileOf(group: Group, indent = ''): string {
  const lines: string[] = [];
  for (const [name, child] of Object.entries(group.children)) {
    if (indent === '' && lines.length > 0) lines.push('');
    if (child.description !== '') lines.push(...comment(child.description, indent));
    if (child.kind === 'group') {
      const below = yamlFileOf(child, `${indent}  `);
      lines.push(below === '' ? `${indent}${name}: {}` : `${indent}${name}:`, ...(below === '' ? [] : [below]));
    } else {
      lines.push(`${indent}${name}:${yamlOf(child.defaultValue, indent)}`);
    }
  }
  return lines.join('\n');
}

function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + word.length > COMMENT_WIDTH) {
      lines.push(`${indent}# ${line}`);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, `${indent}# ${line}`];
}

/** A value behind its key: on the same line when it is a scalar or empty. */
function yamlOf(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object')) return ` [${value.map(scalar).join(', ')}]`;
    throw new Error('a default that is a list of objects is not foreseen');
  }
  if (typeof value !== 'object' || value === null) return ` ${scalar(value)}`;
  const entries = Object.entries(value);
  if (entries.length === 0) return ' {}';
  return entries.map(([name, item]) => `\n${indent}  ${name}:${yamlOf(item, `${indent}  `)}`).join('');
}

function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[A-Za-z][A-Za-z0-9_./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)
    ? value
    : JSON.stringify(value);
}

/** A row a value, for the README. */
export function parameterTable(group: Group): string {
  return ['| Value | Default | What it does |', '| --- | --- | --- |', ...rowsOf(group, '')].join('\n');
}

function rowsOf(group: Group, prefix: string): string[] {
  return Object.entries(group.children).flatMap(([name, child]) => {
    const path = prefix + name;
    if (child.kind === 'group') {
      if (name === 'merge')
        return [`| \`${path}.{${Object.keys(child.children).join(',')}}\` | \`{}\` | ${cell(child.description)} |`];
      return rowsOf(child, `${path}.`);
    }
    return [`| \`${path}\` | \`${JSON.stringify(child.defaultValue)}\` | ${cell(child.description)} |`];
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
