'use strict';
// Reads its program's place, arguments and variables, and becomes it: a file with `import` or `await` at its top is a
// module of its own kind, any other is CommonJS; `require` is there for both.
const { closeSync, readFileSync } = require('node:fs');
const { createRequire, runMain } = require('node:module');

const [file, count, ...rest] = readFileSync(3, 'utf8').split('\0');
closeSync(3);
const args = rest.splice(0, Number(count));
for (let at = 0; at + 1 < rest.length; at += 2) process.env[rest[at]] = rest[at + 1];

const esbuild = process.argv[2];
let program = file;
if (file.endsWith('.ts') && !process.features.typescript) {
  const { spawnSync } = require('node:child_process');
  program = file.replace(/\.ts$/, '.mjs');
  const done = spawnSync(
    esbuild,
    [file, '--bundle', '--platform=node', '--format=esm', '--packages=external', '--target=node20',
      '--sourcemap=inline', '--log-level=warning', '--color=false', `--outfile=${program}`],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { GOMAXPROCS: '1', HOME: process.env.HOME, PATH: process.env.PATH } },
  );
  if (done.error) throw done.error;
  if (done.status !== 0) process.exit(done.status ?? 1);
  process.setSourceMapsEnabled(true);
}
Object.defineProperty(globalThis, 'require', { value: createRequire(program), writable: true, configurable: true });
process.argv.splice(1, Infinity, program, ...args);
runMain();
