import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Clock } from '@orbitmq/base';
import { type SelfSignedOptions, selfSignedIdentity } from './self-signed.ts';
import type { TlsIdentity } from './server.ts';

const VALID_DAYS = 3650;
/** A certificate of our own that ends so soon is made anew at a start. */
const RENEW_BEFORE_MS = 30 * 86_400_000;

/** The few file operations that an identity needs; handed in, for this library touches no files. */
export interface TlsFiles {
  /** Text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** Writes a file whole, with these permissions. */
  write(path: string, text: string, mode: number): Promise<void>;
}

/** The operator's own certificate chain and key, PEM files. */
export interface ConfiguredTls {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface TlsIdentityOptions {
  readonly configured: ConfiguredTls | undefined;
  /** Where a certificate of our own is kept when none is configured. */
  readonly own: { readonly certificateFile: string; readonly keyFile: string };
  /** Host names and addresses for a certificate of our own. */
  readonly names: SelfSignedOptions['names'];
  readonly clock: Clock;
}

/**
 * The identity to serve TLS with: the configured one, else one of our own, which is made at the first start and kept.
 * No key is shipped: each installation has its own, readable by its user only.
 * @throws Error when configured files are missing or do not fit together; the message names the setting, not the content
 */
export async function resolveTlsIdentity(options: TlsIdentityOptions, files: TlsFiles): Promise<TlsIdentity> {
  if (options.configured) return readConfiguredTls(options.configured, files);
  const kept = await readPair(options.own, files);
  if (kept && isUsable(kept, options.clock.wallMs())) return kept;
  const made = selfSignedIdentity({ names: options.names, nowMs: options.clock.wallMs(), validDays: VALID_DAYS });
  await files.write(options.own.keyFile, made.key, 0o600);
  await files.write(options.own.certificateFile, made.certificate, 0o644);
  return made;
}

/** Checks that certificate and key can be served. @throws Error */
export function checkTlsIdentity(identity: TlsIdentity): void {
  try {
    createSecureContext({ cert: identity.certificate, key: identity.key });
  } catch (cause) {
    throw new Error('the TLS certificate and key are not PEM texts that belong together', { cause });
  }
}

/**
 * The identity that an operator's files hold.
 * @throws Error when files are missing or do not fit together; the message names the files, not their content
 */
export async function readConfiguredTls(configured: ConfiguredTls, files: TlsFiles): Promise<TlsIdentity> {
  const pair = await readPair(configured, files);
  if (!pair) {
    throw new Error(`TLS needs both files: certificate ${configured.certificateFile} and key ${configured.keyFile}`);
  }
  checkTlsIdentity(pair);
  return pair;
}

async function readPair(
  pair: { readonly certificateFile: string; readonly keyFile: string },
  files: TlsFiles,
): Promise<TlsIdentity | undefined> {
  const [certificate, key] = await Promise.all([files.read(pair.certificateFile), files.read(pair.keyFile)]);
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

/** A pair that is torn (written by a start that was cut) or ends soon is replaced. */
function isUsable(identity: TlsIdentity, nowMs: number): boolean {
  try {
    checkTlsIdentity(identity);
    return new X509Certificate(identity.certificate).validToDate.getTime() - nowMs > RENEW_BEFORE_MS;
  } catch {
    return false;
  }
}
