import { isTracemillError } from "@tracemill/core/errors.ts";
import { type HttpAnswer, HttpError, type HttpEvent, jsonAnswer, pageOf } from "./http.ts";
import { type ApiDeps, attempt, datasets, run, runs, trials } from "./routes.ts";

interface Route {
  pattern: RegExp;
  answer(parts: string[], event: HttpEvent, deps: ApiDeps): Promise<HttpAnswer>;
}

const runId = "(run_[0-9A-Za-z]{1,64})";
const trialId = "(trl_[0-9a-f]{1,64})";

const routes: readonly Route[] = [
  { pattern: /^\/runs$/, answer: (_, event, deps) => runs(pageOf(event), deps) },
  { pattern: RegExp(`^/runs/${runId}$`), answer: ([id = ""], _, deps) => run(id, deps) },
  {
    pattern: RegExp(`^/runs/${runId}/trials$`),
    answer: ([id = ""], event, deps) => trials(id, pageOf(event), deps),
  },
  {
    pattern: RegExp(`^/trials/${runId}/${trialId}/([1-9][0-9]{0,3})$`),
    answer: ([id = "", trial = "", number], _, deps) => attempt(id, trial, Number(number), deps),
  },
  { pattern: /^\/datasets$/, answer: (_, event, deps) => datasets(pageOf(event), deps) },
];

const known = "GET /runs, /runs/:runId, /runs/:runId/trials, /trials/:runId/:trialId/:attempt, /datasets";

/** Answers a read. Refusals are JSON, `{error}`; what is our own fault is thrown. */
export async function respond(event: HttpEvent, deps: ApiDeps): Promise<HttpAnswer> {
  const { method } = event.requestContext.http;
  try {
    if (method !== "GET" && method !== "HEAD") throw new HttpError(405, "read only", { allow: "GET, HEAD" });
    const answer = await routed(event, deps);
    return method === "HEAD" ? { ...answer, body: "" } : answer;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return jsonAnswer(refusal.statusCode, { error: refusal.message }, refusal.headers);
  }
}

async function routed(event: HttpEvent, deps: ApiDeps): Promise<HttpAnswer> {
  const path = event.rawPath.replace(/(.)\/+$/, "$1");
  for (const { pattern, answer } of routes) {
    const [whole, ...parts] = pattern.exec(path) ?? [];
    if (whole !== undefined) return answer(parts, event, deps);
  }
  throw new HttpError(404, `no such path; there are ${known}`);
}

function refusalOf(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (isTracemillError(error, "not-found")) return new HttpError(404, error.message);
  return undefined;
}
