import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConnectionError } from '../protocol.ts';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder, PreparedBlock, type SentField } from './encoder.ts';
import { decodeHuffman } from './huffman.ts';

const LIMITS = { bytesMax: 65_536, countMax: 100 };
type Pair = readonly [name: string, value: string];

function pairs(decoder: HpackDecoder, block: Buffer): Pair[] {
  return decoder.decode(block, 0, block.length).map(({ name, value }) => [name, value]);
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** RFC 7541, appendix C: blocks of one connection, one after the other. */
const EXAMPLES: Readonly<Record<string, { readonly tableBytes?: number; readonly blocks: [string, Pair[]][] }>> = {
  'C.2 single fields': {
    blocks: [
      ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']]],
      ['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]],
      ['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']]],
      ['82', [[':method', 'GET']]],
    ],
  },
  'C.3 requests': {
    blocks: [
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        [
          [':method', 'GET'],
          [':scheme', 'http'],
          [':path', '/'],
          [':authority', 'www.example.com'],
        ],
      ],
      [
        '8286 84be 5808 6e6f 2d63 6163 6865',
        [
          [':method', 'GET'],
          [':scheme', 'http'],
          [':path', '/'],
          [':authority', 'www.example.com'],
          ['cache-control', 'no-cache'],
        ],
      ],
      [
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        [
          [':method', 'GET'],
          [':scheme', 'https'],
          [':path', '/index.html'],
          [':authority', 'www.example.com'],
          ['custom-key', 'custom-value'],
        ],
      ],
    ],
  },
  'C.4 requests with Huffman code': {
    blocks: [
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        [
          [':method', 'GET'],
          [':scheme', 'http'],
          [':path', '/'],
          [':authority', 'www.example.com'],
        ],
      ],
      [
        '8286 84be 5886 a8eb 1064 9cbf',
        [
          [':method', 'GET'],
          [':scheme', 'http'],
          [':path', '/'],
          [':authority', 'www.example.com'],
          ['cache-control', 'no-cache'],
        ],
      ],
      [
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
        [
          [':method', 'GET'],
          [':scheme', 'https'],
          [':path', '/index.html'],
          [':authority', 'www.example.com'],
          ['custom-key', 'custom-value'],
        ],
      ],
    ],
  },
  'C.6 responses with Huffman code and eviction': {
    tableBytes: 256,
    blocks: [
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        [
          [':status', '302'],
          ['cache-control', 'private'],
          ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
          ['location', 'https://www.example.com'],
        ],
      ],
      [
        '4883 640e ffc1 c0bf',
        [
          [':status', '307'],
          ['cache-control', 'private'],
          ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
          ['location', 'https://www.example.com'],
        ],
      ],
      [
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
        [
          [':status', '200'],
          ['cache-control', 'private'],
          ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
          ['location', 'https://www.example.com'],
          ['content-encoding', 'gzip'],
          ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
        ],
      ],
    ],
  },
};

