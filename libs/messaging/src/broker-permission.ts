import { MqError } from '@orbitmq/base';
import type { MessagingConfig } from './config.ts';
import { READ_BIT, WRITE_BIT } from './route-source.ts';

/**
 * Nothing new is stored on a broker that is being drained or only read.
 * @throws MqError FORBIDDEN when the broker takes no sends
 */
export function checkBrokerWrites({ brokerPermission }: MessagingConfig): void {
  if ((brokerPermission & WRITE_BIT) !== 0) return;
  throw forbidden('sends', WRITE_BIT, 'write', brokerPermission);
}

/** @throws MqError FORBIDDEN when the broker gives no messages */
export function checkBrokerReads({ brokerPermission }: MessagingConfig): void {
  if ((brokerPermission & READ_BIT) !== 0) return;
  throw forbidden('receives', READ_BIT, 'read', brokerPermission);
}

function forbidden(what: string, bit: number, name: string, found: number): MqError {
  return new MqError(
    'FORBIDDEN',
    `this broker takes ${what} when its brokerPermission has the bit ${bit} (${name}); found brokerPermission=${found}; use another broker, or set it to ${found | bit}`,
  );
}
