/** A JSON Schema (draft 7). */
export type Schema = Readonly<Record<string, unknown>>;

/** One value of the chart: what it is for, what may be written, and what it is when nothing is. */
export interface Value {
  readonly kind: 'value';
  readonly description: string;
  readonly schema: Schema;
  readonly defaultValue: unknown;
}

/** Values that belong together, below one key. Keys that are not named are refused. */
export interface Group {
  readonly kind: 'group';
  readonly description: string;
  readonly children: Readonly<Record<string, Value | Group>>;
}

/** A value. */
export function value(defaultValue: unknown, schema: Schema, description: string): Value {
  return { kind: 'value', description, schema, defaultValue };
}

/** Values below one key. */
export function group(description: string, children: Group['children']): Group {
  return { kind: 'group', description, children };
}

/** A text. */
export const text: Schema = { type: 'string' };
/** `true` or `false`. */
export const flag: Schema = { type: 'boolean' };
/** A map of texts: labels, annotations, selectors. */
export const texts: Schema = { type: 'object', additionalProperties: { type: 'string' } };
/** A part of a Kubernetes object: what may be in it is Kubernetes' affair. */
export const part: Schema = { type: 'object' };
/** Parts of a Kubernetes object. */
export const parts: Schema = { type: 'array', items: { type: 'object' } };
/** An amount as Kubernetes writes it: 256Mi, 500m, 2. */
export const amount: Schema = {
  type: ['string', 'number'],
  pattern: '^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$',
};

/** A whole number within inclusive limits. */
export function whole(minimum: number, maximum: number): Schema {
  return { type: 'integer', minimum, maximum };
}

/** One of some words. */
export function oneOf(...words: readonly string[]): Schema {
  return { type: 'string', enum: words };
}

/** A text that matches a pattern. */
export function matching(pattern: string): Schema {
  return { type: 'string', pattern };
}

/** An object of these keys and no others. */
export function only(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', additionalProperties: false, properties, ...(required.length > 0 ? { required } : {}) };
}

/** A list. */
export function listOf(items: Schema): Schema {
  return { type: 'array', items };
}

/** What is merged over an object that has values of its own. */
export const over: Value = value({}, part, 'Merged over the object, field by field.');

/** A name that Kubernetes takes for a Service. */
export const objectName: Schema = matching('^([a-z]([-a-z0-9]*[a-z0-9])?)?$');
