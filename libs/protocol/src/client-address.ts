/**
 * Header that tells a broker where a relayed call came from: `address:port` of the client. Good for showing
 * (`born_host`), never for deciding: any client can send it to a broker directly.
 */
export const CLIENT_ADDRESS_HEADER = 'x-orbitmq-client-address';
