import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attributeChanges } from './options.ts';
import { printable, renderJson, renderTable } from './table.ts';

describe('renderTable', () => {
  it('makes columns as wide as their content', () => {
    const text = renderTable(
      ['Topic', 'QID'],
      [
        ['orders', 0],
        ['a', 12n],
      ],
    );
    assert.equal(text, '#Topic  #QID\norders  0\na       12');
  });

  it('lets nothing steer the terminal', () => {
    assert.equal(printable('a\u001b[2Jb\n'), 'a\\u001b[2Jb\\u000a');
    assert.ok(!renderTable(['X'], [['\u001b']]).includes('\u001b'));
  });
});

describe('renderJson', () => {
  it('shows long numbers, maps and bytes', () => {
    const value = { small: 5n, large: 2n ** 60n, map: new Map([['a', 1]]), bytes: new Uint8Array([1, 2]) };
    assert.deepEqual(JSON.parse(renderJson(value)), {
      small: 5,
      large: '1152921504606846976',
      map: { a: 1 },
      bytes: 'AQI=',
    });
  });
});

describe('attributeChanges', () => {
  it('reads the form of the original', () => {
    const { attributesPut, attributesRemoved } = attributeChanges('+message.type=FIFO, -reserve.time');
    assert.deepEqual([...attributesPut], [['message.type', 'FIFO']]);
    assert.deepEqual(attributesRemoved, ['reserve.time']);
    assert.deepEqual(attributeChanges(undefined).attributesRemoved, []);
  });

  it('refuses other forms, and attributes that come twice', () => {
    for (const text of ['message.type=FIFO', '+message.type', '+=x', '-', '- ', '+ =x']) {
      assert.throws(() => attributeChanges(text), /written \+key=value or -key/, text);
    }
    for (const text of ['+a=1,+a=2', '-a,-a', '+a=1,-a']) {
      assert.throws(() => attributeChanges(text), /named once; found "a" again/, text);
    }
  });
});
