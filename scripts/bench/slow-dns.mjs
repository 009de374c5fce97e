// A DNS server that answers every name with 127.0.0.1, after 100 ms: on the port that is given, and on port 53 of
// 127.0.0.77 if that is permitted.
import { createSocket } from 'node:dgram';

const DELAY = 100;
const PORT = Number(process.argv[2]);

/** Returns the answer to a question: 127.0.0.1 for type A, nothing for other types. */
function answerTo(query) {
  const end = query.indexOf(0, 12) + 5;
  const isA = query.readUInt16BE(end - 4) === 1;
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isA ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
  return Buffer.concat([head, query.subarray(12, end), ...(isA ? [record] : [])]);
}

function listen(port, address) {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    setTimeout(() => socket.send(answerTo(query), from.port, from.address), DELAY);
  });
  return new Promise((resolve) => {
    socket.once('error', resolve);
    socket.bind(port, address, resolve);
  });
}

await Promise.all([listen(PORT, '127.0.0.1'), listen(53, '127.0.0.77')]);
process.stdout.write('listens\n');
