/**
 * Why a name server ends a broker's registration stream: `superseded` by a newer registration of the same broker,
 * `invalid` content, or `full`.
 */
export type RegistrationFault = 'superseded' | 'invalid' | 'full';

/** A registration that is not taken. The stream ends; the message goes to the broker. */
export class RegistrationError extends Error {
  readonly fault: RegistrationFault;

  constructor(fault: RegistrationFault, message: string) {
    super(message);
    this.name = 'RegistrationError';
    this.fault = fault;
  }
}