describe('HpackDecoder', () => {
  for (const [name, { tableBytes = 4096, blocks }] of Object.entries(EXAMPLES)) {
    it(`reads the examples ${name}`, () => {
      const decoder = new HpackDecoder(tableBytes, LIMITS);
      for (const [block, fields] of blocks) assert.deepEqual(pairs(decoder, hex(block)), fields);
    });
  }

  it('refuses what is not HPACK', () => {
    const wrong = {
      'index 0': '80',
      'an index beyond the tables': 'be',
      'a cut number': 'ff80',
      'a number without end': 'ffffffffffffffffffff7f',
      'a cut text': '400a61',
      'no value': '400161',
      'a table larger than allowed': '3fe21f',
      'a change of the table behind a field': '8220',
      'a Huffman text with the end-of-string code': '4084ffffffff0161',
      'a Huffman text padded with zeros': '4081000161',
      'a Huffman text with a byte of padding': '40821fff0161',
    };
    for (const [what, block] of Object.entries(wrong)) {
      assert.throws(
        () => pairs(new HpackDecoder(4096, LIMITS), hex(block)),
        (error) => error instanceof ConnectionError && error.code === 'COMPRESSION_ERROR',
        what,
      );
    }
  });

  it('empties its table when told', () => {
    const decoder = new HpackDecoder(4096, LIMITS);
    pairs(decoder, hex('4001 6101 62'));
    assert.deepEqual(pairs(decoder, hex('be')), [['a', 'b']]);
    assert.deepEqual(pairs(decoder, hex('20 3fe11f 82')), [[':method', 'GET']]);
    assert.throws(() => pairs(decoder, hex('be')), /no field/);
  });

  it('keeps a list within its limits and its table in step', () => {
    const decoder = new HpackDecoder(4096, { bytesMax: 200, countMax: 3 });
    assert.deepEqual(pairs(decoder, hex(`4001 6101 62 ${'be'.repeat(10)}`)).length, 3);
    assert.ok(decoder.isTooLarge);
    const long = `40016c7f8101${'61'.repeat(256)}`;
    assert.deepEqual(pairs(decoder, hex(`82${long}`)), [[':method', 'GET']]);
    assert.ok(decoder.isTooLarge);
    assert.deepEqual(pairs(decoder, hex('bf')), [['a', 'b']]);
    assert.equal(decoder.isTooLarge, false);
  });

  it('never fails in another way, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (blocks) => {
        const decoder = new HpackDecoder(256, { bytesMax: 500, countMax: 5 });
        try {
          for (const block of blocks) assert.ok(pairs(decoder, Buffer.from(block)).length <= 5);
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('HpackEncoder', () => {
  const NAMES = fc.constantFrom(':path', ':method', 'content-type', 'x-a', 'x-b', 'x-long-name-of-a-header');
  const VALUES = fc.oneof(fc.constantFrom('', 'POST', '/', 'application/grpc'), fc.string({ maxLength: 300 }));
  const FIELD = fc.record({ name: NAMES, value: VALUES, isRepeated: fc.boolean() }).map((field) => ({
    ...field,
    value: Buffer.from(field.value).toString('latin1'),
  }));

  it('is understood by the decoder, whatever the size of the table', () => {
    const STEP = fc.record({ fields: fc.array(FIELD), tableBytes: fc.option(fc.nat(8_000)) });
    fc.assert(
      fc.property(fc.array(STEP), (steps) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(8_000, { bytesMax: 1_000_000, countMax: 1_000 });
        for (const { fields, tableBytes } of steps) {
          if (tableBytes !== null) encoder.setTableBytesMax(tableBytes);
          const expected = fields.map(({ name, value }) => [name, value]);
          assert.deepEqual(pairs(decoder, encoder.encode(fields)), expected);
        }
      }),
    );
  });

  it('may refer to each of many fields, however the table has grown', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096, LIMITS);
    const fields = Array.from({ length: 40 }, (_, n) => ({ name: `x-${n}`, value: `${n}`, isRepeated: true }));
    for (let count = 1; count <= fields.length; count++) {
      const some = fields.slice(0, count);
      const expected = some.map(({ name, value }) => [name, value]);
      assert.deepEqual(pairs(decoder, encoder.encode(some)), expected);
      assert.deepEqual(pairs(decoder, encoder.encode(some)), expected);
    }
  });

  it('keeps blocks that hold no other memory', () => {
    const block = new PreparedBlock([{ name: ':status', value: '200' }]).blockFor(new HpackEncoder());
    assert.equal(block.buffer.byteLength, block.length);
  });

  it('needs one byte for a repeated field, and keeps prepared blocks', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(4096, LIMITS);
    const fields: SentField[] = [
      { name: ':status', value: '200' },
      { name: 'content-type', value: 'application/grpc', isRepeated: true },
    ];
    const head = new PreparedBlock(fields);
    const trailers = new PreparedBlock([{ name: 'grpc-status', value: '0', isRepeated: true }]);
    for (let n = 0; n < 4; n++) {
      if (n === 3) encoder.setTableBytesMax(0);
      assert.deepEqual(
        pairs(decoder, head.blockFor(encoder)),
        fields.map(({ name, value }) => [name, value]),
      );
      assert.deepEqual(pairs(decoder, trailers.blockFor(encoder)), [['grpc-status', '0']]);
      if (n === 2) assert.equal(head.blockFor(encoder).length, 2);
      if (n === 2) assert.equal(head.blockFor(encoder), head.blockFor(encoder));
    }
  });
});

describe('decodeHuffman', () => {
  it('knows the codes', () => {
    // The codes that RFC 7541 lists, padded with ones.
    const samples: [string, string][] = [
      ['07', '0'],
      ['1f', 'a'],
      ['53', ' '],
      ['fe3f', '!'],
      ['ffc7', '\0'],
      ['fffffff3', '\n'],
      ['fffffbbf', '\u00ff'],
    ];
    for (const [code, text] of samples) {
      const bytes = hex(code);
      assert.equal(decodeHuffman(bytes, 0, bytes.length), text);
    }
  });
});
