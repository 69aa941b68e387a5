import type { EngineName } from './engines.ts';

/** Cases of a foreign suite that an engine does not pass, each with the reason why that is meant or can't be helped. */
export type Exceptions = Readonly<Record<string, string>>;

const NO_BODY = 'asks for an answer with a body: what is no gRPC call gets headers only (415)';
const IGNORED_BY_NGHTTP2 =
  'nghttp2, below grpc-js, ignores what comes on a stream that it has closed (RFC 9113, 5.1 lets it)';
const PRIORITY_IGNORED = 'priorities are ignored as a whole: RFC 9113 took them out';

/** What h2spec asks for and an engine does not do, by the id of the case. Whatever else fails is a fault. */
export const H2SPEC_EXCEPTIONS: Readonly<Record<EngineName, Exceptions>> = {
  'grpc-js': {
    'generic/2/2': NO_BODY,
    'generic/2/3': NO_BODY,
    'http2/5.1/5': IGNORED_BY_NGHTTP2,
    'http2/5.1/6': IGNORED_BY_NGHTTP2,
    'http2/5.1/8': IGNORED_BY_NGHTTP2,
    'http2/5.1/9': IGNORED_BY_NGHTTP2,
    'http2/5.1/11': IGNORED_BY_NGHTTP2,
    'http2/5.1/12': IGNORED_BY_NGHTTP2,
    'http2/5.1.1/2': 'nghttp2 takes a stream whose number is lower than that of an open one for a closed one',
    'http2/5.1.2/1': 'the calls are answered (415) and over before their number exceeds the limit',
    'http2/5.3.1/2': PRIORITY_IGNORED,
    'http2/6.3/1': PRIORITY_IGNORED,
    'http2/6.5.3/1': NO_BODY,
    'http2/6.7/2': 'nghttp2 closes the connection at an answer to a ping that it never sent',
    'http2/6.9.1/1': NO_BODY,
    'http2/6.9.1/3': 'the call is answered (415) and over; nghttp2 then closes the connection',
    'http2/6.9.2/1': NO_BODY,
    'http2/6.9.2/2': NO_BODY,
  },
  native: {},
};

/** gRPC's interop cases that do not apply. */
export const INTEROP_EXCEPTIONS: Exceptions = {
  custom_metadata: 'the seam lets no handler add metadata to an answer: no RocketMQ client reads any',
};
