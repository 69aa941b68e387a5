import { MqError, quoted } from '@orbitmq/base';
import { Language } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';

/** Language of a client, as the `Language` enum names it; OTHER for what it does not name. */
export type ClientLanguage = keyof typeof Language | 'OTHER';

/** Who makes a call, from its metadata. */
export interface Caller {
  readonly clientId: string;
  readonly language: ClientLanguage;
  /** Version as the client tells it, or `unknown`; safe as a metric's label. */
  readonly version: string;
}

const CLIENT_ID_LENGTH_MAX = 512;
const VERSION_PATTERN = /^[0-9A-Za-z.+-]{1,32}$/;

/** Values of the header `x-mq-language`; they are not the names of the enum, and Node says HTTP. */
const HEADER_LANGUAGES: ReadonlyMap<string, ClientLanguage> = new Map([
  ['JAVA', 'JAVA'],
  ['CPP', 'CPP'],
  ['DOTNET', 'DOT_NET'],
  ['DOT_NET', 'DOT_NET'],
  ['GO', 'GOLANG'],
  ['GOLANG', 'GOLANG'],
  ['RUST', 'RUST'],
  ['PYTHON', 'PYTHON'],
  ['PHP', 'PHP'],
  ['HTTP', 'NODE_JS'],
  ['NODE_JS', 'NODE_JS'],
  ['NODEJS', 'NODE_JS'],
  ['RUBY', 'RUBY'],
]);

const ENUM_LANGUAGES: ReadonlyMap<number, ClientLanguage> = new Map(
  Object.entries(Language).map(([name, number]) => [number, name as ClientLanguage]),
);

/** The language that a client's `user_agent` names. */
export function languageOfEnum(language: number | undefined): ClientLanguage {
  const known = language === undefined ? undefined : ENUM_LANGUAGES.get(language);
  return known === undefined || known === 'LANGUAGE_UNSPECIFIED' ? 'OTHER' : known;
}

/** The language that the headers of a call name. */
export function languageOf(call: Call): ClientLanguage {
  return HEADER_LANGUAGES.get(call.metadata.get('x-mq-language')?.toUpperCase() ?? '') ?? 'OTHER';
}

/**
 * The client id of a call.
 * @throws MqError CLIENT_ID_REQUIRED when the header is missing or blank
 */
export function clientIdOf(call: Call): string {
  const clientId = call.metadata.get('x-mq-client-id');
  if (clientId === undefined || clientId.trim() === '') {
    throw new MqError(
      'CLIENT_ID_REQUIRED',
      'every call has a header x-mq-client-id; found none or a blank one; send the same for all calls of one client',
    );
  }
  if (clientId.length > CLIENT_ID_LENGTH_MAX) {
    throw new MqError(
      'BAD_REQUEST',
      `a client id has at most ${CLIENT_ID_LENGTH_MAX} characters; found ${clientId.length} (${quoted(clientId, 32)}); choose a shorter one`,
    );
  }
  return clientId;
}

/** @throws MqError CLIENT_ID_REQUIRED */
export function callerOf(call: Call): Caller {
  const version = call.metadata.get('x-mq-client-version') ?? '';
  return {
    clientId: clientIdOf(call),
    language: languageOf(call),
    version: VERSION_PATTERN.test(version) ? version : 'unknown',
  };
}
