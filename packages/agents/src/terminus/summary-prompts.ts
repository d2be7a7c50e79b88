/** What is said when a conversation has grown too long and its work is handed on. Plain text is asked for, no commands. */

export const summaryPrompt = `Stop here: this conversation is getting too long, and somebody else will finish the task without seeing it. This once, reply in plain text, without commands.

Write down for them everything that they will need:
- what was done, command by command where it matters, and what each step showed;
- what was found out: paths, versions, settings, contents of files, error messages, in their exact words;
- what went wrong and how it was dealt with, and what was tried in vain;
- how things stand now: what is running, what is half done, what is left to do and in which order.`;

export function questionsPrompt(task: string, summary: string, screen: string): string {
  return `You take over a task that somebody else has begun.

The task:

${task.trim()}

What they have written down:

${summary.trim()}

The terminal shows:
${screen}

Before you go on you may ask them about it, once. This once, reply in plain text, without commands: a numbered list of at least five questions about what the notes leave open and what you have to know to finish the task.`;
}

export function answersPrompt(questions: string): string {
  return `The one who takes over asks the following. Answer every question from what you have seen, in detail, in plain text; say so where you do not know.

${questions.trim()}`;
}

export function goOnPrompt(answers: string, screen: string): string {
  return `Their answers:

${answers.trim()}

Nobody can be asked any more. Go on with the task from where it stands, in the form of reply that was asked for at the beginning.

The terminal shows:
${screen}`;
}

export function shortPrompt(task: string, screen: string): string {
  return `Somebody works on this task:

${task.trim()}

Their terminal shows:
${screen}

In two or three sentences of plain text: what has been done, and what comes next?`;
}

export function restartPrompt(task: string, summary: string | undefined, screen: string): string {
  const notes = summary === undefined ? "" : `\n\nHow it stands, in short:\n\n${summary.trim()}`;
  return `You take over a task that somebody else has begun.

The task:

${task.trim()}${notes}

The terminal shows:
${screen}`;
}
