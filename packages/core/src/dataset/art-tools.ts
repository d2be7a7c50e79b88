import * as z from "zod";

/** A tool as ART's reader wants it; it refuses a whole file for a definition of another form. */
const Tool = z.looseObject({
  name: z.string(),
  description: z.string().nullish().catch(undefined),
  parameters: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  strict: z.boolean().nullish().catch(undefined),
});

export interface ArtTool {
  type: "function";
  function: {
    name: string;
    description?: string;
    parameters?: Record<string, unknown>;
    strict?: boolean;
  };
}

/** Tool definitions in OpenAI's chat form, also of its flat form (`{name, parameters}`); others are named in `problems`. */
export function artTools(definitions: readonly Record<string, unknown>[]): {
  tools: ArtTool[];
  problems: string[];
} {
  const tools: ArtTool[] = [];
  const problems: string[] = [];
  for (const [index, definition] of definitions.entries()) {
    const parsed = Tool.safeParse(definition.function ?? definition);
    if (parsed.success) tools.push({ type: "function", function: withValues(parsed.data) });
    else problems.push(`tool definition ${index + 1} is left out: it is no function with a name`);
  }
  return { tools, problems };
}

function withValues({ name, description, parameters, strict }: z.infer<typeof Tool>): ArtTool["function"] {
  return {
    name,
    ...(description == null ? {} : { description }),
    ...(parameters == null ? {} : { parameters }),
    ...(strict == null ? {} : { strict }),
  };
}
