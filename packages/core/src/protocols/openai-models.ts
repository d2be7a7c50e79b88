/**
 * Whether OpenAI's model of this name reasons, and so wants `max_completion_tokens` and can seal its reasoning
 * (platform.openai.com/docs/guides/reasoning). Names of other makers are none of these.
 */
export function isOpenAiReasoner(model: string): boolean {
  const name = model.slice(model.lastIndexOf("/") + 1);
  return /^(?:o[1-9]|gpt-[5-9]|codex-)/.test(name) && !/-chat\b/.test(name);
}
