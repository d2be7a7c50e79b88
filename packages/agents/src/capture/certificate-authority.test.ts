import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect as connectPlain, createServer } from "node:net";
import { join } from "node:path";
import { connect, TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { openAuthority } from "./certificate-authority.ts";

const day = 86_400_000;

test("the authority is made once, for this user alone, and used again", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "authority");
  const first = await openAuthority(path);
  const again = await openAuthority(path);
  expect(again.fingerprint).toBe(first.fingerprint);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect((await stat(join(path, "authority.pem"))).mode & 0o777).toBe(0o600);
  expect(await readFile(first.file, "utf8")).toBe(first.certificate);
  const certificate = new X509Certificate(first.certificate);
  expect(certificate.fingerprint256).toBe(first.fingerprint);
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(first.notAfter.getTime() - Date.now()).toBeGreaterThan(9 * 365 * day);
});

test("processes that come first at once get the same authority", async () => {
  await using dir = await tempDir();
  const opened = await Promise.all(Array.from({ length: 8 }, () => openAuthority(dir.path)));
  expect(new Set(opened.map(({ fingerprint }) => fingerprint)).size).toBe(1);
});

test("an authority is made anew before its time runs out", async () => {
  await using dir = await tempDir();
  const old = await openAuthority(dir.path);
  const at = (days: number) => ({ now: () => old.notAfter.getTime() - days * day });
  expect((await openAuthority(dir.path, at(31))).fingerprint).toBe(old.fingerprint);
  const renewed = await openAuthority(dir.path, at(29));
  expect(renewed.fingerprint).not.toBe(old.fingerprint);
  expect(await readFile(renewed.file, "utf8")).toBe(renewed.certificate);
});

test("a file that is no authority is named, with what to do", async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, "authority.pem"), "something else");
  await expect(openAuthority(dir.path)).rejects.toMatchObject({
    code: "storage-corrupt",
    message: expect.stringMatching(/authority\.pem: no certificate authority .* Delete it/),
  });
});

test.each([
  "api.example.com",
  "a-name-of-more-than-64-characters.which-is-the-most-for-a-common-name.example.com",
  "127.0.0.1",
  "::1",
  "2001:db8::8:800:200c:417a",
])("a client that trusts the authority trusts its certificate for %s", async (host) => {
  await using dir = await tempDir();
  const authority = await openAuthority(dir.path);
  const server = createServer((socket) => {
    const secured = new TLSSocket(socket, { isServer: true, secureContext: authority.contextFor(host) });
    secured.end("hello");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connectPlain(port, "127.0.0.1");
  const client = connect({ socket, host, ca: authority.certificate });
  await once(client, "secureConnect");
  expect(client.authorized).toBe(true);
  expect(client.getPeerX509Certificate()?.checkIssued(new X509Certificate(authority.certificate))).toBe(true);
  client.destroy();
  server.close();
});

test("certificates of hosts are kept, and made anew before they end", async () => {
  await using dir = await tempDir();
  let now = Date.now();
  const authority = await openAuthority(dir.path, { now: () => now });
  const first = authority.contextFor("api.example.com");
  expect(authority.contextFor("api.example.com")).toBe(first);
  now += 90 * day;
  expect(authority.contextFor("api.example.com")).not.toBe(first);
});
