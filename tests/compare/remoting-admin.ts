import { connect, type Socket } from 'node:net';

/** Numbers of requests to a broker of the original. */
const UPDATE_TOPIC = 17;
const UPDATE_GROUP = 200;
const SUCCESS = 0;

interface RemotingHeader {
  readonly code: number;
  readonly opaque: number;
  readonly remark?: string;
}

/**
 * Makes topics and groups of the original by its remoting protocol: a thousandth of what `mqadmin`, a JVM for each of
 * them, would take. A frame is its length, the length of the header, the header as JSON, and the body.
 */
export class RemotingAdmin {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (header: RemotingHeader) => void>();
  #received = Buffer.alloc(0);
  #opaque = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#take(bytes));
  }

  /** @param address `host:port` of a broker */
  static async connect(address: string): Promise<RemotingAdmin> {
    const end = address.lastIndexOf(':');
    const socket = connect(Number(address.slice(end + 1)), address.slice(0, end));
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RemotingAdmin(socket);
  }

  /** Makes or changes a topic; `attributes` in the syntax of `mqadmin`: `+key=value,-key`. */
  putTopic(topic: {
    readonly name: string;
    readonly readQueueCount: number;
    readonly writeQueueCount: number;
    readonly permission: number;
    readonly attributes: string;
  }): Promise<void> {
    return this.#request(UPDATE_TOPIC, {
      topic: topic.name,
      defaultTopic: 'TBW102',
      readQueueNums: String(topic.readQueueCount),
      writeQueueNums: String(topic.writeQueueCount),
      perm: String(topic.permission),
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: '0',
      order: 'false',
      attributes: topic.attributes,
    });
  }

  /** Makes or changes a group; fields are those of the original's SubscriptionGroupConfig. */
  putGroup(group: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#request(UPDATE_GROUP, {}, Buffer.from(JSON.stringify(group)));
  }

  close(): void {
    this.#socket.destroy();
  }

  async #request(code: number, extFields: Readonly<Record<string, string>>, body = Buffer.alloc(0)): Promise<void> {
    const opaque = this.#opaque++;
    const fields = {
      code,
      opaque,
      extFields,
      flag: 0,
      language: 'OTHER',
      version: 500,
      serializeTypeCurrentRPC: 'JSON',
    };
    const header = Buffer.from(JSON.stringify(fields));
    const lengths = Buffer.alloc(8);
    lengths.writeInt32BE(4 + header.length + body.length, 0);
    lengths.writeInt32BE(header.length, 4);
    const answered = new Promise<RemotingHeader>((resolve) => this.#waiting.set(opaque, resolve));
    this.#socket.write(Buffer.concat([lengths, header, body]));
    const answer = await answered;
    if (answer.code !== SUCCESS) throw new Error(`request ${code} of the broker failed: ${answer.remark}`);
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 8 && this.#received.length >= 4 + this.#received.readInt32BE(0)) {
      const end = 4 + this.#received.readInt32BE(0);
      // the first byte tells how the header is written, which is JSON as we asked
      const headerLength = this.#received.readInt32BE(4) & 0xff_ffff;
      const header = JSON.parse(this.#received.toString('utf8', 8, 8 + headerLength)) as RemotingHeader;
      this.#received = this.#received.subarray(end);
      this.#waiting.get(header.opaque)?.(header);
      this.#waiting.delete(header.opaque);
    }
  }
}
