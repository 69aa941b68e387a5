import { MqError } from '@orbitmq/base';

const PAGE_MAX = 1000;

/**
 * One page of a list, by name.
 * @throws MqError BAD_REQUEST when the limit is out of range
 */
export function pageOf<Item extends { readonly name: string }>(
  items: Iterable<Item>,
  request: { readonly after: string; readonly limit: number },
): { items: Item[]; more: boolean } {
  if (request.limit < 0 || request.limit > PAGE_MAX) {
    throw new MqError('BAD_REQUEST', `limit is ${request.limit}; it must be 1…${PAGE_MAX}, or 0 for ${PAGE_MAX}`);
  }
  const behind = [...items].filter(({ name }) => name > request.after);
  behind.sort((left, right) => (left.name < right.name ? -1 : 1));
  const page = behind.slice(0, request.limit || PAGE_MAX);
  return { items: page, more: page.length < behind.length };
}
