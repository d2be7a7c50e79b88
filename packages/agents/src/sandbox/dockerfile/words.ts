import { TracemillError } from "@tracemill/core/errors.ts";

export type Variables = Readonly<Record<string, string>>;

/**
 * Splits an instruction's arguments into words and fills in variables, by the rules of
 * https://docs.docker.com/reference/dockerfile/#environment-replacement: quotes group, single quotes keep
 * everything as it is, `escaping` (a backslash, mostly) takes the next character's meaning away.
 * @throws TracemillError `unsupported` for forms like `${name#prefix}`.
 */
export function words(text: string, variables: Variables, escaping = "\\"): string[] {
  const found: string[] = [];
  const reader = new Reader(text, variables, escaping);
  while (!reader.atEnd) {
    const word = reader.word();
    if (word !== undefined) found.push(word);
  }
  return found;
}

/** Fills in variables without splitting; quotes are taken away. */
export function expand(text: string, variables: Variables, escaping = "\\"): string {
  return new Reader(text, variables, escaping).until(() => false);
}

const variable = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+])((?:[^{}]|\{[^{}]*\})*))?\})/;

class Reader {
  readonly #text: string;
  readonly #variables: Variables;
  readonly #escaping: string;
  #at = 0;

  constructor(text: string, variables: Variables, escaping: string) {
    this.#text = text;
    this.#variables = variables;
    this.#escaping = escaping;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  word(): string | undefined {
    while (/\s/.test(this.#peek())) this.#at += 1;
    return this.atEnd ? undefined : this.until((character) => /\s/.test(character));
  }

  until(isEnd: (character: string) => boolean): string {
    let result = "";
    while (!this.atEnd && !isEnd(this.#peek())) {
      const character = this.#peek();
      if (character === "'") result += this.#single();
      else if (character === '"') result += this.#double();
      else if (character === "$") result += this.#variable();
      else result += this.#plain();
    }
    return result;
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #plain(): string {
    if (this.#peek() === this.#escaping && this.#at + 1 < this.#text.length) this.#at += 1;
    this.#at += 1;
    return this.#text.charAt(this.#at - 1);
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    const content = this.#text.slice(this.#at + 1, end === -1 ? undefined : end);
    this.#at = end === -1 ? this.#text.length : end + 1;
    return content;
  }

  #double(): string {
    this.#at += 1;
    let result = "";
    while (!this.atEnd && this.#peek() !== '"') {
      if (this.#peek() === "$") result += this.#variable();
      else if (
        this.#peek() === this.#escaping &&
        !['"', "$", this.#escaping].includes(this.#text.charAt(this.#at + 1))
      ) {
        result += this.#escaping;
        this.#at += 1;
      } else result += this.#plain();
    }
    this.#at += 1;
    return result;
  }

  #variable(): string {
    const rest = this.#text.slice(this.#at);
    const match = variable.exec(rest);
    if (match === null) {
      if (rest.startsWith("${")) {
        const form = rest.slice(0, rest.indexOf("}") + 1) || rest;
        throw new TracemillError("unsupported", `the variable form \`${form}\``);
      }
      this.#at += 1;
      return "$";
    }
    this.#at += match[0].length;
    const [, plain, braced, operator, alternative = ""] = match;
    const value = this.#variables[plain ?? braced ?? ""];
    const isSet =
      operator?.startsWith(":") === true ? value !== undefined && value !== "" : value !== undefined;
    if (operator?.endsWith("-") === true && !isSet)
      return expand(alternative, this.#variables, this.#escaping);
    if (operator?.endsWith("+") === true)
      return isSet ? expand(alternative, this.#variables, this.#escaping) : "";
    return value ?? "";
  }
}
