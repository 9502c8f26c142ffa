// What node's pg does with a database behind the bastion. Words: port, user, database, and for TLS the file of the CA and the name in the
// certificate; the password is in PGPASSWORD. NODE_PATH says where pg is.
'use strict';

const fs = require('fs');
const tls = require('tls');
const { Client } = require('pg');

const [port, user, database, ca, name] = process.argv.slice(2);

async function main() {
  const ssl = ca ? { ca: fs.readFileSync(ca, 'utf8'), checkServerIdentity: (_host, shown) => tls.checkServerIdentity(name, shown) } : false;
  const client = new Client({ host: '127.0.0.1', port: Number(port), user, database, ssl });
  await client.connect();
  const { rows } = await client.query('select $1::text as a, $2::int as b, $3::text as c', ['text', 7, null]);
  process.stdout.write(`${rows[0].a} ${rows[0].b} ${rows[0].c}\n`);
  await client.end();
}

main().catch((problem) => {
  process.stderr.write(`${problem.message}\n`);
  process.exit(1);
});
