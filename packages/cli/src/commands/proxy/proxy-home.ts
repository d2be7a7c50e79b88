import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { getCACertificates } from "node:tls";
import type { CertificateAuthority } from "@tracemill/agents/capture/certificate-authority.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { hasErrno } from "@tracemill/local/disk.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import * as z from "zod";
import type { CliContext } from "../../context.ts";

/** What a home keeps for its proxy. */
export function proxyFiles(home: string) {
  const dir = join(home, "proxy");
  return {
    dir,
    authority: join(dir, "ca"),
    /** What this machine trusts, and our authority. */
    bundle: join(dir, "ca-bundle.pem"),
    secret: join(dir, "secret"),
    port: join(dir, "port"),
    running: join(dir, "running.json"),
    captures: join(home, "captures.sqlite"),
  };
}

/** A proxy that serves this home. */
export const RunningProxy = z.strictObject({
  /** As `processOwner` names it. */
  owner: z.string(),
  pid: z.number().int(),
  port: z.number().int(),
  url: z.string(),
  startedAt: z.iso.datetime(),
  /** Where captures go: a file, or an `s3://` address. */
  captures: z.string(),
});
export type RunningProxy = z.infer<typeof RunningProxy>;

/** The proxy that runs for this home; `undefined` when none does, also when it was killed. */
export async function findRunning({
  home,
  clock,
}: Pick<CliContext, "home" | "clock">): Promise<RunningProxy | undefined> {
  const path = proxyFiles(home).running;
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const running = parseRunning(text, path);
  return processOwner(clock.now()).isGone(running.owner) ? undefined : running;
}

function parseRunning(text: string, path: string): RunningProxy {
  try {
    return parseAs(RunningProxy, JSON.parse(text), path, "storage-corrupt");
  } catch (error) {
    throw new TracemillError("storage-corrupt", `${path}: ${messageOf(error)}; stop the proxy and delete it`);
  }
}

/** Says that this process is the home's proxy, until disposed. */
export async function announce(running: RunningProxy, home: string): Promise<AsyncDisposable> {
  const path = proxyFiles(home).running;
  await replaceFile(path, JSON.stringify(running));
  return {
    [Symbol.asyncDispose]: async () => {
      if ((await readIfThere(path)) === JSON.stringify(running)) await rm(path, { force: true });
    },
  };
}

/** What tokens of sessions are made with: 32 random bytes, for this user alone, made once. */
export async function homeSecret(home: string): Promise<Uint8Array> {
  const text = await madeOnce(proxyFiles(home).secret, () => randomBytes(32).toString("hex"));
  return Buffer.from(text.trim(), "hex");
}

/** The port that this home's proxy has, whether it runs or not, so that what a shell was told stays true. */
export async function homePort(home: string): Promise<number> {
  const path = proxyFiles(home).port;
  const text = await madeOnce(path, async () => String(await freePort()));
  return parseAs(z.coerce.number().int().min(1).max(65_535), text.trim(), path, "storage-corrupt");
}

export async function rememberPort(home: string, port: number): Promise<void> {
  await replaceFile(proxyFiles(home).port, `${port}`);
}

/** The home's certificate authority, and the file that programs have to trust instead of their own. */
export async function homeAuthority({
  home,
  config,
}: Pick<CliContext, "home" | "config">): Promise<{ authority: CertificateAuthority; bundle: string }> {
  const { authority: dir, bundle } = proxyFiles(home);
  const { openAuthority } = await import("@tracemill/agents/capture/certificate-authority.ts");
  const authority = await openAuthority(dir);
  const own = [config.variable("SSL_CERT_FILE"), config.variable("NODE_EXTRA_CA_CERTS")];
  const extra = await Promise.all(own.filter((path) => path !== undefined).map(readIfThere));
  const system = getCACertificates("system");
  const roots = system.length > 0 ? system : getCACertificates("bundled");
  const text = bundleOf([...roots, ...extra.map((pem) => pem ?? ""), authority.certificate]);
  if ((await readIfThere(bundle)) !== text) await replaceFile(bundle, text);
  return { authority, bundle };
}

/** Each certificate once, in an order that does not depend on where it was found: the file may be among its sources. */
function bundleOf(texts: readonly string[]): string {
  const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
  const found = texts.flatMap((text) => text.replaceAll("\r", "").match(certificate) ?? []);
  return `${[...new Set(found)].toSorted().join("\n")}\n`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/** Two processes that come first at once get the same. */
async function madeOnce(path: string, make: () => string | Promise<string>): Promise<string> {
  const found = await readIfThere(path);
  if (found !== undefined) return found;
  const temporary = await temporaryFile(path, await make());
  try {
    await link(temporary, path);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return readFile(path, "utf8");
}

async function replaceFile(path: string, text: string): Promise<void> {
  await rename(await temporaryFile(path, text), path);
}

async function temporaryFile(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
  return temporary;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
