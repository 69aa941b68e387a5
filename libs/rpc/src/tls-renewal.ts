import { type Clock, SECOND_MS, type Timer } from '@orbitmq/base';
import type { Component, Logger } from '@orbitmq/runtime';
import type { TlsIdentity } from './server.ts';
import { type ConfiguredTls, readConfiguredTls, type TlsFiles } from './tls-identity.ts';

/** The files are looked at this often; Kubernetes takes up to a minute to change those of a secret. */
const LOOK_MS = 10 * SECOND_MS;

export interface TlsRenewalOptions {
  readonly configured: ConfiguredTls;
  /** In use until something else is found. */
  readonly identity: TlsIdentity;
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Serves with another identity from now on. */
  use(identity: TlsIdentity): void;
}

/**
 * Serves with the certificate and key that their files hold now, so that they can be replaced while a service runs. A pair
 * that does not fit together, as in the middle of a replacement, leaves the old one in use.
 */
export class TlsRenewal implements Component {
  readonly name = 'tls renewal';
  readonly #options: TlsRenewalOptions;
  #identity: TlsIdentity;
  #problem = '';
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: TlsRenewalOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  async start(): Promise<void> {
    this.#wait();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => void this.#look().then(() => this.#wait()));
  }

  async #look(): Promise<void> {
    const { configured, files, logger } = this.#options;
    const found = await readConfiguredTls(configured, files).catch((error: unknown) => error as Error);
    if (this.#isStopped) return;
    if (found instanceof Error) {
      if (found.message !== this.#problem) {
        logger.warn({ reason: found.message }, 'the TLS files can not be used; the certificate from before stays');
      }
      this.#problem = found.message;
      return;
    }
    this.#problem = '';
    if (found.certificate === this.#identity.certificate && found.key === this.#identity.key) return;
    this.#identity = found;
    this.#options.use(found);
    logger.info({ certificateFile: configured.certificateFile }, 'the TLS certificate was renewed');
  }
}
