import { createHash, type KeyObject, sign } from "node:crypto";
import { isIP, isIPv6 } from "node:net";

/**
 * Certificates as RFC 5280 has them, written in DER; ECDSA with P-256 and SHA-256 (RFC 5758) alone. Nothing is read
 * here: `X509Certificate` of `node:crypto` does that.
 */

/** A distinguished name: `[["O", "Tracemill"], ["CN", "…"]]`, outermost first. */
export type Name = readonly (readonly ["O" | "CN", string])[];

export interface CertificateContent {
  subject: Name;
  issuer: Name;
  /** Whose certificate it is. P-256. */
  publicKey: KeyObject;
  /** Key of the issuer: what signs, and what is named as the authority's. P-256. */
  issuerPublicKey: KeyObject;
  issuerPrivateKey: KeyObject;
  notBefore: Date;
  notAfter: Date;
  /** Positive, up to 20 bytes. */
  serial: Buffer;
  /** `authority` signs others and nothing else; a host's certificate is for that name or address. */
  use: "authority" | { host: string };
}

/** The certificate in PEM. */
export function certificatePem(content: CertificateContent): string {
  const tbs = toBeSigned(content);
  const signature = sign("sha256", tbs, content.issuerPrivateKey);
  const der = sequence(tbs, ecdsaWithSha256, bitString(signature));
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function toBeSigned(content: CertificateContent): Buffer {
  const version3 = tlv(0xa0, integer(Buffer.of(2)));
  return sequence(
    version3,
    integer(content.serial),
    ecdsaWithSha256,
    name(content.issuer),
    sequence(time(content.notBefore), time(content.notAfter)),
    name(content.subject),
    spki(content.publicKey),
    tlv(0xa3, sequence(...extensions(content))),
  );
}

function extensions({ use, publicKey, issuerPublicKey }: CertificateContent): Buffer[] {
  const isAuthority = use === "authority";
  const common = [
    // A path length of 0: what it signs may not sign others.
    extension("2.5.29.19", isAuthority ? sequence(boolean(true), integer(Buffer.of(0))) : sequence(), true),
    // keyCertSign and cRLSign, or digitalSignature: bits count from the left, the first byte says how many are unused.
    extension("2.5.29.15", tlv(0x03, isAuthority ? Buffer.of(1, 0x06) : Buffer.of(7, 0x80)), true),
    extension("2.5.29.14", tlv(0x04, keyId(publicKey))),
    extension("2.5.29.35", sequence(tlv(0x80, keyId(issuerPublicKey)))),
  ];
  if (isAuthority) return common;
  const serverAuth = oid("1.3.6.1.5.5.7.3.1");
  return [
    ...common,
    extension("2.5.29.37", sequence(serverAuth)),
    extension("2.5.29.17", sequence(altName(use.host))),
  ];
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), tlv(0x04, value));
}

function altName(host: string): Buffer {
  return isIP(host) === 0 ? tlv(0x82, Buffer.from(host, "ascii")) : tlv(0x87, addressBytes(host));
}

/** The 4 or 16 bytes of an address. */
function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  // The URL parser writes any IPv6 address in its shortest form, without dots.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const before = groups(head);
  const after = groups(tail ?? "");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const hex = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join("");
  return Buffer.from(hex, "hex");
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

/** SHA-1 of the key's bits (RFC 5280, 4.2.1.2): of a P-256 key the last 65 bytes of its SPKI. */
function keyId(key: KeyObject): Buffer {
  return createHash("sha1").update(spki(key).subarray(-65)).digest();
}

const nameTypes = { O: "2.5.4.10", CN: "2.5.4.3" };

function name(parts: Name): Buffer {
  return sequence(
    ...parts.map(([type, value]) => {
      const text = tlv(0x0c, Buffer.from(value, "utf8"));
      return tlv(0x31, sequence(oid(nameTypes[type]), text));
    }),
  );
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]|\.\d+Z$/g, "")}Z`;
  const isShort = date.getUTCFullYear() < 2050;
  return tlv(isShort ? 0x17 : 0x18, Buffer.from(isShort ? digits.slice(2) : digits, "ascii"));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts);
}

/** A non-negative integer in its fewest bytes. */
function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const shortest = first < 0 ? Buffer.of(0) : bytes.subarray(first);
  return (shortest[0] ?? 0) >= 0x80 ? tlv(0x02, Buffer.of(0), shortest) : tlv(0x02, shortest);
}

function boolean(value: boolean): Buffer {
  return tlv(0x01, Buffer.of(value ? 0xff : 0));
}

function bitString(bytes: Buffer): Buffer {
  return tlv(0x03, Buffer.of(0), bytes);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

function tlv(tag: number, ...contents: readonly Buffer[]): Buffer {
  const size = contents.reduce((sum, content) => sum + content.length, 0);
  return Buffer.concat([Buffer.of(tag), lengthBytes(size), ...contents]);
}

function lengthBytes(size: number): Buffer {
  if (size < 0x80) return Buffer.of(size);
  const bytes: number[] = [];
  for (let left = size; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
