/**
 * Runs in a container that shares a sandbox's network, on its Node: listens on that network's 127.0.0.1, and carries each
 * connection as a stream of one HTTP/2 session over its own standard input and output. The first stream's path is the
 * port; its server is this process. It ends with its input.
 */
export const relayProgram = `
const { Duplex } = require("node:stream");
const http2 = require("node:http2");
const net = require("node:net");
const windowBytes = Number(process.argv[1]);
const transport = Duplex.from({ readable: process.stdin, writable: process.stdout });
const session = http2.connect("http://sandbox", {
  createConnection: () => transport,
  settings: { initialWindowSize: windowBytes, enablePush: false },
});
const end = () => process.exit();
session.on("close", end).on("error", end);
transport.on("close", end).on("error", end);
const open = (path, endStream) => session.request({ ":method": "POST", ":path": path }, { endStream });
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const stream = open("/", false);
  socket.on("error", () => stream.close(http2.constants.NGHTTP2_CANCEL));
  stream.on("error", () => socket.destroy());
  stream.on("close", () => { if (stream.rstCode !== 0) socket.destroy(); });
  socket.pipe(stream);
  stream.pipe(socket);
});
server.maxConnections = Number(process.argv[2]);
server.listen({ host: "127.0.0.1", port: 0 }, () => open("/" + server.address().port, true).resume());
`;
