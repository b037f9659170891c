'use strict';
// Bytes to text and back, exactly. A textarea knows only "\n", so what the file
// had at its line ends and before its first letter is remembered here.

const text = (() => {
  const BOM = [0xef, 0xbb, 0xbf];
  const ENDS = { LF: '\n', CRLF: '\r\n', CR: '\r' };

  const equal = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);

  function countEnds(s) {
    const crlf = (s.match(/\r\n/g) || []).length;
    const all = { CRLF: crlf, LF: (s.match(/\n/g) || []).length - crlf, CR: (s.match(/\r/g) || []).length - crlf };
    const kinds = Object.keys(all).filter((k) => all[k] > 0).sort((a, b) => all[b] - all[a]);
    return { kind: kinds[0] || 'LF', mixed: kinds.length > 1 };
  }

  // A text that cannot be written back as it is: shown, not edited.
  const fixed = (value, encoding, why) => ({ value, encoding, ends: 'LF', bom: false, editable: false, why });

  // decode tells what to show and whether it may be edited; why is the key of the words
  // that say why not.
  function decode(bytes) {
    if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
      const name = bytes[0] === 0xff ? 'utf-16le' : 'utf-16be';
      return fixed(new TextDecoder(name).decode(bytes), name.toUpperCase(), 'edit.utf16');
    }
    if (bytes.includes(0)) {
      return fixed('', 'binary', 'edit.binary');
    }
    const bom = bytes.length >= 3 && BOM.every((v, i) => bytes[i] === v);
    let s;
    try {
      s = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bom ? bytes.subarray(3) : bytes);
    } catch {
      return fixed(new TextDecoder('windows-1252').decode(bytes), 'not UTF-8', 'edit.not_utf8');
    }
    const { kind, mixed } = countEnds(s);
    const out = { value: s.replace(/\r\n?/g, '\n'), encoding: bom ? 'UTF-8 with BOM' : 'UTF-8', ends: kind, bom, mixed, editable: true, why: '' };
    if (!mixed && !equal(encode(out.value, out), bytes)) {
      return fixed(out.value, out.encoding, 'edit.not_exact');
    }
    return out;
  }

  // encode is the way back, in the manner of the file that was read.
  function encode(value, { ends, bom }) {
    const body = new TextEncoder().encode(ends === 'LF' ? value : value.replaceAll('\n', ENDS[ends]));
    if (!bom) return body;
    const all = new Uint8Array(body.length + 3);
    all.set(BOM);
    all.set(body, 3);
    return all;
  }

  return { decode, encode };
})();
