import * as z from "zod";
import { respond } from "../api/router.ts";
import { objects, records } from "../deps.ts";
import { handlerOf } from "../edge.ts";

const UrlEvent = z.looseObject({
  rawPath: z.string(),
  queryStringParameters: z.record(z.string(), z.string()).optional(),
  requestContext: z.looseObject({ http: z.looseObject({ method: z.string() }) }),
});

/** Read-only JSON about runs, trials and datasets, behind a function URL that wants IAM credentials. */
export const handler = handlerOf("request", UrlEvent, (event) =>
  respond(event, { objects: objects(), records: records() }),
);
