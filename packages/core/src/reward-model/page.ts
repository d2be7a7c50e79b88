import { DomHandler, Parser, Tokenizer } from "htmlparser2";
import { TracemillError } from "../errors.ts";

/** What a page holds, counted while it is read. */
export interface PageContent {
  /** Visible text, white space collapsed. */
  text: string;
  inputs: number;
  buttons: number;
  links: number;
  textareas: number;
  forms: number;
}

const counted = {
  input: "inputs",
  button: "buttons",
  a: "links",
  textarea: "textareas",
  form: "forms",
} as const;

/** Elements whose text nobody sees. */
const unseen = new Set(["script", "style", "template", "noscript", "title"]);

const ignored = () => {};

/**
 * Reads a page with an HTML tokenizer, in one pass without a tree: in linear time, whatever is nested in what.
 * Everything that is no tag, comment, script, style or title counts as visible.
 */
export function pageContent(html: string): PageContent {
  const content = { inputs: 0, buttons: 0, links: 0, textareas: 0, forms: 0 };
  const texts: string[] = [];
  let hidden: string | undefined;
  const tokenizer = new Tokenizer(
    {},
    {
      onopentagname(start, end) {
        const name = html.slice(start, end).toLowerCase();
        if (isCounted(name)) content[counted[name]] += 1;
        if (unseen.has(name)) hidden ??= name;
        texts.push(" ");
      },
      onclosetag(start, end) {
        if (html.slice(start, end).toLowerCase() === hidden) hidden = undefined;
        texts.push(" ");
      },
      ontext(start, end) {
        if (hidden === undefined) texts.push(html.slice(start, end));
      },
      ontextentity(codePoint) {
        if (hidden === undefined) texts.push(String.fromCodePoint(codePoint));
      },
      onselfclosingtag: ignored,
      onopentagend: ignored,
      onattribname: ignored,
      onattribdata: ignored,
      onattribentity: ignored,
      onattribend: ignored,
      oncdata: ignored,
      oncomment: ignored,
      ondeclaration: ignored,
      onprocessinginstruction: ignored,
      onend: ignored,
    },
  );
  tokenizer.write(html);
  tokenizer.end();
  return { text: texts.join("").replaceAll(/\s+/g, " ").trim(), ...content };
}

function isCounted(name: string): name is keyof typeof counted {
  return Object.hasOwn(counted, name);
}

/** More than any page for people has; a parser's time grows with the square of it. */
const mostNested = 2_000;

/** The tree of a page, for selectors. @throws TracemillError `unsupported` for one that is nested too deep. */
export function pageTree(html: string) {
  const tree = new DomHandler();
  let depth = 0;
  const onopentag = tree.onopentag.bind(tree);
  const onclosetag = tree.onclosetag.bind(tree);
  tree.onopentag = (name, attributes) => {
    depth += 1;
    if (depth > mostNested) throw new TracemillError("unsupported", `nested more than ${mostNested} deep`);
    onopentag(name, attributes);
  };
  tree.onclosetag = () => {
    depth -= 1;
    onclosetag();
  };
  new Parser(tree).end(html);
  return tree.root.children;
}
