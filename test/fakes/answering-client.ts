interface Stack {
  add(
    middleware: (
      next: unknown,
      context: { commandName?: string },
    ) => (args: { input: unknown }) => Promise<{ output: unknown; response: unknown }>,
    options: { step: "initialize"; priority: "high"; name: string },
  ): void;
}

/** An AWS error as the SDK throws it. */
export function awsFault(name: string, message: string, status = 400): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
}

/**
 * Has a client of the AWS SDK answered by functions, by the name of the command, instead of by AWS. What an emulator
 * does not play (quotas, broken compute environments, 15,000 jobs) is tested so.
 * @returns the client, and what it was asked.
 */
export function answering<C>(
  client: C,
  answers: Record<string, (input: never) => unknown>,
): { client: C; asked: { command: string; input: Record<string, unknown> }[] } {
  const asked: { command: string; input: Record<string, unknown> }[] = [];
  const { middlewareStack } = client as { middlewareStack: Stack };
  middlewareStack.add(
    (_next, { commandName = "" }) =>
      async ({ input }) => {
        const command = commandName.replace(/Command$/, "");
        asked.push({ command, input: input as Record<string, unknown> });
        const answer = answers[command];
        if (answer === undefined) throw awsFault("AccessDeniedException", `not allowed: ${command}`, 403);
        return { output: answer(input as never), response: {} };
      },
    { step: "initialize", priority: "high", name: "answering" },
  );
  return { client, asked };
}
