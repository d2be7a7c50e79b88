import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "@tracemill/core/errors.ts";
import { addTrailers, passAnswer } from "./answer.ts";
import { takeBody } from "./body-copy.ts";
import {
  beginAnswer,
  beginExchange,
  type ExchangeDeps,
  endExchange,
  type OngoingExchange,
  ownAnswer,
} from "./exchange.ts";
import { isCredential } from "./headers.ts";
import type { RecentlyUsed } from "./recently-used.ts";
import { secretsIn } from "./recorded-url.ts";
import { refuse } from "./refusal.ts";
import type { SessionState } from "./session-state.ts";
import {
  bodyWithUsage,
  type Outward,
  openRequest,
  type TakenBody,
  takeRequest,
  type UpstreamDeps,
} from "./upstream-request.ts";

export interface ForwardDeps extends ExchangeDeps, UpstreamDeps {
  /** Told when an exchange could not be recorded. */
  onProblem: (error: unknown) => void;
  /** Origins that refuse to be asked for usage. */
  withoutUsage: RecentlyUsed<string, true>;
}

export interface Passing extends Outward {
  response: ServerResponse;
  state: SessionState;
}

/** A request on its way. */
interface Journey extends Passing {
  exchange: OngoingExchange;
  body: TakenBody;
  /** Ends the exchange; only the first call counts. */
  end: (error?: string) => void;
}

/** Takes a request to its upstream and the answer back, as it comes, and records both. */
export async function forward(passing: Passing, deps: ForwardDeps): Promise<void> {
  const { request, response, target, state } = passing;
  hideCredentials(passing);
  state.hold(response);
  const exchange = beginExchange(request, target, deps);
  const end = ending(exchange, state, deps);
  response.once("close", () => {
    if (!response.writableFinished) end("the client left before the end of the answer");
  });
  const body = await takeRequest(passing, deps).catch(() => undefined);
  if (body === undefined) return end("the client left before the end of its request");
  for (const chunk of body.chunks) exchange.body.push(chunk);
  const journey: Journey = { ...passing, exchange, body, end };
  if (target.protocol !== undefined && (await isCapped(journey, deps))) return;
  const changed = deps.withoutUsage.get(target.url.origin) ? undefined : bodyWithUsage(passing, body);
  if (!response.destroyed) send(journey, changed, deps);
}

/** Answers may repeat them. */
function hideCredentials({ request, target, state }: Passing): void {
  for (const [name, value] of Object.entries(request.headers))
    if (isCredential(name) && typeof value === "string") state.hide(value);
  for (const value of secretsIn(target.url)) state.hide(value);
}

function ending(exchange: OngoingExchange, state: SessionState, deps: ForwardDeps): Journey["end"] {
  let hasEnded = false;
  return (error) => {
    if (hasEnded) return;
    hasEnded = true;
    state.settle(endExchange(exchange, state, error, deps), deps.onProblem);
  };
}

/** Answers a request above a cap so that clients stop: they try again after errors of the server's, not of their own. */
async function isCapped(journey: Journey, deps: ForwardDeps): Promise<boolean> {
  const reached = await journey.state.admit();
  if (reached === undefined) return false;
  const message = `Stopped by Tracemill: ${reached.reason}`;
  endInOwnName(journey, 400, message, deps, { "x-should-retry": "false" });
  return true;
}

/** Ends an exchange by an answer of the proxy's own; one that had begun breaks off. */
function endInOwnName(
  { response, target, exchange, end }: Journey,
  status: number,
  message: string,
  deps: ForwardDeps,
  headers: Record<string, string> = {},
): void {
  const said = refuse(response, status, message, { protocol: target.protocol, headers });
  if (said !== undefined) exchange.answer = ownAnswer(said, deps);
  end(message);
}

function send(journey: Journey, changed: Buffer | undefined, deps: ForwardDeps): void {
  const { request, response, target, exchange, body } = journey;
  const sent = openRequest(journey, changed, deps);
  const leave = (): void => {
    sent.destroy();
  };
  response.once("close", leave);
  const fail = (message: string): void => endInOwnName(journey, 502, message, deps);
  let isAnswered = false;
  sent.once("response", (answer) => {
    isAnswered = true;
    const passed = changed === undefined ? pass : passUnlessRefused;
    // What an upstream says may not be sayable again: a reason with control characters, a status of 99.
    Promise.try(passed, answer, journey, deps).catch((error: unknown) => {
      leave();
      fail(`${target.url.host} broke off its answer, or gave none of HTTP's: ${messageOf(error)}`);
    });
  });
  // Node drops a connection that was to change its protocol, and says no more of it.
  sent.once("upgrade", (_answer, socket) => {
    socket.destroy();
    fail(`${target.url.host} changed to another protocol, which nobody asked for`);
  });
  sent.once("error", (error: NodeJS.ErrnoException) => {
    if (isAnswered || response.destroyed) return;
    response.off("close", leave);
    // The upstream closed a kept connection just as it was taken again: nothing of this request was read.
    const isStale = sent.reusedSocket && error.code === "ECONNRESET";
    if (isStale && body.ended) return send(journey, changed, deps);
    fail(`${target.url.host} could not be reached: ${messageOf(error)}`);
  });
  for (const chunk of changed === undefined ? body.chunks : [changed]) sent.write(chunk);
  if (body.ended) return void sent.end();
  request.on("data", (chunk: Buffer) => exchange.body.push(chunk));
  request.once("end", () => addTrailers(request, sent));
  request.pipe(sent);
}

/** An error that explains itself is shorter. */
const longestComplaint = 64 * 1024;

/** Asks again, as the client did, where a server does not know how to be asked for usage. */
async function passUnlessRefused(
  answer: IncomingMessage,
  journey: Journey,
  deps: ForwardDeps,
): Promise<void> {
  const { statusCode = 0 } = answer;
  if (statusCode !== 400 && statusCode !== 422) return pass(answer, journey, deps, { dropsUsage: true });
  const taken = await takeBody(answer, longestComplaint);
  if (!/stream_options|include_usage/.test(Buffer.concat(taken.chunks).toString("utf8")))
    return pass(answer, journey, deps, { taken });
  answer.resume();
  deps.withoutUsage.set(journey.target.url.origin, true);
  send(journey, undefined, deps);
}

function pass(
  answer: IncomingMessage,
  { response, exchange, end }: Journey,
  deps: ForwardDeps,
  options: { taken?: TakenBody; dropsUsage?: boolean } = {},
): void {
  const kept = beginAnswer(answer, deps);
  exchange.answer = kept;
  passAnswer(answer, response, kept, end, { dropsUsage: false, ...options, now: deps.now });
}
