import { decodeHTML } from "entities";

/** Python's `\s`: Unicode's white space and the separators 1C to 1F, which JavaScript's leaves out (it has FEFF). */
const separators = String.fromCharCode(0x1c, 0x1d, 0x1e, 0x1f);
const whitespace = new RegExp(`[\\p{White_Space}${separators}]+`, "gu");

/** What Python's `html.unescape` looks at. */
const reference = /&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/g;

/**
 * The text of a page as autoppia_iwa's `clean_dom` takes it: script and style blocks out, tags to spaces, references
 * decoded, white space collapsed. In linear time, also on a page of opening brackets alone.
 * @param most characters as Python counts them, which are code points.
 */
export function cleanDom(html: string, most = 3_000): string {
  const bare = withoutTags(withoutBlocks(withoutBlocks(html, "script"), "style"));
  const text = unescapeHtml(bare).replaceAll(whitespace, " ");
  return firstCodePoints(text.replace(/^ | $/g, ""), most);
}

/** The parts of a URL between `/ : ? & # = . _ -`, the first 50. */
export function urlTokens(url: string, most = 50): string[] {
  return url
    .split(/[/:?&#=._-]+/)
    .filter((token) => token !== "")
    .slice(0, most);
}

/** The first `most` code points. */
export function firstCodePoints(text: string, most: number): string {
  if (text.length <= most) return text;
  return Array.from(text.slice(0, 2 * most))
    .slice(0, most)
    .join("");
}

function withoutBlocks(html: string, name: string): string {
  const opening = new RegExp(`<${name}`, "giu");
  const closing = new RegExp(`</${name}>`, "giu");
  let kept = "";
  let from = 0;
  for (let open = opening.exec(html); open !== null; open = opening.exec(html)) {
    closing.lastIndex = opening.lastIndex;
    if (closing.exec(html) === null) break;
    kept += `${html.slice(from, open.index)} `;
    from = closing.lastIndex;
    opening.lastIndex = from;
  }
  return kept + html.slice(from);
}

/** `<[^>]+>` to a space: a tag goes from an opening bracket to the next closing one, with something between. */
function withoutTags(html: string): string {
  let kept = "";
  let from = 0;
  for (let open = html.indexOf("<"); open !== -1; ) {
    const close = html.indexOf(">", open + 1);
    if (close === -1) break;
    if (close > open + 1) {
      kept += `${html.slice(from, open)} `;
      from = close + 1;
    }
    open = html.indexOf("<", Math.max(from, open + 1));
  }
  return kept + html.slice(from);
}

/** Python's `html.unescape`. */
export function unescapeHtml(text: string): string {
  return text.replaceAll(reference, (match) => (match[1] === "#" ? numbered(match) : decodeHTML(match)));
}

function numbered(match: string): string {
  const digits = match.slice(2).replace(";", "");
  const code = /^[xX]/.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number.parseInt(digits, 10);
  return isDropped(code) ? "" : decodeHTML(`${match.replace(";", "")};`);
}

/** Characters that Python leaves out: controls and non-characters, unless Windows-1252 has a letter there. */
function isDropped(code: number): boolean {
  if (code >= 0x80 && code <= 0x9f) return false;
  const isControl =
    (code >= 0x1 && code <= 0x8) || code === 0xb || (code >= 0xe && code <= 0x1f) || code === 0x7f;
  const isNone = (code >= 0xfdd0 && code <= 0xfdef) || (code <= 0x10ffff && (code & 0xfffe) === 0xfffe);
  return isControl || isNone;
}
