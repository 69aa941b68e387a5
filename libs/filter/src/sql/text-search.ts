/** Up to so many steps the engine's own search is the quicker one, whatever the texts are. */
const PLAIN_STEPS_MAX = 64 * 1024;

/**
 * Looks for one text in others. The engine's search may take (length of one × length of the other) steps for texts made
 * for that; where this could be felt, a search is used that looks at each character once (Knuth, Morris, Pratt).
 * @param wanted at least one character
 */
export function textSearch(wanted: string): (text: string) => boolean {
  let fallbacks: Uint16Array | undefined;
  return (text) => {
    if (text.length * wanted.length <= PLAIN_STEPS_MAX) return text.includes(wanted);
    fallbacks ??= fallbacksOf(wanted);
    return linearSearch(text, wanted, fallbacks);
  };
}

function linearSearch(text: string, wanted: string, fallbacks: Uint16Array): boolean {
  let matched = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    while (matched > 0 && wanted.charCodeAt(matched) !== code) matched = fallbacks[matched - 1]!;
    if (wanted.charCodeAt(matched) === code) matched++;
    if (matched === wanted.length) return true;
  }
  return false;
}

/** For each length of a match so far: the length of the longest shorter one that ends at the same place, less one. */
function fallbacksOf(wanted: string): Uint16Array {
  const fallbacks = new Uint16Array(wanted.length);
  let matched = 0;
  for (let index = 1; index < wanted.length; index++) {
    const code = wanted.charCodeAt(index);
    while (matched > 0 && wanted.charCodeAt(matched) !== code) matched = fallbacks[matched - 1]!;
    if (wanted.charCodeAt(matched) === code) matched++;
    fallbacks[index] = matched;
  }
  return fallbacks;
}
