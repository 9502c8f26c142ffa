// What node's mysql2 does with a database behind the bastion. Words: port, user, database, "tls" or "plain"; the password is in MYSQL_PWD.
// NODE_PATH says where mysql2 is.
'use strict';

const mysql = require('mysql2/promise');

const [port, user, database, tls] = process.argv.slice(2);

async function main() {
  const ssl = tls === 'tls' ? { rejectUnauthorized: false } : undefined;
  const connection = await mysql.createConnection({ host: '127.0.0.1', port: Number(port), user, password: process.env.MYSQL_PWD, database, ssl });
  const [rows] = await connection.execute('select ? as a, ? as b, ? as c', ['text', null, Buffer.from('bytes')]);
  process.stdout.write(`${rows[0].a} ${rows[0].b} ${rows[0].c}\n`);
  await connection.end();
}

main().catch((problem) => {
  process.stderr.write(`${problem.message}\n`);
  process.exit(1);
});
