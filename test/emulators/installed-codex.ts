import { join } from "node:path";
import { CodexOptions, codexRecipe } from "@tracemill/agents/cli-agents/codex.ts";
import { npmLayers } from "@tracemill/agents/cli-agents/install-layer.ts";
import { messageOf } from "@tracemill/core/errors.ts";
import { repository } from "../e2e/tracemill.ts";

/** The real Codex, from npm, kept between test runs. @returns its folder, or why it is not to be had. */
export async function installedCodex(): Promise<{ folder: string } | { missing: string }> {
  const install = npmLayers(join(repository, "node_modules/.cache/tracemill/layers"));
  try {
    const { dir } = await install(codexRecipe(CodexOptions.parse({})), AbortSignal.timeout(200_000));
    const triple = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl`;
    return { folder: join(dir, "node_modules/codex/vendor", triple, "bin") };
  } catch (error) {
    return { missing: `Codex cannot be installed here: ${messageOf(error)}` };
  }
}
