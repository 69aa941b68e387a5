/**
 * Opens a port and, where that fails, says which key gave it.
 * @param key name of the configuration key, for the message
 */
export async function listening<Part>(key: string, port: number, open: () => Promise<Part>): Promise<Part> {
  try {
    return await open();
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EADDRINUSE') {
      throw new Error(`port ${port} (${key}) is in use: stop what uses it, or set ${key}`, { cause: error });
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      throw new Error(`port ${port} (${key}) can't be opened (${code}): set ${key} or its address`, { cause: error });
    }
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined) return code;
  }
  return undefined;
}
