import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
} from "node:crypto";
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { recentlyUsed } from "./recently-used.ts";
import { certificatePem, type Name } from "./x509.ts";

/** What stands for every intercepted host: clients that trust its certificate take the proxy's for the host's own. */
export interface CertificateAuthority {
  /** Its certificate, PEM: what clients have to trust. No secret. */
  readonly certificate: string;
  /** The file that holds `certificate`, for settings that want a path. */
  readonly file: string;
  /** SHA-256 of the certificate, as trust stores show it: `AB:CD:…`. */
  readonly fingerprint: string;
  readonly notAfter: Date;
  /** The TLS side of a host: a key and a certificate for it, made when it is first asked for. */
  contextFor(host: string): SecureContext;
}

const day = 24 * 60 * 60 * 1_000;
/** Made once by the user's decision to trust it: long. */
const authorityDays = 3_650;
/** Renewed before it ends, since hosts' certificates live inside its time. */
const renewDays = 30;
/** Some clients refuse certificates of hosts that are good for more than 398 days. */
const leafDays = 90;
/** Clocks differ. */
const leewayDays = 1;
/** Hosts whose certificates are kept: 5 KB each. */
const mostHosts = 1_000;

const keyFile = "authority.pem";
const certificateFile = "ca.pem";
const ownKey = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/;
const ownCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/;

/**
 * The authority of a folder, made when there is none and again when its time runs out. The folder is for this user
 * alone: `authority.pem` (key and certificate, 0600) and `ca.pem` (the certificate). Two processes that come first at
 * once get the same one.
 * @param deps.now milliseconds since the epoch.
 * @throws TracemillError `storage-corrupt` when the file there is no authority, with what to do.
 */
export async function openAuthority(
  dir: string,
  deps: { now: () => number } = { now: Date.now },
): Promise<CertificateAuthority> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const path = join(dir, keyFile);
  const kept = await read(path);
  const isGood = kept !== undefined && kept.notAfter.getTime() - deps.now() > renewDays * day;
  const stored = isGood ? kept : await make(dir, kept !== undefined, deps.now());
  const file = join(dir, certificateFile);
  await publish(file, stored.certificate);
  return { ...stored, file, contextFor: contexts(stored, deps.now) };
}

interface Stored {
  certificate: string;
  privateKey: string;
  fingerprint: string;
  notAfter: Date;
}

async function read(path: string): Promise<Stored | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : parse(text, path);
}

function parse(text: string, path: string): Stored {
  try {
    const [privateKey = ""] = ownKey.exec(text) ?? [];
    const [certificate = ""] = ownCertificate.exec(text) ?? [];
    const x509 = new X509Certificate(certificate);
    if (!x509.checkPrivateKey(createPrivateKey(privateKey))) throw new Error("key and certificate differ");
    return { privateKey, certificate, fingerprint: x509.fingerprint256, notAfter: x509.validToDate };
  } catch (error) {
    throw new TracemillError(
      "storage-corrupt",
      `${path}: no certificate authority (${messageOf(error)}). Delete it to have a new one, which clients then have to trust.`,
      { cause: error },
    );
  }
}

/** Writes a new one. @returns what the folder holds then: another process may have been first. */
async function make(dir: string, replace: boolean, now: number): Promise<Stored> {
  const path = join(dir, keyFile);
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, newAuthority(now), { mode: 0o600, flag: "wx" });
  if (replace) await rename(temporary, path);
  else {
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await rm(temporary);
  }
  const stored = await read(path);
  if (stored === undefined) throw new TracemillError("storage-failed", `${path}: gone as soon as written`);
  return stored;
}

function newAuthority(now: number): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // Trust stores list names: one that tells two of them apart.
  const subject: Name = [
    ["O", "Tracemill"],
    ["CN", `Tracemill capture ${randomBytes(4).toString("hex")}`],
  ];
  const certificate = certificatePem({
    subject,
    issuer: subject,
    publicKey,
    issuerPublicKey: publicKey,
    issuerPrivateKey: privateKey,
    notBefore: new Date(now - leewayDays * day),
    notAfter: new Date(now + authorityDays * day),
    serial: serial(),
    use: "authority",
  });
  return `${privateKey.export({ type: "pkcs8", format: "pem" })}${certificate}`;
}

/** Lays the certificate beside it, for settings that name a file. */
async function publish(file: string, certificate: string): Promise<void> {
  if ((await readFile(file, "utf8").catch(() => undefined)) === certificate) return;
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, certificate, { mode: 0o644, flag: "wx" });
  await rename(temporary, file);
}

/** One key serves all hosts of a process; it is never written. */
function contexts(authority: Stored, now: () => number): (host: string) => SecureContext {
  const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = leaf.privateKey.export({ type: "pkcs8", format: "pem" });
  const issuerPrivateKey = createPrivateKey(authority.privateKey);
  const issuerPublicKey = createPublicKey(authority.certificate);
  const issuer = subjectOf(authority.certificate);
  const known = recentlyUsed<string, { context: SecureContext; until: number }>(mostHosts);
  const contextOf = (host: string, notAfter: Date): SecureContext => {
    const certificate = certificatePem({
      // A common name holds 64 characters at most (RFC 5280, upper bounds); the host is in the alternative names.
      subject: [["CN", host.slice(0, 64)]],
      issuer,
      publicKey: leaf.publicKey,
      issuerPublicKey,
      issuerPrivateKey,
      notBefore: new Date(now() - leewayDays * day),
      notAfter,
      serial: serial(),
      use: { host },
    });
    return createSecureContext({ key, cert: `${certificate}${authority.certificate}` });
  };
  return (host) => {
    const found = known.get(host);
    if (found !== undefined && found.until > now()) return found.context;
    const until = Math.min(now() + leafDays * day, authority.notAfter.getTime());
    const context = contextOf(host, new Date(until));
    known.set(host, { context, until: until - day });
    return context;
  };
}

function subjectOf(certificate: string): Name {
  const lines = new X509Certificate(certificate).subject.split("\n");
  return lines.map((line) => {
    const [type = "", value = ""] = line.split(/=(.*)/s);
    return [type === "O" ? "O" : "CN", value];
  });
}

/** 127 bits of chance: positive, and never zero. */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}
