import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import type { TlsIdentity } from './server.ts';

/**
 * A self-signed X.509 certificate (RFC 5280) for an EC P-256 key, in DER:
 *
 * ```
 *   Certificate ::= SEQUENCE {
 *     tbsCertificate ::= SEQUENCE {
 *       [0] version 3, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, [3] extensions }
 *     signatureAlgorithm ecdsa-with-SHA256, signatureValue BIT STRING }
 * ```
 */

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
const GENERALIZED_TIME = 0x18;
const BOOLEAN = 0x01;

/** Encoded object identifiers. */
const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  extendedKeyUsage: '551d25',
  subjectKeyIdentifier: '551d0e',
  serverAuth: '2b06010505070301',
};

const DAY_MS = 86_400_000;

export interface SelfSignedOptions {
  /** Host names and IP addresses that the certificate is for; at least one. The first one is its subject. */
  readonly names: readonly string[];
  /** Wall clock; the certificate begins a day before, for clients whose clock is behind. */
  readonly nowMs: number;
  readonly validDays: number;
}

/** Makes a new key and a certificate for it. */
export function selfSignedIdentity(options: SelfSignedOptions): TlsIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKeyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const keyIdentifier = createHash('sha256').update(publicKeyInfo).digest().subarray(0, 20);
  const algorithm = node(SEQUENCE, oid(OID.ecdsaWithSha256));
  const subject = node(
    SEQUENCE,
    node(SET, node(SEQUENCE, oid(OID.commonName), node(UTF8_STRING, Buffer.from(options.names[0]!)))),
  );
  const certificateBody = node(
    SEQUENCE,
    explicit(0, node(INTEGER, Buffer.from([2]))),
    node(INTEGER, positive(keyIdentifier.subarray(0, 16))),
    algorithm,
    subject,
    node(SEQUENCE, time(options.nowMs - DAY_MS), time(options.nowMs + options.validDays * DAY_MS)),
    subject,
    publicKeyInfo,
    explicit(3, extensions(options.names, keyIdentifier)),
  );
  const signature = sign('sha256', certificateBody, privateKey);
  const certificate = node(SEQUENCE, certificateBody, algorithm, node(BIT_STRING, Buffer.from([0]), signature));
  return { certificate: pem(certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

function extensions(names: readonly string[], keyIdentifier: Buffer): Buffer {
  return node(
    SEQUENCE,
    extension(OID.basicConstraints, node(SEQUENCE), true),
    extension(OID.extendedKeyUsage, node(SEQUENCE, oid(OID.serverAuth))),
    extension(OID.subjectKeyIdentifier, node(OCTET_STRING, keyIdentifier)),
    extension(OID.subjectAltName, node(SEQUENCE, ...names.map(generalName))),
  );
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  const flag = critical ? [node(BOOLEAN, Buffer.from([0xff]))] : [];
  return node(SEQUENCE, oid(id), ...flag, node(OCTET_STRING, value));
}

/** GeneralName: dNSName [2] or iPAddress [7]. */
function generalName(name: string): Buffer {
  const address = addressBytes(name);
  return address ? node(0x87, address) : node(0x82, Buffer.from(name, 'latin1'));
}

function addressBytes(name: string): Buffer | undefined {
  if (isIPv4(name)) return Buffer.from(name.split('.').map(Number));
  if (!isIPv6(name)) return undefined;
  // The parser of URLs writes an IPv4 tail as two groups; what it leaves short is filled up here.
  const [head, tail] = new URL(`http://[${name.split('%')[0]}]`).hostname.slice(1, -1).split('::');
  const groupsOf = (part: string | undefined): number[] =>
    part ? part.split(':').map((group) => Number.parseInt(group, 16)) : [];
  const [before, after] = [groupsOf(head), groupsOf(tail)];
  const groups = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function node(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length;
  const header =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function explicit(number: number, content: Buffer): Buffer {
  return node(0xa0 | number, content);
}

function oid(hex: string): Buffer {
  return node(OBJECT_ID, Buffer.from(hex, 'hex'));
}

/** The bytes of a positive INTEGER in its shortest form: the sign bit is cleared, the first byte is not zero. */
function positive(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[0] = (copy[0]! & 0x7f) | 0x40;
  return copy;
}

/** GeneralizedTime: YYYYMMDDHHMMSSZ. */
function time(wallMs: number): Buffer {
  const digits = new Date(wallMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return node(GENERALIZED_TIME, Buffer.from(digits, 'latin1'));
}

function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END CERTIFICATE-----\n`;
}
