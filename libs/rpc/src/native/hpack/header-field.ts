/** What HPACK and SETTINGS_MAX_HEADER_LIST_SIZE count for a field beside its texts. */
export const FIELD_OVERHEAD_BYTES = 32;

/** One header field. A character of its texts is one byte. Fields of tables are shared by all blocks that refer to them. */
export class HeaderField {
  readonly name: string;
  readonly value: string;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
  }

  /** Size as HPACK counts it (RFC 7541, 4.1). */
  get sizeBytes(): number {
    return this.name.length + this.value.length + FIELD_OVERHEAD_BYTES;
  }
}
