// A small ssh made of the package ssh2 of node: a client whose socket is a forwarded channel of another client.
// Same command line as way.py. NODE_PATH says where ssh2 is.
'use strict';

const { execFile } = require('child_process');
const { readFileSync } = require('fs');
const { parseArgs } = require('util');
const { Client } = require('ssh2');

const { values: way, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bastion: { type: 'string' },
    port: { type: 'string', default: '22' },
    user: { type: 'string' },
    key: { type: 'string' },
    'known-hosts': { type: 'string' },
    code: { type: 'string', default: '' },
    pty: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const [target, command] = positionals;
const [account, host] = target.split('@');

function leave(status, problem) {
  if (problem) process.stderr.write(`node ssh2: ${problem.level || 'error'}: ${problem.message}\n`);
  process.stdout.write('', () => process.exit(status));
}

function isKnown(address, blob) {
  const wanted = `${address} ssh-ed25519 ${blob.toString('base64')}`;
  return readFileSync(way['known-hosts'], 'utf8').split('\n').includes(wanted);
}

function options(address, username) {
  return {
    username,
    privateKey: readFileSync(way.key),
    tryKeyboard: true,
    readyTimeout: 120000,
    hostVerifier: (blob) => isKnown(address, blob),
  };
}

function connect(settings, whenReady) {
  const client = new Client();
  client.on('keyboard-interactive', (_name, _text, _language, prompts, finish) => {
    const [program, ...words] = way.code.split(' ');
    execFile(program, words, (problem, said) => {
      if (problem) return leave(255, problem);
      return finish(prompts.map(() => said.trim()));
    });
  });
  client.on('banner', (text) => process.stderr.write(text));
  client.on('handshake', (agreed) => {
    if (way.verbose) process.stderr.write(`ciphers: ${agreed.cs.cipher}\n`);
  });
  client.on('ready', () => whenReady(client));
  client.on('error', (problem) => leave(255, problem));
  client.connect(settings);
}

function terminal() {
  if (!way.pty) return {};
  const [cols, rows] = way.pty.split('x').map(Number);
  return { pty: { term: 'vt100', cols, rows } };
}

function run(inner) {
  inner.exec(command, terminal(), (problem, stream) => {
    if (problem) return leave(255, problem);
    let status = 255;
    stream.on('exit', (code) => { status = code === null ? 255 : code; });
    stream.on('close', () => leave(status));
    stream.pipe(process.stdout);
    stream.stderr.pipe(process.stderr);
    return process.stdin.pipe(stream);
  });
}

connect({ host: way.bastion, port: Number(way.port), ...options(way.bastion, way.user) }, (outer) => {
  outer.forwardOut('127.0.0.1', 0, host, 22, (problem, sock) => {
    if (problem) return leave(255, problem);
    return connect({ sock, ...options(host, account) }, run);
  });
});
