import type { Group } from './value.ts';

/** Topics and groups that are made and kept as they are declared. */
export const declared: Group['children'] = {};
