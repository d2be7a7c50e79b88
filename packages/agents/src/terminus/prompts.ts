import type { ReplyForm } from "./reply.ts";
import { maxSeconds } from "./reply.ts";
import { maxViewBytes, type View } from "./screen.ts";

/** What a model is told of its work, of the form of its replies, and of what came of them. */

const jsonRules = `Reply with one JSON object and nothing else:

{
  "analysis": "what you see on the screen, what is done and what is not",
  "plan": "what you do next, and what you expect of it",
  "commands": [
    { "keystrokes": "ls -la\\n", "duration": 0.5 },
    { "keystrokes": "make test\\n", "duration": 30 }
  ],
  "task_complete": false
}

- \`commands\` are typed one after the other. It may be empty.
- \`keystrokes\` is typed exactly as it stands. A command line ends with \\n, or it is not run.
- \`duration\` is how many seconds to wait after typing, before the next command or before you see the screen.
- \`task_complete\` is true once nothing is left to do. Leave it out or say false before.
- Escape quotes, backslashes and line ends in strings as JSON wants it.`;

const xmlRules = `Reply in this form and write nothing around it:

<response>
<analysis>
what you see on the screen, what is done and what is not
</analysis>
<plan>
what you do next, and what you expect of it
</plan>
<commands>
<keystrokes duration="0.5">ls -la
</keystrokes>
<keystrokes duration="30">make test
</keystrokes>
</commands>
<task_complete>false</task_complete>
</response>

- The commands are typed one after the other. There may be none: <commands></commands>.
- What stands between the tags of <keystrokes> is typed exactly as it stands, line ends included. A command line ends with a line end, or it is not run. Characters are not escaped: write <, > and & as they are.
- \`duration\` is how many seconds to wait after typing, before the next command or before you see the screen.
- <task_complete> is true once nothing is left to do. Leave it out or say false before.`;

interface Setting {
  workdir: string;
  cols: number;
  rows: number;
  wait: "prompt" | "full";
}

export function systemPrompt(
  { name }: Pick<ReplyForm, "name">,
  { workdir, cols, rows, wait }: Setting,
  instructions: string | undefined,
): string {
  const early = wait === "prompt" ? " A wait ends earlier when the shell is back at its prompt." : "";
  return `You work on a task at the terminal of a Linux machine, in the folder ${workdir}, with nobody to ask. In each turn you say which keys are typed; then you are shown the terminal. What counts in the end is the state in which you leave the machine.

${name === "json" ? jsonRules : xmlRules}

The terminal:
- It is a single shell that stays open: folders, variables and running programs are as you left them. It has ${cols} columns and ${rows} rows.
- Programs that take over the screen or ask questions (editors, pagers, interpreters, password prompts) work: type what they want.
- A key that is no character is written by its name, alone in its keystrokes: C-c, C-d, C-z, Escape, Enter, Tab, Up, Down, Left, Right, PageUp, PageDown, Home, End, F1, M-x.
- Nothing waits for a command that runs longer than its duration: it goes on, and you can look again later by typing nothing ("") with a duration, or stop it with C-c.${early}
- Use short durations, half a second for commands that end at once. No wait is longer than ${maxSeconds} seconds.
- You are shown what is new since your last look, or else the whole screen; of more than ${maxViewBytes / 1_000} KB only the beginning and the end. Send long output to a file and look at parts of it.${instructions === undefined ? "" : `\n\n${instructions}`}`;
}

export function firstPrompt(instruction: string, view: View): string {
  return `The task:\n\n${instruction.trim()}\n\n${viewText(view)}`;
}

export function viewText({ kind, text }: View): string {
  return kind === "new" ? `New on the terminal:\n${text}` : `The terminal shows:\n${text}`;
}

export function confirmPrompt({ name }: Pick<ReplyForm, "name">, view: View): string {
  const flag = name === "json" ? '"task_complete": true' : "<task_complete>true</task_complete>";
  return `${viewText(view)}\n\nYou said that the task is done. Nothing can be changed once it is handed in, and then it is checked. If it really is done, reply with ${flag} once more; if not, go on.`;
}

export function warningsText(warnings: readonly string[]): string {
  return `Your reply was carried out, but not all of it was in the form that was asked for:\n${bullets(warnings)}`;
}

export function malformedPrompt(
  { name }: Pick<ReplyForm, "name">,
  error: string,
  warnings: readonly string[],
): string {
  const more = warnings.length === 0 ? "" : `\nAlso:\n${bullets(warnings)}`;
  const form = name === "json" ? "the JSON object" : "the <response>";
  return `Nothing was typed, since your reply could not be read: ${error}.${more}\n\nReply again with ${form} that was asked for.`;
}

/** After an answer that ended at its output limit. @param typed how many of its commands were whole, and were typed. */
export function cutText(typed: number): string {
  const done =
    typed === 0
      ? "and none of it was carried out"
      : `so that only its first ${typed === 1 ? "command was" : `${typed} commands were`} typed`;
  return `Your reply was cut at the output limit, ${done}. Go on in smaller pieces: write long files in several commands.`;
}

export function endedText(exitCode: number, workdir: string): string {
  return `The shell ended (exit code ${exitCode}). A new one was started in ${workdir}; commands that came after it were not typed.`;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}
