/** Java's `String.hashCode()`: 31·h + UTF-16 unit, as a signed 32-bit number. RocketMQ uses it for tags and message groups. */
export function javaStringHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}
