import type { ConfigKeys, ConfigShape, ConfigSpec } from '@orbitmq/runtime';
import { only, type Schema } from './value.ts';

/**
 * What may be written below `config` for a program: each of its keys but those that the chart sets itself.
 * @param ofChart keys that the chart sets
 * @throws Error when the program has no such key, or no longer
 */
export function configSchema(
  spec: ConfigSpec<ConfigKeys>,
  ofChart: readonly string[],
  required: readonly string[] = [],
): Schema {
  for (const name of [...ofChart, ...required]) {
    if (!(name in spec.keys)) throw new Error(`the chart sets the key ${name}, which ${spec.program} does not have`);
  }
  const properties: Record<string, Schema> = {};
  for (const [name, key] of Object.entries(spec.keys)) {
    if (ofChart.includes(name)) continue;
    const unit = key.unit === '' ? '' : ` (${key.unit})`;
    properties[name] = {
      description: `${key.description} Default: ${key.defaultText || 'none'}${unit}.`,
      ...shaped(key.shape),
    };
  }
  for (const [name, reason] of spec.withoutEffect) {
    properties[name] = { description: `Accepted without effect: ${reason}.`, type: ['string', 'number', 'boolean'] };
  }
  return only(properties, required);
}

function shaped(shape: ConfigShape): Schema {
  switch (shape.type) {
    case 'integer':
    case 'number':
      return { type: shape.type, minimum: shape.min, maximum: shape.max };
    case 'boolean':
      return { type: 'boolean' };
    case 'choice':
      return { type: 'string', enum: shape.words };
    case 'text':
      return { type: 'string' };
  }
}
