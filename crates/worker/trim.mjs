// Drops the sections of a wasm file that only people read, the functions' names above all: wasm-opt has sorted the
// functions by them, and worker-build keeps them. Format: https://webassembly.github.io/spec/core/binary/modules.html.
import { readFileSync, writeFileSync } from "node:fs";

const [file] = process.argv.slice(2);
const bytes = readFileSync(file);
const kept = [bytes.subarray(0, 8)];
for (let at = 8; at < bytes.length; ) {
  const [id, start] = [bytes[at], at];
  let size = 0;
  let shift = 0;
  do {
    at += 1;
    size |= (bytes[at] & 127) << shift;
    shift += 7;
  } while (bytes[at] & 128);
  at += 1 + size;
  // A section of the id 0 changes nothing in what the module does.
  if (id !== 0) kept.push(bytes.subarray(start, at));
}
writeFileSync(file, Buffer.concat(kept));
