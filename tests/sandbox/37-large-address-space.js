// A module that adds two numbers: V8 reserves gigabytes of addresses for it and touches none of them.
const bytes = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1,
  7, 0, 32, 0, 32, 1, 106, 11,
]);
const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
WebAssembly.instantiate(bytes).then(({ instance }) => {
  console.log('TRIED', instance.exports.add(40, 2), memory.buffer.byteLength);
});
