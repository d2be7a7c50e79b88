import {
  type ClientOptions,
  createProductionClient,
  type ProductionClient,
} from "@tracemill/core/ingest/client.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";

/** The token that the test server lets in. */
export const testToken = "secret-token";

/** A client of a test server, on a clock that does not wait. */
export function testClient(
  baseUrl: string,
  options: Partial<ClientOptions> = {},
  deps: { fetch?: typeof fetch; signal?: AbortSignal } = {},
): { client: ProductionClient; clock: FakeClock } {
  const clock = fakeClock();
  const given = { baseUrl, token: testToken, ...options };
  return { client: createProductionClient(given, { fetch, clock, random: () => 0.5, ...deps }), clock };
}

/** The ids of all tasks whose status is `done`, as the client lists them. */
export async function listedIds(client: ProductionClient): Promise<unknown[]> {
  return idsOf(client.tasks({ status: "done" }));
}

export async function idsOf(pages: AsyncIterable<{ items: unknown[] }>): Promise<unknown[]> {
  const ids: unknown[] = [];
  for await (const { items } of pages) ids.push(...items.map((item) => (item as { id: unknown }).id));
  return ids;
}
