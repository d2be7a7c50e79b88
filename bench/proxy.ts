import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { messageOf } from "@tracemill/core/errors.ts";
import { openCaptureStore } from "@tracemill/local/capture-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { pythonMissing, pythonVenv } from "../test/emulators/venv.ts";
import { credentialsFor } from "../test/servers/capture-world.ts";
import {
  answerText,
  benchClient,
  type LoadFigures,
  type ProxyUnderTest,
  requestBody,
  runLoad,
} from "./proxy-load.ts";
import { compare, missing, note, report } from "./report.ts";
import { median } from "./tracemill.ts";

const requirement = "mitmproxy==11.0.2";
const clients = 16;
const requests = 1_500;
const rounds = 3;
const sessions = 200;
const requestsEach = 5;

/**
 * Requests of 40 KB and streamed answers of 16 KB through TLS interception, 16 at once, every exchange written to
 * SQLite: ours with redaction, mitmproxy with a recorder that streams as well. Then 200 sessions at once.
 */
export async function benchProxy(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  const children: ChildProcess[] = [];
  try {
    const { ca, ...credentials } = credentialsFor("127.0.0.1");
    const [provider, providerPort] = await start<number>("proxy-provider.ts", credentials);
    children.push(provider);
    const [child, ours] = await start<ProxyUnderTest>("proxy-child.ts", { dir, providerCa: ca });
    children.push(child);
    const theirs = await startMitmproxy(dir, ca, children);
    await measure(ours, theirs, providerPort);
    await checkSessions(ours, providerPort, child, dir);
  } finally {
    for (const child of children) child.kill();
    await rm(dir, { recursive: true, force: true });
  }
}

async function start<T>(file: string, options: object): Promise<[ChildProcess, T]> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(options)]);
  const [told] = await once(child, "message");
  return [child, told as T];
}

async function measure(
  ours: ProxyUnderTest,
  theirs: ProxyUnderTest | string,
  providerPort: number,
): Promise<void> {
  const figures: Record<"ours" | "theirs", LoadFigures[]> = { ours: [], theirs: [] };
  const load = { providerPort, clients, requests };
  // One after the other in turns: other work on the machine then falls on both.
  for (let round = 0; round < rounds; round += 1) {
    figures.ours.push(await runLoad({ ...load, proxy: ours }));
    if (typeof theirs !== "string") figures.theirs.push(await runLoad({ ...load, proxy: theirs }));
  }
  const rate = (of: readonly LoadFigures[]): number => median(of.map((each) => each.requestsPerSecond));
  const firstByte = (of: readonly LoadFigures[]): number => median(of.map((each) => each.firstByteMs));
  const [rateText, firstText] = [`a request, ${clients} at once`, "first streamed byte, the median"];
  note("requests a second", rate(figures.ours), "1/s");
  if (typeof theirs === "string") return missing(requirement, theirs);
  const [oursMs, theirsMs] = [1_000 / rate(figures.ours), 1_000 / rate(figures.theirs)];
  compare(rateText, oursMs, theirsMs, "ms", requirement, 3);
  compare(firstText, firstByte(figures.ours), firstByte(figures.theirs), "ms", requirement, 2);
}

/** Each session says and hears its own; what was stored of it is compared with that, byte by byte. */
async function checkSessions(
  proxy: ProxyUnderTest,
  providerPort: number,
  child: ChildProcess,
  dir: string,
): Promise<void> {
  const ids = Array.from({ length: sessions }, (_unused, index) => `session-${index}`);
  await Promise.all(ids.map((id) => talk(proxy, providerPort, id)));
  const exited = once(child, "exit");
  child.send("end");
  await exited;
  await using store = openCaptureStore(join(dir, "captures.sqlite"), { clock: systemClock });
  let wrong = 0;
  for (const id of ids) {
    const kept: string[] = [];
    for await (const { request, response } of store.exchanges(id))
      kept.push(JSON.stringify(request.body), textOfEvents(response?.body));
    const said = turnsOf(id).flatMap((user) => [requestBody(user), answerText(user)]);
    if (JSON.stringify(kept) !== JSON.stringify(said)) wrong += 1;
  }
  report(`sessions of ${sessions} at once, kept as they were`, sessions - wrong, "sessions", {
    atLeast: sessions,
  });
}

