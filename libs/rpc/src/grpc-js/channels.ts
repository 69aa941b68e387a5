import { Client, type ClientOptions, connectivityState, credentials } from '@grpc/grpc-js';
import { type Clock, MIB } from '@orbitmq/base';
import type { ClientTls, RpcClientOptions } from '../client.ts';
import { UnreachableError } from '../service.ts';

const RECEIVE_MESSAGE_DEFAULT_BYTES = 64 * MIB;
const KEEP_ALIVE_DEFAULT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
const BACKOFF_INITIAL_MS = 100;
const BACKOFF_MAX_DEFAULT_MS = 5_000;
const RESOLUTION_INTERVAL_MIN_MS = 5_000;
/** How long one address may take to answer a connection attempt before the next is tried. */
const CONNECT_TIMEOUT_MS = 5_000;

/** A channel for each address, and which of them is in use. */
export class Channels {
  readonly #clock: Clock;
  readonly #addresses: readonly string[];
  readonly #channels: readonly Client[];
  #current = 0;
  #connecting: Promise<Client> | undefined;

  constructor(options: RpcClientOptions, clock: Clock) {
    if (options.addresses.length === 0) throw new Error('a client needs at least one address');
    this.#clock = clock;
    this.#addresses = options.addresses;
    const channelCredentials = credentialsOf(options.tls);
    const channelOptions = channelOptionsOf(options);
    this.#channels = options.addresses.map(
      (address) => new Client(`dns:${address}`, channelCredentials, channelOptions),
    );
  }

  /** The channel in use when it is connected, which is nearly always. */
  get connected(): Client | undefined {
    const channel = this.#channels[this.#current]!;
    return channel.getChannel().getConnectivityState(false) === connectivityState.READY ? channel : undefined;
  }

  /**
   * Connects to the first address that can be reached, beginning with the one used last.
   * @throws UnreachableError when there is none
   */
  connect(): Promise<Client> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  async #connect(): Promise<Client> {
    const first = this.#current;
    for (let step = 0; step < this.#channels.length; step++) {
      const index = (first + step) % this.#channels.length;
      const channel = this.#channels[index]!;
      if (await this.#isReachable(channel)) {
        this.#current = index;
        return channel;
      }
    }
    throw new UnreachableError(`no connection to ${this.#addresses.join(', ')}`);
  }

  async #isReachable(client: Client): Promise<boolean> {
    const channel = client.getChannel();
    const deadlineMs = this.#clock.wallMs() + CONNECT_TIMEOUT_MS;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return true;
      // In backoff: the channel tries again by itself; until then a call would only fail later.
      if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) return false;
      const changed = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, deadlineMs, (error) => resolve(!error));
      });
      if (!changed) return false;
    }
  }
}

function credentialsOf(tls: ClientTls | undefined) {
  if (!tls) return credentials.createInsecure();
  const ca = tls.ca === undefined ? null : Buffer.from(tls.ca);
  if (!tls.insecure) return credentials.createSsl(ca);
  return credentials.createSsl(ca, null, null, { rejectUnauthorized: false, checkServerIdentity: () => undefined });
}

function channelOptionsOf(options: RpcClientOptions): ClientOptions {
  const { receiveWindowBytes, tls } = options;
  const serverName = tls?.serverName;
  return {
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1, // so that closing this client closes its connections
    'grpc.service_config_disable_resolution': 1,
    'grpc.dns_min_time_between_resolutions_ms': RESOLUTION_INTERVAL_MIN_MS,
    'grpc.initial_reconnect_backoff_ms': BACKOFF_INITIAL_MS,
    'grpc.max_reconnect_backoff_ms': options.reconnectPauseMsMax ?? BACKOFF_MAX_DEFAULT_MS,
    'grpc.max_receive_message_length': options.receiveMessageBytesMax ?? RECEIVE_MESSAGE_DEFAULT_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': options.keepAliveMs ?? KEEP_ALIVE_DEFAULT_MS,
    'grpc.keepalive_timeout_ms': KEEP_ALIVE_TIMEOUT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    ...(receiveWindowBytes === undefined ? {} : { 'grpc-node.flow_control_window': receiveWindowBytes }),
    ...(serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
  };
}
