import type { Duplex } from "node:stream";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import type { BudgetMeter } from "@tracemill/core/ports/agent.ts";
import type { ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import type { Redactor } from "@tracemill/core/redact/redactor.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";

/** One client of a proxy: an attempt's sandbox, or a program in the user's own shell. */
export interface CaptureSession {
  readonly id: string;
  /**
   * Where requests go that name no host of their own (`http://127.0.0.1:PORT/v1/responses`): with its key added and the
   * client's own dropped. Also requests to its host that come by CONNECT get that key.
   */
  readonly upstream?: ModelUpstream;
  /** Asked before each model request; what answers use is spent on it. Absent: no caps. */
  readonly budget?: BudgetMeter;
  readonly redactor: Redactor;
  /** US dollars of an answer, when a price is known. */
  cost?(model: string, usage: Usage): number | undefined;
  /** Gets each exchange once it has ended, redacted. */
  record(exchange: HttpExchange): void | Promise<void>;
}

/** Captures what its clients say to models and what they are answered; streams pass as they come. */
export interface CaptureProxy extends AsyncDisposable {
  /** Serves a connection of a client that is known by where it came from, as a sandbox's door. */
  serve(connection: Duplex, session: CaptureSession): void;
  /** Ends what a session has open; resolves once all of its exchanges are recorded. It may be served again. */
  end(session: CaptureSession): Promise<void>;
  /**
   * Listens on 127.0.0.1 for clients that say who they are: by the user of a proxy credential
   * (`http://SESSION:TOKEN@127.0.0.1:PORT`), or by a path (`http://127.0.0.1:PORT/s/SESSION:TOKEN/…`).
   * @param sessionOf the session of that name, made when it is new; `undefined` refuses the client.
   */
  listen(
    port: number,
    sessionOf: (name: string, token: string) => CaptureSession | undefined,
  ): Promise<{ url: string; port: number }>;
}
