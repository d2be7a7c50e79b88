import { fieldsOf, textIn } from "../../protocols/fields.ts";

/** Keys that begin so are known by an id: they tell a conversation from all others. */
const callMark = "call ";

/** Keys of what tools gave back begin so. */
export const resultMark = "result ";

export function callKey(...ids: unknown[]): string {
  return callMark + ids.map(String).join(" ");
}

export function isCallKey(key: string): boolean {
  return key.startsWith(callMark);
}

/** Keys of what is said in the name of the program, not of its user. */
export function isInstructionKey(key: string): boolean {
  return key.startsWith("system ") || key.startsWith("developer ");
}

export function resultKey(id: unknown): string {
  return resultMark + String(id);
}

/** What is said, without marks that move from request to request, and without space around it. */
export function saidKey(role: string, content: unknown): string {
  return `${role} ${contentText(content)}`;
}

function contentText(content: unknown): string {
  if (!Array.isArray(content))
    return typeof content === "string" ? content.trim() : JSON.stringify(content ?? "");
  return content.map(partText).join("\n").trim();
}

function partText(part: unknown): string {
  const fields = fieldsOf(part);
  const text = typeof part === "string" ? part : textIn(fields.text);
  if (text !== "") return text;
  const { cache_control: _, ...rest } = fields;
  return JSON.stringify(rest);
}