function turnsOf(id: string): string[] {
  return Array.from({ length: requestsEach }, (_unused, turn) => `${id}-${turn}`);
}

async function talk(proxy: ProxyUnderTest, providerPort: number, id: string): Promise<void> {
  const client = benchClient(proxy, providerPort, id);
  for (const user of turnsOf(id)) await client.ask(user);
  client.close();
}

interface Chunk {
  choices?: { delta?: { content?: string } }[];
}

function textOfEvents(body: unknown): string {
  const { _events: events } = body as { _events: (Chunk | string)[] };
  const said = events.map((event) =>
    typeof event === "string" ? "" : (event.choices?.[0]?.delta?.content ?? ""),
  );
  return said.join("");
}

/** As our own does: streams the answer on, keeps a copy, writes one row an exchange. */
const recorder = `import base64, json, sqlite3, time, uuid
from mitmproxy import ctx, http

class Recorder:
    def __init__(self):
        self.sessions = {}

    def load(self, loader):
        loader.add_option("database", str, "", "file of the captured exchanges")

    def running(self):
        self.db = sqlite3.connect(ctx.options.database, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("CREATE TABLE IF NOT EXISTS traces (id TEXT PRIMARY KEY, ts_ms INTEGER, method TEXT, url TEXT,"
                        " request_json TEXT, response_json TEXT, meta_json TEXT)")

    def http_connect(self, flow: http.HTTPFlow):
        given = flow.request.headers.get("proxy-authorization", "")
        name = base64.b64decode(given[6:]).decode().split(":")[0] if given.startswith("Basic ") else ""
        self.sessions[flow.client_conn.id] = name

    def client_disconnected(self, client):
        self.sessions.pop(client.id, None)

    def responseheaders(self, flow: http.HTTPFlow):
        chunks = []
        flow.metadata["chunks"] = chunks
        def keep(data):
            chunks.append(data)
            return data
        flow.response.stream = keep

    def response(self, flow: http.HTTPFlow):
        body = b"".join(flow.metadata["chunks"]).decode("utf-8", "replace")
        meta = {"status_code": flow.response.status_code, "headers": dict(flow.response.headers),
                "session_id": self.sessions.get(flow.client_conn.id)}
        self.db.execute("INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?, ?)", (
            str(uuid.uuid4()), int(time.time() * 1000), flow.request.method, flow.request.pretty_url,
            json.dumps(self.form(flow.request.get_text(strict=False) or "")), json.dumps(self.form(body)), json.dumps(meta)))
        self.db.commit()

    @staticmethod
    def form(text):
        try:
            return json.loads(text)
        except ValueError:
            return {"_raw": text}

addons = [Recorder()]
`;

/** Starts it, or says why there is none. */
async function startMitmproxy(
  dir: string,
  providerCa: string,
  children: ChildProcess[],
): Promise<ProxyUnderTest | string> {
  const why = await pythonMissing();
  if (why !== undefined) return why;
  let bin: string;
  try {
    ({ bin } = await pythonVenv([requirement]));
  } catch (error) {
    return `pip could not install ${requirement}: ${messageOf(error).slice(0, 200)}`;
  }
  const home = join(dir, "mitmproxy");
  await mkdir(home);
  await writeFile(join(home, "recorder.py"), recorder);
  await writeFile(join(home, "provider.pem"), providerCa);
  const port = await freePort();
  const settings = {
    confdir: home,
    ssl_verify_upstream_trusted_ca: join(home, "provider.pem"),
    database: join(home, "captures.sqlite"),
    http2: "false",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  const args = [
    "-q",
    "--listen-host",
    "127.0.0.1",
    "-p",
    String(port),
    "-s",
    join(home, "recorder.py"),
    ...flags,
  ];
  children.push(spawn(join(bin, "mitmdump"), args, { stdio: ["ignore", "ignore", "inherit"] }));
  return { port, ca: await readWhenThere(join(home, "mitmproxy-ca-cert.pem")) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await once(server.close(), "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** It writes its authority when it starts, and listens soon after. */
async function readWhenThere(file: string): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    await sleep(200);
    const text = await readFile(file, "utf8").catch(() => "");
    if (!text.includes("END CERTIFICATE")) continue;
    await sleep(2_000);
    return text;
  }
  throw new Error(`mitmdump did not start: there is no ${file}`);
}
