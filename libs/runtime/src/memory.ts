import { totalmem } from 'node:os';

/** Memory that this process may use: that of the machine, or less where its container is limited. Bytes. */
export function memoryBytes(): number {
  const limitBytes = process.constrainedMemory();
  return limitBytes === 0 ? totalmem() : Math.min(limitBytes, totalmem());
}
