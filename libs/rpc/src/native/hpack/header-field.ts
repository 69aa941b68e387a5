/** What HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count for a field beside its texts. */
export const FIELD_OVERHEAD_BYTES = 32;

/** One header field. A character of its texts is one byte. Fields of tables are shared by all blocks that refer to them. */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** Size as HPACK counts it (RFC 7541, 4.1). */
  readonly sizeBytes: number;
  /** What the field means to a request; 0 = not looked at yet. Kept here as the same field comes with every call. */
  role = 0;
  /** The field as it is passed on to another server; undefined = not looked at yet. Kept here likewise. */
  passed: Uint8Array | undefined = undefined;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
  }
}
